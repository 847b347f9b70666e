"""What is shown of a crawl that runs, whatever it is shown with. It needs no rich, which is slow to import."""

from http import HTTPStatus

from msgspec import Struct

from crawler.core.estimate import Estimate
from crawler.core.rate import Rates
from crawler.core.stats import CrawlStats
from crawler.ring.bottleneck import Bottleneck

__all__ = ["View", "errors", "is_sitemap", "phrase", "skips"]


class View(Struct, frozen=True):
    """All that one picture shows.

    `recent` covers the last seconds, `overall` the run; `clock` is the local time of the end. `state` says how a crawl
    stands that does not simply go on, and then stands in the place of the end. `lines` are shown as they are: one for
    each shard of a crawl that has several.
    """

    title: str
    stats: CrawlStats
    recent: Rates
    overall: Rates
    limit: Bottleneck
    end: Estimate
    clock: str = ""
    state: str = ""
    lines: tuple[str, ...] = ()


def errors(stats: CrawlStats) -> list[tuple[str, int]]:
    """List what went wrong, most frequent first: kinds of failure and answers of 400 and above."""
    kinds = {kind.partition(": ")[2] or kind: number for kind, number in stats.outcomes.items() if _is(kind, "failed")}
    answers = {f"{status} {phrase(status)}".strip(): n for status, n in stats.statuses.items() if status >= 400}
    return _by_number({**kinds, **answers})


def skips(stats: CrawlStats) -> list[tuple[str, int]]:
    """List the reasons why URLs were not asked for, most frequent first."""
    return _by_number(
        {kind.partition(": ")[2] or kind: number for kind, number in stats.outcomes.items() if _is(kind, "skipped")}
    )


def is_sitemap(kind: str) -> bool:
    """Whether a kind of outcome counts sitemaps that were read rather than pages."""
    return kind.startswith("fetched: sitemap")


def phrase(status: int) -> str:
    """Return the registered name of an HTTP status, or nothing for one without."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _is(kind: str, outcome: str) -> bool:
    return kind.partition(":")[0] == outcome


def _by_number(kinds: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(((kind, number) for kind, number in kinds.items() if number), key=lambda item: (-item[1], item[0]))
