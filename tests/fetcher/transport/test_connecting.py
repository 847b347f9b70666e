"""Connecting has a shorter limit than a whole fetch, and what waits for it can be ended at once; on both transports."""

import asyncio
import contextlib
import socket
import threading
import time

import pytest

from crawler.core.model import Failure
from crawler.fetcher.transport import base
from crawler.fetcher.transport.base import FetchRequest
from crawler.fetcher.transport.requests.transport import RequestsTransport
from tests.fetcher.transport.conftest import settings
from tests.fetcher.transport.name_server import Listener
from tests.fetcher.transport.raw_server import DATA, RawServer, page
from tests.support.patience import PATIENCE_S

CONNECT_S = 0.3
LONG_S = 3600.0


@pytest.fixture
def soon(monkeypatch):
    monkeypatch.setattr(base, "CONNECT_S", CONNECT_S)


@contextlib.contextmanager
def full_house():
    """A port whose queue of connections is full: the kernel drops what comes, as a firewall does."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        where = listener.getsockname()
        for _ in range(8):
            one = stack.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(where)
        yield where[1]


@contextlib.contextmanager
def mute():
    """A port that accepts and says nothing."""
    with Listener() as listener:
        yield listener.port


@pytest.mark.parametrize(("where", "scheme"), [(full_house, "http"), (full_house, "https"), (mute, "https")])
async def test_a_server_that_cannot_be_connected_to_is_not_waited_for_as_long_as_a_page(soon, transport, where, scheme):
    with where() as port:
        began = time.monotonic()
        async with asyncio.timeout(PATIENCE_S):
            failure = await transport.fetch(FetchRequest(f"{scheme}://127.0.0.1:{port}/", timeout_s=LONG_S))
    assert isinstance(failure, Failure)
    assert (failure.kind, failure.is_silence) == ("timeout", True)
    assert time.monotonic() - began >= CONNECT_S * 0.9


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_page_has_the_rest_of_its_time_once_its_server_is_connected(soon, make, scheme):
    async def behaviour(server, reader, writer):
        await server.head(reader)
        await asyncio.sleep(3 * CONNECT_S)
        writer.write(page())
        await writer.drain()

    transport = make(ca_bundle=DATA / "ca.pem")
    certificate = "good" if scheme == "https" else None
    async with RawServer(behaviour, certificate=certificate) as server:
        result = await transport.fetch(FetchRequest(server.url("/", "localhost", scheme), timeout_s=LONG_S))
    assert not isinstance(result, Failure), result
    assert result.body == b"hello"


@pytest.mark.parametrize(("where", "scheme"), [(full_house, "http"), (mute, "http"), (mute, "https")])
async def test_a_fetch_that_is_ended_leaves_its_place_to_another_one_at_once(make, where, scheme):
    """Also where a transport has one thread for each place."""
    transport = make(concurrency=1)
    with where() as port:
        stuck = asyncio.create_task(transport.fetch(FetchRequest(f"{scheme}://127.0.0.1:{port}/", timeout_s=LONG_S)))
        await asyncio.sleep(0.2)
        stuck.cancel()

        async def behaviour(server, reader, writer):
            await server.head(reader)
            writer.write(page())
            await writer.drain()

        async with RawServer(behaviour) as server, asyncio.timeout(PATIENCE_S):
            result = await transport.fetch(FetchRequest(server.url(), timeout_s=LONG_S))
            assert not isinstance(result, Failure), result
    with contextlib.suppress(asyncio.CancelledError):
        await stuck


async def test_names_of_which_no_server_says_anything_hold_up_no_other_name(monkeypatch):
    """The C library cannot be told to stop: its threads are not those that fetch."""
    answers, real = threading.Event(), socket.getaddrinfo

    def getaddrinfo(host, *args, **kwargs):
        if host.startswith("mute"):
            answers.wait(PATIENCE_S)
            raise socket.gaierror(socket.EAI_AGAIN, "nobody answers")
        return real("127.0.0.1", *args, **kwargs)

    async def behaviour(server, reader, writer):
        await server.head(reader)
        writer.write(page())
        await writer.drain()

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    transport = RequestsTransport(settings(concurrency=2))
    try:
        mute_urls = [f"http://mute{number}.test/" for number in range(20)]
        stuck = [asyncio.create_task(transport.address(url)) for url in mute_urls]
        stuck += [asyncio.create_task(transport.fetch(FetchRequest(url, timeout_s=LONG_S))) for url in mute_urls]
        await asyncio.sleep(0.2)
        for one in stuck:
            one.cancel()
        async with RawServer(behaviour) as server, asyncio.timeout(PATIENCE_S / 2):
            url = server.url("/", "well.test")
            assert await transport.address(url) == "127.0.0.1"
            result = await transport.fetch(FetchRequest(url, timeout_s=LONG_S))
            assert not isinstance(result, Failure), result
    finally:
        answers.set()
        await transport.close()
