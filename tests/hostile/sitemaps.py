"""Sitemaps: entities, bombs, more than the protocol allows, and indexes that never end."""

import gzip
import zlib
from functools import cache
from itertools import count

from tests.hostile.registry import behaviour

SITEMAPS = {"sitemaps": True}
READ = "fetched: sitemap"
CUT = "fetched: sitemap: cut"
SPACE = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'


def urlset(*urls: str, before: str = "") -> str:
    entries = "".join(f"<url><loc>{url}</loc></url>" for url in urls)
    return f'<?xml version="1.0" encoding="UTF-8"?>{before}<urlset {SPACE}>{entries}</urlset>'


def index(*urls: str) -> str:
    entries = "".join(f"<sitemap><loc>{url}</loc></sitemap>" for url in urls)
    return f'<?xml version="1.0" encoding="UTF-8"?><sitemapindex {SPACE}>{entries}</sitemapindex>'


def origin(ask) -> str:
    return f"http://{ask.header('host')}"


async def with_sitemap(ask, body: bytes | str, kind: str = "application/xml", *headers: str):
    """A site whose robots.txt names /sitemap.xml, which is `body`."""
    if ask.path == "/robots.txt":
        await ask.answer(f"Sitemap: {origin(ask)}/sitemap.xml", kind="text/plain")
    elif ask.path == "/sitemap.xml":
        await ask.answer(body, *headers, kind=kind)
    else:
        await ask.page(title="page")


def sitemap(row: int, does: str, must: str, expects: dict, check=None, **more):
    return behaviour(
        row=row,
        does=does,
        must=must,
        settings={**SITEMAPS, **more.pop("settings", {})},
        robots=True,
        expects={"/robots.txt": READ, "/": "fetched", **expects},
        check=check,
        **more,
    )


NOTHING = "nothing resolved, under a second"


def quick(seen):
    """No parser was killed, nobody was asked, nothing of this machine was read."""
    seen.assert_no_canary()
    assert seen.stats.parsers_replaced == 0
    assert not any("root:" in url for url, _ in seen.ended)
    assert max(seen.stats.parser_busy_s) < 20


def entity(does: str, ended: str = READ, pages: tuple[str, ...] = ()):
    return sitemap(35, does, NOTHING, {"/sitemap.xml": ended, **dict.fromkeys(pages, "fetched")}, quick)


@entity("external entities in a sitemap", pages=("/&a;", "/&b;", "/fine"))
async def external_entities(ask):
    here = origin(ask)
    canary = f"http://127.0.0.1:{ask.places['canary_port']}/x"
    entities = (
        f'<!DOCTYPE urlset [<!ENTITY a SYSTEM "file:///etc/passwd"><!ENTITY b SYSTEM "{canary}">'
        f'<!ENTITY % c SYSTEM "{canary}"> %c;]>'
    )
    await with_sitemap(ask, urlset(f"{here}/&a;", f"{here}/&b;", f"{here}/fine", before=entities))


@entity("an external DTD")
async def external_dtd(ask):
    canary = f"http://127.0.0.1:{ask.places['canary_port']}/x.dtd"
    await with_sitemap(ask, urlset(before=f'<!DOCTYPE urlset SYSTEM "{canary}">'))


@entity("XInclude and a style sheet from elsewhere")
async def xinclude(ask):
    canary = f"http://127.0.0.1:{ask.places['canary_port']}/x"
    include = f'<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="{canary}"/>'
    style = f'<?xml-stylesheet type="text/xsl" href="{canary}"?>'
    await with_sitemap(ask, urlset(f"{origin(ask)}/{include}", before=style))


@entity("billion laughs", pages=("/&l10;",))
async def billion_laughs(ask):
    laughs = '<!ENTITY l0 "ha">' + "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 11))
    await with_sitemap(ask, urlset(f"{origin(ask)}/&l10;", before=f"<!DOCTYPE urlset [{laughs}]>"))


@entity("quadratic blow-up: one long entity, thousands of times")
async def quadratic_blowup(ask):
    long = f'<!DOCTYPE urlset [<!ENTITY l "{"x" * 100_000}">]>'
    await with_sitemap(ask, urlset(f"{origin(ask)}/{'&l;' * 20_000}", before=long))


@entity("a hundred thousand nested elements", CUT)
async def nested_elements(ask):
    await with_sitemap(ask, "<urlset>" + "<url>" * 100_000)


@entity("50,000 attributes, a name of 1 MB", CUT)
async def long_elements(ask):
    attributes = " ".join(f'a{n}="x"' for n in range(50_000))
    await with_sitemap(ask, f"<urlset {attributes}><{'n' * 1_000_000}/></urlset>")


LARGE = {"exclude": ("/p/",), "max_body_bytes": 1_000_000, "timeout_s": 40.0, "parser_timeout_s": 20.0}
BLANKS = b" " * (64 << 20)
TOLD = "stream; caps of the protocol (50,000 URLs, 50 MB), told"


@cache
def million(port: str) -> bytes:
    start = f"<url><loc>http://127.66.36.1:{port}/p/"
    entries = "".join([f"{start}{n}</loc></url>" for n in range(1_000_000)])
    return gzip.compress(f"<urlset {SPACE}>{entries}</urlset>".encode(), 1, mtime=0)


@sitemap(
    36,
    "sitemap of a million URLs",
    TOLD,
    {"/sitemap.xml": CUT, "/p/*": "skipped: filter"},
    lambda seen: seen.assert_ended("skipped: filter", 50_000),
    settings=LARGE,
)
async def million_urls(ask):
    body = million(ask.places["port"]) if ask.path == "/sitemap.xml" else b""
    await with_sitemap(ask, body, "application/gzip")


@sitemap(
    36,
    "sitemap that is a gz bomb of blanks",
    TOLD,
    {"/sitemap.xml": CUT, "/p/1": "skipped: filter"},
    settings=LARGE,
)
async def sitemap_bomb(ask):
    start = urlset(f"{origin(ask)}/p/1").removesuffix("</urlset>").encode()
    body = gzip.compress(start + BLANKS, 1, mtime=0) if ask.path == "/sitemap.xml" else b""
    await with_sitemap(ask, body, "application/gzip")


@sitemap(
    36,
    "sitemap that is a bomb as Content-Encoding and as a gz file",
    TOLD,
    {"/sitemap.xml": READ},
    settings=LARGE,
)
async def doubly_packed_sitemap(ask):
    body = b""
    if ask.path == "/sitemap.xml":
        body = gzip.compress(gzip.compress(urlset().encode() + BLANKS, 1, mtime=0), 1)
    await with_sitemap(ask, body, "application/gzip", "Content-Encoding: gzip")


@sitemap(
    36,
    "sitemap without end: a text file of URLs",
    TOLD,
    {"/sitemap.xml": CUT, "/p/*": "skipped: filter"},
    lambda seen: seen.assert_ended("skipped: filter", 50_000),
    settings=LARGE,
)
async def endless_sitemap(ask):
    if ask.path != "/sitemap.xml":
        await with_sitemap(ask, b"")
        return
    await ask.start("Content-Encoding: gzip", kind="text/plain")
    here = origin(ask)
    packed = zlib.compressobj(1, zlib.DEFLATED, 31)
    for start in count(0, 10_000):
        urls = "".join([f"{here}/p/{n}\n" for n in range(start, start + 10_000)])
        await ask.send(packed.compress(urls.encode()), packed.flush(zlib.Z_SYNC_FLUSH))


@sitemap(
    36,
    "sitemaps that are none: 404, an image, broken XML",
    "a failure with its name",
    {
        "/none": "failed: sitemap: status 404",
        "/image": "failed: sitemap: neither XML nor a list of URLs",
        "/empty": "failed: sitemap: empty",
        "/broken": CUT,
        "/one": "fetched",
    },
)
async def no_sitemaps(ask):
    here = origin(ask)
    if ask.path == "/robots.txt":
        names = ("none", "image", "empty", "broken")
        await ask.answer("".join(f"sitemap:{here}/{name}\n" for name in names), kind="text/plain")
    elif ask.path == "/none":
        await ask.answer("none", status=404)
    elif ask.path == "/image":
        await ask.answer(b"\x89PNG\r\n\x1a\n" + bytes(100), kind="image/png")
    elif ask.path == "/empty":
        await ask.answer("", kind="application/xml")
    elif ask.path == "/broken":
        await ask.answer(urlset(f"{here}/one").removesuffix("</urlset>") + "<url><<<", kind="application/xml")
    else:
        await ask.page()


ONCE = "each once, depth cap"


@sitemap(
    37,
    "index that names itself",
    ONCE,
    {"/sitemap.xml": READ},
    lambda seen: seen.assert_times("/sitemap.xml", 1),
)
async def index_names_itself(ask):
    await with_sitemap(ask, index(f"{origin(ask)}/sitemap.xml", f"{origin(ask)}/sitemap.xml#x"))


@sitemap(
    37,
    "indexes that name each other",
    ONCE,
    {"/sitemap.xml": READ, "/b.xml": READ},
    lambda seen: seen.assert_requests(5),
)
async def indexes_in_a_ring(ask):
    if ask.path == "/b.xml":
        await ask.answer(index(f"{origin(ask)}/sitemap.xml"), kind="text/xml")
    await with_sitemap(ask, index(f"{origin(ask)}/b.xml"))


@sitemap(
    37,
    "indexes nested without end",
    ONCE,
    {"/sitemap.xml": READ, "/n*.xml": f"{READ} | skipped: depth"},
    lambda seen: (seen.assert_ended("skipped: depth", 1), seen.assert_requests(9)),
)
async def endless_indexes(ask):
    if ask.path.startswith("/n"):
        await ask.answer(index(f"{origin(ask)}/n{int(ask.path[2:-4]) + 1}.xml"), kind="text/xml")
    await with_sitemap(ask, index(f"{origin(ask)}/n1.xml"))


@sitemap(
    37,
    "a sitemap that redirects in a ring",
    ONCE,
    {"/sitemap.xml": "redirected", "/ring.xml": "failed: redirects"},
)
async def sitemap_ring(ask):
    if ask.path in {"/sitemap.xml", "/ring.xml"}:
        await ask.redirect("/ring.xml" if ask.path == "/sitemap.xml" else "/sitemap.xml")
    await with_sitemap(ask, b"")
