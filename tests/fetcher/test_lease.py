"""A shard asks servers while its lease is held, and never after; and what it knows of clocks from elsewhere."""

import asyncio
import time

import msgspec
import pytest

from crawler.core.host_rows import HEAD, Begun, Remembered
from crawler.fetcher.transport.aiohttp.transport import AiohttpTransport
from crawler.fetcher.transport.base import NOT_NOW, FetchRequest
from crawler.fetcher.transport.requests.transport import RequestsTransport
from crawler.web.host_state import HostClock, HostState
from tests.fetcher.transport.conftest import settings
from tests.fetcher.transport.raw_server import RawServer, page, says
from tests.support.stage import stage, task

URLS = [f"http://{host}.test/{number}" for host in "ab" for number in range(5)]


class Lease:
    """A lease that is held for so many questions, or as the test says."""

    def __init__(self, questions=10**9):
        self.left = questions

    def may_ask(self):
        self.left -= 1
        return self.left >= 0


async def all_come_with(lease, made):
    """Hold the lease again: each URL comes once, and none has lost an attempt."""
    lease.left = 10**9
    async with asyncio.timeout(60):
        while len(made.pages) < len(URLS):
            await asyncio.sleep(0.01)
    assert sorted(one.task.url for one in made.pages) == URLS
    assert not any(one.task.attempts for one in made.pages)


async def test_without_a_lease_nothing_is_asked_and_with_it_again_nothing_was_lost(tmp_path):
    lease = Lease(0)
    async with stage(lambda _: "", tmp_path, robots="ignore", may_ask=lease.may_ask) as made:
        made.fetcher.feed([task(url) for url in URLS], [])
        await asyncio.sleep(0.3)
        assert not made.asked
        await all_come_with(lease, made)


@pytest.mark.parametrize("questions", [1, 2, 4, 7])
async def test_what_has_begun_when_the_lease_ends_is_not_sent_and_comes_later(tmp_path, questions):
    """Between the turn of a host and the moment of sending there is a connection to be made, or a stopped process."""
    lease = Lease(questions)
    async with stage(lambda _: ("", 404, ()), tmp_path, may_ask=lease.may_ask) as made:
        made.fetcher.feed([task(url) for url in URLS], [])
        await asyncio.sleep(0.05)
        asked = len(made.asked)
        assert asked < questions
        await asyncio.sleep(0.25)
        assert len(made.asked) == asked
        await all_come_with(lease, made)
    assert len(made.asked) == len(URLS) + 2


@pytest.mark.parametrize("make", [AiohttpTransport, RequestsTransport])
async def test_a_transport_asks_once_more_when_it_has_its_connection(make):
    """The first request makes one, the second finds it kept."""
    transport = make(settings())
    answers: list[bool] = []

    def may_go() -> bool:
        return answers.pop(0)

    async with RawServer(says(page(), page(), page(), page())) as server:
        url = server.url("/")
        for allowed in (False, True, False, True):
            answers[:] = [allowed]
            result = await transport.fetch(FetchRequest(url, may_go=may_go))
            assert (result is NOT_NOW) is not allowed
            assert not answers, "it asks once, when all else is done"
    await transport.close()
    assert len(server.heads) == 2


async def test_a_host_of_a_lost_run_waits_its_own_delay_from_the_start(tmp_path):
    """What was written before the loss says nothing of the last request; what was written since does."""
    now = time.time()

    def row(host, incarnation):
        clock = HostClock(delay_s=20.0, wait_s=0.0)
        return Remembered(host, (msgspec.msgpack.encode(HostState(host, now - 3600, {}, clock, True, incarnation)),))

    begun = Begun(incarnation=3, exact_from=3, at=now)
    async with stage(lambda _: "", tmp_path, robots="ignore", delay_s=5.0, begun=begun) as made:
        entered = [row("lost.test", 2), row("known.test", 3), Remembered("new.test", ())]
        made.fetcher.feed([task(f"http://{one.host}/") for one in entered], entered)
        async with asyncio.timeout(60):
            while not made.pages:
                await asyncio.sleep(0.01)
        hosts = made.fetcher._hosts
        loop_now = asyncio.get_running_loop().time()
        waits = {one.host: hosts.ready_at(hosts.named(one.host), loop_now) - loop_now for one in entered}
    assert [one.task.url for one in made.pages] == ["http://known.test/"]
    assert 15 < waits["lost.test"] <= 20
    assert 0 < waits["new.test"] <= 5


async def test_clocks_say_in_which_incarnation_they_were_written(tmp_path):
    async with stage(lambda _: "", tmp_path, delay_s=1.0, begun=Begun(incarnation=7)) as made:
        await made.ended(task("http://a.test/"))
    assert msgspec.msgpack.decode(made.rows["a.test", HEAD], type=HostState).incarnation == 7
