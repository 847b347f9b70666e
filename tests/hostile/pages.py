"""HTML that is too much, too deep or not what it says: links, nesting, NULs, refreshes, wrong types."""

import struct
import zlib

from tests.hostile.ask import html
from tests.hostile.registry import behaviour

MB = 1_000_000
MANY = {"max_body_bytes": 60 * MB, "max_links": 1_000, "exclude": ("/p/",)}


def responsive(seen):
    seen.assert_responsive()


@behaviour(
    row=25,
    does="page with a million links",
    must="cap on links a page, told in the record; the loop stays responsive",
    settings=MANY,
    expects={"/": "fetched", "/p/*": "skipped: filter"},
    records={"/": {"links_dropped": 999_000, "truncated": False}},
    check=lambda seen: (_links(seen, 1_000), responsive(seen), seen.assert_ended("skipped: filter", 1_000)),
)
async def million_links(ask):
    await ask.answer("<title>many</title>" + "".join([f'<a href="/p/{n}">x</a>' for n in range(MB)]))


@behaviour(
    row=25,
    does="the same link half a million times",
    must="one link",
    settings=MANY,
    expects={"/": "fetched", "/p/same": "skipped: filter"},
    check=responsive,
)
async def same_link(ask):
    await ask.answer('<a href="/p/same">x</a>' * 500_000)


@behaviour(
    row=25,
    does="a hundred thousand links to as many hosts",
    must="cap on links a page",
    settings={**MANY, "scope": "any", "exclude": (".test/",)},
    expects={"/": "fetched", "http://h*.test/": "skipped: filter"},
    check=lambda seen: (_links(seen, 1_000), responsive(seen)),
)
async def million_hosts(ask):
    await ask.answer("".join([f'<a href="http://h{n}.test/">x</a>' for n in range(100_000)]))


def _links(seen, number):
    assert len(seen.records["/"]["links"]) == number


DEEP = {"max_body_bytes": 20 * MB, "parser_timeout_s": 6.0}
KILLED = "failed: parser-timeout | failed: parser-died"
NESTED = {
    "tags": "<div>" * 100_000,
    "misnested": "<b><p>" * 50_000,
    "tables": "<table><tr><td>" * 30_000,
    "links": '<a href="/inside">' * 100_000,
    "lists": "<ul><li>" * 50_000,
    "svg": "<svg><foreignObject>" * 30_000,
    "formatting": "<a><b><i><u><em><strong>" * 15_000 + "<p>" * 15_000,
    "templates": "<template>" * 100_000,
    "selects": "<select><option>" * 50_000,
    "ends": "</p></div></br>" * 50_000,
    "open": "<" * 300_000,
    "entities": "&amp" * 300_000,
    "comments": "<!--" * 200_000,
    "cdata": "<svg>" + "<![CDATA[" * 100_000,
}


@behaviour(
    row=26,
    does="100,000 nested tags of " + str(len(NESTED)) + " kinds",
    must="parsed, or the parser killed at its deadline",
    settings=DEEP,
    expects={"/": "fetched", "/after": "fetched", "/inside": "fetched", "/deep/*": f"fetched | {KILLED}"},
    records={"/after": {"title": "after"}},
)
async def nested_tags(ask):
    if ask.path.startswith("/deep/"):
        nested = NESTED[ask.path.rpartition("/")[2]]
        await ask.answer(f'<title>deep</title><a href="{ask.at("/inside")}">in</a>{nested}text')
    elif ask.path == "/":
        await ask.page(*(f"/deep/{name}" for name in NESTED), "/after")
    else:
        await ask.page(title="after")


@behaviour(
    row=27,
    does="7,000 tags of html and body, each with an attribute of its own",
    must="64 of them count; memory within bounds",
    expects={"/": "fetched", "/after": "fetched"},
    records={"/": {"title": "roots", "truncated": False}},
)
async def many_roots(ask):
    roots = "".join([f"<html a{n}><BODY b{n}>" for n in range(3_500)])
    await ask.page(title="after") if ask.path == "/after" else await ask.answer(
        f"<title>roots</title>{roots}<a href='/after'>x</a>"
    )


NUL = {
    "in text": 'a\0b<a href="/1">x</a>',
    "before everything": '\0\0\0\0<!doctype html><a href="/2">x</a>',
    "in a value": '<a href="/3\0x">x</a>',
    "in a tag's name": '<a\0b href="/none">x</a><a href="/4">x</a>',
    "in an attribute's name": '<a hr\0ef="/none" href="/5">x</a>',
    "around a tag": '\0<\0a href="/none">\0<a href="/6">\0</a>\0',
    "in a comment": '<!-- \0 --\0> --><a href="/7">x</a>',
    "in a script": '<script>\0</script\0><a href="/none"></script><a href="/8">x</a>',
    "many": "\0" * 50_000 + '<a href="/9">x</a>',
}


@behaviour(
    row=28,
    does="NUL bytes in text, values, names, comments and scripts",
    must="later links still found",
    expects={
        "/": "fetched",
        "/nul/*": "fetched",
        "/3%*": "fetched",
        **{f"/{n}": "fetched" for n in (1, 2, 4, 5, 6, 7, 8, 9)},
    },
)
async def nul_bytes(ask):
    if ask.path.startswith("/nul/"):
        await ask.answer(list(NUL.values())[int(ask.path[5:])])
    elif ask.path == "/":
        await ask.page(*(f"/nul/{n}" for n in range(len(NUL))))
    else:
        await ask.page()


def _png() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    parts = chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(b"\0\0")), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


FALSE_HTML = {
    "image/png": _png() + b'<a href="/none">x</a>',
    "image/gif": b"GIF89a\1\0\1\0" + b'<a href="/none">',
    "image/jpeg": b"\xff\xd8\xff\xe0\0\x10JFIF" + b"\0" * 50,
    "application/pdf": b'%PDF-1.7\n<a href="/none">',
    "application/zip": b"PK\3\4" + bytes(60),
}


@behaviour(
    row=30,
    does="images, PDF and archives called text/html",
    must="sniff; outcome tells; no link out of them",
    expects={"/": "fetched", "/false/*": "fetched"},
    records={f"/false/{name}": {"sniffed_type": name, "links": [], "title": None} for name in FALSE_HTML},
)
async def false_html(ask):
    if ask.path == "/":
        await ask.page(*(f"/false/{name}" for name in FALSE_HTML))
    await ask.answer(FALSE_HTML[ask.path[7:]])


HIDDEN = html("/found", title="hidden")


@behaviour(
    row=30,
    does="HTML called octet-stream, or without any type",
    must="sniff; outcome tells; links are found",
    expects={"/": "fetched", "/stream": "fetched", "/none": "fetched", "/found": "fetched"},
    records={
        "/stream": {"sniffed_type": "text/html", "title": "hidden"},
        "/none": {"title": "hidden"},
    },
)
async def hidden_html(ask):
    if ask.path == "/":
        await ask.page("/stream", "/none")
    elif ask.path == "/stream":
        await ask.answer(HIDDEN, kind="application/octet-stream")
    else:
        await ask.answer(HIDDEN, kind="")


@behaviour(
    row=30,
    does="HTML called text/plain, and types that are nonsense",
    must="never an exception",
    expects={"/": "fetched", "/*": "fetched"},
)
async def odd_types(ask):
    kinds = ("text/plain", "text/html;;;charset=;=", 'TEXT/HTML; charset="', "/", "text", ";" * 1000, "*/*", "\udcff")
    if ask.path == "/":
        await ask.page(*(f"/t{n}" for n in range(len(kinds))))
    await ask.answer(HIDDEN, kind=kinds[int(ask.path[2:])] if ask.path.startswith("/t") else "text/html")


REFRESH = "counts as a redirect"


async def refresh(ask, to: str, delay: str = "0"):
    await ask.answer(html(head=f'<meta http-equiv="refresh" content="{delay}; url={ask.at(to)}">'))


@behaviour(
    row=40,
    does="meta refresh loop of two",
    must=REFRESH,
    expects={"/": "redirected", "/b": "failed: redirects"},
    check=lambda seen: seen.assert_requests(3),
)
async def refresh_loop(ask):
    await refresh(ask, "/" if ask.path == "/b" else "/b")


@behaviour(
    row=40,
    does="meta refreshes that count upwards without end",
    must="stop at 10 hops",
    expects={"/": "redirected", "/?n=10": "failed: redirects", "/?n=*": "redirected"},
    check=lambda seen: seen.assert_requests(12),
)
async def endless_refresh(ask):
    number = int(ask.path.partition("=")[2] or 0)
    await refresh(ask, f"/?n={number + 1}", "5.0")


@behaviour(
    row=40,
    does="meta refresh and Location in turn",
    must="both count",
    expects={"/": "redirected", "/?n=10": "failed: redirects", "/?n=*": "redirected"},
    check=lambda seen: seen.assert_requests(12),
)
async def mixed_refresh(ask):
    number = int(ask.path.partition("=")[2] or 0)
    if number % 2:
        await ask.redirect(f"/?n={number + 1}")
    else:
        await refresh(ask, f"/?n={number + 1}")


@behaviour(
    row=40,
    does="meta refresh to itself, every second, for ever",
    must="a page that reloads is a page",
    expects={"/": "fetched"},
    check=lambda seen: seen.assert_times("/", 1),
)
async def reload(ask):
    await refresh(ask, "/#now", "1")


@behaviour(
    row=40,
    does="meta refresh to what robots.txt denies, and to file:",
    must="each hop is checked",
    robots=True,
    expects={"/": "fetched", "/r": "redirected", "/denied": "skipped: robots", "/f": "fetched"},
    check=lambda seen: seen.assert_times("/denied", 0),
)
async def refresh_to_denied(ask):
    if ask.path == "/robots.txt":
        await ask.answer("User-agent: *\nDisallow: /denied", kind="text/plain")
    elif ask.path == "/":
        await ask.page("/r", "/f")
    else:
        await refresh(ask, "/denied" if ask.path == "/r" else "file:///etc/passwd")
