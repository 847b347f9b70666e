"""Content-Encoding: bombs, chains, and streams that break off."""

import gzip
import zlib
from functools import cache

import brotli

from crawler.web.content_coding import zstd
from tests.hostile.registry import CAP, behaviour

AT_CAP = {"truncated": True, "body_bytes": CAP}
COUNTED = "count decompressed bytes, stop at the cap"
ENCODING = {"/": "failed: encoding"}
ZEROS = 50 << 20
PAGE = b"<title>whole</title>" + b"<p>some text</p>" * 500


@cache
def bomb(coding: str) -> bytes:
    """50 MB of zeros."""
    zeros = bytes(ZEROS)
    match coding:
        case "gzip":
            return gzip.compress(zeros, 1, mtime=0)
        case "deflate":
            return zlib.compress(zeros, 1)
        case "raw":
            return zlib.compress(zeros, 1)[2:-4]
        case "br":
            return brotli.compress(zeros, quality=1)
        case _:
            return zstd.compress(zeros)


async def encoded(ask, body: bytes, coding: str):
    await ask.answer(body, f"Content-Encoding: {coding}")


def bombs(row: int, does: str):
    return behaviour(row=row, does=does, must=COUNTED, expects={"/": "fetched"}, records={"/": AT_CAP}, both=True)


@bombs(4, "gzip bomb")
async def gzip_bomb(ask):
    await encoded(ask, bomb("gzip"), "gzip")


@bombs(4, "gzip bomb inside a gzip bomb")
async def nested_gzip_bomb(ask):
    await encoded(ask, gzip.compress(bomb("gzip"), mtime=0), "gzip, gzip")


@bombs(4, "gzip stream that never ends")
async def endless_gzip(ask):
    await ask.start("Content-Encoding: gzip")
    stream = zlib.compressobj(9, zlib.DEFLATED, 31)
    while True:
        await ask.send(stream.compress(bytes(1 << 20)) + stream.flush(zlib.Z_SYNC_FLUSH))


@behaviour(
    row=4,
    does="60 gzip bombs at once",
    must="and the loop stays responsive",
    settings={"max_body_bytes": 10_000_000, "per_host": 64, "per_address": 64},
    expects={"/": "fetched", "/*": "fetched"},
    records={"/1*": {"truncated": True, "body_bytes": 10_000_000}},
    check=lambda seen: seen.assert_responsive(),
)
async def many_gzip_bombs(ask):
    if ask.path == "/":
        await ask.page(*(f"/{n}" for n in range(60)))
    else:
        await ask.answer(bomb("gzip"), "Content-Encoding: gzip", kind="image/png")


@behaviour(
    row=4,
    does="gzip header with a file name without end: much comes in, nothing out",
    must="count what comes in too",
    expects={"/": "fetched"},
    records={"/": {"body_bytes": 0, "truncated": True}},
    both=True,
)
async def endless_gzip_header(ask):
    await ask.start("Content-Encoding: gzip")
    await ask.send(b"\x1f\x8b\x08\x08\0\0\0\0\0\xff")
    await ask.forever(b"n" * 10_000)


@behaviour(
    row=4,
    does="empty gzip members without end",
    must="count them too",
    expects=ENCODING,
    both=True,
)
async def empty_members(ask):
    await ask.start("Content-Encoding: gzip")
    await ask.forever(gzip.compress(b"", mtime=0) * 100)


@bombs(5, "brotli bomb in one chunk")
async def brotli_bomb(ask):
    await encoded(ask, bomb("br"), "br")


@bombs(5, "zstd bomb in one chunk")
async def zstd_bomb(ask):
    await encoded(ask, bomb("zstd"), "zstd")


@bombs(5, "deflate bomb in one chunk")
async def deflate_bomb(ask):
    await encoded(ask, bomb("deflate"), "deflate")


@bombs(5, "bare deflate bomb, called deflate")
async def raw_deflate_bomb(ask):
    await encoded(ask, bomb("raw"), "deflate")


@bombs(5, "zstd bomb in gzip")
async def zstd_in_gzip(ask):
    await encoded(ask, gzip.compress(bomb("zstd"), mtime=0), "zstd, gzip")


@behaviour(
    row=5,
    does="zstd frame that wants a window of 2 GB",
    must="refuse the memory",
    expects=ENCODING,
    both=True,
)
async def zstd_window(ask):
    # RFC 8878 §3.1.1: magic number, no single segment, window descriptor with exponent 21, a raw block.
    await encoded(ask, b"\x28\xb5\x2f\xfd\x00" + bytes([21 << 3]) + b"\x29\0\0hello", "zstd")


def layers(number: int) -> bytes:
    body = PAGE
    for _ in range(number):
        body = gzip.compress(body, mtime=0)
    return body


@behaviour(row=6, does="Content-Encoding of five layers", must="at most two", expects=ENCODING, both=True)
async def five_layers(ask):
    await encoded(ask, layers(5), ", ".join(["gzip"] * 5))


@behaviour(row=6, does="three layers in three headers", must="at most two", expects=ENCODING, both=True)
async def three_headers(ask):
    await ask.answer(layers(3), *["Content-Encoding: GZip"] * 3)


@behaviour(
    row=6,
    does="two layers",
    must="undone",
    expects={"/": "fetched"},
    records={"/": {"title": "whole", "truncated": False, "body_bytes": len(PAGE)}},
    both=True,
)
async def two_layers(ask):
    await encoded(ask, layers(2), "gzip, gzip")


@behaviour(row=6, does="a registered coding that nobody asked for", must="no guess", expects=ENCODING, both=True)
async def unknown_coding(ask):
    await encoded(ask, PAGE, "compress")


@behaviour(row=6, does="gzip that is none", must="no guess", expects=ENCODING, both=True)
async def no_gzip(ask):
    await encoded(ask, PAGE, "gzip")


TARGET = {"/": "redirected", "/target": "fetched"}


@behaviour(row=7, does="bomb as the body of a 302", must="never read a redirect's body", expects=TARGET, both=True)
async def redirect_with_bomb(ask):
    if ask.path == "/target":
        await ask.page()
    else:
        await ask.answer(bomb("gzip"), "Content-Encoding: gzip", f"Location: {ask.at('/target')}", status=302)


@behaviour(
    row=7,
    does="endless body of a 302",
    must="never read a redirect's body",
    expects=TARGET,
    check=lambda seen: seen.assert_times("/", 1),
    both=True,
)
async def endless_redirect(ask):
    if ask.path == "/target":
        await ask.page()
        return
    await ask.start(f"Location: {ask.at('/target')}", status="302 Found")
    await ask.forever(b"x" * 10_000)


@behaviour(
    row=7,
    does="302 whose body is said to have five layers",
    must="never look at a redirect's body",
    expects=TARGET,
    both=True,
)
async def redirect_with_layers(ask):
    if ask.path == "/target":
        await ask.page()
    else:
        layered = "Content-Encoding: " + ", ".join(["gzip"] * 5)
        await ask.answer(b"x" * 100, layered, f"Location: {ask.at('/target')}", status=302)


CUT = {"truncated": True, "title": "whole"}


def cut(does: str):
    return behaviour(
        row=10,
        does=does,
        must="mark `truncated`, never silently complete",
        expects={"/": "fetched"},
        records={"/": CUT},
        both=True,
    )


@cut("truncated gzip")
async def truncated_gzip(ask):
    await encoded(ask, gzip.compress(PAGE, mtime=0)[:-12], "gzip")


@cut("gzip without its last 4 bytes: all text, no length")
async def gzip_without_trailer(ask):
    await encoded(ask, gzip.compress(PAGE, mtime=0)[:-4], "gzip")


@cut("truncated deflate")
async def truncated_deflate(ask):
    await encoded(ask, zlib.compress(PAGE)[:-3], "deflate")


@cut("truncated zstd")
async def truncated_zstd(ask):
    await encoded(ask, zstd.compress(PAGE) + zstd.compress(PAGE)[:-3], "zstd")


@cut("second gzip member breaks off")
async def truncated_member(ask):
    await encoded(ask, gzip.compress(PAGE, mtime=0) + gzip.compress(PAGE, mtime=0)[:-9], "gzip")


def nothing(does):
    return behaviour(
        row=10,
        does=does,
        must="mark `truncated`, never silently complete",
        expects={"/": "fetched"},
        records={"/": {"truncated": True, "body_bytes": 0}},
        both=True,
    )


@nothing("gzip cut within its header")
async def gzip_header_alone(ask):
    await encoded(ask, gzip.compress(PAGE, mtime=0)[:9], "gzip")


@nothing("zstd cut before its first block")
async def zstd_header_alone(ask):
    await encoded(ask, zstd.compress(PAGE)[:5], "zstd")


@behaviour(
    row=10,
    does="Transfer-Encoding: gzip, chunked, cut in the middle",
    must="undone, and mark `truncated`",
    expects={"/": "fetched"},
    records={"/": CUT},
    both=True,
)
async def truncated_transfer_coding(ask):
    await ask.start("Transfer-Encoding: gzip, chunked")
    await ask.chunk(gzip.compress(PAGE, mtime=0)[:-12])
    await ask.chunk(b"")


@behaviour(
    row=6,
    does="a transfer coding that nobody asked for",
    must="no guess",
    expects={"/": "failed: encoding"},
    both=True,
)
async def unknown_transfer_coding(ask):
    await ask.start("Transfer-Encoding: br, chunked")
    await ask.chunk(b"whatever")
    await ask.chunk(b"")


@behaviour(
    row=10,
    does="gzip broken in the middle",
    must="named, never silently complete",
    expects={"/": "failed: encoding"},
    both=True,
)
async def broken_gzip(ask):
    whole = bytearray(gzip.compress(PAGE, mtime=0))
    whole[40:60] = b"\xff" * 20
    await encoded(ask, bytes(whole), "gzip")
