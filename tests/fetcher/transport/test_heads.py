"""Both network transports against heads and ends of answers that break the rules of HTTP, or lead astray."""

import asyncio
import gzip
import logging

import pytest

from crawler.core.model import Failure
from crawler.fetcher.transport.base import FetchRequest, FetchResult
from crawler.fetcher.transport.body import without_coding
from tests.fetcher.transport.raw_server import RawServer, chunked, page, says
from tests.support.thorough import first_quickly

OK = b"HTTP/1.1 200 OK\r\n"
FOUND = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n"


def request(server, path="/", scheme="http", host="127.0.0.1"):
    return FetchRequest(server.url(path, host, scheme), timeout_s=60.0, max_body_bytes=100_000)


# --- Location --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "location",
    [
        b"/a\rX-Injected: 1",
        b"/a\rb",
        b"\r/a",
        b"/a\0b",
        b"http://a.example\0.b.example/",
        b"/a\tb",
        b"java\tscript:alert(1)",
        b"/a\x1b]0;title\x07",
        b"/a\x7fb",
        b"/a\xc2\x9bb",
        b"/a\x9bb",
        b"/" + b"a" * 1_000_000,
    ],
    ids=["cr-header", "cr", "cr-first", "nul", "nul-host", "tab", "scheme", "esc", "del", "c1", "c1-byte", "1mb"],
)
async def test_a_location_that_is_not_clear_leads_nowhere(transport, location):
    async with RawServer(says(FOUND + b"Location: " + location + b"\r\n\r\n")) as server:
        failure = await transport.fetch(request(server))
    assert isinstance(failure, Failure)
    assert (failure.kind, failure.retryable) == ("protocol", False)
    assert failure.detail.isprintable()


@pytest.mark.parametrize(
    ("sent", "received"),
    [
        (b"/a", "/a"),
        (b"  /a b\t", "/a b"),
        ("/\u00c0\u20ac".encode(), "/\u00c0\u20ac"),
        (b"/caf\xe9", "/caf\u00e9"),
        # A line folded the old way counts as one with a blank in its place (RFC 9112 §5.2).
        (b"/a\r\n b", "/a b"),
        # A line may end without CR (RFC 9112 §2.2): this is a whole Location with another header behind it.
        (b"/a\nX-Other: 1", "/a"),
    ],
)
async def test_a_clear_location_comes_back_as_it_was_sent(transport, sent, received):
    async with RawServer(says(FOUND + b"Location: " + sent + b"\r\n\r\n")) as server:
        result = await transport.fetch(request(server))
    assert isinstance(result, FetchResult)
    assert (result.status, result.header("location")) == (302, received)


async def test_control_characters_in_a_location_that_leads_nowhere_anyway_do_no_harm(transport):
    async with RawServer(says(page(b"here", b"Location: /a\tb"))) as server:
        assert (await transport.fetch(request(server))).body == b"here"


# --- interim answers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [b"100 Continue", b"102 Processing", b"103 Early Hints", b"199 X"])
async def test_a_few_interim_answers_are_passed_over(transport, status):
    interim = b"HTTP/1.1 " + status + b"\r\nLink: </a.css>\r\n\r\n"
    async with RawServer(says(interim * 16 + page(b"1"), interim + page(b"2"))) as server:
        for body in (b"1", b"2"):
            assert (await transport.fetch(request(server))).body == body
        assert server.connections == 1


async def test_an_answer_behind_too_many_interim_ones_comes_too_late(transport):
    async with RawServer(says(b"HTTP/1.1 100 Continue\r\n\r\n" * 17 + page())) as server:
        failure = await transport.fetch(request(server))
    assert (failure.kind, failure.retryable) == ("protocol", False)


@pytest.mark.parametrize("status", [b"100 Continue", b"103 Early Hints"])
@pytest.mark.parametrize("pause_s", [0.0, 0.01])
async def test_interim_answers_without_end_are_ended_by_their_number(transport, status, pause_s):
    async def endless(server, reader, writer):
        await server.head(reader)
        while True:
            writer.write((b"HTTP/1.1 " + status + b"\r\nX: y\r\n\r\n") * (1 if pause_s else 1000))
            await writer.drain()
            await asyncio.sleep(pause_s)

    async with RawServer(endless) as server:
        failure = await transport.fetch(request(server))
    assert (failure.kind, failure.retryable) == ("protocol", False)
    assert "interim" in failure.detail


# --- heads -----------------------------------------------------------------------------------------------------------

BROKEN = {
    "NUL in a header": OK + b"X: a\0b\r\nContent-Length: 5\r\n\r\nhello",
    "bare CR in a header": OK + b"X: a\rb\r\nContent-Length: 5\r\n\r\nhello",
    "a header without a colon": OK + b"nonsense\r\nContent-Length: 5\r\n\r\nhello",
    "two lengths": OK + b"Content-Length: 5\r\nContent-Length: 9\r\n\r\nhello",
    "length and chunks": OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "negative length": OK + b"Content-Length: -5\r\n\r\nhello",
    "length with a sign": OK + b"Content-Length: +5\r\n\r\nhello",
    "length with a line in it": OK + b"Content-Length: 0_5\r\n\r\nhello",
    "a list of lengths": OK + b"Content-Length: 5, 6\r\n\r\nhello",
    "status 0": b"HTTP/1.1 000 OK\r\n\r\n",
    "status 1000": b"HTTP/1.1 1000 OK\r\n\r\n",
    "half a status": b"HTTP/1.1 20",
}


@pytest.mark.parametrize("name", BROKEN)
async def test_a_broken_head_is_a_failure_and_nothing_of_it_is_logged(transport, name, caplog):
    with caplog.at_level(logging.INFO):
        async with RawServer(says(BROKEN[name], end="close")) as server:
            failure = await transport.fetch(request(server))
    assert isinstance(failure, Failure)
    assert failure.kind == "protocol"
    assert not caplog.records


@pytest.mark.parametrize("head", [OK, OK + b"Content-Type: text/html\r\n", OK + b"Content-Type: text/html\r\nX-"])
async def test_a_head_that_breaks_off_is_no_empty_page(transport, head):
    async with RawServer(says(head, end="close")) as server:
        failure = await transport.fetch(request(server))
    assert (failure.kind, failure.retryable) == ("protocol", True)


async def test_what_a_server_sets_is_not_quoted_in_a_failure(transport):
    async with RawServer(says(OK + b"Set-Cookie: session=topsecret\r\nSet-Cookie: id=topsecret\0\r\n\r\n")) as server:
        failure = await transport.fetch(request(server))
    assert failure.kind == "protocol"
    assert "topsecret" not in failure.detail


@pytest.mark.parametrize("pause_s", [0.0, 0.02])
@pytest.mark.parametrize("rest", [b"xyz\r\n", b"5\r\nhello there\r\n", b"fffffffffffffffffff\r\nx"])
async def test_broken_chunks_end_at_once_whenever_they_come(transport, rest, pause_s):
    async def broken(server, reader, writer):
        await server.head(reader)
        writer.write(OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        await asyncio.sleep(pause_s)
        writer.write(rest)
        await writer.drain()
        writer.write_eof()
        await reader.read()

    async with RawServer(broken) as server:
        failure = await transport.fetch(request(server))
    assert failure.kind in {"protocol", "incomplete"}


async def test_chunks_behind_another_coding_are_still_chunks(transport):
    """And the coding is told, as one of the content is, so that it is undone before a page is read."""
    packed = gzip.compress(b"hello")
    chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (len(packed), packed)
    for codings in (b"gzip, chunked", b"gzip\r\nTransfer-Encoding: chunked"):
        async with RawServer(says(OK + b"Transfer-Encoding: " + codings + b"\r\n\r\n" + chunks)) as server:
            result = await transport.fetch(request(server))
        assert result.body == packed
        assert without_coding(result).body == b"hello"


@pytest.mark.parametrize(
    ("codings", "named"), [(b"br, chunked", "encoding"), (b"zip", "encoding"), (b"chunked, gzip", "protocol")]
)
async def test_a_transfer_coding_that_cannot_be_undone_is_refused(transport, codings, named):
    answer = OK + b"Transfer-Encoding: " + codings + b"\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    async with RawServer(says(answer, end="close")) as server:
        failure = await transport.fetch(request(server))
    assert (failure.kind, failure.retryable) == (named, False)
    assert "Transfer-Encoding" in failure.detail


@pytest.mark.parametrize(
    "lengths",
    [
        b"Content-Length: 5\r\nContent-Length: 5",
        b"Content-Length: 5, 5",
        b"content-length:5\r\nX: y\r\nContent-Length: 5 \r\nCONTENT-LENGTH: 5,5",
    ],
)
async def test_a_length_that_is_only_repeated_is_that_length(transport, lengths):
    """RFC 9112 §6.3. What comes behind it is no part of the answer."""
    answer = OK + lengths + b"\r\n\r\nhello"
    async with RawServer(says(answer, answer + POISON)) as server:
        for _ in range(2):
            result = await transport.fetch(request(server))
            assert (result.body, result.header("content-length")[0], result.truncated) == (b"hello", "5", False)


@pytest.mark.parametrize(
    "lengths",
    [
        b"Content-Length: 5\r\nContent-Length: 6",
        b"Content-Length: 5, 6",
        b"Content-Length: 05\r\nContent-Length: 5",
        b"Content-Length: +5\r\nContent-Length: +5",
        b"Content-Length: 5,\r\nContent-Length: 5",
        b"Content-Length: 5\r\nContent-Length: 5\r\nTransfer-Encoding: chunked",
        b"Content-Length: " + b"9" * 5000,
    ],
)
async def test_lengths_that_differ_or_are_none_are_refused(transport, lengths):
    async with RawServer(says(OK + lengths + b"\r\n\r\nhello!")) as server:
        failure = await transport.fetch(request(server))
    assert (failure.kind, failure.retryable) == ("protocol", False)


async def test_trailers_without_end_are_an_error_and_not_read_until_the_deadline(transport):
    async def endless(server, reader, writer):
        await server.head(reader)
        writer.write(OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n")
        while True:
            writer.write(b"X-Trailer: 1\r\n" * 1000)
            await writer.drain()

    async with RawServer(endless) as server:
        failure = await transport.fetch(request(server))
    assert (failure.kind, failure.retryable) == ("protocol", False)


# --- what follows an answer ------------------------------------------------------------------------------------------

POISON = page(b"poison")


def followed_by(rest, *, later=b"", pause_s=0.0):
    """Answers each request with its path and with `rest`; `later` follows after a pause."""

    async def behaviour(server, reader, writer):
        while True:
            path = (await server.head(reader)).split(b" ")[1]
            writer.write((chunked(path) if path.startswith(b"/chunked") else page(path)) + rest)
            await writer.drain()
            if later:
                await asyncio.sleep(pause_s)
                writer.write(later)
                await writer.drain()

    return behaviour


@pytest.mark.parametrize("scheme", first_quickly(["http", "https"], 4))
@pytest.mark.parametrize("prefix", ["/", "/chunked/"])
@pytest.mark.parametrize(
    "rest",
    [POISON, POISON[:30], b"H", b"\r\n\r\n" + POISON, b"x", OK + b"X: y\r\n" * 300, POISON * 1000],
    ids=["all", "part", "letter", "blank", "text", "headers", "much"],
)
async def test_more_than_was_promised_does_not_become_the_next_answer(make, scheme, prefix, rest):
    transport = make(insecure=True)
    certificate = "self" if scheme == "https" else None
    async with RawServer(followed_by(rest), certificate=certificate) as server:
        for path in ("1", "2", "3"):
            result = await transport.fetch(request(server, prefix + path, scheme))
            assert result.body == (prefix + path).encode()
        assert server.connections == 3


async def test_an_answer_in_two_halves_that_nobody_asked_for_does_not_become_the_next_answer(transport):
    """The first half comes with the body, the second when the next request is on its way."""
    async with RawServer(followed_by(POISON[:30], later=POISON[30:], pause_s=0.02)) as server:
        for path in ("/1", "/2", "/3"):
            assert (await transport.fetch(request(server, path))).body == path.encode()
        assert server.connections == 3


async def test_an_answer_that_nobody_asked_for_does_not_become_the_next_answer(transport):
    async with RawServer(followed_by(b"", later=POISON, pause_s=0.02)) as server:
        for path in ("/1", "/2", "/3"):
            assert (await transport.fetch(request(server, path))).body == path.encode()
            await asyncio.sleep(0.1)  # the connection lies idle in the pool when the poison comes
        assert server.connections == 3


async def test_honest_answers_of_every_framing_keep_the_connection(transport):
    answers = [page(b"1"), chunked(b"2"), page(b""), FOUND + b"Location: /\r\n\r\n", b"HTTP/1.1 204 No\r\n\r\n", page()]
    async with RawServer(says(*answers)) as server:
        for _ in answers:
            assert isinstance(await transport.fetch(request(server)), FetchResult)
        assert server.connections == 1
