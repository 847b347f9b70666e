"""How a job of many shards stands, as its driver is told: for a display and for log lines."""

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from crawler.core.stats import CrawlStats, Ended
from crawler.shards.hold import Hold
from crawler.shards.state import ClusterState, ShardState

__all__ = ["Doing", "Overview", "ShardView", "Wish", "overview", "view"]

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


def view(number: int, shard: ShardState, hold: Hold, now: float, *, doing: Doing) -> ShardView:
    """Return how a shard is, from what is durable of it and what its holder has said."""
    report = hold.report
    return ShardView(
        shard=number,
        doing=doing,
        node=shard.node_name,
        epoch=shard.epoch,
        incarnation=shard.incarnation,
        pages=report.pages if report is not None and report.opened else shard.kept_pages,
        kept_pages=shard.kept_pages,
        credit=shard.credit,
        heard_s=now - hold.heard_at if hold.heard_at is not None else None,
        stats=report.stats if report is not None else None,
    )


def overview(state: ClusterState, views: Sequence[ShardView], nodes: int) -> Overview:
    """Return how a job is, from its shards and the number of machines that are there."""
    waits = ""
    if not state.is_over:
        if not nodes:
            waits = "no machine is there yet"
        elif all(shard.doing == "waiting" for shard in views):
            waits = "the leases of a run that was cut off run out first"
    return Overview(
        run=state.run,
        state=state.number,
        ending=state.ending,
        ended=state.ended,
        error=state.error,
        waits=waits,
        pages=sum(shard.pages for shard in views),
        max_pages=state.max_pages,
        spent_s=state.spent_s,
        nodes=nodes,
        shards=tuple(views),
    )
