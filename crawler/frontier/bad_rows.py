"""Rows of lists that are no URLs: nobody can ask for them, and somebody may ask what became of them."""

from collections.abc import Iterator

import msgspec
from xxhash import xxh3_128_digest

from crawler.frontier.database import Table
from crawler.frontier.seed_lines import BadSeed

__all__ = ["BadRows"]

_FIRST, _AFTER = b"x", b"y"
"""Stands before the hash of a row, in the table of seeds, and what comes after all of these."""


class BadRows:
    """The table of these rows. Has no state: reads see what is committed."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._encode = msgspec.msgpack.Encoder().encode

    def put(self, bad: BadSeed) -> None:
        """Keep a row. One that says the same is kept once; what says nothing goes by its place."""
        row = xxh3_128_digest((bad.text or bad.place).encode("utf-8", "surrogatepass"))
        self._table.put(_FIRST + row, self._encode((bad.place, bad.value, bad.why, bad.text)))

    def all(self) -> Iterator[BadSeed]:
        """Give every row, in no order. Their further columns are not kept."""
        for _, value in self._table.items(_FIRST, _AFTER):
            place, shown, why, text = msgspec.msgpack.decode(value)
            yield BadSeed(place, shown, why, text, is_line=True)
