"""Speeds: what two snapshots of a crawl say about the time between them."""

from collections import deque

from msgspec import Struct

from crawler.core.stats import CrawlStats

__all__ = ["History", "Rates", "rates"]


class Rates(Struct, frozen=True, kw_only=True):
    """Averages over `span_s` seconds; all 0 if no time passed.

    `ended_per_s` URLs that got their outcome, `found_per_s` URLs never seen before. `parser_shares` holds for each
    parser process the part of the time that it spent on pages, 0 to 1; `main_share` is that in which this process had a
    processor, which may be more than 1, since not all of its threads wait for each other.
    """

    span_s: float = 0.0
    pages_per_s: float = 0.0
    bytes_per_s: float = 0.0
    ended_per_s: float = 0.0
    found_per_s: float = 0.0
    parser_shares: tuple[float, ...] = ()
    main_share: float = 0.0


def rates(previous: CrawlStats, current: CrawlStats) -> Rates:
    """Tell what happened per second between two snapshots of one run, the older first.

    A counter that went back (a parser that was replaced starts again at 0) counts as no change.
    """
    span_s = current.elapsed_s - previous.elapsed_s
    if span_s <= 0:
        return Rates(parser_shares=(0.0,) * len(current.parser_busy_s))

    def per_s(before: int, now: int) -> float:
        return max(0, now - before) / span_s

    missing = len(current.parser_busy_s) - len(previous.parser_busy_s)
    busy_before = previous.parser_busy_s + (0.0,) * missing
    return Rates(
        span_s=span_s,
        pages_per_s=per_s(previous.run_pages, current.run_pages),
        bytes_per_s=per_s(previous.run_bytes, current.run_bytes),
        ended_per_s=per_s(previous.known - previous.queued, current.known - current.queued),
        found_per_s=per_s(previous.known, current.known),
        parser_shares=tuple(
            min(1.0, max(0.0, now - before) / span_s)
            for before, now in zip(busy_before, current.parser_busy_s, strict=False)
        ),
        main_share=max(0.0, current.main_busy_s - previous.main_busy_s) / span_s,
    )


class History:
    """The snapshots of the last `keep_s` seconds, at most two a second, and the first of all.

    State: owned by one `Progress`, used from the event loop only.
    """

    def __init__(self, keep_s: float = 30.0) -> None:
        self._keep_s = keep_s
        self._first: CrawlStats | None = None
        self._latest: CrawlStats | None = None
        self._samples: deque[CrawlStats] = deque()

    def add(self, stats: CrawlStats) -> None:
        """Take the newest snapshot."""
        if self._first is None:
            self._first = stats
        self._latest = stats
        if not self._samples or stats.elapsed_s - self._samples[-1].elapsed_s >= 0.5:
            self._samples.append(stats)
        while len(self._samples) > 1 and stats.elapsed_s - self._samples[1].elapsed_s >= self._keep_s:
            self._samples.popleft()

    def before(self, span_s: float) -> CrawlStats:
        """Return the youngest kept snapshot at least `span_s` seconds older than the newest, else the oldest.

        Raises `LookupError` before the first `add`.
        """
        if self._latest is None:
            raise LookupError("no snapshot was added yet")
        for sample in reversed(self._samples):
            if self._latest.elapsed_s - sample.elapsed_s >= span_s:
                return sample
        return self._samples[0]

    @property
    def first(self) -> CrawlStats:
        """The snapshot that was added first. Raises `LookupError` before that."""
        if self._first is None:
            raise LookupError("no snapshot was added yet")
        return self._first
