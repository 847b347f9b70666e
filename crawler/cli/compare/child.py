"""One measurement: `python -m crawler.cli.compare.child` reads its work and writes what it took.

In a process of its own because cores, memory and what libraries have in their caches are a process's.
"""

import asyncio
import os
import resource
import sys
from typing import Any

from crawler.cli.compare.batches import measure_batches
from crawler.cli.compare.timeline import Sample, Sampler, lanes
from crawler.cli.compare.work import CrawlMeasured, CrawlWork, Work, from_json, to_json
from crawler.core.event_loop import loop_factory
from crawler.core.stats import CrawlStats
from crawler.fetcher.transport.descriptors import raise_limit
from crawler.parsers.memory import return_large_blocks
from crawler.ring.crawler import Crawler

__all__ = ["main", "measure_crawl"]

_BINS = 150
_LEAST_BIN_S = 0.05


def main() -> None:
    """Do the work that standard input describes; its measurements are JSON on standard output."""
    work: Work = from_json(sys.stdin.buffer.read(), Work)
    if work.cpus and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, work.cpus)
    return_large_blocks()
    measured: Any = measure_crawl(work) if isinstance(work, CrawlWork) else measure_batches(work)
    sys.stdout.buffer.write(to_json(measured))


def measure_crawl(work: CrawlWork) -> CrawlMeasured:
    """Crawl, and tell what it took. Raises what `Crawler.run` raises."""
    config = work.config
    raise_limit(config.most_at_once, config.parser_processes)
    crawler = Crawler(config)
    sampler = Sampler(crawler.stats, config.parser_processes)
    children_s = _children_s()
    sampler.start()
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            stats = runner.run(crawler.run())
    finally:
        sampler.stop()
    return _measured(work, sampler.samples, stats, _children_s() - children_s)


def _measured(work: CrawlWork, samples: list[Sample], stats: CrawlStats, children_s: float) -> CrawlMeasured:
    first = next((one for one in samples if one.stats.run_pages), samples[-1])
    last = next(one for one in samples if one.stats.run_pages == samples[-1].stats.run_pages)
    # All stages hold as much as they will from now on.
    steady = next(one for one in samples if one.stats.run_pages * 10 >= last.stats.run_pages)
    bin_s = max(_LEAST_BIN_S, last.at_s / _BINS)
    return CrawlMeasured(
        strategy=work.config.strategy,
        spider=work.spider,
        cores=work.cores,
        round=work.round,
        total_pages=stats.run_pages,
        outcomes=stats.outcomes,
        start_s=first.at_s,
        crawl_s=last.at_s,
        steady_s=last.at_s - steady.at_s,
        pages=last.stats.run_pages - steady.stats.run_pages,
        main_cpu_s=last.process_s - steady.process_s,
        # Of processes that have ended the system knows all that they took; before, what is sampled.
        parsers_cpu_s=max(0.0, children_s - sum(steady.parsers_s)),
        commits=stats.commits,
        commit_s=stats.commit_s,
        loop_lag_p99_s=stats.loop_lag_p99_s,
        bin_s=bin_s,
        lanes=lanes(samples, work.config.strategy, bin_s, last.at_s),
    )


def _children_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
