"""Both network transports: not a packet to an address that is refused, however it is written or found."""

import asyncio

import pytest

from crawler.fetcher.transport.base import FetchRequest, FetchResult
from crawler.web.urls import normalise
from tests.fetcher.transport.name_server import Listener, NameServer
from tests.fetcher.transport.raw_server import RawServer, page, says

LOOPBACK = [
    "127.0.0.1",
    "127.0.0.1.",
    "127.1",
    "127.0.1",
    "0x7f.1",
    "0x7F.0.0.0x1",
    "0x7f000001",
    "0177.0.0.01",
    "017700000001",
    "2130706433",
    "%31%32%37.0.0.1",
    "\uff11\uff12\uff17.0.0.1",
    "127\u30020\u30020\u30021",
    "\u2460\u2461\u2466.0.0.1",
    "public.example@127.0.0.1",
    "localhost",
    "LocalHost.",
    "a.b.localhost",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[0:0:0:0:0:FFFF:7f00:0001]",
]
ELSEWHERE = [
    "0",
    "0.0.0.0",
    "10.0.0.1",
    "0xa.1",
    "100.64.0.1",
    "169.254.169.254",
    "0xa9fea9fe",
    "2852039166",
    "192.168.1.1",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::]",
    "[::127.0.0.1]",
    "[fe80::1]",
    "[fd00:ec2::254]",
    "[::ffff:169.254.169.254]",
    "[::ffff:10.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::1]",
    "[2002:a9fe:a9fe::]",
]


def request(url):
    return FetchRequest(url, timeout_s=10.0)


@pytest.mark.parametrize(
    ("scheme", "host"),
    [("http", host) for host in LOOPBACK + ELSEWHERE] + [("https", "127.1"), ("https", "localhost")],
    ids=ascii,
)
async def test_not_a_packet_goes_to_a_special_address_however_it_is_written(make, scheme, host):
    transport = make(allow_private=False)
    with Listener() as listener:
        failure = await transport.fetch(request(normalise(f"{scheme}://{host}:{listener.port}/")))
        assert (failure.kind, failure.retryable) == ("private-address", False)
        assert not listener.heard()


@pytest.mark.parametrize("host", [host for host in LOOPBACK if not host.startswith("[")], ids=ascii)
async def test_the_listener_would_have_heard_it(transport, host):
    with Listener() as listener:
        fetch = asyncio.create_task(transport.fetch(request(normalise(f"http://{host}:{listener.port}/"))))
        while not listener.heard():
            assert not fetch.done()
            await asyncio.sleep(0.005)
        fetch.cancel()
        await asyncio.wait([fetch])


@pytest.mark.parametrize("host", ["0x7f.1", "2130706433", "127.1"])
async def test_what_is_not_in_normal_form_reaches_nobody_either(make, host):
    transport = make(allow_private=False)
    with Listener() as listener:
        failure = await transport.fetch(request(f"http://{host}:{listener.port}/"))
        assert not failure.retryable
        assert not listener.heard()


async def test_not_a_packet_goes_to_the_ipv6_loopback(make):
    try:
        listener = Listener("::1")
    except OSError:
        pytest.skip("no IPv6 here")
    with listener:
        failure = await make(allow_private=False).fetch(request(f"http://[::1]:{listener.port}/"))
        assert failure.kind == "private-address"
        assert not listener.heard()


@pytest.mark.parametrize("networks", [("127.0.0.2",), ("127.0.0.2/32", "10.0.0.0/8"), ("fd00::/8", "127.0.0.2/31")])
async def test_a_network_opens_its_own_addresses_and_no_other(make, networks):
    transport = make(allow_private=networks)
    async with RawServer(says(page(), page()), address="127.0.0.2", beside=["127.0.0.1"]) as server:
        with Listener(listening=server.besides[0]) as listener:
            for _ in range(2):
                assert (await transport.fetch(request(server.url(host="127.0.0.2")))).address == "127.0.0.2"
            for url in (
                server.url(host="127.0.0.1"),
                server.url(host="localhost"),
                server.url(host="127.0.0.1", scheme="https"),
                server.url("/robots.txt", host="127.0.0.1"),
                server.url("/sitemap.xml", host="[::ffff:7f00:1]"),
            ):
                assert (await transport.fetch(request(url))).kind == "private-address"
            assert not listener.heard()


@pytest.mark.parametrize("addresses", [["127.0.0.1", "127.0.0.2"], ["127.0.0.2", "127.0.0.1"]], ids="first ".join)
async def test_of_a_names_addresses_only_those_that_are_allowed_are_tried(kind, make, monkeypatch, addresses):
    transport = make(allow_private=("127.0.0.2",))
    async with (
        NameServer(addresses) as names,
        RawServer(says(page()), address="127.0.0.2", beside=["127.0.0.1"]) as server,
    ):
        await names.serve(kind, transport, monkeypatch)
        with Listener(listening=server.besides[0]) as listener:
            result = await transport.fetch(request(server.url(host="two.test")))
            assert (result.body, result.address) == (b"hello", "127.0.0.2")
            assert not listener.heard()


async def test_a_name_whose_allowed_address_does_not_answer_leads_to_no_other(kind, make, monkeypatch):
    transport = make(allow_private=("127.0.0.2",))
    async with NameServer(["127.0.0.1", "127.0.0.2"]) as names:
        await names.serve(kind, transport, monkeypatch)
        with Listener("127.0.0.1") as listener:
            failure = await transport.fetch(request(f"http://two.test:{listener.port}/"))
            assert (failure.kind, failure.retryable) == ("connect", True)
            assert not listener.heard()


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_name_with_special_addresses_alone_is_refused(kind, make, monkeypatch, scheme):
    transport = make(allow_private=False)
    async with NameServer(["127.0.0.1", "169.254.169.254"]) as names:
        await names.serve(kind, transport, monkeypatch)
        with Listener() as listener:
            failure = await transport.fetch(request(f"{scheme}://inside.test:{listener.port}/"))
            assert (failure.kind, failure.retryable) == ("private-address", False)
            assert names.lookups == 1
            assert not listener.heard()


async def test_an_answer_that_changes_between_two_fetches_is_judged_anew(kind, make, monkeypatch):
    """DNS rebinding: the name led to an allowed address when it was seen first, and to a refused one later."""
    transport = make(allow_private=("127.0.0.2",))
    closing = says(page(b"first", b"Connection: close"), end="close")
    async with (
        NameServer(["127.0.0.2"], ["127.0.0.1"]) as names,
        RawServer(closing, address="127.0.0.2", beside=["127.0.0.1"]) as server,
    ):
        await names.serve(kind, transport, monkeypatch)
        with Listener(listening=server.besides[0]) as listener:
            url = server.url(host="rebind.test")
            assert (await transport.fetch(request(url))).body == b"first"
            assert names.lookups == 1
            # As if the five minutes were over.
            transport._connector.clear_dns_cache() if kind == "aiohttp" else transport._resolver.forget()
            assert (await transport.fetch(request(url))).kind == "private-address"
            assert names.lookups == 2
            assert not listener.heard()


async def test_the_address_that_is_connected_to_is_the_one_that_was_checked(kind, make, monkeypatch):
    """DNS rebinding within one fetch: a second look-up would get the other address, so there must be none."""
    transport = make(allow_private=("127.0.0.2",))
    async with (
        NameServer(["127.0.0.2"], ["127.0.0.1"]) as names,
        RawServer(says(page()), address="127.0.0.2", beside=["127.0.0.1"]) as server,
    ):
        await names.serve(kind, transport, monkeypatch)
        with Listener(listening=server.besides[0]) as listener:
            url = server.url(host="rebind.test")
            told = await transport.address(url)
            result = await transport.fetch(request(url))
            assert isinstance(result, FetchResult)
            assert (result.body, result.address) == (b"hello", "127.0.0.2")
            assert told == "127.0.0.2"
            assert names.lookups == 1
            assert not listener.heard()
