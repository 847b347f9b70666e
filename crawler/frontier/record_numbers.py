"""Which records of a job are whose: the place of each URL's first one among all, in the order in which they go out."""

from collections.abc import Iterable

from msgspec import structs

from crawler.core.json_line import lines_in
from crawler.core.model import Finished
from crawler.frontier.known import waiting
from crawler.frontier.row import QUEUED, UrlRow
from crawler.frontier.store import Store

__all__ = ["RecordNumbers"]


class RecordNumbers:
    """Counts records as they are given to the sinks, and notes in rows which are theirs. Part of the frontier.

    A crash takes a batch back with its rows and its records, so both begin again at what is committed. State: the
    number of the next record.
    """

    def __init__(self, store: Store, committed: int) -> None:
        self._store = store
        self._next = committed

    def take(self, records: bytes | None) -> tuple[int, int]:
        """Return the number of the first of these records, which go out next, and how many they are; -1, 0 if none."""
        lines = lines_in(records)
        if not lines:
            return -1, 0
        number, self._next = self._next, self._next + lines
        return number, lines

    def put(self, ended: Iterable[tuple[bytes, Finished]]) -> None:
        """Note in the rows of URLs, by their keys, the numbers of their records. All ended in the open batch.

        For those whose records are known only after they have been put. Some are due again already.
        """
        urls, queue = self._store.urls, self._store.queue
        for key, finished in ended:
            number, lines = self.take(finished.records)
            value = urls.pending(key) if lines else None
            if value is None:
                continue
            if value[:1] != QUEUED:
                urls.put(key, value[:1], _numbered(urls.row(value), number, lines))
            elif (row := queue.pending(place := waiting(value)[0])) is not None:
                queue.add(place, key, _numbered(row, number, lines))

    def skip(self, records: int) -> None:
        """Count records that belong to no URL's row."""
        self._next += records


def _numbered(row: UrlRow, number: int, lines: int) -> UrlRow:
    if row.records:
        return structs.replace(row, records=row.records + lines)
    return structs.replace(row, record=number, records=lines)
