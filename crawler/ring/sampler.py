"""Takes samples of a crawl: its counters, its memory, and what limits it."""

import time
from typing import Final

from msgspec.structs import replace

from crawler.core.memory import resident_bytes
from crawler.core.sample import Sample
from crawler.core.stats import CrawlStats
from crawler.ring.statistics import Statistics

__all__ = ["Sampler"]

_URL_CHARS: Final = 200


class Sampler:
    """What the ledger asks for a sample. Has no state."""

    def __init__(self, statistics: Statistics) -> None:
        self._statistics = statistics

    def look(self, run: int, last: bool) -> Sample:
        """Return how the crawl stands now; `last`: as it will have ended."""
        stats = self._statistics.now()
        return Sample(
            run=run,
            at=time.time(),
            stats=_short(replace(stats, ended=self._statistics.why_ended) if last else stats),
            memory_bytes=resident_bytes(),
            parser_memory_bytes=sum(map(resident_bytes, self._statistics.processes)),
            limit=stats.limit,
            why=stats.why,
            steered=", ".join(stats.steered),
        )


def _short(stats: CrawlStats) -> CrawlStats:
    """Leave out what may be long: thousands of samples are kept."""
    under_way = tuple((url[:_URL_CHARS], seconds) for url, seconds in stats.under_way)
    return replace(stats, under_way=under_way, repeats={}, parameters={})
