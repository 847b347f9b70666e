"""When a crawl will end, as far as its present speed tells: pure."""

from msgspec import Struct

from crawler.core.rate import Rates
from crawler.core.stats import CrawlStats

__all__ = ["Estimate", "estimate"]

MIN_SPAN_S = 3.0
"""A speed measured over less than this says nothing about the next hour."""


class Estimate(Struct, frozen=True):
    """`left_s` seconds until the end, or None for "unknown"; `why` names what ends it, or why nobody knows."""

    left_s: float | None
    why: str


def estimate(stats: CrawlStats, between: Rates) -> Estimate:
    """Find the first end that is in sight: a budget used up, or no URL left.

    URLs run out when more of them end than are found; while more are found, only a budget is an end in sight.
    """
    ends: list[tuple[float, str]] = []
    if stats.max_time_s is not None:
        ends.append((max(0.0, stats.max_time_s - stats.elapsed_s), "max-time"))
    measured = between.span_s >= MIN_SPAN_S
    if measured and stats.max_pages is not None and between.pages_per_s > 0:
        ends.append((max(0, stats.max_pages - stats.pages) / between.pages_per_s, "max-pages"))
    shrinking_per_s = between.ended_per_s - between.found_per_s
    if measured and stats.queued and shrinking_per_s > 0:
        ends.append((stats.queued / shrinking_per_s, "no URL left"))
    if stats.known and not stats.queued:
        ends.append((0.0, "no URL left"))
    if ends:
        return Estimate(*min(ends))
    if not measured:
        return Estimate(None, "too early to tell")
    if between.ended_per_s == 0:
        return Estimate(None, "nothing ends at the moment")
    return Estimate(None, "still finding new URLs")
