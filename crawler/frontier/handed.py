"""A task that is handed out: in the hands of the fetcher, the parsers or the ledger, until it is back."""

from msgspec import Struct

from crawler.core.model import Task
from crawler.frontier.reach import Reach
from crawler.frontier.row import UrlRow

__all__ = ["Handed"]


class Handed(Struct, gc=False):
    """A task with its host key and its `place` (queue key). `parent` (key) and `seq` are for its row when it ends.

    `outcome` is that of a page that is read again for its links alone, else empty.
    """

    task: Task
    host: bytes
    parent: bytes
    seq: int
    place: bytes
    outcome: str = ""

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

    def row(
        self, now: float, *, outcome: str = "", reason: str, status: int = 0, parent_url: str | None = None
    ) -> UrlRow:
        """Return the row of a task that has been asked for."""
        task = self.task
        return UrlRow(
            url=task.url,
            depth=task.depth,
            parent=self.parent,
            seed=task.seed.number,
            redirected_from=task.redirected_from,
            attempts=task.attempts + 1,
            seq=self.seq,
            at=now,
            outcome=outcome,
            reason=reason,
            status=status,
            is_sitemap=task.kind == "sitemap",
            chain=task.chain,
            spent_ms=round(task.spent_s * 1000),
            lastmod=task.lastmod,
            parent_url=parent_url,
            far=task.far,
        )
