"""The URLs that are known: how each one ended, or that it has not."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, Final

import msgspec

from crawler.frontier.database import Table
from crawler.frontier.reach import Reach
from crawler.frontier.row import QUEUED, UrlRow

__all__ = ["KnownUrls", "waiting"]

_MSGPACK_ARRAY: Final = b"\xdd"
"""Stands before the number of items, four bytes, and the items themselves."""
_REACH_BYTES = 8
_EARLIER_BYTES = (1, 17)


class KnownUrls:
    """The table of URLs. Reads of keys see what the open batch holds.

    State: the values that the open batch is to hold; `write` puts them there.
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(UrlRow).decode
        self._decode_many: Callable[[bytes], list[Any]] = msgspec.msgpack.Decoder(list[int | UrlRow]).decode
        self._pending: dict[bytes, bytes] = {}

    @property
    def pending_rows(self) -> int:
        """How many rows the next commit will write."""
        return len(self._pending)

    def write(self) -> None:
        """Put all rows into the open batch."""
        self._table.put_all(self._pending)

    def values(self, keys: list[bytes]) -> Sequence[bytes | None]:
        """Return what is known of each key: a state byte, and what `waiting` or `row` makes of the rest.

        None where the URL is unknown.
        """
        if not keys:
            return []
        pending = self._pending
        if len(keys) == 1 and (value := pending.get(keys[0])) is not None:
            return [value]
        stored = self._table.get_all(keys)
        return [pending.get(key, value) for key, value in zip(keys, stored, strict=True)] if pending else stored

    def committed(self, keys: list[bytes]) -> Sequence[bytes | None]:
        """Return the same as of the last commit, for who looks at `pending` for each key anyway."""
        return self._table.get_all(keys) if keys else []

    def pending(self, key: bytes) -> bytes | None:
        """Return what `values` gives for a URL that the open batch holds, else None. Does not look at the disk."""
        return self._pending.get(key)

    def row(self, value: bytes) -> UrlRow:
        """Decode what `values` gave for a URL that has ended."""
        return self._decode(memoryview(value)[1:])

    def put(self, key: bytes, state: bytes, row: UrlRow) -> None:
        """Write or replace one URL that has ended or was skipped."""
        self._pending[key] = state + self._encode(row)

    def put_waiting(self, key: bytes, place: bytes, reach: Reach) -> None:
        """Make one URL known as one that has not ended.

        `place` is its queue key, if it may be given a better one; `reach` is the best that is known.
        """
        self._pending[key] = QUEUED + place + (reach.far << 32 | reach.chain).to_bytes(_REACH_BYTES, "big")

    def ended(self) -> Iterator[tuple[bytes, bytes, UrlRow]]:
        """Give (key, state byte, row) of every committed URL that has ended or was skipped."""
        for key, value in self._table.items():
            if value[:1] != QUEUED:
                yield key, value[:1], self.row(value)

    def committed_after(self, start: bytes | None) -> Iterator[tuple[bytes, bytes]]:
        """Give the key and the committed value of every URL, from a key on."""
        return self._table.items(start)

    def stored(self) -> Iterator[bytes]:
        """Give the committed value of every URL: a state byte, and what `waiting` or `row` makes of the rest."""
        return self._table.values()

    def ended_rows(self, lower: bytes | None, upper: bytes | None, at_once: int) -> Iterator[list[UrlRow]]:
        """Give the row of every committed URL that has ended, with lower <= key < upper, in lists.

        Many are decoded in one go, which takes two thirds of the time of one by one: each value is its state byte,
        which is a small integer to msgpack, and its row.
        """
        items = self._table.items(lower, upper)
        while some := list(islice(items, at_once)):
            ended = [value for _, value in some if value[0] != QUEUED[0]]
            raw = _MSGPACK_ARRAY + (2 * len(ended)).to_bytes(4, "big") + b"".join(ended)
            yield self._decode_many(raw)[1::2]

    def forget(self) -> None:
        """Learn that the open batch was committed or dropped."""
        self._pending.clear()


def waiting(value: bytes) -> tuple[bytes, Reach]:
    """Return the queue key (empty if there is none) and the reach in the value of a URL that has not ended.

    Of one that an earlier version put, no better way is known.
    """
    if len(value) in _EARLIER_BYTES:
        return value[1:], Reach(0, 0)
    packed = int.from_bytes(value[-_REACH_BYTES:], "big")
    return value[1:-_REACH_BYTES], Reach(packed >> 32, packed & 0xFFFF_FFFF)
