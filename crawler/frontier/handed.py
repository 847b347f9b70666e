"""A task that is handed out: in the hands of the fetcher, the parsers or the ledger, until it is back."""

from msgspec import Struct, structs

from crawler.core.model import Again, Attempt, Done, Task
from crawler.frontier.attempt_log import with_attempt
from crawler.frontier.reach import Reach
from crawler.frontier.row import MOST_DETAIL_CHARS, UrlRow

__all__ = ["Handed"]


class Handed(Struct, gc=False):
    """A task with its host key and its `place` (queue key). `parent` (key) and `seq` are for its row when it ends.

    `outcome` is that of a page that is read again for its links alone, else empty. `asked`, `record` and `records` are
    what its row had of earlier requests.
    """

    task: Task
    host: bytes
    parent: bytes
    seq: int
    place: bytes
    outcome: str = ""
    asked: bytes = b""
    record: int = -1
    records: int = 0

    @property
    def size_bytes(self) -> int:
        """Bytes of its URLs: the rest of a task is of one size."""
        task = self.task
        size = len(task.url) + len(task.parent or "")
        return size + sum(map(len, task.redirected_from)) if task.redirected_from else size

    @property
    def reach(self) -> Reach:
        """How far the URL was known to be when it was handed out."""
        return Reach(self.task.far, self.task.chain)

    def waiting_row(self, again: Again, now: float) -> UrlRow:
        """Return the row of a task that was tried, and is due again later."""
        row = self._row(now, self.outcome, again.reason or "", again.attempt, record=self.record, records=self.records)
        return structs.replace(row, attempts=self.task.attempts + 1, parent_url=self.task.parent)

    def ended_row(self, done: Done, now: float, *, other: bytes, first: int, lines: int) -> UrlRow:
        """Return the row of a task that has ended. One without an attempt was not asked for.

        `other` is that of the row. `first` is the number of the first of its records, which are so many `lines`.
        """
        detail = done.detail and done.detail.removeprefix(f"{self.task.url}: ")[:MOST_DETAIL_CHARS]
        return self._row(
            now,
            done.outcome,
            done.reason,
            done.attempt,
            status=done.status,
            record=self.record if self.records else first,
            records=self.records + lines,
            detail=detail,
            other=other,
        )

    def _row(
        self,
        now: float,
        outcome: str,
        reason: str,
        attempt: Attempt | None,
        *,
        status: int = 0,
        record: int = -1,
        records: int = 0,
        detail: str = "",
        other: bytes = b"",
    ) -> UrlRow:
        task = self.task
        return UrlRow(
            url=task.url,
            depth=task.depth,
            parent=self.parent,
            seed=task.seed.number,
            redirected_from=task.redirected_from,
            attempts=task.attempts + (attempt is not None),
            seq=self.seq,
            at=now,
            outcome=outcome,
            reason=reason,
            status=status,
            is_sitemap=task.kind == "sitemap",
            chain=task.chain,
            spent_ms=round(task.spent_s * 1000),
            lastmod=task.lastmod,
            far=task.far,
            asked=self.asked if attempt is None else with_attempt(self.asked, attempt),
            record=record,
            records=records,
            detail=detail,
            other=other,
        )
