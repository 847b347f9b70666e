"""What is put down of a task that has ended: its row, and the counters."""

from msgspec import structs

from crawler.core.counters import Counters
from crawler.core.model import Done, Finished
from crawler.frontier.budgets import REPEATS
from crawler.frontier.duplicates import Duplicates, Repeat
from crawler.frontier.early_look import EarlyLook
from crawler.frontier.elsewhere import Elsewhere
from crawler.frontier.gate import HELD_BACK, Gate
from crawler.frontier.handed import Handed
from crawler.frontier.keys import Keys
from crawler.frontier.reach import Limits, Reach
from crawler.frontier.record_numbers import RecordNumbers
from crawler.frontier.row import ENDED, REOPENABLE
from crawler.frontier.store import Store
from crawler.web.urls import authority

__all__ = ["Ends"]


class Ends:
    """Ends tasks. Part of the frontier, whose counters it writes. Has no state."""

    def __init__(
        self,
        store: Store,
        counters: Counters,
        limits: Limits,
        gate: Gate,
        *,
        duplicates: Duplicates,
        numbers: RecordNumbers,
        early_look: EarlyLook,
        elsewhere: Elsewhere | None,
    ) -> None:
        self._store = store
        self._counters = counters
        self._limits = limits
        self._gate = gate
        self._duplicates = duplicates
        self._numbers = numbers
        self._early_look = early_look
        self._elsewhere = elsewhere

    def put(self, handed: Handed, done: Done, nearest: Reach, repeat: Repeat | None, now: float) -> Finished:
        """End a task. If it repeats a page and such pages are skipped, it ends without a record."""
        task, counters = handed.task, self._counters
        if done.records is not None:
            counters.bytes += done.body_bytes
        if repeat is not None:
            counters.duplicates += not repeat.near
            counters.near_duplicates += repeat.near
            if self._duplicates.skip:
                reason = "near-duplicate" if repeat.near else "duplicate"
                done = structs.replace(done, reason=reason, records=None)
        first, lines = (-1, 0) if counters.open_rows else self._numbers.take(done.records)
        row = handed.ended_row(done, now, other=_other(self._store.keys, done, repeat), first=first, lines=lines)
        if self._elsewhere is not None and (parent_url := self._elsewhere.kept(task.parent)) is not None:
            row = structs.replace(row, parent_url=parent_url)
        if nearest != handed.reach:
            row = self._limits.at(row, nearest)
            row = structs.replace(row, stale=self._limits.stale(row, handed.reach, nearest))
            counters.stale += bool(row.stale)
        self._store.urls.put(task.key, REOPENABLE if done.reason in HELD_BACK else ENDED, row)
        self._gate.ended(handed, done)
        if done.reason == REPEATS:
            counters.count_repeat(authority(task.url), 1)
        if row.chain > 0 and done.outcome == "fetched" and task.kind == "page":
            self._early_look.fetched(handed.host, row.chain)
        counters.queued -= 1
        counters.count(done.outcome, done.reason, +1)
        if done.records is not None:
            counters.pages += 1
            counters.statuses[done.status] = counters.statuses.get(done.status, 0) + 1
        return Finished.of(task, done, now, None if repeat is None else self._duplicates.page(repeat))


def _other(keys: Keys, done: Done, repeat: Repeat | None) -> bytes:
    """Return the key of the URL that a task redirects to or repeats."""
    if done.outcome == "redirected":
        return keys.links(done.links)[0]
    return b"" if repeat is None else repeat.key
