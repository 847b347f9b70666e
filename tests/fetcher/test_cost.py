"""What a page costs the fetcher, in counts: seconds would say more of the machine than of the program."""

import asyncio
import sys

from crawler.core.config import CrawlConfig
from crawler.core.model import Failure
from crawler.fetcher.transport.aiohttp.transport import AiohttpTransport
from crawler.fetcher.transport.base import FetchRequest
from tests.fetcher.transport.raw_server import RawServer, page, says
from tests.support.stage import stage, task

PAGES = 400
MOST_CALLS = 110
MOST_CALLS_A_HOST = 285
"""A tenth more than they take. When it takes more, something is done for each page that was not."""


async def calls_for(made, urls):
    """Count the calls of functions of the fetching stage, for a page, while it fetches these."""
    calls = 0

    def count(frame, event, _):
        nonlocal calls
        calls += event == "call" and "/crawler/fetcher/" in frame.f_code.co_filename

    sys.setprofile(count)
    try:
        await made.ended(*map(task, urls))
    finally:
        sys.setprofile(None)
    return calls / len(urls)


async def test_a_page_takes_few_calls(tmp_path):
    """All limits and fairness on; nobody waits for anything."""
    async with stage(lambda _: ("", 404, ()), tmp_path, per_host=16) as made:
        await made.ended(*(task(f"http://a.test/{number}") for number in range(PAGES)))
        calls = await calls_for(made, [f"http://a.test/again/{number}" for number in range(PAGES)])
    assert len(made.pages) == 2 * PAGES
    assert calls <= MOST_CALLS


async def test_a_new_host_takes_few_calls(tmp_path):
    """Its address, its robots.txt and its page."""
    async with stage(lambda _: ("", 404, ()), tmp_path) as made:
        calls = await calls_for(made, [f"http://{number}.test/" for number in range(PAGES)])
    assert len(made.pages) == PAGES
    assert calls <= MOST_CALLS_A_HOST


async def test_a_request_on_a_kept_connection_arms_one_timer(monkeypatch):
    """That of its deadline. The others that aiohttp arms, for idle connections, are due within seconds."""
    loop = asyncio.get_running_loop()
    armed = []

    def call_at(when, *arguments, **more):
        armed.append(when - loop.time())
        return own(when, *arguments, **more)

    transport = AiohttpTransport(CrawlConfig(allow_private=True))
    async with RawServer(says(page(), page())) as server:
        await transport.fetch(FetchRequest(server.url("/1")))
        own = loop.call_at
        monkeypatch.setattr(loop, "call_at", call_at)
        result = await transport.fetch(FetchRequest(server.url("/2"), timeout_s=30.0))
        monkeypatch.undo()
    await transport.close()
    assert not isinstance(result, Failure)
    assert server.connections == 1
    assert [round(seconds) for seconds in armed if seconds > 7] == [30]
