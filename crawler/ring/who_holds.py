"""Which hosts hold what all of them share, in words: pure."""

from collections.abc import Callable
from typing import Final, Literal, NamedTuple

from crawler.core.printable import printable
from crawler.core.quantity import count, size
from crawler.core.stats import CrawlStats, Holder

__all__ = ["named_holders", "who_holds"]

Thing = Literal["requests", "bodies", "parsers"]

_WORTH_NAMING: Final = 0.1
"""A host that holds less than this part of everything is one among many."""


class _Kind(NamedTuple):
    """What can be held: what part of all of it a host has, and that in words."""

    part: Callable[[Holder, CrawlStats], float]
    words: Callable[[Holder, CrawlStats], str]


_KINDS: Final[dict[Thing, _Kind]] = {
    "requests": _Kind(
        lambda one, stats: one.requests / max(1, stats.concurrency),
        lambda one, _: f"{count(one.requests)} requests",
    ),
    "bodies": _Kind(
        lambda one, stats: one.body_bytes / max(1, stats.body_bytes_most),
        lambda one, _: f"{size(one.body_bytes)} of bodies",
    ),
    "parsers": _Kind(
        lambda one, stats: one.parsers / max(1, len(stats.parser_busy_s)),
        lambda one, stats: f"{one.parsers:.1f} of {count(len(stats.parser_busy_s))} parsers",
    ),
}


def named_holders(stats: CrawlStats) -> str:
    """Name the hosts that hold much, each with what that is; empty if there are none.

    A crawl of one host has nobody to share with.
    """
    if stats.active_hosts < 2:
        return ""
    told = []
    for one in stats.holders:
        words = [kind.words(one, stats) for kind in _KINDS.values() if kind.part(one, stats) >= _WORTH_NAMING]
        if words:
            told.append(f"{one.name}: {', '.join(words)}")
    return printable("; ".join(told))


def who_holds(stats: CrawlStats, thing: Thing) -> str:
    """End a sentence with the host that holds most of one thing: `; most: a.example (20.0 MB of bodies)`.

    Empty if none holds much of it.
    """
    kind = _KINDS[thing]
    most = max(stats.holders, key=lambda one: kind.part(one, stats), default=None)
    if most is None or stats.active_hosts < 2 or kind.part(most, stats) < _WORTH_NAMING:
        return ""
    return printable(f"; most: {most.name} ({kind.words(most, stats)})")
