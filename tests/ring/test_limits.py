"""What limits a crawl is named rightly, with the option that would lift it, and holds still.

Each crawl is judged at many moments after the first window. Time is told by the crawl's own clock; the windows are
shorter than in use, so that a test takes seconds.
"""

import asyncio
import collections
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from crawler.core.config import CrawlConfig
from crawler.core.model import Finished
from crawler.core.stats import CrawlStats
from crawler.ledger.sinks.base import Position
from crawler.ring import limits
from crawler.ring.bottleneck import NOTHING
from crawler.ring.crawler import Crawler
from tests.support.servers import Answer, LocalServer, html

WINDOW_S = 1.0
RUN_S = 4.0
URLS = 1_000


@pytest.fixture(autouse=True)
def _short_windows(monkeypatch):
    monkeypatch.setattr(limits, "_TICK_S", 0.02)
    monkeypatch.setattr(limits, "_JUDGED_S", 0.25)
    monkeypatch.setattr(limits, "_WINDOW_S", WINDOW_S)


def answered(delay_s: float, robots: str = "") -> Callable[[str, str], Answer]:
    def respond(host: str, path: str) -> Answer:
        return Answer(robots) if path == "/robots.txt" else Answer(html(), delay_s=delay_s)

    return respond


def seeds(folder: Path, server: LocalServer, addresses: Sequence[str] = ("127.0.0.1",)) -> str:
    path = folder / "seeds.txt"
    path.write_text("".join(f"{server.url(f'/{n}', addresses[n % len(addresses)])}\n" for n in range(URLS)))
    return str(path)


def judged_s(stats: CrawlStats) -> float:
    """For how long the crawl has been judged, once it had begun."""
    return sum(stats.limited_s.values()) - stats.limited_s.get("starting", 0.0)


async def verdicts(crawler: Crawler) -> tuple[collections.Counter, CrawlStats]:
    """Run a crawl; count what limits it, at each look after the first windows."""
    task = asyncio.create_task(crawler.run())
    seen: collections.Counter[tuple[str, str]] = collections.Counter()
    while not task.done():
        await asyncio.sleep(0.05)
        stats = crawler.stats()
        if task.done() or stats.ended != "running" or judged_s(stats) > RUN_S:
            break
        if judged_s(stats) > 2 * WINDOW_S:
            seen[stats.limit, stats.lift] += 1
    crawler.stop()
    return seen, await task


def config(folder: Path, **settings) -> CrawlConfig:
    return CrawlConfig(
        job=folder / "job",
        **{"allow_private": True, "delay_s": 0.0, "parsers": 1, "retries": 0, "max_repeats": None, "scope": "page"}
        | settings,
    )


def mostly(seen: collections.Counter, limit: str, lift: str) -> None:
    """Nearly all verdicts are this one."""
    assert seen.total() >= 5
    assert seen[limit, lift] >= 0.9 * seen.total(), seen


async def test_requests_to_one_host_are_limited_by_per_host_and_never_by_the_frontier(tmp_path):
    """Two requests at once are all that `--per-host 2` allows, though between two of them nothing holds the host."""
    with LocalServer(answered(0.1)) as server:
        crawler = Crawler(config(tmp_path, per_host=2), [seeds(tmp_path, server)])
        seen, stats = await verdicts(crawler)
    mostly(seen, "per-host", "--per-host 2")
    assert not any(limit == "frontier" for limit, _ in seen)
    assert "frontier" not in stats.limited_s
    assert stats.limited_s["per-host"] > 0.6 * sum(stats.limited_s.values())
    assert sum(stats.limited_s.values()) <= stats.elapsed_s
    assert "requests at once that --per-host 2 allows" in stats.why


@pytest.mark.thorough
async def test_a_slow_consumer_is_named(tmp_path):
    """Whoever takes the records one by one, and is long at each."""
    with LocalServer(answered(0.0)) as server:
        crawler = Crawler(config(tmp_path, per_host=8), [seeds(tmp_path, server)])
        seen: collections.Counter[tuple[str, str]] = collections.Counter()
        async with crawler:
            async for _ in crawler:
                await asyncio.sleep(0.05)
                stats = crawler.stats()
                if judged_s(stats) > RUN_S:
                    break
                if judged_s(stats) > 2 * WINDOW_S:
                    seen[stats.limit, stats.lift] += 1
    mostly(seen, "consumer", "")


class _SlowSink:
    """Takes a while for each record."""

    name = "slow"

    def open(self, position: Position | None) -> None: ...

    def write(self, finished: Sequence[Finished]) -> None:
        time.sleep(0.06 * len(finished))

    def flush(self, *, last: bool = False) -> Position:
        return {}

    def committed(self) -> None: ...

    def close(self) -> None: ...


ADDRESSES = tuple(f"127.0.0.{n}" for n in range(1, 13))
CASES = [
    ("a fixed delay", {"delay_s": 0.2, "per_host": 2}, 0.0, "", "delay", "--delay 0.2"),
    ("a delay that follows the host", {"delay_s": None, "per_host": 2}, 0.0, "", "delay", "--delay auto"),
    ("a robots.txt", {"per_host": 2}, 0.0, "User-agent: *\nCrawl-delay: 0.3\n", "Crawl-delay", "--robots ignore"),
    ("few places", {"concurrency": 2, "per_host": 8}, 0.1, "", "concurrency", "--concurrency 2"),
]


@pytest.mark.thorough
@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
async def test_what_holds_requests_is_named(tmp_path, case):
    _, settings, delay_s, robots, limit, lift = case
    many = ADDRESSES if limit == "concurrency" else ADDRESSES[:1]
    with LocalServer(answered(delay_s, robots), many) as server:
        seen, _ = await verdicts(Crawler(config(tmp_path, **settings), [seeds(tmp_path, server, many)]))
    mostly(seen, limit, lift)


@pytest.mark.thorough
async def test_an_address_of_many_hosts_is_named(tmp_path):
    """Each port of an address is a host; all of them together may have eight requests."""
    servers = [LocalServer(answered(0.2)) for _ in range(6)]
    for server in servers:
        server.__enter__()
    try:
        path = tmp_path / "seeds.txt"
        path.write_text("".join(f"{servers[n % 6].url(f'/{n}')}\n" for n in range(URLS)))
        settings = config(tmp_path, per_host=4, per_address=4)
        seen, _ = await verdicts(Crawler(settings, [str(path)]))
    finally:
        for server in servers:
            server.__exit__()
    mostly(seen, "per-address", "--per-address 4")


def slow(page):
    """Take a while for each page."""
    time.sleep(0.05)
    yield {"url": page.url}


@pytest.mark.thorough
async def test_slow_parsers_are_named(tmp_path):
    with LocalServer(answered(0.0)) as server:
        crawler = Crawler(config(tmp_path, per_host=8), [seeds(tmp_path, server)], spider=slow)
        seen, _ = await verdicts(crawler)
    mostly(seen, "parsers", "--parsers 1")


@pytest.mark.thorough
async def test_a_slow_output_is_named(tmp_path):
    with LocalServer(answered(0.0)) as server:
        few = [server.url(f"/{n}") for n in range(150)]
        crawler = Crawler(config(tmp_path, per_host=4), few, sinks=[_SlowSink()])
        seen, stats = await verdicts(crawler)
    mostly(seen, "output", "--output")
    assert "writing the output slow takes" in stats.why


@pytest.mark.thorough
async def test_the_end_of_a_crawl_is_limited_by_its_few_urls(tmp_path):
    """Three URLs are left, at a host that may have more requests at once."""
    with LocalServer(answered(RUN_S)) as server:
        settings = config(tmp_path, per_host=8, timeout_s=60.0)
        seen, _ = await verdicts(Crawler(settings, [server.url(f"/{n}") for n in range(3)]))
    mostly(seen, "few URLs", "")


def test_what_held_hosts_adds_up_to_the_time_that_passed():
    """Hosts held by two things share the time out between these."""
    held = [{"--per-host 2": 3, "--delay 1": 1}, {}, {"--delay 1": 1}]
    meter = limits.LimitMeter(lambda: held.pop(0), CrawlStats)
    for _ in range(3):
        meter._look(1.0)
    assert meter.held_s == {"--per-host 2": 0.75, "--delay 1": 1.25, NOTHING: 1.0}


def test_one_odd_verdict_changes_nothing_and_two_do(monkeypatch):
    found = iter(["per-host", "per-host", "frontier", "per-host", "delay", "delay", "per-host"])
    monkeypatch.setattr(limits, "bottleneck", lambda *_: limits.Bottleneck(next(found), ""))
    meter = limits.LimitMeter(dict, CrawlStats)
    told = []
    for _ in range(7):
        meter._judge(1.0)
        told.append(meter.verdict.stage)
    assert told == ["per-host"] * 5 + ["delay"] * 2
    assert meter.limited_s == {"per-host": 5.0, "delay": 2.0}
