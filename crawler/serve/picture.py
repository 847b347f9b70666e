"""What the page shows of a crawl at one moment."""

import time
from collections.abc import Mapping
from heapq import nlargest
from typing import Any, Final, TypeVar

from msgspec import Struct
from msgspec.structs import asdict, replace

from crawler.core.estimate import estimate
from crawler.core.printable import printable
from crawler.core.rate import History, Rates, rates
from crawler.core.stats import CrawlStats
from crawler.core.steered import Steered
from crawler.serve.watched import Watched

__all__ = ["Picture", "Pictures"]

_SPEED_SPAN_S: Final = 5.0
_ESTIMATE_SPAN_S: Final = 30.0
_KINDS: Final = 40
_URL_CHARS: Final = 300

Kind = TypeVar("Kind")


class Picture(Struct, frozen=True):
    """A crawl at one moment. `at` is unix time.

    `stats` has all fields of `CrawlStats`, which as a struct would leave out those at their defaults. `rates` are of
    the last seconds; `limit` and `why` say what limits the crawl; `left_s` are the seconds that are left, None if
    nobody knows, and `left_why` says what ends it, or why nobody knows.
    """

    title: str
    at: float
    stats: dict[str, Any]
    rates: Rates
    limit: str
    why: str
    left_s: float | None
    left_why: str
    steered: Steered


class Pictures:
    """Draws pictures of a crawl. State, of the event loop's thread: the counters of the last half minute."""

    def __init__(self, watched: Watched) -> None:
        self._watched = watched
        self._history = History(_ESTIMATE_SPAN_S)

    def draw(self) -> Picture:
        """Return how it stands now."""
        watched, history = self._watched, self._history
        stats = watched.stats()
        history.add(stats)
        limit, why = watched.limit(history.before(_SPEED_SPAN_S), stats)
        end = estimate(stats, rates(history.before(_ESTIMATE_SPAN_S), stats))
        return Picture(
            title=printable(watched.title),
            at=time.time(),
            stats=asdict(_short(stats)),
            rates=rates(history.before(_SPEED_SPAN_S), stats),
            limit=limit,
            why=why,
            left_s=end.left_s,
            left_why=end.why,
            steered=watched.steered(),
        )


def _short(stats: CrawlStats) -> CrawlStats:
    """Leave out what may be long, and make fit to be read what comes from outside."""
    return replace(
        stats,
        outcomes={printable(kind): number for kind, number in _most(stats.outcomes)},
        statuses=dict(_most(stats.statuses)),
        under_way=tuple((printable(url, _URL_CHARS), seconds) for url, seconds in stats.under_way),
        silent=tuple(replace(one, why=printable(one.why, _URL_CHARS)) for one in stats.silent),
        repeats={},
        parameters={},
    )


def _most(counts: Mapping[Kind, int]) -> list[tuple[Kind, int]]:
    return nlargest(_KINDS, counts.items(), key=lambda item: item[1])
