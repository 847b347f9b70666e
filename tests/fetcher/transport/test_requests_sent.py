"""What both network transports write for one request, byte by byte on the wire."""

from contextlib import AsyncExitStack

import pytest

from crawler.core.config import CrawlConfig
from crawler.core.model import Failure
from crawler.fetcher.transport.aiohttp.transport import AiohttpTransport
from crawler.fetcher.transport.base import FetchRequest, FetchResult
from crawler.fetcher.transport.descriptors import spare_descriptors
from tests.fetcher.transport.raw_server import RawServer, page, says


def lines(head):
    first, *headers = head.decode().removesuffix("\r\n\r\n").split("\r\n")
    return first, headers


@pytest.fixture
async def aiohttp_transport():
    transport = AiohttpTransport(
        CrawlConfig(allow_private=True, user_agent="tester/1", headers=(("Accept-Language", "de"),))
    )
    yield transport
    await transport.close()


async def test_a_request_is_one_line_and_its_headers_in_order(aiohttp_transport):
    """The URL goes out as it stands in its normal form, and what every server may see goes with it."""
    async with RawServer(says(page())) as server:
        result = await aiohttp_transport.fetch(FetchRequest(server.url("/a%2Fb/%C3%A9;x?q=%20&r=1+1")))
    assert isinstance(result, FetchResult)
    first, headers = lines(server.heads[0])
    assert first == "GET /a%2Fb/%C3%A9;x?q=%20&r=1+1 HTTP/1.1"
    assert [header.partition(":")[0] for header in headers] == [
        "Host", "User-Agent", "Accept", "Accept-Encoding", "Accept-Language",
    ]  # fmt: skip
    assert {f"Host: 127.0.0.1:{server.port}", "User-Agent: tester/1", "Accept-Language: de"} <= set(headers)


async def test_a_header_of_the_request_replaces_that_of_the_crawl_in_any_case(transport):
    async with RawServer(says(page(), page())) as server:
        await transport.fetch(FetchRequest(server.url(), headers=(("USER-agent", "one/1"), ("Cookie", "a=1"))))
        await transport.fetch(FetchRequest(server.url()))
    _, asked = lines(server.heads[0])
    _, usual = lines(server.heads[1])
    assert [header for header in asked if header.lower().startswith("user-agent:")] == ["USER-agent: one/1"]
    assert "Cookie: a=1" in asked
    # What one request brings is not kept for the next.
    assert not [header for header in usual if "one/1" in header or header.startswith("Cookie")]


@pytest.mark.parametrize("value", ["a\r\nX-Injected: 1", "a\nb", "a\0b"], ids=["header", "line", "nul"])
async def test_a_header_that_would_not_stay_one_line_is_not_sent(aiohttp_transport, value):
    async with RawServer(says(page())) as server:
        failure = await aiohttp_transport.fetch(FetchRequest(server.url(), headers=(("Cookie", value),)))
    assert isinstance(failure, Failure)
    assert (failure.kind, failure.retryable) == ("protocol", False)
    assert "X-Injected" not in failure.detail
    assert server.connections == 0


async def test_a_dot_behind_a_host_is_part_of_the_url_but_not_of_the_header(aiohttp_transport):
    """As browsers do: certificates and virtual hosts have names without it."""
    async with RawServer(says(page())) as server:
        result = await aiohttp_transport.fetch(FetchRequest(server.url(host="localhost.")))
    assert isinstance(result, FetchResult)
    assert f"Host: localhost:{server.port}" in lines(server.heads[0])[1]


async def test_with_few_descriptors_connections_are_closed_instead_of_kept(monkeypatch):
    """A crawl of very many hosts would otherwise hold five seconds' worth of idle ones and find none for a new host."""
    monkeypatch.setattr("crawler.fetcher.transport.aiohttp.transport.spare_descriptors", lambda concurrency, parsers: 4)
    transport = AiohttpTransport(CrawlConfig(allow_private=True))
    open_now, most = 0, 0

    async def behaviour(server, reader, writer):
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        try:
            while True:
                await server.head(reader)
                writer.write(page())
        finally:
            open_now -= 1

    async with AsyncExitStack() as stack:
        hosts = [f"127.0.0.{number}" for number in range(1, 17)]
        servers = [await stack.enter_async_context(RawServer(behaviour, address=host)) for host in hosts]
        stack.push_async_callback(transport.close)
        for host, server in zip(hosts, servers, strict=True):
            assert isinstance(await transport.fetch(FetchRequest(server.url(host=host))), FetchResult)
        # Those that may be kept are: a host asked again needs no new connection.
        await transport.fetch(FetchRequest(servers[0].url(host=hosts[0])))
        assert servers[0].connections == 1
    assert most <= 4 + 2


def test_the_limit_on_open_files_leaves_room_for_requests_first(monkeypatch):
    limits = [(1_024, 1_024)]
    monkeypatch.setattr("crawler.fetcher.transport.descriptors.resource.getrlimit", lambda which: limits[0])
    assert spare_descriptors(256, 2) == 1_024 - 152 - 8 - 256
    limits[0] = (300, 300)
    assert spare_descriptors(256, 2) == 0
