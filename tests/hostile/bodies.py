"""Bodies that do not end, end too early, or go on after their end."""

import asyncio
import gzip
from functools import cache, partial
from itertools import count

from tests.hostile.ask import html
from tests.hostile.registry import CAP, behaviour

AT_CAP = {"truncated": True, "body_bytes": CAP}
STOPS = "stop at the cap, keep the prefix, mark `truncated`"
POISON = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 21\r\n\r\n<title>poison</title>"
"""Sent in one piece with the answer before it: what comes after the next request could not be told from its answer."""
MB = 1_000_000


def cpu_is_spared(seen):
    """A one-byte chunk must not cost a core: most of the time is spent waiting."""
    assert seen.cpu_s < 5 * seen.alone_cpu_s + 0.6 * seen.elapsed_s


@behaviour(
    row=2,
    does="endless body",
    must=STOPS,
    expects={"/": "fetched"},
    records={"/": {**AT_CAP, "title": "endless"}},
    both=True,
)
async def endless_body(ask):
    await ask.start()
    await ask.send(b"<title>endless</title>")
    await ask.forever(b"x" * 10_000)


@behaviour(row=2, does="endless chunks", must=STOPS, expects={"/": "fetched"}, records={"/": AT_CAP}, both=True)
async def endless_chunks(ask):
    await ask.start("Transfer-Encoding: chunked")
    await ask.forever(b"fff\r\n" + b"x" * 0xFFF + b"\r\n")


@behaviour(
    row=2,
    does="Content-Length: 10¹⁸, and sends on and on",
    must=STOPS,
    expects={"/": "fetched"},
    records={"/": AT_CAP},
    both=True,
)
async def huge_length(ask):
    await ask.start("Content-Length: 1000000000000000000")
    await ask.forever(b"x" * 10_000)


@behaviour(
    row=2,
    does="pages without end, all endless, under one link each",
    must="each is cut; the chain of them is a trap",
    settings={"max_chain": 5},
    expects={"/": "fetched", "/?n=*": "fetched | skipped: trap"},
    check=lambda seen: seen.assert_ended("skipped: trap"),
)
async def endless_pages(ask):
    number = int(ask.path.partition("=")[2] or 0) + 1
    await ask.start()
    await ask.send(f'<a href="{ask.at(f"/?n={number}")}">next</a>'.encode())
    await ask.forever(b"y" * 10_000)


PAGES, BODY_BYTES, BUDGET_BYTES = 200, 5 * MB, 20 * MB
AT_ONCE = {
    "bytes_in_flight": BUDGET_BYTES,
    "max_body_bytes": 2 * BODY_BYTES,
    "per_host": PAGES,
    "per_address": PAGES,
    "timeout_s": 30.0,
}


def within_budget(seen):
    """A gigabyte went through 20 MB: a body and a piece for each download come on top, and what parsers hold."""
    assert seen.stats.body_waits > 0, "no download ever waited"
    assert seen.stats.body_bytes_held == 0, seen.stats
    most = BUDGET_BYTES + 3 * BODY_BYTES + PAGES * (128 << 10)
    # How much of it is in use at once is a matter of how quick the machine is; that it is full shows in the waits.
    assert BODY_BYTES < seen.body_bytes <= most, f"{seen.body_bytes:,} bytes in flight"
    assert seen.memory_bytes < 450 * MB, f"memory grew by {seen.memory_bytes:,} bytes"
    assert len(seen.ended) == 1 + PAGES


@behaviour(
    row=2,
    does=f"{PAGES} bodies of 5 MB at once",
    must="bytes in flight stay within their budget (20 MB here): the fetcher waits, and says so",
    settings=AT_ONCE,
    expects={"/": "fetched", "/*": "fetched"},
    records={"/1*": {"body_bytes": BODY_BYTES, "truncated": False}},
    check=within_budget,
    both=True,
)
async def large_bodies(ask):
    if ask.path == "/":
        await ask.page(*(f"/{n}" for n in range(PAGES)))
        return
    if int(ask.path[1:]) % 5:
        await ask.answer(_packed(), "Content-Encoding: gzip", kind="image/png")
        return
    # These are for the parsers, which are slower than the loop: bodies pile up before them.
    await ask.start(f"Content-Length: {BODY_BYTES}")
    for piece in (b"<!--", *[b"x" * 100_000] * 49, b"-->".rjust(BODY_BYTES - 49 * 100_000 - 4)):
        await ask.send(piece)


@cache
def _packed() -> bytes:
    return gzip.compress(bytes(BODY_BYTES), mtime=0)


SMALL = {"max_body_bytes": 10_000, "timeout_s": 3.0, "retries": 1}
drips = partial(behaviour, row=3, settings=SMALL, check=cpu_is_spared, both=True)


@drips(
    does="endless one-byte chunks",
    must=STOPS + ", and not burn the CPU",
    expects={"/": "fetched"},
    records={"/": {"truncated": True, "body_bytes": 10_000}},
)
async def one_byte_chunks(ask):
    await ask.start("Transfer-Encoding: chunked")
    await ask.forever(b"1\r\nx\r\n" * 1000)


@drips(
    does="one-byte chunks with extensions of 1 KB",
    must=STOPS + ", and not burn the CPU",
    expects={"/": "fetched"},
    records={"/": {"truncated": True, "body_bytes": 10_000}},
)
async def chunk_extensions(ask):
    await ask.start("Transfer-Encoding: chunked")
    await ask.forever(b"1;x=" + b"e" * 1000 + b"\r\nx\r\n")


@drips(
    does="a chunk extension without end",
    must="a failure with its name, bounded memory",
    expects={"/": "failed: timeout | failed: protocol"},
)
async def endless_extension(ask):
    await ask.start("Transfer-Encoding: chunked")
    await ask.send(b"5;x=")
    await ask.forever(b"e" * 10_000, 0.001)


@drips(
    does="a chunk size of endless zeros",
    must="a failure with its name, bounded memory",
    expects={"/": "failed: timeout | failed: protocol"},
)
async def endless_chunk_size(ask):
    await ask.start("Transfer-Encoding: chunked")
    await ask.forever(b"0" * 10_000, 0.001)


INCOMPLETE = {"/": "failed: incomplete"}


def asked_twice(seen):
    assert seen.times("/") == 2


breaks_off = partial(behaviour, row=8, settings={"retries": 1}, check=asked_twice, both=True)


@breaks_off(
    does="Content-Length larger than the body",
    must="retry, then a failure",
    expects=INCOMPLETE,
)
async def too_short(ask):
    await ask.start("Content-Length: 1000")
    await ask.send(b"<title>short</title>")
    await ask.close()


@breaks_off(
    does="chunks that break off",
    must="retry, then a failure",
    expects=INCOMPLETE,
)
async def chunks_break_off(ask):
    await ask.start("Transfer-Encoding: chunked")
    await ask.chunk(b"<title>short</title>")
    await ask.close()


@breaks_off(
    does="too short a body the first time, a whole one then",
    must="the second attempt counts",
    expects={"/": "fetched"},
    records={"/": {"title": "whole", "truncated": False}},
)
async def short_once(ask):
    if ask.number == 1:
        await ask.start("Content-Length: 1000")
        await ask.close()
    await ask.page(title="whole")


def own_titles(seen):
    """No page has what was sent for another one."""
    for path, record in seen.records.items():
        assert record["title"] == path, record


@behaviour(
    row=9,
    does="Content-Length smaller than the body, which goes on with another answer",
    must="never take what is left over for the next answer",
    settings={"per_host": 1},
    expects={"/": "fetched", "/?*": "fetched"},
    check=own_titles,
    both=True,
)
async def smuggled_answer(ask):
    body = html(*(ask.at(f"/?{n}") for n in range(1, 6)), title=ask.path).encode()
    await ask.send(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body) + POISON
    )


@behaviour(
    row=9,
    does="an answer that nobody asked for, a moment after the proper one",
    must="never take it for the next answer",
    settings={"per_host": 1},
    robots=True,
    expects={"/": "fetched", "/?*": "fetched"},
    check=own_titles,
    both=True,
)
async def late_answer(ask):
    if ask.path == "/robots.txt":
        await ask.answer("User-agent: *\nCrawl-delay: 0.5", kind="text/plain")
        return
    await ask.page("/?1", "/?2")
    await asyncio.sleep(0.02)
    await ask.send(POISON)


@behaviour(
    row=9,
    does="204 and 304 with a body that looks like an answer",
    must="never take it for the next answer",
    settings={"per_host": 1},
    expects={"/": "fetched", "/204": "fetched", "/304": "fetched", "/a*": "fetched"},
    records={"/204": {"body_bytes": 0}, "/304": {"body_bytes": 0}},
    check=lambda seen: own_titles(seen.only("/a*")),
    both=True,
)
async def body_of_204(ask):
    if ask.path[1:] not in {"204", "304"}:
        await ask.page("/204", "/a1", "/304", "/a2")
        return
    await ask.send(f"HTTP/1.1 {ask.path[1:]} X\r\nContent-Length: 0\r\n\r\n".encode() + POISON)


@behaviour(
    row=12,
    does="reset in the middle of the body",
    must="bounded retries with back-off and jitter",
    settings={"retries": 2},
    expects={"/": "failed: reset"},
    check=lambda seen: seen.assert_times("/", 3),
    both=True,
)
async def reset_in_body(ask):
    await ask.start("Content-Length: 1000")
    await ask.send(b"<title>short</title>")
    await asyncio.sleep(0.05)
    ask.reset()


@behaviour(
    row=12,
    does="reset twice, then a whole answer",
    must="the third attempt counts",
    settings={"retries": 2},
    expects={"/": "fetched"},
    records={"/": {"title": "whole"}},
    both=True,
)
async def reset_twice(ask):
    if ask.number < 3:
        await ask.start("Content-Length: 1000")
        await asyncio.sleep(0.05)
        ask.reset()
    await ask.page(title="whole")


@behaviour(
    row=12,
    does="reset of the first request for each of 5 pages, on a kept connection",
    must="ask once more, when the host may be asked",
    expects={"/*": "fetched"},
    settings={"retries": 0, "delay_s": 0.2, "per_host": 1},
    check=lambda seen: _no_faster(seen, 0.2),
    both=True,
)
async def reset_when_kept(ask):
    if ask.path != "/" and ask.number == 1:
        ask.reset()
    await ask.page(*(f"/{number}" for number in range(5)))


def _no_faster(seen, delay_s):
    times = sorted(one["at"] for one in seen.asked)
    assert len(times) == 2 + 2 * 5, len(times)
    # All together: what comes late to a busy server makes the next gap short.
    assert times[-1] - times[0] > 10 * delay_s, times


@behaviour(
    row=12,
    does="reset of every page but the first, 60 pages",
    must="each fails by itself: the host answers for its robots.txt",
    settings={"retries": 2},
    expects={"/": "fetched", "/*": "failed: reset"},
)
async def always_reset(ask):
    if ask.path != "/":
        ask.reset()
    await ask.page(*(f"/{n}" for n in range(60)))


BIG = {"max_body_bytes": 5 * MB}


@behaviour(
    row=27,
    does="an attribute of 100 MB",
    must="body cap",
    settings=BIG,
    expects={"/": "fetched", "/before": "fetched"},
    records={"/": {"truncated": True, "body_bytes": 5 * MB}},
)
async def long_attribute(ask):
    await _long(ask, b'<a href="', b"x" * 100_000)


@behaviour(
    row=27,
    does="a comment of 100 MB",
    must="body cap",
    settings=BIG,
    expects={"/": "fetched", "/before": "fetched"},
    records={"/": {"truncated": True}},
)
async def long_comment(ask):
    await _long(ask, b"<!--", b"- -!" * 25_000)


@behaviour(
    row=27,
    does="a tag with attributes without end",
    must="body cap; parsed, or the parser killed at its deadline",
    settings={**BIG, "parser_timeout_s": 4.0},
    expects={
        "/": "fetched | failed: parser-timeout",
        "/before": "fetched",
    },
)
async def many_attributes(ask):
    if ask.path == "/":
        await ask.start()
        await ask.send(f'<a href="{ask.at("/before")}">b</a><a '.encode())
        for n in count():
            await ask.send(b"".join(b"a%d=%d " % (n * 1000 + m, m) for m in range(1000)))
    await ask.page()


async def _long(ask, before: bytes, piece: bytes):
    if ask.path == "/":
        await ask.start("Content-Length: 100000000")
        await ask.send(f'<title>long</title><a href="{ask.at("/before")}">b</a>'.encode(), before)
        await ask.forever(piece)
    await ask.page()
