"""A whole comparison: one crawl after the other, each in a process of its own on its own number of cores."""

import os
import platform
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from crawler.cli.compare.memory import MemoryMeter
from crawler.cli.compare.plan import Plan, Run, available_cpus, demo_seeds
from crawler.cli.compare.records import Written, difference, written
from crawler.cli.compare.results import Results
from crawler.cli.compare.work import (
    SPIDERS,
    BatchesMeasured,
    BatchesWork,
    CrawlMeasured,
    CrawlWork,
    SpiderKind,
    Work,
    from_json,
    to_json,
)
from crawler.cli.demo.process import DemoServer
from crawler.core.config import CrawlConfig
from crawler.core.errors import CrawlerError
from crawler.core.interpreter import python, same_imports
from crawler.core.version import __version__

__all__ = ["compare"]

_MEMORY_PERIOD_S = 0.25


def compare(plan: Plan, folder: Path, say: Callable[[str], None]) -> Results:
    """Make all crawls of a plan, with their jobs in a temporary folder inside of `folder`; `say` gets lines for people.

    Raises `CrawlerError` if one of them cannot be made or fetches nothing.
    """
    runs = list(plan.runs())
    measured: list[CrawlMeasured] = []
    first: dict[SpiderKind, Written] = {}
    differences: list[str] = []
    with _site(plan) as (seeds, server), TemporaryDirectory(prefix="runs-", dir=folder) as jobs:
        config = msgspec.structs.replace(plan.config, seeds=seeds)
        if plan.demo:
            say("a first crawl that does not count, so that the demo site has made its pages")
            _crawled(config, Run("hybrid", "light", max(plan.cores), 0), Path(jobs) / "first", server)
        for number, run in enumerate(runs, 1):
            job = Path(jobs) / str(number)
            took, records = _crawled(config, run, job, server)
            say(f"[{number}/{len(runs)}] {run}: {_shown(took)}")
            measured.append(took)
            if differs := difference(first.setdefault(run.spider, records), records, whole=config.max_pages is None):
                differences.append(f"{run}: {differs}")
                say(f"    not the same as {next(one for one in runs if one.spider == run.spider)}: {differs}")
    return Results(
        version=__version__,
        python=platform.python_version(),
        machine=f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        site=f"the demo site, each answer {1000 * plan.latency_s:g} ms late" if plan.demo else ", ".join(seeds),
        max_pages=config.max_pages,
        settings={name: getattr(config, name) for name in ("concurrency", "per_host", "per_address", "delay_s")},
        runs=tuple(measured),
        batches=tuple(_batches(plan, say)),
        differences=tuple(differences),
    )


@contextmanager
def _site(plan: Plan) -> Iterator[tuple[tuple[str, ...], int | None]]:
    """Give the seeds, and the process that serves them if it is ours."""
    if not plan.demo:
        yield plan.config.seeds, None
        return
    with DemoServer(latency_s=plan.latency_s) as server:
        yield demo_seeds(server.port), server.pid


def _crawled(config: CrawlConfig, run: Run, job: Path, server: int | None) -> tuple[CrawlMeasured, Written]:
    cpus = available_cpus()[: run.cores]
    if server is not None and cpus:
        os.sched_setaffinity(server, cpus)
    own = {"job": job, "strategy": run.strategy, "parsers": run.cores, "spider": SPIDERS[run.spider]}
    config = msgspec.structs.replace(config, **own)
    work = CrawlWork(config=config, spider=run.spider, cores=run.cores, round=run.round, cpus=cpus)
    memory = MemoryMeter()
    took: CrawlMeasured = from_json(_child(work, str(run), memory), CrawlMeasured)
    if not took.total_pages:
        ends = ", ".join(f"{name} {count}" for name, count in took.outcomes.items()) or "no URL"
        raise CrawlerError(f"{run}: no page was fetched ({ends}); --allow-private is needed for a site on this machine")
    return msgspec.structs.replace(took, memory=memory.most), written(job / "pages.jsonl", took.outcomes)


def _batches(plan: Plan, say: Callable[[str], None]) -> Iterator[BatchesMeasured]:
    if not plan.batch_sizes:
        return
    cores = max(plan.cores)
    for spider in plan.spiders:
        say(f"batches of {plan.batch_sizes[0]} to {plan.batch_sizes[-1]} pages, {spider} spider")
        work = BatchesWork(
            spider=spider,
            cores=cores,
            sizes=plan.batch_sizes,
            pages=plan.batch_pages * (4 if spider == "light" else 1),
            cpus=available_cpus()[:cores],
        )
        yield from from_json(_child(work, "batches", None), list[BatchesMeasured])


def _child(work: Work, name: str, memory: MemoryMeter | None) -> bytes:
    """Let a child do the work; return what it printed."""
    command = python("-m", "crawler.cli.compare.child")
    process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=same_imports()
    )
    task: Any = to_json(work)
    try:
        while True:
            try:
                output, errors = process.communicate(task, timeout=_MEMORY_PERIOD_S)
                break
            except subprocess.TimeoutExpired:
                task = None
                if memory is not None:
                    memory.look(process.pid)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    if process.returncode:
        lines = errors.decode("utf-8", "replace").strip().splitlines()
        raise CrawlerError(f"{name}: {lines[-1] if lines else f'it ended with code {process.returncode}'}")
    return output


def _shown(took: CrawlMeasured) -> str:
    return (
        f"{took.total_pages:,} pages in {took.crawl_s:.1f} s, {took.pages_per_s:,.0f} pages/s, "
        f"{took.cpu_ms_per_page:.1f} ms of processor time a page"
    )
