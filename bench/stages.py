"""What each stage of a page costs by itself, in µs of CPU time a page: where the time of a crawl goes.

    python -m bench.stages --pages 1500        (make bench-stages)

Pages are those of the generated documentation. Each stage does its work over and over, with nothing of the others; the
smallest of some rounds counts, since what else the machine does can only add to it. Together they are less than a crawl
takes: in it the stages share caches and cores, and start-up counts too.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import psutil
import uvloop

from bench.docs_site import docs_site, page
from crawler.core.config import CrawlConfig
from crawler.core.model import Answer, Done, Download, SeedContext, Task
from crawler.core.record import DEFAULT_FIELDS
from crawler.fetcher.transport.aiohttp.transport import AiohttpTransport
from crawler.fetcher.transport.base import FetchRequest
from crawler.parsers.pool import ParserPool
from crawler.parsers.reading.reader import PageReader, parse_page
from crawler.parsers.reading.settings import ParserSettings
from crawler.web.urls import url_key

ROUNDS = 7
AT_ONCE = 32
LEAN = ("url", "status", "title", "links")


def least(rounds: Iterator[float]) -> float:
    """The smallest of some measurements, which were in seconds, in µs."""
    return 1e6 * min(rounds)


def downloads(pages: int) -> list[Download]:
    """The pages as parsers get them."""
    seed = SeedContext(1, ("http://localhost/0.html",), b"null")
    made = []
    for number in range(pages):
        url, body = f"http://localhost/{number}.html", page(number, pages)
        headers = (("content-type", "text/html; charset=utf-8"), ("content-length", str(len(body))))
        task = Task(url_key(url), url, depth=1, parent=None, redirected_from=(), attempts=0, seed=seed)
        made.append(Download(task, Answer(200, headers, body, len(body)), fetched_at=0.0))
    return made


async def at_once(work: Callable[[Any], Coroutine[Any, Any, Any]], items: list[Any]) -> None:
    """Do the work on all items, a few at a time."""
    left = iter(items)

    async def worker() -> None:
        for item in left:
            await work(item)

    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))


async def fetching(url: str, pages: int) -> list[float]:
    """Seconds of CPU time of this process for one fetch, round by round."""
    transport = AiohttpTransport(CrawlConfig(allow_private=True))
    requests = [FetchRequest(url.replace("0.html", f"{number}.html")) for number in range(pages)]
    rounds = []
    for _ in range(ROUNDS):
        started_at = time.process_time()
        await at_once(transport.fetch, requests)
        rounds.append((time.process_time() - started_at) / pages)
    await transport.close()
    return rounds


async def handing_on(config: CrawlConfig, some: list[Download]) -> tuple[list[float], list[float]]:
    """Seconds of CPU time for one page on its way through the pool: of this process, and of the parsers."""

    def done(_: list[Done]) -> None:
        pass

    pool = ParserPool(config, done)
    pool.start()
    await at_once(pool.submit, some)  # parsers start meanwhile
    await pool.drain()
    parsers = [child for child in psutil.Process().children() if "spawn_main" in " ".join(child.cmdline())]
    here, there = [], []
    for _ in range(ROUNDS):
        before = sum(sum(parser.cpu_times()[:2]) for parser in parsers)
        started_at = time.process_time()
        await at_once(pool.submit, some)
        await pool.drain()
        here.append((time.process_time() - started_at) / len(some))
        there.append((sum(sum(parser.cpu_times()[:2]) for parser in parsers) - before) / len(some))
    pool.close()
    return here, there


def parsing(config: CrawlConfig, some: list[Download]) -> Iterator[float]:
    """Seconds for one page in a parser whose caches know the site, round by round."""
    reader = PageReader(ParserSettings.of(config))
    for _ in range(ROUNDS):
        started_at = time.process_time()
        for one in some:
            parse_page(one, reader)
        yield (time.process_time() - started_at) / len(some)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=1_500)
    pages = downloads(parser.parse_args().pages)
    mean = sum(len(one.answer.body) for one in pages) / len(pages)
    print(
        f"{len(pages):,} pages of {mean:,.0f} bytes on average; µs of CPU time a page, the smallest of {ROUNDS} rounds"
    )
    with docs_site(len(pages)) as url:
        print(f"  fetch, {AT_ONCE} at once{'':37}{least(iter(uvloop.run(fetching(url, len(pages))))):7.0f}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for name, fields in (("url, status, title, links", LEAN), ("all fields, text among them", DEFAULT_FIELDS)):
            config = CrawlConfig(job=Path(folder), scope="prefix", fields=fields)
            here, there = uvloop.run(handing_on(config, pages))
            print(f"  {name}")
            print(f"    parse, alone in one process{'':26}{least(parsing(config, pages)):7.0f}")
            print(f"    hand on and take back, main process{'':18}{least(iter(here)):7.0f}")
            print(
                f"    receive, parse, send back: {config.parsers} parser processes{'':6}{least(iter(there)):7.0f}",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
