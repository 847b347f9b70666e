"""The URLs that are known: how each one ended, or that it has not."""

from collections.abc import Iterator, Sequence

import msgspec

from crawler.frontier.database import Table
from crawler.frontier.row import QUEUED, UrlRow

__all__ = ["KnownUrls"]


class KnownUrls:
    """The table of URLs. Reads of keys see what the open batch holds.

    State: the values in the open batch.
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(UrlRow).decode
        self._pending: dict[bytes, bytes] = {}

    @property
    def pending_rows(self) -> int:
        """How many rows the next commit will write."""
        return len(self._pending)

    def values(self, keys: list[bytes]) -> Sequence[bytes | None]:
        """Return what is known of each key: a state byte, and the queue key (see `put_waiting`) or the row (see `row`).

        None where the URL is unknown.
        """
        if not keys:
            return []
        pending, stored = self._pending, self._table.get_all(keys)
        return [pending.get(key, value) for key, value in zip(keys, stored, strict=True)] if pending else stored

    def pending(self, key: bytes) -> bytes | None:
        """Return what `values` gives for a URL that the open batch holds, else None. Does not look at the disk."""
        return self._pending.get(key)

    def row(self, value: bytes) -> UrlRow:
        """Decode what `values` gave for a URL that has ended."""
        return self._decode(memoryview(value)[1:])

    def put(self, key: bytes, state: bytes, row: UrlRow) -> None:
        """Write or replace one URL that has ended or was skipped."""
        self._pending[key] = value = state + self._encode(row)
        self._table.put(key, value)

    def put_waiting(self, key: bytes, place: bytes = b"") -> None:
        """Make one URL known as one that has not ended; `place` is its queue key, if it may be given a better one."""
        self._pending[key] = value = QUEUED + place
        self._table.put(key, value)

    def ended(self) -> Iterator[tuple[bytes, UrlRow]]:
        """Give (state byte, row) of every committed URL that has ended or was skipped."""
        for value in self._table.values():
            if value[:1] != QUEUED:
                yield value[:1], self.row(value)

    def forget(self) -> None:
        """Learn that the open batch was committed or dropped."""
        self._pending.clear()
