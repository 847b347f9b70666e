"""Hosts that send much and then nothing, or whose bodies wait for parsers, beside healthy ones: each gets its share."""

import asyncio
import time
from contextlib import AsyncExitStack, asynccontextmanager

import msgspec
import pytest

from crawler.core.model import Again
from crawler.fetcher.fetcher import Fetcher
from crawler.fetcher.transport.budget import ByteBudget
from crawler.fetcher.transport.failures import STOOD_STILL
from tests.fetcher.transport.conftest import TRANSPORTS, settings
from tests.fetcher.transport.raw_server import RawServer
from tests.support.patience import PATIENCE_S
from tests.support.stage import stage, task

OPEN = {"robots": "ignore"}
LONG_S = 10 * PATIENCE_S
"""A deadline that no test waits for."""


async def stalls(server, reader, writer, *, sent, length):
    """Begin an answer, and say nothing more."""
    await server.head(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n" % length + bytes(sent))
    await reader.read()


def pages(size):
    async def behaviour(server, reader, writer):
        while True:
            await server.head(reader)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n" % size)
            writer.write(bytes(size))
            await writer.drain()

    return behaviour


class Crawl:
    """A fetcher with a real transport before it, and parsers that take whatever comes."""

    def __init__(self, kind, **changes):
        config = settings(**{"delay_s": 0.0, "timeout_s": LONG_S, "retries": 0, **OPEN, **changes})
        self.budget = ByteBudget(config.bytes_in_flight)
        self.transport = TRANSPORTS[kind](config, self.budget)
        self.pages, self.ends = [], []
        self.fetcher = Fetcher(
            config,
            self.transport,
            self.budget,
            submit=self._submit,
            report=self.ends.extend,
            remember=lambda *_: None,
            fail=self._fail,
        )

    async def _submit(self, page):
        self.pages.append(page.task.url)

    def _fail(self, error):
        raise AssertionError("a server can never cause this") from error

    @property
    def used_up(self):
        """Ends, and attempts that count."""
        return [end for end in self.ends if not isinstance(end, Again) or end.reason is not None]

    async def until(self, condition):
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                await asyncio.sleep(0.01)


@asynccontextmanager
async def crawl(kind, **changes):
    made = Crawl(kind, **changes)
    try:
        yield made
    finally:
        await made.fetcher.abort()
        await made.transport.close()
    assert (made.budget.used, made.budget.waiting) == (0, 0)


@asynccontextmanager
async def served(behaviour, addresses):
    """The base of the URLs of each of these addresses, all of which do the same."""
    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(RawServer(behaviour, address=address)) for address in addresses]
        yield [server.url("", host) for server, host in zip(servers, addresses, strict=True)]


@pytest.fixture(params=["aiohttp", "requests"])
def kind(request):
    return request.param


async def test_healthy_hosts_go_on_beside_many_that_fill_the_budget_and_stall(kind):
    """No attempt of theirs is used up by that, and they stay due."""

    async def stalled(server, reader, writer):
        await stalls(server, reader, writer, sent=900_000, length=1_000_000)

    async with (
        served(stalled, [f"127.0.3.{number}" for number in range(1, 13)]) as bad,
        served(pages(200_000), ["127.0.4.1", "127.0.4.2"]) as good,
        crawl(kind, bytes_in_flight=16_000_000, concurrency=32) as made,
    ):
        made.fetcher.feed([task(f"{host}/{number}") for number in range(2) for host in bad], [])
        await made.until(lambda: made.budget.waiting)
        made.fetcher.feed([task(f"{host}/{number}") for number in range(5) for host in good], [])
        await made.until(lambda: len(made.pages) == 10)
        assert not made.used_up
        assert made.budget.used < 16_000_000 + 1_000_000


async def test_healthy_hosts_get_places_beside_many_that_stall_before_they_count(kind):
    async def stalled(server, reader, writer):
        await stalls(server, reader, writer, sent=10_000, length=20_000)

    async with (
        served(stalled, [f"127.0.3.{number}" for number in range(1, 9)]) as bad,
        served(pages(5_000), ["127.0.4.1"]) as good,
        crawl(kind, concurrency=4) as made,
    ):
        made.fetcher.feed([task(f"{host}/") for host in bad], [])
        await made.until(lambda: made.fetcher.in_flight == 4)
        made.fetcher.feed([task(f"{good[0]}/{number}") for number in range(5)], [])
        await made.until(lambda: len(made.pages) == 5)
        assert not made.used_up


async def test_a_stalled_download_for_which_nobody_waits_goes_on_to_its_deadline(kind):
    async def stalled(server, reader, writer):
        await stalls(server, reader, writer, sent=900_000, length=1_000_000)

    async with (
        served(stalled, ["127.0.3.1"]) as (bad,),
        crawl(kind, bytes_in_flight=4_000_000, timeout_s=2.5) as made,
    ):
        started = time.monotonic()
        made.fetcher.feed([task(f"{bad}/")], [])
        await made.until(lambda: made.ends)
        assert time.monotonic() - started >= 2.5
        assert [(end.outcome, end.reason) for end in made.ends] == [("failed", "timeout")]


@pytest.mark.thorough
async def test_a_slow_download_that_goes_on_is_read_whole_at_the_first_time_while_others_wait(kind):
    """A hundred kilobytes a second, of a body that is larger than the limit's last step."""
    asked = []

    async def slow(server, reader, writer):
        await server.head(reader)
        asked.append(1)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 600000\r\n\r\n")
        for _ in range(60):
            writer.write(bytes(10_000))
            await writer.drain()
            await asyncio.sleep(0.1)

    async def stalled(server, reader, writer):
        await stalls(server, reader, writer, sent=900_000, length=1_000_000)

    async with (
        served(slow, ["127.0.4.1"]) as (good,),
        served(stalled, [f"127.0.3.{number}" for number in range(1, 4)]) as bad,
        crawl(kind, bytes_in_flight=1_000_000, concurrency=8) as made,
    ):
        made.fetcher.feed([task(f"{good}/")], [])
        await made.until(lambda: made.budget.held_by)
        made.fetcher.feed([task(f"{host}/") for host in bad], [])
        await made.until(lambda: made.budget.waiting)
        await made.until(lambda: made.pages)
        assert made.pages == [f"{good}/"]
        assert len(asked) == 1
        assert not made.used_up


@pytest.mark.thorough
async def test_a_crawl_of_nothing_but_hosts_that_stall_ends():
    """They wait for each other, and give way to each other; after three times each URL has its whole time."""

    async def stalled(server, reader, writer):
        await stalls(server, reader, writer, sent=900_000, length=1_000_000)

    async with (
        served(stalled, ["127.0.3.1", "127.0.3.2"]) as bad,
        crawl("aiohttp", bytes_in_flight=1_000_000, concurrency=8, timeout_s=1.5) as made,
    ):
        made.fetcher.feed([task(f"{host}/") for host in bad], [])
        await made.until(lambda: len(made.ends) == 2)
        assert {(end.outcome, end.reason) for end in made.ends} == {("failed", "timeout")}


async def test_a_url_that_gave_way_three_times_has_a_turn_in_which_it_need_not(tmp_path):
    gave_way = msgspec.structs.replace(STOOD_STILL, kind="reset")  # so that the host's clock does not slow the test

    def respond(_path):
        return gave_way if len(made.asked) % 4 else "whole"

    async with stage(respond, tmp_path, **OPEN) as made:
        await made.ended(task("http://a.test/x"))
        await made.ended(task("http://a.test/x"))
    assert [request.patient for request in made.asked] == 2 * [False, False, False, True]
    assert [page.task.attempts for page in made.pages] == [0, 0]


async def test_a_host_whose_download_gave_way_is_asked_for_its_other_urls_first_and_as_one_that_does_not_answer(
    tmp_path,
):
    async with stage(
        lambda path: STOOD_STILL if path == "still" and not made.pages else "whole", tmp_path, **OPEN
    ) as made:
        made.fetcher.feed([task(f"http://a.test/{path}") for path in ("still", "other")], [])
        async with asyncio.timeout(PATIENCE_S):
            while "Retry-After or back-off" not in made.fetcher.hosts_held_by():
                await asyncio.sleep(0.001)
        async with asyncio.timeout(PATIENCE_S):
            while len(made.pages) < 2:
                await asyncio.sleep(0.01)
    assert [request.url.rpartition("/")[2] for request in made.asked][-1] == "still"
    assert not [end for end in made.ends if isinstance(end, Again)]


async def test_a_host_whose_bodies_wait_for_parsers_waits_itself_and_others_do_not(tmp_path):
    async with stage(
        lambda _path: b"x" * 1_100, tmp_path, bytes_in_flight=8_000, per_host=50, delay_s=0.05, **OPEN
    ) as made:
        made.parsers_take_pages.clear()
        made.fetcher.feed([task(f"http://a.test/{number}") for number in range(20)], [])
        async with asyncio.timeout(PATIENCE_S):
            while made.fetcher.hosts_held_by() != {"bytes": 1}:
                await asyncio.sleep(0.001)
        assert len(made.asked) == 2
        made.fetcher.feed([task("http://b.test/")], [])
        async with asyncio.timeout(PATIENCE_S):
            while made.asked[-1].url != "http://b.test/":
                await asyncio.sleep(0.001)
        assert len(made.asked) == 3
        made.parsers_take_pages.set()
        async with asyncio.timeout(PATIENCE_S):
            while len(made.pages) < 21:
                await asyncio.sleep(0.001)
