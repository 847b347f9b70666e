"""What a page costs by the size of the batches in which pages go to parser processes: how fine to cut the work."""

import asyncio
import math
import time
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path
from tempfile import gettempdir

from crawler.cli.compare.processor_time import ProcessorTime, parser_pids
from crawler.cli.compare.work import SPIDERS, BatchesMeasured, BatchesWork
from crawler.cli.demo.hosts import HOSTS
from crawler.cli.demo.site import Site
from crawler.core.config import CrawlConfig
from crawler.core.event_loop import loop_factory
from crawler.core.model import Answer, Done, Download, SeedContext, Task
from crawler.parsers.batch import BatchLimits
from crawler.parsers.pool import ParserPool
from crawler.parsers.spiders.spider import pack_spider
from crawler.web.urls import url_key

__all__ = ["measure_batches"]

_WARM_PAGES = 32
_PORT = 80


def measure_batches(work: BatchesWork) -> list[BatchesMeasured]:
    """Parse the demo site's pages from memory, with batches of each size in turn."""
    pages = list(islice(cycle(_bodies()), work.pages))
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return [runner.run(_measured(work, size, pages)) for size in work.sizes]


async def _measured(work: BatchesWork, size: int, bodies: list[bytes]) -> BatchesMeasured:
    # Nothing but the number of pages closes a batch.
    limits = BatchLimits(bytes=1 << 40, pages=size, parse_s=math.inf, wait_s=1.0, eager=False)
    config = CrawlConfig(job=Path(gettempdir()), parsers=work.cores)
    pool = ParserPool(config, _dropped, spider=pack_spider(SPIDERS[work.spider]), limits=limits)
    clocks: list[ProcessorTime] = []
    pool.start()
    try:
        for page in _downloads(bodies[:_WARM_PAGES], 0):
            await pool.submit(page)
        await pool.drain()
        clocks = [ProcessorTime(pid=pid) for pid in parser_pids()]
        began, cpu, parsed = time.monotonic(), time.process_time(), sum(clock.seconds() for clock in clocks)
        for page in _downloads(bodies, _WARM_PAGES):
            await pool.submit(page)
        await pool.drain()
        return BatchesMeasured(
            spider=work.spider,
            cores=work.cores,
            size=size,
            pages=len(bodies),
            wall_s=time.monotonic() - began,
            main_cpu_s=time.process_time() - cpu,
            parsers_cpu_s=sum(clock.seconds() for clock in clocks) - parsed,
        )
    finally:
        for clock in clocks:
            clock.close()
        await asyncio.to_thread(pool.close)


def _dropped(results: list[Done]) -> None:
    """Nobody needs them: what is measured is the way there and back."""


def _bodies() -> Iterator[bytes]:
    """The HTML pages of the demo site."""
    site = Site(_PORT)
    for url, outcome in site.outcomes().items():
        resource = site.resource(url)
        if outcome != "fetched" or resource is None:
            continue
        host, _, target = url.removeprefix("http://").partition("/")
        answer = site.answer(host.partition(":")[0], "/" + target)
        headers = dict(answer.headers) if answer is not None else {}
        if answer is not None and headers.get("Content-Type", "").startswith("text/html") and len(headers) == 1:
            yield answer.body


def _downloads(bodies: list[bytes], start: int) -> Iterator[Download]:
    for number, body in enumerate(bodies, start):
        url = f"http://{HOSTS[0].name}/{number}"
        task = Task(
            key=url_key(url),
            url=url,
            depth=0,
            parent=None,
            redirected_from=(),
            attempts=0,
            seed=SeedContext(0, (url,), b"null"),
        )
        answer = Answer(200, (("content-type", "text/html; charset=utf-8"),), body, len(body))
        yield Download(task, answer, fetched_at=0.0)
