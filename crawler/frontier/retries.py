"""URLs that were tried and wait for their time."""

import time
from collections.abc import Iterator
from itertools import islice

import msgspec

from crawler.frontier.database import Table
from crawler.frontier.row import UrlRow

__all__ = ["Retries"]

_KEY_BYTES = 16
_LOOKED_AT_ONCE = 1_024


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

    def entries(self) -> Iterator[tuple[bytes, UrlRow]]:
        """Give the URL key and the row of every retry, in the order of their times."""
        return ((key[8:], self._decode(value)) for key, value in self._table.items())

    def rows(self) -> Iterator[UrlRow]:
        """Give the row of every retry, in the order of their times."""
        return map(self._decode, self._table.values())

    def values(self) -> Iterator[bytes]:
        """Give the value of every retry, in the order of their times: `row` decodes it."""
        return self._table.values()

    def row(self, value: bytes) -> UrlRow:
        """Decode what `values` gave."""
        return self._decode(value)

    def find(self, key: bytes, give_up_at: float) -> tuple[float, UrlRow] | None:
        """Return when one URL is due, and its row, if that is found until `give_up_at` (`time.monotonic`)."""
        for number, (place, value) in enumerate(self._table.items()):
            if place[8:] == key:
                return int.from_bytes(place[:8], "big") / 1e6, self._decode(value)
            if number % _LOOKED_AT_ONCE == 0 and time.monotonic() > give_up_at:
                break
        return None


def _due_key(at: float, url_key: bytes) -> bytes:
    return max(0, int(at * 1e6)).to_bytes(8, "big") + url_key
