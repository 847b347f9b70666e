"""How a job of many shards stands, as its driver is told: for a display and for log lines."""

from typing import Literal

from msgspec import Struct

from crawler.core.stats import CrawlStats, Ended

__all__ = ["Doing", "Overview", "ShardView", "Wish"]

Doing = Literal["waiting", "starting", "running", "moving", "stopping", "closed"]
"""Nobody holds it; a process was started that has not opened it; it crawls; it is drained to go elsewhere; it is
drained, since the crawl ends; it was given back.
"""


class Wish(Struct, frozen=True):
    """What the driver wants, told about once a second, which also says that it is there."""

    stop: bool = False
    why: Ended = "interrupted"


class ShardView(Struct, frozen=True, kw_only=True):
    """One shard: what it does, on which node (its name for people), and how it is.

    `pages` are those of its last report, `kept_pages` those that no loss takes away. `heard_s` is how long ago it was
    heard, None if it was not. `stats` are its counters, None while nobody holds it.
    """

    shard: int
    doing: Doing
    node: str
    epoch: int
    incarnation: int
    pages: int
    kept_pages: int
    credit: int | None
    heard_s: float | None
    stats: CrawlStats | None


class Overview(Struct, frozen=True, kw_only=True):
    """The whole job: `ending` says why it drains, `ended` why it is over, both "running" until then.

    `error` is for people. `waits` says, in words, what the whole job waits for; empty if it waits for nothing.
    """

    run: int
    state: int
    ending: Ended
    ended: Ended
    error: str
    waits: str
    pages: int
    max_pages: int | None
    spent_s: float
    nodes: int
    shards: tuple[ShardView, ...]
