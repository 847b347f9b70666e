"""One look at a crawl, as its store keeps it: what a time series of a crawl is made of."""

from msgspec import Struct

from crawler.core.stats import CrawlStats

__all__ = ["Sample"]


class Sample(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A crawl at one instant. Is stored by the names of its fields, so one of a later version may have more of them.

    `run` counts the runs of the job from 1 on; `at` is unix time. `stats` are the counters; without `repeats` and
    `parameters`, which may be long and are in the job's own, and with long URLs cut. `memory_bytes` is what the main
    process has in memory, `parser_memory_bytes` what its parsers have together: each 0 where the system does not tell.
    `limit` names what limited the crawl in the last seconds and `why` says so in a sentence; both are empty while
    nobody can tell. `steered` says how the crawl was steered, empty if it was not.
    """

    run: int
    at: float
    stats: CrawlStats
    memory_bytes: int = 0
    parser_memory_bytes: int = 0
    limit: str = ""
    why: str = ""
    steered: str = ""
