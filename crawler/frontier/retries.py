"""URLs that were tried and wait for their time."""

from collections.abc import Iterator
from itertools import islice

import msgspec

from crawler.frontier.database import Table
from crawler.frontier.row import UrlRow

__all__ = ["Retries"]

_KEY_BYTES = 16


class Retries:
    """The table of retries by the time at which each is due. Has no state: reads see what is committed."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(UrlRow).decode

    def add(self, at: float, key: bytes, row: UrlRow) -> None:
        """Let a URL wait until the unix time `at`."""
        self._table.put(_due_key(at, key), self._encode(row))

    def take_due(self, now: float, limit: int) -> list[tuple[bytes, UrlRow]]:
        """Remove and return up to `limit` URLs whose time has come. Call at most once a commit."""
        due = []
        for key, value in islice(self._table.items(upper=_due_key(now, b"\xff" * _KEY_BYTES)), limit):
            self._table.delete(key)
            due.append((key[8:], self._decode(value)))
        return due

    def next_due_at(self) -> float | None:
        """Return the unix time at which the first retry is due, None if there is none."""
        first = next(self._table.keys(), None)
        return None if first is None else int.from_bytes(first[:8], "big") / 1e6

    def rows(self) -> Iterator[UrlRow]:
        """Give the row of every retry, in the order of their times."""
        return map(self._decode, self._table.values())


def _due_key(at: float, url_key: bytes) -> bytes:
    return max(0, int(at * 1e6)).to_bytes(8, "big") + url_key
