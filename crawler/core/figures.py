"""The figures of a crawl that monitoring systems take: names, units and meaning, each once. Pure.

Prometheus and OpenTelemetry get the same ones; docs/metrics.md is checked against them. No label is a host or anything
else that a server could make up: the number of series has a bound (`MOST_SERIES`).
"""

from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Final, Literal

from msgspec import Struct

from crawler.core.sample import Sample
from crawler.core.stats import CrawlStats
from crawler.core.version import __version__

__all__ = ["FIGURES", "MOST_SERIES", "Figure", "Labels"]

Labels = tuple[tuple[str, str], ...]
Series = Iterator[tuple[Labels, float]]

MOST_SERIES: Final = 500
"""More series than a crawl with usual settings can have."""
_MOST_PARSERS: Final = 64
_STATUSES: Final = frozenset(map(int, HTTPStatus))


class Figure(Struct, frozen=True):
    """One figure: `values` gives its series, each with its labels.

    `kind`: a `counter` only grows, over all runs of a job unless `help` says run; a `gauge` goes up and down. `unit` is
    the last part of the name (`seconds`, `bytes`), or empty for what is counted.
    """

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    values: Callable[[Sample], Series]
    unit: str = ""
    labels: str = ""


def _of(value: Callable[[CrawlStats], float]) -> Callable[[Sample], Series]:
    return lambda sample: iter([((), value(sample.stats))])


def _ended(sample: Sample) -> Series:
    """Count URLs by outcome and the first word of its reason: what stands behind that is free text."""
    found: dict[Labels, int] = {}
    for name, number in sample.stats.outcomes.items():
        outcome, _, reason = name.partition(": ")
        labels = (("outcome", outcome), ("reason", reason.partition(":")[0]))
        found[labels] = found.get(labels, 0) + number
    return iter(sorted(found.items()))


def _answers(sample: Sample) -> Series:
    """Count answers by status; those that no standard knows by their hundred."""
    found: dict[Labels, int] = {}
    for status, number in sample.stats.statuses.items():
        name = str(status) if status in _STATUSES else f"{status // 100}xx"
        found[("status", name),] = found.get((("status", name),), 0) + number
    return iter(sorted(found.items()))


def _duplicates(sample: Sample) -> Series:
    yield (("kind", "exact"),), sample.stats.duplicates
    yield (("kind", "near"),), sample.stats.near_duplicates


def _parsers(sample: Sample) -> Series:
    """Give the seconds of each parser; of more than 64 the rest together."""
    busy = sample.stats.parser_busy_s
    for number, seconds in enumerate(busy[:_MOST_PARSERS]):
        yield (("parser", str(number)),), seconds
    if busy[_MOST_PARSERS:]:
        yield (("parser", "others"),), sum(busy[_MOST_PARSERS:])


def _hosts(sample: Sample) -> Series:
    stats = sample.stats
    yield (("state", "active"),), stats.active_hosts
    yield (("state", "waiting"),), stats.waiting_hosts
    yield (("state", "silent"),), stats.silent_hosts
    yield (("state", "unreachable"),), stats.unreachable_hosts


def _memory(sample: Sample) -> Series:
    yield (("process", "main"),), sample.memory_bytes
    yield (("process", "parsers"),), sample.parser_memory_bytes


def _limit(sample: Sample) -> Series:
    if sample.limit:
        yield (("stage", sample.limit),), 1


FIGURES: Final = (
    Figure("crawler_info", "gauge", "1, with the version of the program.",
           lambda _: iter([((("version", __version__),), 1)]), labels="version"),
    Figure("crawler_pages", "counter", "Pages that a server answered.", _of(lambda s: s.pages)),
    Figure("crawler_records", "counter", "Records written.", _of(lambda s: s.records)),
    Figure("crawler_received_bytes", "counter", "Bytes of all bodies, decoded.", _of(lambda s: s.bytes), "bytes"),
    Figure("crawler_answers", "counter", "Records by the status of their answer; statuses that no standard knows by "
           "their hundred (5xx).", _answers, labels="status"),
    Figure("crawler_duplicate_pages", "counter", "Pages whose body (exact) or text (near) was there before.",
           _duplicates, labels="kind"),
    Figure("crawler_reread_pages", "counter", "Pages read again for their links.", _of(lambda s: s.reread)),
    Figure("crawler_urls_ended", "gauge", "URLs by outcome and reason. It falls when URLs are asked for again.",
           _ended, labels="outcome, reason"),
    Figure("crawler_urls_known", "gauge", "URLs ever seen.", _of(lambda s: s.known)),
    Figure("crawler_urls_queued", "gauge", "URLs that have not ended.", _of(lambda s: s.queued)),
    Figure("crawler_urls_retrying", "gauge", "URLs that failed and are due again later.", _of(lambda s: s.retrying)),
    Figure("crawler_bad_seeds", "gauge", "Bad lines of the seed lists, in this run.", _of(lambda s: s.bad_seeds)),
    Figure("crawler_hosts", "gauge", "Hosts by state: with something to do, waiting for their turn, not answering, "
           "given up in this run.", _hosts, labels="state"),
    Figure("crawler_requests_under_way", "gauge", "Requests under way.", _of(lambda s: s.fetching)),
    Figure("crawler_requests_unanswered", "gauge", "Those at hosts that have not answered yet, or do not.",
           _of(lambda s: s.unanswered)),
    Figure("crawler_requests_most", "gauge", "Requests that may be under way at once.", _of(lambda s: s.concurrency)),
    Figure("crawler_pages_parsing", "gauge", "Pages given to parsers and not back.", _of(lambda s: s.parsing)),
    Figure("crawler_pages_parsing_most", "gauge", "Pages that may be there at once.", _of(lambda s: s.parse_capacity)),
    Figure("crawler_results_waiting", "gauge", "Results that the ledger has not taken yet.",
           _of(lambda s: s.committing)),
    Figure("crawler_held_bytes", "gauge", "Bytes of bodies between the network and the parsers.",
           _of(lambda s: s.body_bytes_held), "bytes"),
    Figure("crawler_held_most_bytes", "gauge", "Bytes that may be there at once.",
           _of(lambda s: s.body_bytes_most), "bytes"),
    Figure("crawler_run_body_waits", "counter", "Downloads that had to wait for room there, in this run.",
           _of(lambda s: s.body_waits)),
    Figure("crawler_run_commits", "counter", "Commits of the store, in this run.", _of(lambda s: s.commits)),
    Figure("crawler_run_commit_seconds", "counter", "Time that they took, in this run.",
           _of(lambda s: s.commit_s), "seconds"),
    Figure("crawler_run_main_cpu_seconds", "counter", "Processor time of the main process, in this run.",
           _of(lambda s: s.main_busy_s), "seconds"),
    Figure("crawler_run_parser_busy_seconds", "counter", "Time that each parser was at pages, in this run.",
           _parsers, "seconds", "parser"),
    Figure("crawler_run_parsers_replaced", "counter", "Parsers that died or hung, in this run.",
           _of(lambda s: s.parsers_replaced)),
    Figure("crawler_run_elapsed_seconds", "gauge", "Age of this run.", _of(lambda s: s.elapsed_s), "seconds"),
    Figure("crawler_run_loop_lag_seconds", "gauge", "99th percentile of how late the event loop is, in this run.",
           _of(lambda s: s.loop_lag_p99_s), "seconds"),
    Figure("crawler_resident_memory_bytes", "gauge", "Memory of the main process, and of all parsers together; 0 where "
           "the system does not tell.", _memory, "bytes", "process"),
    Figure("crawler_limited_by", "gauge", "1 for the stage that limits the crawl now.", _limit, labels="stage"),
    Figure("crawler_offline", "gauge", "1 if no host answers any more.", _of(lambda s: float(s.offline))),
)  # fmt: skip
"""All figures, in the order in which they are given."""
