"""From a URL in the queue to the task that is handed out."""

from collections.abc import Callable

from crawler.core.model import SeedRow, Task
from crawler.frontier.gate import Gate
from crawler.frontier.handed import Handed
from crawler.frontier.hops import Hops
from crawler.frontier.reach import Limits
from crawler.frontier.row import UrlRow
from crawler.frontier.seed_contexts import SeedContexts

__all__ = ["Tasks"]


class Tasks:
    """Builds tasks. Part of the frontier. Has no state.

    `rows_for(key, seed)` says for which rows of the seeds a page is to be read (`frontier.seed_records`).
    """

    def __init__(
        self,
        seeds: SeedContexts,
        limits: Limits,
        gate: Gate,
        *,
        hops: Hops,
        rows_for: Callable[[bytes, int], tuple[SeedRow, ...]],
    ) -> None:
        self._seeds = seeds
        self._limits = limits
        self._gate = gate
        self._hops = hops
        self._rows_for = rows_for

    def read(self, place: bytes, key: bytes, row: UrlRow) -> Handed:
        """Build the task of a URL in the queue."""
        task = Task(
            key=key,
            url=row.url,
            depth=row.depth,
            parent=row.parent_url,
            redirected_from=row.redirected_from,
            attempts=row.attempts,
            seed=self._seeds.get(row.seed),
            kind=row.kind,
            chain=row.chain,
            spent_s=row.spent_s,
            lastmod=row.lastmod,
            far=row.depth if self._limits.by_depth or row.is_sitemap else row.far,
            rows=self._rows_for(key, row.seed),
            watched=self._gate.watched(place[:8], key, row),
            hop_statuses=self._hops.statuses(row.redirected_from, row.kind) if row.redirected_from else (),
        )
        return Handed(task, place[:8], row.parent, row.seq, place, row.outcome, row.asked, row.record, row.records)
