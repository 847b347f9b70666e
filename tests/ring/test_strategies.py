"""The four ways to share out the work: whatever the strategy, the same pages end in the same way, once."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import get_args

import pytest

import crawler
from crawler.core.config import CrawlConfig, StrategyKind
from crawler.core.errors import ConfigError, CrawlerError, StorageError
from crawler.core.model import Done, Download
from crawler.fetcher.transport.chosen import transport_class
from crawler.parsers.inline import InlineParsers
from crawler.ring.crawler import Crawler
from tests.support.downloads import download_of
from tests.support.servers import RESET, Answer, LocalServer, html
from tests.support.thorough import first_quickly

STRATEGIES: tuple[StrategyKind, ...] = get_args(StrategyKind)
INLINE = STRATEGIES[:3]

SITE: dict[str, Answer | object] = {
    "/": Answer(html("/a", "/deep/b?q=1", "/r", "/loop", "/reset", "/picture", "/cut", "/latin", "/hidden", "/large")),
    "/robots.txt": Answer("User-agent: *\nDisallow: /hidden\n"),
    "/a": Answer(html("/", "/missing", "/n0")),
    "/deep/b?q=1": Answer(html("../a", "c", "https://example.com/")),
    "/deep/c": Answer("not found", status=410),
    "/r": Answer(status=302, headers={"location": "/a"}),
    "/loop": Answer(status=302, headers={"location": "/loop"}),
    "/reset": RESET,
    "/picture": Answer(b"\x89PNG\r\n", headers={"content-type": "image/png"}),
    "/cut": Answer(b"<title>cut"),
    "/latin": Answer("<title>caf\xe9</title>".encode("latin-1"), headers={"content-type": "text/html"}),
    "/large": Answer(html("/n39", text="word " * 500_000)),
    **{f"/n{n}": Answer(html(*(f"/n{m}" for m in range(n, min(n + 9, 40))), title=f"{n}")) for n in range(40)},
}
"""A site with odd pages: everything that may become of a URL but what takes long."""


def respond(host: str, path: str) -> Answer | object:
    return SITE.get(path, Answer("nothing here", status=404))


@pytest.fixture(scope="module")
def server():
    with LocalServer(respond) as one:
        yield one


def config(folder: Path, strategy: StrategyKind, **settings) -> CrawlConfig:
    return CrawlConfig(
        job=folder, strategy=strategy,
        **{"allow_private": True, "delay_s": 0.0, "parsers": 2, "retries": 0, "concurrency": 8, **settings},
    )  # fmt: skip


async def crawl(folder: Path, strategy: StrategyKind, *seeds: str, spider=None, **settings):
    return await Crawler(config(folder, strategy, **settings), seeds, spider=spider).run()


def records(folder: Path) -> list[dict]:
    """All records, without what depends on when and in which order pages came."""
    lines = [json.loads(line) for line in (folder / "pages.jsonl").read_bytes().splitlines()]
    return sorted(
        ({key: value for key, value in line.items() if key not in {"fetched_at", "depth", "parent"}} for line in lines),
        key=lambda line: line["url"],
    )


async def test_each_strategy_gives_the_same_records_and_outcomes(tmp_path, server):
    ends = {strategy: await crawl(tmp_path / strategy, strategy, server.url()) for strategy in STRATEGIES}
    written = {strategy: records(tmp_path / strategy) for strategy in STRATEGIES}
    assert len(written["hybrid"]) == 49
    for strategy in INLINE:
        assert written[strategy] == written["hybrid"], strategy
        assert ends[strategy].outcomes == ends["hybrid"].outcomes
        assert ends[strategy].outcomes["failed: reset"] == 1
        assert len(ends[strategy].parser_busy_s) == (2 if strategy == "threads" else 1)
        assert sum(ends[strategy].parser_busy_s) > 0


async def test_sequential_asks_for_one_thing_at_a_time_and_parses_it_first(tmp_path):
    """The server never sees two requests at once, and a page's links are known before the next one is asked for."""
    names = ("a.localhost", "b.localhost", "c.localhost")
    most = []

    def slow(host: str, path: str) -> Answer:
        most.append(sum(one.under_way.values()))
        return Answer(html("/x", "/y"), delay_s=0.01)

    with LocalServer(slow) as one:
        seeds = [f"http://{name}:{one.port}/" for name in names]
        stats = await crawl(tmp_path / "job", "sequential", *seeds, concurrency=16, per_host=8)
    assert stats.pages == 9
    assert max(most) == 1


async def test_threads_ask_for_several_things_at_once(tmp_path):
    with LocalServer(lambda host, path: Answer(html(*"abcdef"), delay_s=0.05)) as one:
        await crawl(tmp_path / "job", "threads", one.url(), per_host=4, robots="ignore")
        assert max(one.peak.values()) == 4


def where(page):
    return {"url": page.url, "process": os.getpid(), "thread": threading.current_thread().name}


@pytest.mark.parametrize("strategy", STRATEGIES)
async def test_pages_are_parsed_where_the_strategy_says(tmp_path, server, strategy):
    await crawl(tmp_path / "job", strategy, *(server.url(f"/n{n}") for n in range(12)), spider=where)
    lines = records(tmp_path / "job")
    assert len(lines) == 12
    inside = {line["process"] == os.getpid() for line in lines}
    threads = {line["thread"] for line in lines}
    assert inside == {strategy != "hybrid"}
    assert threads <= ({"parser-0", "parser-1"} if strategy == "threads" else {"MainThread"})


def odd(page):
    if page.url.endswith("/n3"):
        raise LookupError(page.url)
    if page.url.endswith("/n4"):
        raise SystemExit(3)
    if page.url.endswith("/n5"):
        raise asyncio.CancelledError
    return {"url": page.url}


@pytest.mark.parametrize("strategy", STRATEGIES)
async def test_a_spider_that_raises_is_one_failed_url(tmp_path, server, strategy):
    stats = await crawl(tmp_path / "job", strategy, *(server.url(f"/n{n}") for n in range(8)), spider=odd)
    kinds = ("LookupError", "SystemExit", "CancelledError")
    assert stats.outcomes == {"fetched": 5} | {f"failed: parser-error: {kind}": 1 for kind in kinds}


def interrupting(page):
    if page.url.endswith("/n3"):
        raise KeyboardInterrupt
    return {"url": page.url}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_an_interrupt_that_a_spider_raises_is_one_failed_url(server, strategy):
    """Away from the main thread no Ctrl-C of a user raises it."""
    seeds = [server.url(f"/n{n}") for n in range(8)]
    pages = crawler.crawl(
        seeds, spider=interrupting, strategy=strategy, scope="page", parsers=2, allow_private=True, delay_s=0
    )
    assert [page.get("outcome") for page in pages].count(None) == 7
    assert pages.stats().outcomes == {"fetched": 7, "failed: parser-error: KeyboardInterrupt": 1}


async def test_memory_that_runs_out_in_this_process_is_one_failed_url(tmp_path, server):
    def hungry(page):
        raise MemoryError

    stats = await crawl(tmp_path / "job", "async", server.url("/n1"), spider=hungry)
    assert stats.outcomes == {"failed: parser-error: MemoryError": 1}


async def test_a_job_goes_on_with_another_strategy(tmp_path, server):
    whole = await crawl(tmp_path / "whole", "hybrid", server.url())
    for number, strategy in enumerate(STRATEGIES, 1):
        stats = await crawl(tmp_path / "job", strategy, server.url(), max_pages=12 * number)
        assert stats.pages == 12 * number
    stats = await crawl(tmp_path / "job", "threads", server.url())
    assert stats.outcomes == whole.outcomes
    assert records(tmp_path / "job") == records(tmp_path / "whole")


@pytest.mark.parametrize("strategy", first_quickly(INLINE))
def test_killed_and_resumed_it_has_each_record_once(tmp_path, strategy):
    """kill -9 in the middle; the same command ends the crawl, with what was committed before."""
    links = [f"/{n}" for n in range(150)]
    with LocalServer(lambda host, path: Answer(html(*links), delay_s=0.004)) as one:
        command = [sys.executable, "-m", "crawler", "crawl", one.url(), "--strategy", strategy, "--allow-private"]
        command += ["--delay", "0", "--quiet", "--job", str(tmp_path / "job")]
        process = subprocess.Popen(command)
        output = tmp_path / "job/pages.jsonl"
        until = time.monotonic() + 60
        while not (output.exists() and output.stat().st_size):
            assert time.monotonic() < until
            assert process.poll() is None
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert subprocess.run(command, check=False, timeout=60).returncode == 0
        found = Counter(json.loads(line)["url"] for line in output.read_bytes().splitlines())
        assert found == Counter(one.url(path) for path in ("/", *links))


@pytest.mark.parametrize(
    ("strategy", "transport"), [("sequential", "aiohttp"), ("threads", "aiohttp"), ("async", "requests")]
)
def test_a_transport_that_contradicts_the_strategy_is_refused(strategy, transport):
    with pytest.raises(ConfigError, match=f"^transport: strategy {strategy} downloads with .*, not with {transport}: "):
        CrawlConfig(strategy=strategy, transport=transport)


def test_the_strategy_names_the_transport():
    kinds = {strategy: CrawlConfig(strategy=strategy).transport_kind for strategy in STRATEGIES}
    assert kinds == {"sequential": "requests", "threads": "requests", "async": "aiohttp", "hybrid": "aiohttp"}
    assert CrawlConfig(transport="requests").transport_kind == "requests"
    classes = {strategy: transport_class(CrawlConfig(strategy=strategy)).__name__ for strategy in STRATEGIES}
    assert classes == {name: f"{kind.capitalize()}Transport" for name, kind in kinds.items()}


def test_what_a_spider_prints_is_not_among_the_records(tmp_path, server):
    (tmp_path / "chatty.py").write_text("def parse(page):\n    print('hello')\n    yield {'url': page.url}\n")
    command = [sys.executable, "-m", "crawler", "crawl", server.url("/n1"), "--strategy", "async", "--allow-private"]
    command += ["--spider", str(tmp_path / "chatty.py") + ":parse", "--job", str(tmp_path / "job"), "-o", "-"]
    ended = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    assert json.loads(ended.stdout) == {"url": server.url("/n1")}
    assert "hello" in ended.stderr
    assert "no limit of time or memory holds for a page" in ended.stderr


# The parsers by themselves


def download(number: int, body: bytes = b"<title>x") -> Download:
    return download_of(body, url=f"http://a.test/{number}")


@pytest.mark.parametrize("strategy", INLINE)
async def test_the_event_loop_goes_on_while_nobody_takes_results(strategy):
    """`submit` waits without blocking the loop; afterwards every page is delivered once."""
    free = threading.Event()
    done: list[Done] = []

    def blocked(results: list[Done]) -> None:
        assert free.wait(60)
        done.extend(results)

    parsers = InlineParsers(CrawlConfig(strategy=strategy, parsers=2), blocked)
    parsers.start()
    try:
        tasks = [asyncio.create_task(parsers.submit(download(number))) for number in range(300)]
        while not any(task.done() for task in tasks):
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        assert sum(task.done() for task in tasks) < 100
        assert not done
        waits = asyncio.create_task(parsers.drain())
        free.set()
        await asyncio.gather(*tasks, waits)
        await parsers.drain()
        assert sorted(one.key for one in done) == sorted(download(number).task.key for number in range(300))
        assert parsers.pending == 0
    finally:
        parsers.close()


@pytest.mark.parametrize("strategy", INLINE)
async def test_results_that_cannot_be_kept_end_the_crawl(strategy):
    told: list[CrawlerError] = []

    def refuse(results: list[Done]) -> None:
        raise StorageError("disk full")

    parsers = InlineParsers(CrawlConfig(strategy=strategy, parsers=1), refuse, on_failure=told.append)
    parsers.start()
    try:
        await parsers.submit(download(1))
        with pytest.raises(StorageError, match="disk full"):
            await parsers.drain()
        with pytest.raises(StorageError, match="disk full"):
            await parsers.submit(download(2))
        assert [str(error) for error in told] == ["disk full"]
    finally:
        parsers.close()
    assert threading.active_count() < 20
