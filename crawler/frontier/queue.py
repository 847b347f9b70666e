"""What is due, in order, host by host. Only the window touches it."""

from collections.abc import Iterator

import msgspec

from crawler.frontier.database import Table
from crawler.frontier.row import UrlRow

__all__ = ["UrlQueue"]

_KEY_BYTES = 16


class UrlQueue:
    """The table of due URLs by queue key. A row waits here and nowhere else: a scan gives all that a task needs.

    Scans see what is committed, less what the open batch removes. State: the values that the open batch is to hold, and
    the queue keys that it removes; `write` puts both there.
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(UrlRow).decode
        self._added: dict[bytes, bytes] = {}
        self._removed: set[bytes] = set()

    def add(self, place: bytes, key: bytes, row: UrlRow) -> None:
        """Make a URL due at its place (`row.queue_key`)."""
        self._added[place] = key + self._encode(row)
        self._removed.discard(place)

    def remove(self, place: bytes) -> None:
        """Take a URL out."""
        self._removed.add(place)
        self._added.pop(place, None)

    def pending(self, place: bytes) -> UrlRow | None:
        """Return the row that the open batch is to hold at a place."""
        value = self._added.get(place)
        return None if value is None else self.row(value)

    @property
    def is_changed(self) -> bool:
        """Whether the open batch is to hold anything."""
        return bool(self._added or self._removed)

    def write(self) -> None:
        """Put all changes into the open batch."""
        self._table.put_all(self._added)
        for place in self._removed:
            self._table.delete(place)

    def scan(self, lower: bytes, upper: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Give (queue key, value) with lower <= queue key < upper.

        The value begins with the 16 bytes of the URL's key; `row` decodes the rest.
        """
        removed = self._removed
        for place, value in self._table.items(lower, upper):
            if place not in removed:
                yield place, value

    def at(self, place: bytes) -> UrlRow | None:
        """Return the row at one place, as the open batch has it or the last commit had."""
        value = self._added.get(place) or self._table.get(place)
        return None if value is None else self.row(value)

    def row(self, value: bytes) -> UrlRow:
        """Decode the row in a value of the queue."""
        return self._decode(memoryview(value)[_KEY_BYTES:])

    def next_host(self, after: bytes) -> bytes | None:
        """Return the first host key >= `after` (8 bytes) with entries, None past the last."""
        for key in self._table.keys(after):
            if key not in self._removed:
                return key[:8]
        return None

    def entries(self) -> Iterator[tuple[bytes, UrlRow]]:
        """Give the URL key and the row of every committed entry, in order."""
        return ((value[:_KEY_BYTES], self.row(value)) for value in self._table.values())

    def rows(self) -> Iterator[UrlRow]:
        """Give the row of every committed entry, in order."""
        return map(self.row, self._table.values())

    def values(self) -> Iterator[bytes]:
        """Give the value of every committed entry, in order: `row` decodes it."""
        return self._table.values()

    def forget(self) -> None:
        """Learn that the open batch was committed or dropped."""
        self._added.clear()
        self._removed.clear()
