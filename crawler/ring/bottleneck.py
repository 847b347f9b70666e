"""Which stage of the ring limits a crawl now: pure, from two snapshots.

Stages are judged from the ledger backwards, because a stage that cannot keep up fills the one before it: parsers
that wait for a slow ledger look as full as parsers that are slow themselves.
"""

from typing import Literal

from msgspec import Struct

from crawler.core.printable import printable
from crawler.core.quantity import count, duration, share, size
from crawler.core.rate import rates
from crawler.core.stats import CrawlStats, SilentHost
from crawler.ring.who_holds import who_holds

__all__ = ["Bottleneck", "Stage", "bottleneck", "silent_hosts"]

Stage = Literal[
    "starting",
    "ledger",
    "parsers",
    "memory",
    "main process",
    "network",
    "politeness",
    "retries",
    "silent hosts",
    "frontier",
    "nothing left",
]

MIN_SPAN_S = 0.5
"""With less time between two snapshots, busy shares are noise."""
LEDGER_BACKLOG = 2_000
"""Results waiting for the ledger that are more than it takes in two commits (one takes about 1,000)."""
BUSY_SHARE = 0.9
PARSE_BACKLOG_SHARE = 0.8
LOOP_LAG_S = 0.1
FETCHING_SHARE = 0.95
HELD_SHARE = 0.9
HOLDING_SHARE = 0.1
"""Requests without an answer are spoken of when they are this part of all."""
_SHOWN_CAUSES = 2


class Bottleneck(Struct, frozen=True):
    """The limiting stage and, in one plain sentence, why it is that one."""

    stage: str
    why: str


def bottleneck(previous: CrawlStats, current: CrawlStats) -> Bottleneck:
    """Judge what limits the crawl at `current`, given a snapshot of a few seconds before."""
    c = current
    if c.queued == 0 and not (c.fetching or c.parsing or c.committing):
        if c.known == 0:
            return Bottleneck("starting", "no URL is known yet")
        return Bottleneck("nothing left", "every known URL has ended")
    between = rates(previous, current)
    if between.span_s < MIN_SPAN_S:
        return Bottleneck("starting", "too early to tell")

    busy = sum(between.parser_shares) / len(between.parser_shares) if between.parser_shares else 0.0
    stage: Stage
    if c.committing >= max(LEDGER_BACKLOG, between.pages_per_s):
        stage, why = "ledger", f"{count(c.committing)} results wait to be written to disk"
    elif c.parse_capacity and busy >= BUSY_SHARE and c.parsing >= PARSE_BACKLOG_SHARE * c.parse_capacity:
        places = f"{count(c.parsing)} of {count(c.parse_capacity)} places before them are taken"
        stage = "parsers"
        why = f"all of --parsers {len(c.parser_busy_s)} are busy {share(busy)} of the time and {places}"
        why += who_holds(c, "parsers")
    elif _memory_is_full(previous, c):
        stage = "memory"
        why = f"bodies fill the memory that they may have ({size(c.body_bytes_most)}): "
        why += "more --bytes-in-flight, or more --parsers" + who_holds(c, "bodies")
    elif between.main_share >= BUSY_SHARE and busy < BUSY_SHARE and c.parser_busy_s:
        stage = "main process"
        why = f"it takes {share(between.main_share)} of a core, and parsers are busy {share(busy)} of the time: "
        why += "more hosts a second take a second job beside this one"
    elif c.loop_lag_p99_s >= LOOP_LAG_S and 2 * c.unanswered < c.concurrency:
        late = duration(c.loop_lag_p99_s)
        stage, why = "main process", f"its event loop is up to {late} late, so it lacks processor time"
    elif c.concurrency and c.fetching >= FETCHING_SHARE * c.concurrency:
        stage = "network"
        why = f"{count(c.fetching)} of {count(c.concurrency)} requests wait for an answer (--concurrency)"
        if c.unanswered >= HOLDING_SHARE * c.fetching:
            why += f", {count(c.unanswered)} of them at hosts that have not answered yet, or do not"
        why += who_holds(c, "requests")
    else:
        return _frontier(c)
    return Bottleneck(stage, why)


def silent_hosts(stats: CrawlStats) -> str:
    """Say which hosts do not answer, why, and when they are asked again; empty if all do."""
    if not stats.silent_hosts:
        return ""
    number = "1 host does" if stats.silent_hosts == 1 else f"{count(stats.silent_hosts)} hosts do"
    named = "; ".join(f"{one.name}: {one.why}, {_next(one)}" for one in stats.silent)
    return printable(f"{number} not answer ({named}{'; …' if stats.silent_hosts > len(stats.silent) else ''})")


def _next(one: SilentHost) -> str:
    return "given up" if one.next_s is None else f"asked again in {duration(one.next_s)}"


def _memory_is_full(previous: CrawlStats, current: CrawlStats) -> bool:
    """Whether downloads wait for room: full now, or nearly so and some had to wait since the snapshot before."""
    most, held = current.body_bytes_most, current.body_bytes_held
    waited = current.body_waits > previous.body_waits
    return most > 0 and (held >= most or (waited and held >= HELD_SHARE * most))


def _frontier(c: CrawlStats) -> Bottleneck:
    """Say why fewer requests are under way than could be."""
    idle = max(0, c.queued - c.fetching - c.parsing - c.committing)
    silent = idle and c.silent_hosts and c.silent_hosts >= c.active_hosts and not c.waiting_hosts
    if c.offline or silent:
        nobody = "no host answers: is this machine's network down?"
        why = nobody if c.offline else f"{count(idle)} URLs are queued, but {silent_hosts(c)}"
        return Bottleneck("silent hosts", why)
    if idle and c.retrying >= idle:
        return Bottleneck("retries", f"all {count(idle)} URLs that are left wait for their next attempt")
    if idle and c.held_by:
        held = ", ".join(f"{by} ({_hosts(number)})" for by, number in list(c.held_by.items())[:_SHOWN_CAUSES])
        return Bottleneck("politeness", f"{count(idle)} URLs are queued, held by {held}")
    if idle and c.waiting_hosts:
        hosts = f"{_hosts(c.waiting_hosts)} {'waits' if c.waiting_hosts == 1 else 'wait'}"
        return Bottleneck("politeness", f"{count(idle)} URLs are queued, but {hosts} for the next allowed request")
    slow = f"{count(idle)} URLs are queued and no host has to wait: it hands out too slowly"
    few = f"only {count(c.queued)} known URLs have not ended"
    return Bottleneck("frontier", slow if idle > c.concurrency else few)


def _hosts(number: int) -> str:
    return "1 host" if number == 1 else f"{count(number)} hosts"
