"""Before the body: slow, endless, oversized and malformed heads of answers."""

import asyncio

from tests.hostile.registry import behaviour

SLOW = {"timeout_s": 2.5, "retries": 1}
IN_TIME = "end at the total deadline"
NAMED = "a failure with its name"
PROTOCOL = {"/": "failed: protocol"}

# Row 1: slow heads


@behaviour(
    row=1,
    does="headers one byte a second",
    must=IN_TIME,
    settings=SLOW,
    expects={"/": "failed: timeout"},
    both=True,
)
async def slow_headers(ask):
    for byte in b"HTTP/1.1 200 OK\r\nX: " + b"a" * 1000:
        await ask.send(bytes([byte]))
        await asyncio.sleep(1)


@behaviour(
    row=1,
    does="100 Continue, again and again",
    must=IN_TIME,
    settings=SLOW,
    expects={"/": "failed: protocol"},
    both=True,
)
async def endless_continue(ask):
    await ask.forever(b"HTTP/1.1 100 Continue\r\n\r\n", 0.005)


@behaviour(row=1, does="says nothing", must=IN_TIME, settings=SLOW, expects={"/": "failed: timeout"}, both=True)
async def silence(ask):
    await ask.hang()


@behaviour(
    row=1, does="a body of one byte a second", must=IN_TIME, settings=SLOW, expects={"/": "failed: timeout"}, both=True
)
async def slow_body(ask):
    await ask.start()
    await ask.forever(b"x", 1)


@behaviour(
    row=1,
    does="ten redirects of a second each",
    must="one deadline for all of them together",
    settings=SLOW,
    expects={"/": "redirected", "/?hop=1": "redirected", "/?hop=*": "redirected | failed: timeout"},
    check=lambda seen: seen.assert_ended("failed: timeout", 1),
    shows="`failed: timeout` at the hop where the time is used up",
)
async def slow_redirects(ask):
    await asyncio.sleep(1)
    await ask.redirect(f"/?hop={int(ask.path.partition('=')[2] or 0) + 1}")


@behaviour(
    row=1,
    does="TLS handshake that is never answered",
    must=IN_TIME,
    settings=SLOW,
    seed="https://127.66.1.6:{port}/",
    expects={"https://127.66.1.6:{port}/": "failed: host-down"},
    both=True,
)
async def no_handshake(ask):
    await ask.hang()


# Row 11: too much


async def many(ask, *lines: bytes):
    await ask.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", *lines, b"\r\nhi")
    await ask.close()


@behaviour(row=11, does="a header of 1 MB", must=NAMED, expects=PROTOCOL, both=True)
async def long_header(ask):
    await many(ask, b"X-Long: " + b"a" * 1_000_000 + b"\r\n")


@behaviour(row=11, does="10,000 headers", must=NAMED, expects=PROTOCOL, both=True)
async def many_headers(ask):
    await many(ask, *(b"X-%d: a\r\n" % n for n in range(10_000)))


@behaviour(row=11, does="90 headers of 60 KB, each of them allowed", must=NAMED, expects=PROTOCOL, both=True)
async def large_headers(ask):
    await many(ask, *(b"X-%d: %b\r\n" % (n, b"a" * 60_000) for n in range(90)))


@behaviour(row=11, does="a header's name of 1 MB", must=NAMED, expects=PROTOCOL, both=True)
async def long_header_name(ask):
    await many(ask, b"a" * 1_000_000 + b": x\r\n")


@behaviour(row=11, does="a reason phrase of 1 MB", must=NAMED, expects=PROTOCOL, both=True)
async def long_reason(ask):
    await ask.send(b"HTTP/1.1 200 " + b"a" * 1_000_000 + b"\r\n\r\n")
    await ask.close()


@behaviour(row=11, does="one header without end", must=NAMED, expects=PROTOCOL, both=True)
async def endless_header(ask):
    await ask.send(b"HTTP/1.1 200 OK\r\nX: ")
    await ask.forever(b"a" * 10_000)


@behaviour(row=11, does="headers without end", must=NAMED, expects=PROTOCOL, both=True)
async def endless_headers(ask):
    await ask.send(b"HTTP/1.1 200 OK\r\n")
    await ask.forever(b"X-Again: and again\r\n" * 100)


@behaviour(row=11, does="empty chunk, then trailers without end", must=NAMED, expects=PROTOCOL, both=True)
async def endless_trailers(ask):
    await ask.start("Transfer-Encoding: chunked")
    await ask.chunk(b"hello")
    await ask.send(b"0\r\n")
    await ask.forever(b"X-Again: and again\r\n" * 100)


@behaviour(row=11, does="a folded header of 30,000 lines", must=NAMED, expects=PROTOCOL)
async def folded_header(ask):
    await many(ask, b"X-Folded: a\r\n", b" and so on\r\n" * 30_000)


# Row 13: no HTTP


@behaviour(row=13, does="HTTP/0.9: a body without a head", must=NAMED, expects=PROTOCOL, both=True)
async def no_head(ask):
    await ask.send(b"<html>hello</html>")
    await ask.close()


@behaviour(row=13, does="a bad status line", must=NAMED, expects=PROTOCOL, both=True)
async def bad_status(ask):
    await ask.send(b"HTTP/1.1 abc OK\r\nContent-Length: 0\r\n\r\n")
    await ask.close()


@behaviour(row=13, does="an empty reply", must=NAMED, expects=PROTOCOL, both=True)
async def empty_reply(ask):
    await ask.close()


@behaviour(row=13, does="the greeting of another protocol", must=NAMED, expects=PROTOCOL, both=True)
async def ssh_greeting(ask):
    await ask.send(b"SSH-2.0-OpenSSH_9.9\r\n")
    await ask.close()


@behaviour(row=13, does="a TLS record on a plain port", must=NAMED, expects=PROTOCOL, both=True)
async def tls_on_plain(ask):
    await ask.send(b"\x15\x03\x01\x00\x02\x02\x16" * 3)
    await ask.close()


@behaviour(row=13, does="status 99999", must=NAMED, expects=PROTOCOL, both=True)
async def odd_status(ask):
    await ask.send(b"HTTP/1.1 99999 What\r\nContent-Length: 0\r\n\r\n")
    await ask.close()


@behaviour(row=13, does="a colon missing, a NUL in a header's name", must=NAMED, expects=PROTOCOL)
async def broken_header(ask):
    await ask.send(b"HTTP/1.1 200 OK\r\nno colon here\r\nna\0me: x\r\nContent-Length: 0\r\n\r\n")
    await ask.close()


@behaviour(row=13, does="two lengths that differ", must=NAMED, expects=PROTOCOL)
async def two_lengths(ask):
    await ask.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!")
    await ask.close()


@behaviour(row=13, does="the same length twice", must="take it (RFC 9112 §6.3)", expects={"/": "fetched"}, both=True)
async def equal_lengths(ask):
    await ask.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello")


@behaviour(row=13, does="a negative length", must=NAMED, expects={"*": "failed: protocol"}, seed="/-5")
async def odd_length(ask):
    await ask.send(b"HTTP/1.1 200 OK\r\nContent-Length: %b\r\n\r\nhello" % ask.path[1:].encode())
    await ask.close()
