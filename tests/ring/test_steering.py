"""A crawl that runs is paused, resumed and stopped, and hosts are blocked and given delays; a later run knows."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from crawler.core.config import CrawlConfig
from crawler.core.errors import UsageError
from crawler.core.steered import MOST_HOSTS, Change, Steered
from crawler.fetcher.transport.fake import FakeTransport, answer
from crawler.ring.crawler import Crawler
from tests.support.patience import PATIENCE_S

PAGES = 30


class Web:
    """Hosts of 30 pages each, in a chain of links; `asked` counts requests for pages by host, `told` for robots.txt."""

    def __init__(self, robots: str = "") -> None:
        self.asked: Counter[str] = Counter()
        self.told = 0
        self.robots = robots
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def __call__(self, request):
        parts = urlsplit(request.url)
        if parts.path == "/robots.txt":
            self.told += 1
            return answer(request, self.robots, headers=(("content-type", "text/plain"),))
        self.asked[parts.netloc] += 1
        await self.may_answer.wait()
        number = int(parts.path.strip("/") or 0)
        links = "".join(f'<a href="/{to}">x</a>' for to in (number + 1, number + 2) if to < PAGES)
        return answer(request, f"<title>{parts.path}</title>{links}")


@pytest.fixture
def crawler(tmp_path):
    """Return a function that makes a crawler of one job, from the first pages of hosts."""

    def crawler(web: Web, *hosts: str, **settings: object) -> Crawler:
        told = {"delay_s": 0.0, "strategy": "async", "scope": "host", **settings}
        config = CrawlConfig(job=tmp_path / "job", **told)
        return Crawler(config, [f"http://{host}/" for host in hosts], transport=FakeTransport(web))

    return crawler


async def until(happens: Callable[[], bool]) -> None:
    """Wait for what must happen."""
    async with asyncio.timeout(PATIENCE_S):
        while not happens():
            await asyncio.sleep(0.01)


async def quiet(web: Web) -> int:
    """Wait for twenty looks of the crawl at what there is to do, in which nothing may be asked for; how much was."""
    asked = web.asked.total()
    await asyncio.sleep(0.6)
    return web.asked.total() - asked


def urls(job: Path) -> list[str]:
    return sorted(json.loads(line)["url"] for line in (job / "pages.jsonl").read_bytes().splitlines())


def whole(*hosts: str) -> list[str]:
    return sorted(f"http://{host}/{number or ''}" for host in hosts for number in range(PAGES))


async def test_paused_nothing_is_asked_for_and_the_job_stays_open(crawler, tmp_path):
    """What was under way ends; not even an empty queue ends a paused crawl."""
    web = Web()
    one = crawler(web, "a.test")
    run = asyncio.create_task(one.run())
    await until(lambda: web.asked.total() >= 3)
    web.may_answer.clear()
    await until(lambda: one.stats().fetching > 0)
    one.steering.pause()
    web.may_answer.set()
    await until(lambda: one.stats().fetching == 0)
    assert await quiet(web) == 0
    assert (one.stats().paused, one.steering.state.paused, run.done()) == (True, True, False)
    one.steering.resume()
    stats = await run
    assert (stats.ended, stats.paused) == ("done", False)
    assert urls(tmp_path / "job") == whole("a.test")


async def test_a_crawl_paused_with_nothing_left_ends_when_it_is_resumed(crawler):
    web = Web()
    one = crawler(web, "a.test", depth=0)
    one.steering.pause()
    run = asyncio.create_task(one.run())
    await until(lambda: one.stats().known == 1)
    assert await quiet(web) == 0
    one.steering.resume()
    assert (await run).pages == 1


async def test_stopped_it_ends_as_on_ctrl_c_and_the_next_run_goes_on(crawler, tmp_path):
    web = Web()
    one = crawler(web, "a.test")
    run = asyncio.create_task(one.run())
    await until(lambda: web.asked.total() >= 3)
    one.steering.stop()
    assert (await run).ended == "interrupted"
    assert (await crawler(web, "a.test").run()).ended == "done"
    assert urls(tmp_path / "job") == whole("a.test")


async def test_the_urls_of_a_blocked_host_stay_due_and_go_on_when_it_is_unblocked(crawler, tmp_path):
    web = Web()
    one = crawler(web, "a.test", "b.test")
    web.may_answer.clear()
    run = asyncio.create_task(one.run())
    await until(lambda: web.asked.total() >= 2)
    one.steering.block("B.test")
    one.steering.pause()
    web.may_answer.set()
    await until(lambda: one.stats().fetching == 0)
    web.asked.clear()
    one.steering.resume()
    await until(lambda: web.asked["a.test"] >= 5)
    assert web.asked["b.test"] == 0
    one.steering.unblock("http://b.test/any")
    assert (await run).ended == "done"
    assert urls(tmp_path / "job") == whole("a.test", "b.test")


async def test_when_nothing_else_is_left_they_end_as_skipped_and_the_next_run_has_them_blocked_too(crawler, tmp_path):
    web = Web()
    one = crawler(web, "a.test", "b.test")
    one.steering.block("b.test")
    stats = await one.run()
    assert (stats.ended, stats.queued, stats.steered) == ("done", 0, ("blocked b.test",))
    assert stats.outcomes == {"fetched": PAGES, "skipped: blocked": 1}
    assert urls(tmp_path / "job") == whole("a.test")
    again = crawler(web, "a.test", "b.test")
    assert (await again.run()).outcomes == stats.outcomes
    assert (again.steering.state, web.asked["b.test"]) == (Steered(blocked=("b.test",)), 0)


async def test_a_robots_txt_that_redirects_to_a_blocked_host_cannot_be_had(crawler):
    async def web(request):
        assert "b.test" not in request.url
        return answer(request, status=301, headers=(("location", "http://b.test/robots.txt"),))

    one = crawler(web, "a.test")
    one.steering.block("b.test")
    stats = await one.run()
    assert (stats.ended, stats.outcomes) == ("done", {"skipped: robots-unreachable": 1})


async def test_a_host_has_a_delay_of_its_own_which_a_later_run_keeps(crawler):
    """Larger than `delay_s` it holds the host; taken back, the host that waits is asked at once."""
    web = Web()
    one = crawler(web, "a.test", "b.test")
    one.steering.delay("b.test", 1_000.0)
    run = asyncio.create_task(one.run())
    await until(lambda: one.stats().outcomes.get("fetched") == PAGES)
    assert web.asked == {"a.test": PAGES}
    one.steering.stop()
    await run
    two = crawler(web, "a.test", "b.test")
    run = asyncio.create_task(two.run())
    await until(lambda: two.stats().steered == ("delay 1000 s for b.test",))
    assert await quiet(web) <= 1
    two.steering.delay("b.test", None)
    assert (await run).ended == "done"
    assert web.asked == {"a.test": PAGES, "b.test": PAGES}


async def test_a_delay_of_its_own_is_never_below_what_robots_txt_asks_for(crawler):
    web = Web("User-agent: *\nCrawl-delay: 1000\n")
    one = crawler(web, "a.test")
    one.steering.delay("a.test", 0.0)
    run = asyncio.create_task(one.run())
    await until(lambda: web.told > 0)
    assert await quiet(web) == 0
    assert web.asked.total() == 0
    one.stop()
    await run


@pytest.mark.parametrize("host", ["", "two words", "ftp://h.test/", "h.test/path", "h.test:x"])
def test_what_names_no_host_is_refused(crawler, host):
    steering = crawler(Web(), "a.test").steering
    with pytest.raises(UsageError, match="not "):
        steering.block(host)


def test_wishes_are_bounded():
    many = Steered(blocked=tuple(f"h{number}.test" for number in range(MOST_HOSTS)))
    with pytest.raises(UsageError, match="at most"):
        many.after(Change("block", "one-more.test"))
    with pytest.raises(UsageError, match="0 or more"):
        Steered().after(Change("delay", "h.test", -1.0))
