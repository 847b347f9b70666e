"""The local server: who may ask, what every answer says, and that it never stands in a crawl's way."""

import asyncio
import contextlib
import time

import aiohttp
import pytest
from aiohttp import web

from crawler.core.errors import ConfigError
from crawler.core.port import PORT
from crawler.serve.server import LocalServer, listen
from tests.support.ports import listeners
from tests.support.table import table

SAFE = {
    "Content-Security-Policy": "default-src 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


async def _hello(_request: web.BaseRequest) -> web.Response:
    return web.Response(text="hello")


async def _mistake(_request: web.BaseRequest) -> web.Response:
    raise RuntimeError("a mistake in here")


async def _for_ever(_request: web.BaseRequest) -> web.Response:
    await asyncio.sleep(3600)
    raise AssertionError


@contextlib.asynccontextmanager
async def serving(routes=None):
    server = LocalServer(listen("dashboard", 0, 0), {("GET", "/"): _hello} | (routes or {}))
    await server.start()
    async with aiohttp.ClientSession() as session:
        try:
            yield server, session
        finally:
            await server.close()


async def test_only_who_calls_this_machine_by_its_name_is_answered():
    """A page of the web whose name was made to lead here (DNS rebinding) sends that name."""
    async with serving() as (server, session):
        for name in ("127.0.0.1", "localhost", "LOCALHOST", "[::1]"):
            async with session.get(server.address, headers={"Host": f"{name}:{server.port}"}) as answer:
                assert (answer.status, await answer.text()) == (200, "hello"), name
        others = ("evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "127.0.0.2", "", "127.0.0.1@x")
        for host in (*(f"{name}:{server.port}" for name in others), "127.0.0.1", f"127.0.0.1:{server.port - 1}", ""):
            async with session.get(server.address, headers={"Host": host}) as answer:
                assert answer.status == 421, host
                assert "hello" not in await answer.text()


async def test_no_answer_may_be_read_framed_or_run_by_another_page(caplog):
    async with serving({("GET", "/mistake"): _mistake}) as (server, session):
        asked = [("GET", ""), ("POST", ""), ("OPTIONS", ""), ("GET", "nowhere"), ("GET", "mistake")]
        statuses = []
        for method, path in asked:
            async with session.request(method, server.address + path, headers={"Origin": "http://evil.example"}) as got:
                statuses.append(got.status)
                assert {name: got.headers[name].partition(";")[0] for name in SAFE} == SAFE
                assert not [name for name in got.headers if name.lower().startswith("access-control")]
                assert "a mistake" not in await got.text()
        assert statuses == [200, 405, 405, 404, 500]
    assert "a mistake in here" in caplog.text


async def test_many_connections_are_hung_up_on_and_those_before_are_served():
    async with serving() as (server, session):
        async with session.get(server.address) as answer:
            assert answer.status == 200
        idle = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(200)]
        refused = [reader for reader, _ in idle[-100:] if not await reader.read(1)]  # each of these is closed there
        assert len(refused) == 100
        async with session.get(server.address) as answer:
            assert answer.status == 200
        for _, writer in idle:
            writer.close()


async def test_it_ends_while_somebody_waits_for_an_answer():
    async with serving({("GET", "/slow"): _for_ever}) as (server, session):
        waiting = asyncio.create_task(session.get(server.address + "slow"))
        while not server._server.connections:
            await asyncio.sleep(0.01)
        begun = time.monotonic()
        await server.close()
        assert time.monotonic() - begun < 30  # it would wait an hour
        with pytest.raises(aiohttp.ClientError):
            await waiting


def test_the_usual_port_gives_way_and_a_port_that_was_asked_for_does_not():
    (taken,) = listeners(("127.0.0.1",))
    port = taken.getsockname()[1]
    with taken:
        with pytest.raises(ConfigError) as refused:
            listen("dashboard", port, 8090)
        told = f"dashboard: port {port} on 127.0.0.1 is taken; choose another one, or 0 for one that is free"
        assert str(refused.value) == told
        with listen("dashboard", True, port) as other:
            assert other.getsockname()[0] == "127.0.0.1"
            assert other.getsockname()[1] != port


@table(
    "text, port",
    [
        ("yes", True),
        ("true", True),
        ("no", False),
        ("0", 0),
        ("1", 1),
        ("8090", 8090),
        ("65535", 65535),
        ("65536", None),
        ("-1", None),
        ("web", None),
        ("", None),
    ],
)
def test_a_port_is_a_number_or_a_switch(text, port):
    try:
        value = PORT.read(text, text=True)
        PORT.check(value)
    except (ValueError, TypeError):
        value = None
    assert (type(value), value) == (type(port), port)
