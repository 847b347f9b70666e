"""URLs that were tried and are due again later: away until their time comes, then back in the queue."""

from crawler.core.counters import Counters
from crawler.core.model import Again
from crawler.frontier.handed import Handed
from crawler.frontier.reach import Reach
from crawler.frontier.store import Store
from crawler.frontier.window import Window

__all__ = ["Deferred"]

_PER_COMMIT = 1_024
"""Most retries whose time has come that one batch puts back into the queue."""


class Deferred:
    """The retries of one job. Part of the frontier, whose counters it writes.

    State: when the next one is due; None as well until a commit shows what is behind those that were taken.
    """

    def __init__(self, store: Store, window: Window, counters: Counters) -> None:
        self._store = store
        self._window = window
        self._counters = counters
        self.next_at = store.retries.next_due_at()

    def put(self, handed: Handed, nearest: Reach, again: Again, now: float) -> None:
        """Put a task that was tried away until its time comes."""
        self._store.retries.add(again.at, again.key, handed.waiting_row(again, now))
        if not handed.outcome:
            self._store.urls.put_waiting(again.key, b"", nearest)
        self._counters.retrying += 1

    def revive(self, now: float) -> None:
        """Put retries whose time has come back into the queue; scans see them after the next commit."""
        if self.next_at is None or self.next_at > now:
            return
        for key, row in self._store.retries.take_due(now, _PER_COMMIT):
            self._window.add(key, row.place(self._store.keys.host(row.url)), row)
            self._counters.retrying -= 1
        self.next_at = None  # until the commit: what was taken is still there for a scan

    def committed(self) -> None:
        """Learn that the open batch was committed."""
        self.next_at = self._store.retries.next_due_at()
