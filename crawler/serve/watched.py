"""What a dashboard is given of the crawl that it shows."""

from collections.abc import Awaitable, Callable

from msgspec import Struct

from crawler.core.host_line import HostLines
from crawler.core.stats import CrawlStats
from crawler.core.steered import Change, Steered
from crawler.serve.recent import Recent

__all__ = ["Watched"]


class Watched(Struct, frozen=True):
    """One crawl, by what can be asked of it, and done to it, in the event loop's thread.

    `limit(before, now)` says what limits it, in a word and in a sentence, given counters of a few seconds before.
    `hosts(part, most, stored)` finds hosts by a part of their names, with `stored` those in the store alone as well;
    `explain(url)` tells the story of a URL in lines of text. `steer` raises `UsageError` for a change that cannot be
    made, and so does `explain` for what is no URL.
    """

    title: str
    stats: Callable[[], CrawlStats]
    limit: Callable[[CrawlStats, CrawlStats], tuple[str, str]]
    steered: Callable[[], Steered]
    steer: Callable[[Change], None]
    hosts: Callable[[str, int, bool], Awaitable[HostLines]]
    explain: Callable[[str], Awaitable[str]]
    recent: Recent
