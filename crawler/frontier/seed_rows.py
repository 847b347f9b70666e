"""The rows of the seeds that have no record yet: at which URL each of them is. `seed_records` moves them.

A row begins at its seed's URL and goes along with redirects. It leaves the table with its record.

    key                     value
    "r", URL key            first row at that URL, and whether there are more
    "m", URL key, number    one more row there
    "e", URL key            how that URL ended: what rows get that come there later
    "o", number             record that is owed to a row
"""

from collections.abc import Sequence
from itertools import islice

import msgspec
from msgspec import Struct

from crawler.frontier.database import Table

__all__ = ["Ending", "Row", "SeedRows"]

_FIRST, _MORE, _ENDING, _OWED = b"r", b"m", b"e", b"o"


class Row(Struct, frozen=True, array_like=True, gc=False):
    """A row by its number, and the URLs that redirected from its seed to where it is now."""

    number: int
    hops: tuple[str, ...] = ()


class _First(Struct, frozen=True, array_like=True, gc=False):
    row: Row
    more: bool = False


class Ending(Struct, frozen=True, array_like=True, gc=False):
    """How a URL ended at which there were rows, as in `core.model.Done`. `at` is unix time; `to` is the URL that it
    redirects to, empty if it does not.
    """

    url: str
    outcome: str
    reason: str = ""
    status: int = 0
    at: float = 0.0
    detail: str = ""
    body_bytes: int = 0
    records: bytes | None = None
    to: str = ""


class SeedRows:
    """The rows at each URL. Reads see what the open batch holds, but for those of what is owed.

    State: the rows at URLs, and the endings, that the open batch changes; whether it pays what is owed.
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode_row = msgspec.msgpack.Decoder(Row).decode
        self._decode_first = msgspec.msgpack.Decoder(_First).decode
        self._decode_ending = msgspec.msgpack.Decoder(Ending).decode
        self._rows: dict[bytes, list[Row]] = {}
        self._endings: dict[bytes, Ending] = {}
        self._has_paid = False

    def at(self, keys: Sequence[bytes]) -> list[list[Row]]:
        """Return the rows at each of these URLs, in the order in which they came there."""
        unknown = [key for key in keys if key not in self._rows]
        found = (
            dict(zip(unknown, self._table.get_all([_FIRST + key for key in unknown]), strict=True)) if unknown else {}
        )
        return [self._rows[key] if key in self._rows else self._stored(key, found[key]) for key in keys]

    def _stored(self, key: bytes, value: bytes | None) -> list[Row]:
        if value is None:
            return []
        first = self._decode_first(value)
        if not first.more:
            return [first.row]
        start = _MORE + key
        return [first.row, *(self._decode_row(more) for _, more in self._table.items(start, start + b"\xff" * 9))]

    def add(self, key: bytes, row: Row) -> None:
        """Put a row to a URL."""
        rows = self._rows[key] = self.at([key])[0]
        if not rows:
            self._table.put(_FIRST + key, self._encode(_First(row)))
        else:
            if len(rows) == 1:
                self._table.put(_FIRST + key, self._encode(_First(rows[0], more=True)))
            self._table.put(_MORE + key + row.number.to_bytes(8, "big"), self._encode(row))
        rows.append(row)

    def take(self, key: bytes, rows: Sequence[Row]) -> None:
        """Take all rows away from a URL, at which there are these (`at`)."""
        for row in rows[1:]:
            self._table.delete(_MORE + key + row.number.to_bytes(8, "big"))
        if rows:
            self._table.delete(_FIRST + key)
        self._rows[key] = []

    def put_ending(self, key: bytes, ending: Ending) -> None:
        """Remember how a URL ended."""
        self._endings[key] = ending
        self._table.put(_ENDING + key, self._encode(ending))

    def ending(self, key: bytes) -> Ending | None:
        """Return how a URL ended, if that was remembered."""
        pending = self._endings.get(key)
        if pending is not None:
            return pending
        value = self._table.get(_ENDING + key)
        return None if value is None else self._decode_ending(value)

    def forget_ending(self, key: bytes) -> None:
        """Remember no more how a URL ended, which is to be asked for again."""
        self._endings.pop(key, None)
        self._table.delete(_ENDING + key)

    def forget_endings(self) -> None:
        """Remember no more how any URL ended: no row is left that could come there."""
        self._endings.clear()
        self._table.delete_range(_ENDING, bytes([_ENDING[0] + 1]))

    def owe(self, number: int, record: bytes) -> None:
        """Keep the record of a row, one JSON line, until it is written."""
        self._table.put(_OWED + number.to_bytes(8, "big"), record)

    def pay(self, most: int) -> list[bytes]:
        """Remove and return up to `most` of the records that are owed and committed; once for each commit."""
        if self._has_paid:
            return []
        self._has_paid = True
        paid = list(islice(self._table.items(_OWED, bytes([_OWED[0] + 1])), most))
        for key, _ in paid:
            self._table.delete(key)
        return [record for _, record in paid]

    def forget(self) -> None:
        """Learn that the open batch was committed or dropped."""
        self._has_paid = False
        self._rows.clear()
        self._endings.clear()
