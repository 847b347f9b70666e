"""What a driver knows of a job that runs: how each shard is, and all of them together."""

from msgspec import Struct
from msgspec.structs import replace

from crawler.core.joined_stats import joined_stats
from crawler.core.stats import CrawlStats
from crawler.shards.overview import Overview

__all__ = ["Watching"]


class ShardLine(Struct, frozen=True):
    """One shard, for a display: its number, what it does, where, its pages and what limits it."""

    shard: int
    doing: str
    node: str
    stats: CrawlStats


class Watching:
    """Adds up what shards have said last. State, of one thread: the overview, and the last counters of each shard."""

    def __init__(self, max_pages: int | None, max_time_s: float | None) -> None:
        self._max_pages = max_pages
        self._max_time_s = max_time_s
        self._shards: dict[int, CrawlStats] = {}
        self.overview: Overview | None = None

    def take(self, overview: Overview, stats: dict[int, CrawlStats]) -> None:
        """Learn how the job stands."""
        self.overview = overview
        self._shards.update(stats)

    def stats(self) -> CrawlStats:
        """Return the counters of all shards together."""
        overview = self.overview
        joined = joined_stats(list(self._shards.values()))
        if overview is None:
            return replace(joined, max_pages=self._max_pages, max_time_s=self._max_time_s)
        return replace(
            joined,
            ended=overview.ended,
            elapsed_s=overview.spent_s,
            pages=max(overview.pages, joined.pages),
            max_pages=self._max_pages,
            max_time_s=self._max_time_s,
        )

    def lines(self) -> tuple[ShardLine, ...]:
        """Return a line for each shard."""
        if self.overview is None:
            return ()
        return tuple(
            ShardLine(view.shard, view.doing, view.node, self._shards.get(view.shard, CrawlStats()))
            for view in self.overview.shards
        )
