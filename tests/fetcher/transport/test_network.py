"""Both network transports against a server on loopback that misbehaves: one table, the same outcomes."""

import asyncio
import gc
import gzip
import http.client
import logging
import random
import threading
import time
import zlib

import brotli
import pytest
import uvloop

from crawler.core.model import Failure
from crawler.fetcher.transport.base import FetchRequest, FetchResult
from crawler.fetcher.transport.body import without_coding
from crawler.web.content_coding import zstd
from crawler.web.gzip_members import PIECE_BYTES
from tests.fetcher.transport.conftest import TRANSPORTS, settings
from tests.fetcher.transport.raw_server import RawServer, chunked, page, reset, says
from tests.support.ports import closed_port

CAP = 50_000
DEADLINE_S = 0.5
LATE = 20
"""How many times its deadline a fetch may take until it has come too late: a busy machine notices late."""
PATIENCE_S = 60.0
"""For what must come long before a deadline of `LATE` times as long."""
HTML = b"<html>" + b"<p>some text</p>" * 1000


def request(server, path="/", *, timeout_s=5.0, host="127.0.0.1", scheme="http", **more):
    more = {"max_body_bytes": CAP, **more}
    return FetchRequest(server.url(path, host, scheme), timeout_s=timeout_s, **more)


async def until_closed(reader):
    while await reader.read(65536):
        pass


# --- honest servers --------------------------------------------------------------------------------------------------


async def test_an_answer_comes_back_with_everything_that_is_promised(transport):
    async with RawServer(says(page(b"hello", b"Content-Type: text/html", b"X-A: 1", b"x-a: 2"))) as server:
        result = await transport.fetch(request(server, "/a?b=c"))
    assert isinstance(result, FetchResult)
    assert (result.url, result.status) == (server.url("/a?b=c"), 200)
    assert (result.body, result.body_bytes, result.truncated) == (b"hello", 5, False)
    assert result.headers == (("content-length", "5"), ("content-type", "text/html"), ("x-a", "1"), ("x-a", "2"))
    assert result.address == "127.0.0.1"
    assert 0 < result.latency_s < 5


async def test_the_connection_is_used_again(transport):
    async with RawServer(says(*[page(b"%d" % n) for n in range(5)])) as server:
        results = [await transport.fetch(request(server)) for _ in range(5)]
        assert [result.body for result in results] == [b"0", b"1", b"2", b"3", b"4"]
        assert {result.address for result in results} == {"127.0.0.1"}
        assert server.connections == 1


async def test_the_headers_sent_are_the_configured_ones_and_no_cookie_comes_back(make):
    headers = (("X-Key", "secret"), ("Authorization", "Basic c2VjcmV0"), ("accept", " text/html "), ("DNT", "1"))
    transport = make(user_agent="bot/1 (+http://b\u00fc.example/)", headers=headers)
    answers = says(page(b"", b"Set-Cookie: a=b; Path=/"), page(b""))
    async with RawServer(answers) as server:
        await transport.fetch(request(server))
        await transport.fetch(request(server, headers=(("Accept", "text/plain"), ("X-Key", " k "))))
    first, second = (head.decode().split("\r\n") for head in server.heads)
    assert first[0] == "GET / HTTP/1.1"
    names = [line.partition(":")[0].lower() for line in first[1:] if line]
    assert sorted(names) == sorted(set(names))
    assert set(names) - {"connection"} == {"host", "user-agent", "accept", "accept-encoding", "dnt"}
    assert f"Host: 127.0.0.1:{server.port}" in first
    assert "User-Agent: bot/1 (+http://b\u00fc.example/)" in first
    assert "accept: text/html" in first
    assert "Accept: text/plain" in second
    assert "accept: text/html" not in second
    assert "x-key: k" in [line.lower().replace("  ", " ").rstrip() for line in second]
    assert not any(line.lower().startswith("cookie") for line in second)


async def test_secrets_are_sent_with_the_requests_that_have_them_and_with_no_other(make):
    transport = make(headers=(("Authorization", "configured"),))
    secrets = (("Authorization", "Bearer t"), ("Cookie", "a=b; c=d"), ("X-Api-Key", "k"))
    async with RawServer(says(page(), page())) as server:
        await transport.fetch(request(server, headers=secrets))
        await transport.fetch(request(server))
    first, second = (head.decode().lower().split("\r\n") for head in server.heads)
    assert {"authorization: bearer t", "cookie: a=b; c=d", "x-api-key: k"} <= set(first)
    assert not [line for line in second if line.startswith(("authorization", "cookie", "x-api-key"))]


@pytest.mark.parametrize(
    "path",
    ["/%7Bx%7D?q=%C3%A4&r=a+b", "/a//b/;p=1?x=/?y", "/@:!$&'()*+,;=~-._", "/%2F%25?%00", "/" + "x" * 5000],
)
async def test_a_url_is_sent_as_it_stands(transport, path):
    async with RawServer(says(page())) as server:
        assert isinstance(await transport.fetch(request(server, path)), FetchResult)
    assert server.heads[0].split(b" ")[1].decode() == path


async def test_characters_that_only_the_whatwg_allows_reach_the_server(transport, kind):
    async with RawServer(says(page())) as server:
        assert isinstance(await transport.fetch(request(server, "/{|}^?[|]")), FetchResult)
    expected = b"/{|}^?[|]" if kind == "aiohttp" else b"/%7B%7C%7D%5E?%5B%7C%5D"
    assert server.heads[0].split(b" ")[1] == expected


async def test_every_offered_coding_comes_as_it_was_sent_with_what_undoes_it(transport):
    encoded = {
        "gzip": gzip.compress(HTML, mtime=0),
        "deflate": zlib.compress(HTML),
        "br": brotli.compress(HTML, quality=3),
        "zstd": zstd.compress(HTML),
        "gzip, br": brotli.compress(gzip.compress(HTML, mtime=0), quality=3),
        "identity": HTML,
    }
    answers = [page(body, b"Content-Encoding: " + name.encode()) for name, body in encoded.items()]
    async with RawServer(says(*answers)) as server:
        for _ in encoded:
            result = await transport.fetch(request(server))
            assert encoded[result.header("content-encoding")] == result.body
            whole = without_coding(result)
            assert (whole.body, whole.truncated, whole.coding) == (HTML, False, None)
        assert server.connections == 1


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified", b"404 Not Found", b"503 Busy", b"999 x"])
async def test_every_final_status_is_an_answer(transport, status):
    async with RawServer(says(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")) as server:
        result = await transport.fetch(request(server))
    assert (result.status, result.body, result.truncated) == (int(status[:3]), b"", False)


async def test_a_body_that_ends_with_the_connection_is_whole(transport):
    async with RawServer(says(b"HTTP/1.0 200 OK\r\n\r\nall of it", end="close")) as server:
        result = await transport.fetch(request(server))
    assert (result.body, result.truncated) == (b"all of it", False)


async def test_names_below_localhost_are_loopback_without_dns(transport):
    async with RawServer(says(page(), page())) as server:
        for host in ("localhost", "site07.localhost"):
            result = await transport.fetch(request(server, host=host))
            assert (result.body, result.address) == (b"hello", "127.0.0.1")
    assert f"Host: site07.localhost:{server.port}".encode() in server.heads[1]


async def test_an_ipv6_literal_works(transport):
    try:
        server = await RawServer(says(page()), address="::1").__aenter__()
    except OSError:
        pytest.skip("no IPv6 here")
    result = await transport.fetch(request(server, host="[::1]"))
    assert (result.body, result.address) == (b"hello", "::1")
    await server.__aexit__()


@pytest.mark.parametrize("end", ["reset", "close"])
async def test_a_kept_connection_that_ended_is_told_and_a_fresh_one_is_made_when_asked_for(transport, end):
    """One request for each fetch: it is not for a transport to say when the next one may go."""

    async def one_answer_each(server, reader, writer):
        await server.head(reader)
        writer.write(page(b"fine"))
        await server.head(reader)  # the next request is too late to hear of the end earlier
        if end == "reset":
            reset(writer)

    async with RawServer(one_answer_each) as server:
        for fresh in (False, True, True):
            before = len(server.heads)
            result = await transport.fetch(request(server, fresh=fresh))
            assert result.body == b"fine"
            assert len(server.heads) == before + 1
        result = await transport.fetch(request(server))
        assert (result.kind, result.stale) == ("reset" if end == "reset" else "protocol", True)
        assert len(server.heads) == 4
        assert server.connections == 3


async def test_a_reset_on_a_new_connection_says_something_of_the_server(transport):
    async with RawServer(says(b"", end="reset")) as server:
        result = await transport.fetch(request(server))
    assert (result.kind, result.retryable, result.stale) == ("reset", True, False)


# --- bodies that are not what they seem ------------------------------------------------------------------------------


async def test_an_endless_body_stops_at_the_cap_and_keeps_the_prefix(transport):
    async def endless(server, reader, writer):
        await server.head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 10_000)
            await writer.drain()

    async with RawServer(endless) as server:
        result = await transport.fetch(request(server))
    assert (result.body, result.body_bytes, result.truncated) == (b"x" * CAP, CAP, True)


async def one_byte_chunks(server, reader, writer):
    await server.head(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"1\r\nx\r\n" * 1000)
        await writer.drain()


async def test_endless_one_byte_chunks_stop_at_the_cap(transport):
    async with RawServer(one_byte_chunks) as server:
        result = await transport.fetch(request(server, max_body_bytes=20_000))
    assert (result.body, result.truncated) == (b"x" * 20_000, True)


class Share:
    """Which part of its time a block has a processor, be it that it has nothing to do or that others have it."""

    def __enter__(self):
        self._started, self._worked = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_):
        self.part = (time.process_time() - self._worked) / (time.perf_counter() - self._started)


async def test_endless_one_byte_chunks_do_not_burn_the_cpu(transport):
    """It waits in between, though there is always something to read: it has less of a core than what never waits.

    On a busy machine neither has much, and a measurement goes wrong now and then: one good one of five is enough.
    """
    parts = []
    for _ in range(5):
        async with RawServer(one_byte_chunks) as server:
            with Share() as fetch:
                result = await transport.fetch(request(server, timeout_s=1.0, max_body_bytes=10_000_000))
        assert result.kind == "timeout"
        with Share() as burning:
            until = time.perf_counter() + 0.3
            while time.perf_counter() < until:
                pass
        parts.append(fetch.part / burning.part)
        if parts[-1] < 0.7:
            return
    pytest.fail(f"parts of what a busy loop has: {parts}")


async def test_a_slow_drip_of_bytes_ends_at_the_deadline(transport):
    async def drip(server, reader, writer):
        await server.head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"1\r\nx\r\n")
            await asyncio.sleep(0.001)

    async with RawServer(drip) as server:
        result = await transport.fetch(request(server, timeout_s=DEADLINE_S))
    assert (result.kind, result.retryable) == ("timeout", True)
    assert "body" in result.detail


BOMB = bytes(30_000_000)
BOMBS = {
    "gzip": gzip.compress(BOMB, mtime=0),
    "deflate": zlib.compress(BOMB),
    "br": brotli.compress(BOMB, quality=1),
    "zstd": zstd.compress(BOMB),
    "gzip, gzip": gzip.compress(gzip.compress(BOMB, mtime=0), mtime=0),
}


@pytest.mark.parametrize("encoding", BOMBS)
async def test_a_bomb_in_one_chunk_is_left_packed_and_stops_at_the_cap(transport, encoding):
    answer = chunked(BOMBS[encoding], headers=[b"Content-Encoding: " + encoding.encode()])
    async with RawServer(says(answer)) as server:
        result = await transport.fetch(request(server, max_body_bytes=CAP, timeout_s=60))
    assert BOMBS[encoding].startswith(result.body)
    whole = without_coding(result)
    assert (whole.body, whole.truncated) == (bytes(CAP), True)


@pytest.mark.parametrize("piece", [100, 100_000])
async def test_a_packed_body_without_end_is_read_until_it_holds_enough(transport, piece):
    """One that comes slowly, and one that is long."""
    stream = zlib.compressobj(wbits=31)

    async def endless(server, reader, writer):
        await server.head(reader)
        writer.write(OK + b"Content-Encoding: gzip\r\n\r\n")
        while True:
            writer.write(stream.compress(random.Random(1).randbytes(piece)) + stream.flush(zlib.Z_SYNC_FLUSH))
            await writer.drain()
            await asyncio.sleep(0)

    async with RawServer(endless) as server:
        result = await transport.fetch(request(server, max_body_bytes=20 * piece, timeout_s=DEADLINE_S + 30))
        assert len(result.body) <= 40 * piece + PIECE_BYTES
    whole = without_coding(result)
    assert (len(whole.body), whole.truncated) == (20 * piece, True)


async def test_a_redirects_body_is_not_read_be_it_a_bomb_or_endless(transport):
    async def endless(server, reader, writer):
        await server.head(reader)
        writer.write(b"HTTP/1.1 302 Found\r\nLocation: http://a.example/x\r\nContent-Encoding: gzip\r\n\r\n")
        while True:
            writer.write(BOMBS["gzip"])
            await writer.drain()

    async with RawServer(endless) as server:
        result = await transport.fetch(request(server, timeout_s=2))
    assert isinstance(result, FetchResult)
    assert (result.status, result.header("location")) == (302, "http://a.example/x")
    assert (result.body, result.truncated) == (b"", False)


async def test_a_redirect_is_not_followed_and_keeps_its_connection_if_it_has_no_body(transport):
    found = b"HTTP/1.1 301 Moved\r\nLocation: /next\r\nContent-Length: 0\r\n\r\n"
    async with RawServer(says(found, page())) as server:
        first = await transport.fetch(request(server))
        second = await transport.fetch(request(server, "/next"))
        assert (first.status, second.body, server.connections) == (301, b"hello", 1)
    assert len(server.heads) == 2


async def test_choices_without_a_location_are_a_page(transport):
    async with RawServer(says(page(b"choose", status=b"300 Multiple Choices"))) as server:
        assert (await transport.fetch(request(server))).body == b"choose"


async def test_a_truncated_gzip_is_marked_never_silently_complete(transport):
    wire = gzip.compress(HTML, mtime=0)[:-20]
    async with RawServer(says(page(wire, b"Content-Encoding: gzip"))) as server:
        result = without_coding(await transport.fetch(request(server)))
    assert result.truncated
    assert HTML.startswith(result.body)


async def test_a_cut_bodys_connection_is_not_used_again(transport):
    async def long(server, reader, writer):
        path = (await server.head(reader)).split(b" ")[1]
        writer.write(page(path * (2 * CAP)))
        await until_closed(reader)

    async with RawServer(long) as server:
        for path in ("/1", "/2"):
            result = await transport.fetch(request(server, path))
            assert result.truncated
            assert result.body.startswith(path.encode())
        assert server.connections == 2


# --- failures --------------------------------------------------------------------------------------------------------

OK = b"HTTP/1.1 200 OK\r\n"
FAILURES = {
    # name: (what the server does, kind, retryable)
    "more promised than sent": (says(OK + b"Content-Length: 100\r\n\r\nshort", end="close"), "incomplete", True),
    "chunks break off": (
        says(OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", end="close"),
        "incomplete",
        True,
    ),
    "a chunk breaks off": (says(OK + b"Transfer-Encoding: chunked\r\n\r\n50\r\nhel", end="close"), "incomplete", True),
    "reset in the middle of a body": (says(OK + b"Content-Length: 100\r\n\r\nshort", end="reset"), "reset", True),
    "reset in a body without a length": (says(OK + b"\r\nshort", end="reset"), "reset", True),
    "reset before the answer": (says(b"", end="reset"), "reset", True),
    "empty reply": (says(b"", end="close"), "protocol", True),
    "HTTP/0.9": (says(b"<html>hello</html>", end="close"), "protocol", False),
    "bad status line": (says(b"HTTP/1.1 abc OK\r\n\r\n", end="close"), "protocol", False),
    "another protocol": (says(b"220 mail.example ESMTP\r\n", end="close"), "protocol", False),
    "switching protocols": (says(b"HTTP/1.1 101 Now\r\nUpgrade: x\r\n\r\n"), "protocol", False),
    "a header of 1 MB": (says(OK + b"X-Big: " + b"x" * 1_000_000 + b"\r\n\r\n"), "protocol", False),
    "a status line of 1 MB": (says(b"HTTP/1.1 200 " + b"x" * 1_000_000 + b"\r\n\r\n"), "protocol", False),
    "10,000 headers": (says(OK + b"X-Many: 1\r\n" * 10_000 + b"\r\n"), "protocol", False),
    "five layers": (says(page(b"x", b"Content-Encoding: gzip, gzip, gzip, gzip, gzip")), "encoding", False),
    "five headers with a layer each": (says(page(b"x", *[b"Content-Encoding: gzip"] * 5)), "encoding", False),
}


async def test_a_body_that_is_not_in_its_coding_is_a_failure_of_whoever_reads_it(transport):
    async with RawServer(says(page(b"<html>plain</html>" * 9, b"Content-Encoding: br"))) as server:
        failure = without_coding(await transport.fetch(request(server)))
    assert (failure.kind, failure.retryable, failure.answered) == ("encoding", False, True)
    assert failure.detail.isprintable()


@pytest.mark.parametrize("name", FAILURES)
async def test_a_bad_answer_is_a_failure_with_a_name(transport, name, caplog):
    behaviour, kind, retryable = FAILURES[name]
    with caplog.at_level(logging.WARNING):
        async with RawServer(behaviour) as server:
            failure = await transport.fetch(request(server))
    assert isinstance(failure, Failure)
    assert (failure.kind, failure.retryable) == (kind, retryable), failure
    assert failure.detail
    assert failure.detail.isprintable()
    assert len(server.heads) == 1  # no second attempt behind the fetcher's back
    assert not caplog.records


async def test_a_chunk_without_a_size_is_a_failure(transport, kind):
    broken = OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nxyz\r\n"
    async with RawServer(says(broken, end="close")) as server:
        failure = await transport.fetch(request(server))
    assert failure.kind == {"aiohttp": "protocol", "requests": "incomplete"}[kind]


async def test_a_transport_works_on_after_every_kind_of_failure(transport):
    for behaviour, _, _ in FAILURES.values():
        async with RawServer(behaviour) as server:
            await transport.fetch(request(server))
    async with RawServer(says(page())) as server:
        assert (await transport.fetch(request(server))).body == b"hello"


async def test_a_refused_connection_is_named(transport):
    with closed_port() as port:
        failure = await transport.fetch(FetchRequest(f"http://127.0.0.1:{port}/"))
    assert (failure.kind, failure.retryable) == ("connect", True)


@pytest.mark.parametrize("host", ["x" * 64 + ".example", "a" + ".aaaaaaaaa" * 30 + ".example"])
async def test_a_name_that_cannot_exist_is_a_dns_failure_for_good(transport, host):
    failure = await transport.fetch(FetchRequest(f"http://{host}/", timeout_s=5))
    assert (failure.kind, failure.retryable) == ("dns", False)


@pytest.mark.parametrize(
    "url", ["http://[::1/", "http://a:99999999/", "http://", "nonsense", "http://\ud800/", "ftp://a/"]
)
async def test_what_is_no_url_is_a_failure_too(transport, url):
    failure = await transport.fetch(FetchRequest(url, timeout_s=2))
    assert (failure.kind, failure.retryable) == ("protocol", False)
    failure.detail.encode()


# --- time ------------------------------------------------------------------------------------------------------------


async def silent(server, reader, writer):
    await server.head(reader)
    await until_closed(reader)


async def trickle_headers(server, reader, writer):
    await server.head(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while True:
        writer.write(b"x")
        await asyncio.sleep(0.02)


async def trickle_body(server, reader, writer):
    await server.head(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        writer.write(b"x")
        await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("behaviour", "what"), [(silent, "headers"), (trickle_headers, "headers"), (trickle_body, "body")]
)
async def test_a_slow_server_ends_at_the_total_deadline(transport, behaviour, what):
    async with RawServer(behaviour) as server:
        started = time.perf_counter()
        deadline_s = 2 * DEADLINE_S  # time enough to connect on a machine that is busy
        failure = await transport.fetch(request(server, timeout_s=deadline_s))
        took_s = time.perf_counter() - started
    assert (failure.kind, failure.retryable) == ("timeout", True)
    assert what in failure.detail
    assert 0.99 * deadline_s < took_s < LATE * deadline_s


async def test_a_tls_handshake_that_never_comes_ends_at_the_deadline(transport):
    async def no_handshake(server, reader, writer):
        while True:
            writer.write(b"\x16")
            await asyncio.sleep(0.05)
            if writer.is_closing():
                return

    async with RawServer(no_handshake) as server:
        started = time.perf_counter()
        failure = await transport.fetch(request(server, scheme="https", timeout_s=DEADLINE_S))
        assert time.perf_counter() - started < LATE * DEADLINE_S
    assert failure.kind == "timeout" or failure.kind.startswith("tls: ")


async def test_a_cancelled_fetch_ends_and_its_connection_too_long_before_the_deadline(transport):
    closed = asyncio.Event()

    async def watch(server, reader, writer):
        await server.head(reader)
        await until_closed(reader)
        closed.set()

    async with RawServer(watch) as server:
        fetch = asyncio.create_task(transport.fetch(request(server, timeout_s=LATE * PATIENCE_S)))
        while not server.heads:
            await asyncio.sleep(0.01)
        fetch.cancel()
        with pytest.raises(asyncio.CancelledError):
            await fetch
        await asyncio.wait_for(closed.wait(), PATIENCE_S)


async def test_slow_servers_do_not_slow_others(make):
    transport = make(concurrency=40)
    async with RawServer(silent) as slow, RawServer(says(*[page()] * 20)) as fast:
        stuck = [asyncio.create_task(transport.fetch(request(slow, timeout_s=LATE * PATIENCE_S))) for _ in range(20)]
        await asyncio.sleep(0.05)
        others = asyncio.gather(*[transport.fetch(request(fast, timeout_s=PATIENCE_S)) for _ in range(20)])
        assert all(result.body == b"hello" for result in await asyncio.wait_for(others, PATIENCE_S))
        assert not any(task.done() for task in stuck)
        for task in stuck:
            task.cancel()
        await asyncio.gather(*stuck, return_exceptions=True)


# --- the ends of things ----------------------------------------------------------------------------------------------


async def test_closing_ends_fetches_under_way_and_can_be_done_twice(transport):
    async with RawServer(silent) as server:
        fetch = asyncio.create_task(transport.fetch(request(server, timeout_s=LATE * PATIENCE_S)))
        while not server.heads:
            await asyncio.sleep(0.01)
        await transport.close()
        assert isinstance(await asyncio.wait_for(fetch, PATIENCE_S), Failure)
        await transport.close()
        assert isinstance(await transport.fetch(request(server)), Failure)


async def test_the_environment_names_no_proxy_and_gives_no_password(make, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login user password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9/")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9/")
    async with RawServer(says(page())) as server:
        assert (await make().fetch(request(server))).body == b"hello"
    assert b"authorization" not in server.heads[0].lower()


def test_uvloop_gives_the_same_outcomes_and_leaves_nothing_open(kind, recwarn):
    names = ["reset in a body without a length", "reset before the answer", "empty reply", "more promised than sent"]

    async def main():
        transport = TRANSPORTS[kind](settings())
        for name in names:
            behaviour, expected, retryable = FAILURES[name]
            async with RawServer(behaviour) as server:
                failure = await transport.fetch(request(server))
            assert (failure.kind, failure.retryable) == (expected, retryable), name
        async with RawServer(says(page(), page())) as server:
            for _ in range(2):
                result = await transport.fetch(request(server, host="a.localhost"))
                assert (result.body, result.address, server.connections) == (b"hello", "127.0.0.1", 1)
        async with RawServer(trickle_headers) as server:
            assert (await transport.fetch(request(server, timeout_s=0.2))).kind == "timeout"
        guarded = TRANSPORTS[kind](settings(allow_private=False))
        async with RawServer(says(page())) as server:
            assert (await guarded.fetch(request(server))).kind == "private-address"
            assert server.connections == 0
        await transport.close()
        await guarded.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
    gc.collect()
    assert not [warning for warning in recwarn if issubclass(warning.category, ResourceWarning)]


async def test_the_threads_of_requests_are_bounded_and_keep_no_program_alive():
    transport = TRANSPORTS["requests"](settings(concurrency=3))
    before = set(threading.enumerate())
    async with RawServer(says(*[page()] * 12)) as server:
        results = await asyncio.gather(*[transport.fetch(request(server)) for _ in range(12)])
        mine = [thread for thread in threading.enumerate() if thread.name.startswith("requests-")]
        assert all(result.body == b"hello" for result in results)
        assert 0 < len(mine) <= 3
        assert all(thread.daemon for thread in mine)
        await transport.close()
    assert not [thread for thread in set(threading.enumerate()) - before if thread.name.startswith("requests-")]


async def test_a_fetch_that_waits_for_a_thread_has_its_whole_time_left():
    transport = TRANSPORTS["requests"](settings(concurrency=1))
    async with RawServer(silent) as slow, RawServer(says(page())) as fast:
        first = asyncio.create_task(transport.fetch(request(slow, timeout_s=1.5)))
        await asyncio.sleep(0)
        second = await transport.fetch(request(fast, timeout_s=1.0))
        assert (await first).kind == "timeout"
        assert second.body == b"hello"
    await transport.close()


def test_http_clients_own_header_limit_is_the_one_that_requests_relies_on():
    assert http.client._MAXHEADERS <= 256
    assert http.client._MAXLINE <= 65536
