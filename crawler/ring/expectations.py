"""What came of the expectations of a crawl that has ended: from its counters, and what was counted of its records."""

from crawler.core.config import CrawlConfig
from crawler.core.expectation import Coverage, Verdict, judge, paths_of
from crawler.core.stats import CrawlStats
from crawler.ledger.coverage import coverage_of_outputs
from crawler.ledger.sinks.coverage import CoverageSink, counted

__all__ = ["verdicts"]


def verdicts(config: CrawlConfig, stats: CrawlStats, sink: CoverageSink | None) -> list[Verdict]:
    """Judge each expectation of a crawl that has ended and closed its outputs.

    Fields that an earlier run of the job did not count are counted in the job's local outputs, which may take long.
    """
    paths = paths_of(config.expect)
    coverage: Coverage | None = Coverage()
    if sink is not None:
        coverage = counted(sink.flush(), paths, stats.records)
    if coverage is None:
        coverage = coverage_of_outputs(config, paths, stats.records)
    return judge(config.expect, stats, coverage)
