"""Counters of several crawls that are parts of one, put together as those of one crawl: pure."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, zip_longest
from operator import attrgetter
from typing import Final, TypeVar

from msgspec.structs import replace

from crawler.core.lesson import Lesson
from crawler.core.stats import CrawlStats, Ended, Holder, SilentHost

__all__ = ["joined_ended", "joined_stats"]

_SUMS: Final = (
    *("pages", "run_pages", "records", "bytes", "run_bytes", "known", "queued", "retrying", "active_hosts"),
    *("waiting_hosts", "silent_hosts", "unreachable_hosts", "fetching", "unanswered", "concurrency", "parsing"),
    *("parse_capacity", "committing", "duplicates", "near_duplicates", "reread", "body_bytes_held", "body_bytes_most"),
    *("body_waits", "commits", "commit_s", "parsers_replaced", "main_busy_s", "late_s", "bad_seeds"),
)
_COUNTED: Final = ("outcomes", "statuses", "held_by", "repeats", "ledger_s", "held_s", "limited_s")
_SHOWN: Final = 3
"""How many silent hosts, holders and URLs under way are named of all."""
_WORST_FIRST: Final[tuple[Ended, ...]] = ("running", "interrupted", "max-time", "max-pages", "unreachable", "done")
Key = TypeVar("Key")
Named = TypeVar("Named", SilentHost, Holder)


def joined_stats(parts: Sequence[CrawlStats]) -> CrawlStats:
    """Return counters that add up those of each part; times are those of the part that has run the longest.

    What was said of a limit is that of the part with most to do, and a budget is none of a part's. Without a part all
    is at its default.
    """
    if not parts:
        return CrawlStats()
    busiest = max(parts, key=attrgetter("queued"))
    return replace(
        busiest,
        **{name: sum(getattr(one, name) for one in parts) for name in _SUMS},
        **{name: _counted(getattr(one, name) for one in parts) for name in _COUNTED},
        ended=joined_ended(one.ended for one in parts),
        elapsed_s=max(one.elapsed_s for one in parts),
        silent=_first(one.silent for one in parts),
        offline=any(one.offline for one in parts),
        under_way=tuple(sorted(chain.from_iterable(one.under_way for one in parts), key=lambda one: -one[1])[:_SHOWN]),
        holders=_first(one.holders for one in parts),
        parameters=_lessons(one.parameters for one in parts),
        parser_busy_s=tuple(chain.from_iterable(one.parser_busy_s for one in parts)),
        loop_lag_p99_s=max(one.loop_lag_p99_s for one in parts),
        paused=any(one.paused for one in parts),
        following=any(one.following for one in parts),
        steered=tuple(dict.fromkeys(chain.from_iterable(one.steered for one in parts))),
        max_pages=None,
        max_time_s=None,
    )


def joined_ended(parts: Iterable[Ended]) -> Ended:
    """Return how all parts together have ended: as the one that is the furthest from having nothing left."""
    return min(parts, key=_WORST_FIRST.index, default="done")


def _first(parts: Iterable[Sequence[Named]]) -> tuple[Named, ...]:
    """Return the first of each part, then the second of each, as many as are named: no part hides the others."""
    in_turns = chain.from_iterable(zip_longest(*parts))
    return tuple([one for one in in_turns if one is not None][:_SHOWN])


def _counted(parts: Iterable[Mapping[Key, float]]) -> dict[Key, float]:
    found: dict[Key, float] = {}
    for part in parts:
        for name, number in part.items():
            found[name] = found.get(name, 0) + number
    return found


def _lessons(parts: Iterable[Mapping[str, Lesson]]) -> dict[str, Lesson]:
    found: dict[str, Lesson] = {}
    for name, lesson in chain.from_iterable(part.items() for part in parts):
        before = found.get(name, Lesson())
        found[name] = Lesson(
            before.agreed + lesson.agreed, before.pages + lesson.pages, before.skipped + lesson.skipped
        )
    return found
