"""How far a URL is from the seeds, and what is too far.

All that decides whether a URL is fetched, beside what its own links say, is its *reach*: two numbers, each of which is
the smallest over all ways that lead to it and may be followed. They get smaller as more ways are found, never larger;
so what they end at is the same in whatever order pages come. Nothing else of a way counts.
"""

from typing import NamedTuple

from msgspec import structs

from crawler.core.config import CrawlConfig
from crawler.frontier.row import UrlRow

__all__ = ["CHAIN_STALE", "FAR_STALE", "FIRST_CHAIN", "MAX_INDEXES", "NOT_REACHED", "SEED_STALE", "Limits", "Reach"]

MAX_INDEXES = 5
"""Indexes that may stand above a sitemap; the protocol knows one (https://www.sitemaps.org/protocol.html)."""
FIRST_CHAIN = 6
"""Pages in a row that are taken on any host before the first look at what they bring (`frontier.second_look`)."""
FAR_STALE = 1
CHAIN_STALE = 2
SEED_STALE = 4
"""It redirects, and so does a seed to it."""
_BY_LINK = frozenset({"scope", "filter", "nofollow"})
_FAR_PER_CHAIN = 10
"""A way through pages that do not look alike may be so many times longer than a chain of pages that do."""


class Reach(NamedTuple):
    """How far a URL is.

    `far` counts links. With a depth limit it is the depth. Without one, a link to a page that looks like the one before
    (`web.traps.alike`) does not count, since `chain` counts those: the links in a row, up to this URL, that do.
    A redirect adds to neither.
    """

    far: int
    chain: int

    def nearer(self, other: "Reach") -> "Reach":
        """Return the smaller of both in each number."""
        return Reach(min(self.far, other.far), min(self.chain, other.chain))


NOT_REACHED = Reach(0x7FFF_FFFF, 0x7FFF_FFFF)
"""No way leads to the URL that may be followed."""


class Limits:
    """How far a crawl goes. State: how long chains on single hosts may be; the second look changes it."""

    def __init__(self, config: CrawlConfig) -> None:
        self.by_depth = config.depth is not None
        self.settings = [config.depth, config.max_chain, config.max_pages_per_host, config.max_pages_per_domain]
        self.settings += [config.max_repeats]
        self.max_chain = config.max_chain
        self._max_far = config.depth
        if config.depth is None and config.max_chain is not None:
            self._max_far = _FAR_PER_CHAIN * config.max_chain
        # Even the shortest has a look before its end, so that there is something to compare with.
        self.first_chain = None if config.max_chain is None else min(FIRST_CHAIN, max(1, config.max_chain * 2 // 3))
        self.chains: dict[bytes, int] = {}
        self._at_once = Reach(
            NOT_REACHED.far - 1 if self._max_far is None else self._max_far,
            NOT_REACHED.chain - 1 if self.first_chain is None else self.first_chain,
        )

    def chain(self, host: bytes) -> int | None:
        """Return how long a chain of the host may be as yet, None = any length."""
        return self.chains.get(host, self.first_chain)

    def too_far(self, far: int, *, is_sitemap: bool) -> bool:
        """Whether no more links may be followed to here."""
        limit = MAX_INDEXES if is_sitemap else self._max_far
        return limit is not None and far > limit

    def cut(self, reach: Reach, host: bytes, *, is_sitemap: bool) -> str:
        """Return why a URL is not fetched that may be: `depth` or `trap`; empty if it is fetched."""
        far, chain = reach
        if far <= self._at_once.far and chain <= self._at_once.chain and not is_sitemap:
            return ""  # nearly all
        if self.too_far(far, is_sitemap=is_sitemap):
            return "depth" if self.by_depth or is_sitemap else "trap"
        limit = self.chain(host)
        return "trap" if limit is not None and chain > limit else ""

    def reach(self, row: UrlRow) -> Reach:
        """Return how far the URL of a row is."""
        if row.chain < 0 or (row.outcome == "skipped" and row.reason in _BY_LINK):
            return NOT_REACHED
        return Reach(row.depth if self.by_depth or row.is_sitemap else row.far, row.chain)

    def at(self, row: UrlRow, reach: Reach) -> UrlRow:
        """Return the row with another reach."""
        depth = reach.far if self.by_depth or row.is_sitemap else row.depth
        return structs.replace(row, depth=depth, far=reach.far, chain=reach.chain)

    def stale(self, row: UrlRow, before: Reach, reach: Reach) -> int:
        """Return in what the links of a URL that has ended are to be judged again: it was read at `before`."""
        if row.outcome != "redirected" and not (row.outcome == "fetched" and 200 <= row.status < 300):
            return 0
        return FAR_STALE * (reach.far < before.far) | CHAIN_STALE * (reach.chain < before.chain)
