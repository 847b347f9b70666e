"""What makes single hosts of the demo site odd: redirects, refusals, charsets, files, traps.

Each function describes one host. Some of its resources are entered from the home page; what can be reached only
through an odd page shows that the odd page was understood.
"""

import json
import struct
import zlib
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from crawler.cli.demo.answer import DemoAnswer
from crawler.cli.demo.hosts import HOSTS
from crawler.cli.demo.layout import Layout
from crawler.cli.demo.page import Anchor, HtmlPage
from crawler.cli.demo.prose import TRANSLATIONS
from crawler.cli.demo.resource import Resource

__all__ = ["Oddities", "calendar_page", "oddities"]

_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


class Oddities(Struct, frozen=True):
    """Odd resources of a host, and the links through which its home page leads to them."""

    resources: tuple[Resource, ...]
    entrances: tuple[Anchor, ...]


class _Collector:
    """Gathers the oddities of one host while they are described."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.resources: list[Resource] = []
        self.entrances: list[Anchor] = []

    def add(self, target: str, content: HtmlPage | DemoAnswer, kind: str, outcome: str = "fetched") -> None:
        self.resources.append(Resource(target=target, content=content, kind=kind, outcome=outcome))

    def enter(self, href: str, text: str, rel: str = "") -> None:
        self.entrances.append(Anchor(href, text, rel))

    def page(
        self, target: str, title: str, kind: str, outcome: str = "fetched", *, enter: bool = False, **more: Any
    ) -> None:
        self.add(target, self.layout.page(target, title, **more), kind, outcome)
        if enter:
            self.enter(target, title)

    def redirect(self, target: str, location: str, status: int = 301, outcome: str = "redirected") -> None:
        answer = DemoAnswer(status=status, headers=(("Location", location),), body=b"Moved.\n")
        self.add(target, answer, "redirect", outcome)


def oddities(layout: Layout) -> Oddities:
    """Describe everything on a host that is not ordinary."""
    collector = _Collector(layout)
    if layout.host.number not in (10, 17):
        _private(collector)
    special = _SPECIAL.get(layout.host.number)
    if special is not None:
        special(collector)
    return Oddities(tuple(collector.resources), tuple(collector.entrances))


def _private(site: _Collector) -> None:
    site.page("/private/minutes", "Minutes of the board", "private", "skipped: robots", enter=True)
    site.page("/search?q=opening+hours", "Search", "private", "skipped: robots", enter=True)
    # The longer rule wins (RFC 9309 §2.2.2): allowed although /private/ is not.
    site.page("/private/press/kit", "Press kit", "allowed", enter=True)


def _redirects(site: _Collector) -> None:
    site.enter("/old/services", "Services (old address)")
    site.redirect("/old/services", "/older/services", 301)
    site.redirect("/older/services", "/oldest/services.html", 302)
    site.redirect("/oldest/services.html", "/services-at-last", 308)
    site.page("/services-at-last", "Services, at last", "redirect-target")
    railway = Layout(HOSTS[4], site.layout.port)
    site.enter("/go/railway", "The railway")
    site.redirect("/go/railway", f"{railway.origin}{railway.articles[3].path}", 307)
    # Scope is measured at every hop: the railway is another host, and nothing of its own leads to this page.
    site.enter("/go/depot", "The old depot")
    site.redirect("/go/depot", f"{railway.origin}/depot/unlisted", 302)
    site.enter("/round/one", "Round and round")
    site.redirect("/round/one", "/round/two", 302)
    site.redirect("/round/two", "/round/one", 302, "failed: redirects")
    site.enter("/mirror", "The mirror")
    site.redirect("/mirror", "/mirror", 301, "failed: redirects")


def _recovering(site: _Collector) -> None:
    text = (("Content-Type", "text/plain; charset=utf-8"),)
    busy = DemoAnswer(status=429, headers=(*text, ("Retry-After", "1")), body=b"Too many requests.\n")
    down = DemoAnswer(status=503, headers=text, body=b"Back in a moment.\n")
    site.page("/radar/live", "Live radar", "429-then-200", enter=True, first=(busy,))
    site.page("/radar/archive", "Radar archive", "503-then-200", enter=True, first=(down,))


def _closed(site: _Collector) -> None:
    site.page("/box-office", "Box office closed", "503", enter=True, status=503, size=300)


def _slow(site: _Collector) -> None:
    for number in range(8):
        title = f"Live departures, platform {number + 1}"
        site.page(f"/departures/{number + 1}", title, "slow", enter=True, wait_s=0.5 + number * 0.07, size=1_500)
    site.page("/departures/ticker", "Departures, line by line", "drip", enter=True, drip_s=2.5, size=4_000)
    site.page("/depot/unlisted", "The depot that nobody links to", "orphan", "skipped: scope")


def _unfinished(site: _Collector) -> None:
    site.page(
        "/reviews/unfinished", "An unfinished review", "cut", "failed: incomplete", enter=True, cut=True, size=9_000
    )


def _charsets(site: _Collector) -> None:
    for target, language, more in (
        ("french", "fr", {"encoding": "windows-1252", "header_charset": None, "meta_charset": "windows-1252"}),
        ("japanese", "ja", {"encoding": "shift_jis", "header_charset": "shift_jis", "meta_charset": None}),
        ("polish", "pl", {"encoding": "utf-16", "header_charset": None, "meta_charset": None}),
        ("german", "de", {"encoding": "utf-8-sig", "header_charset": "iso-8859-1", "meta_charset": "iso-8859-1"}),
        ("spanish", "es", {"encoding": "windows-1252", "header_charset": "utf-8", "meta_charset": "utf-8"}),
    ):
        path = f"/charsets/{target}"
        beyond = (Anchor(f"{path}/next", "Next lesson"),)
        kind = "lying-charset" if language == "es" else "charset"
        title = TRANSLATIONS[language][0]
        site.page(path, title, kind, enter=True, language=language, links=beyond, size=2_500, **more)
        # Reachable only through the page before: its links survive its charset.
        site.page(f"{path}/next", f"After the {target} lesson", "charset-target")


def _files(site: _Collector) -> None:
    rows = "".join(f"{number},box {number},{1700 + number}\n" for number in range(200))
    boxes = json.dumps([{"box": number, "year": 1700 + number} for number in range(200)])
    pdf = (
        b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
        + bytes(range(256)) * 60
        + b"\ntrailer<</Root 1 0 R>>\n%%EOF\n"
    )
    svg = '<svg xmlns="http://www.w3.org/2000/svg"><a href="/from-an-svg"><rect width="9" height="9"/></a></svg>'
    for name, media_type, body in (
        ("annual-report.pdf", "application/pdf", pdf),
        ("seal.png", "image/png", _png()),
        ("boxes.json", "application/json", boxes.encode()),
        ("boxes.csv", "text/csv; charset=utf-8", ("number,name,year\n" + rows).encode()),
        ("seal.svg", "image/svg+xml", svg.encode()),
        (
            "readme.txt",
            "text/plain; charset=utf-8",
            b"Nothing here is a link: http://site08.localhost/from-plain-text\n",
        ),
        ("picture-called-html", "text/html", _png()),
        ("empty.html", "text/html; charset=utf-8", b""),
    ):
        site.add(f"/files/{name}", DemoAnswer(headers=(("Content-Type", media_type),), body=body), "file")
        site.enter(f"/files/{name}", f"Download {name}")
    site.page(
        "/files/index.bin",
        "A page called octet-stream",
        "mistyped",
        enter=True,
        media_type="application/octet-stream",
        header_charset=None,
    )


def _calendar(site: _Collector) -> None:
    site.enter("/calendar/2026/11", "Calendar")
    site.enter("/calendar/2026/12", "Next month")
    for month in (11, 12):
        page = calendar_page(site.layout, 2026, month)
        site.add(page.path, page, "calendar", "skipped: robots")


def calendar_page(layout: Layout, year: int, month: int) -> HtmlPage:
    """Make a month of the calendar, which leads to the months beside it, without end."""
    index = year * 12 + month - 1
    beside = tuple(
        Anchor(f"/calendar/{step // 12:04d}/{step % 12 + 1:02d}", f"{_MONTHS[step % 12]} {step // 12}")
        for step in (index - 1, index + 1, index + 12)
    )
    return layout.page(f"/calendar/{year:04d}/{month:02d}", f"{_MONTHS[month - 1]} {year}", links=beside, size=900)


def _choosy(site: _Collector) -> None:
    site.page("/vault/keys", "Where the keys hang", "private", "skipped: robots", enter=True)
    site.page("/vault/tour/start", "The tour starts here", "allowed", enter=True)
    archive = DemoAnswer(headers=(("Content-Type", "application/zip"),), body=b"PK\x05\x06" + bytes(18))
    site.add("/downloads/plans.zip", archive, "private", "skipped: robots")
    site.enter("/downloads/plans.zip", "Plans")
    site.add("/downloads/plans.zip?mirror=2", archive, "allowed")
    site.enter("/downloads/plans.zip?mirror=2", "Plans, second mirror")
    site.page("/exhibits/?sort=age", "Exhibits by age", "private", "skipped: robots", enter=True)


def _spellings(site: _Collector) -> None:
    host, port = site.layout.host.name, site.layout.port
    written = {
        "/paths/spaces-around": "  /paths/spaces-around\t",
        "/paths/line-break": "/paths/line-\nbreak",
        "/paths/upper-case-host": f"HTTP://{host.upper()}:{port}/paths/upper-case-host",
        "/paths/dots": "/huts/./and/../../paths/dots",
        "/paths/escaped-letter": "/%70aths/escaped-letter",
        "/~maria/": "/%7Emaria/",
        "/paths/query?from=1&to=2": "/paths/query?from=1&to=2",
        "/paths/no-scheme": f"//{host}:{port}/paths/no-scheme",
        "/paths/backslash": "\\paths\\backslash",
        "/paths/fragment": "/paths/fragment#summit",
        "/paths/a%20space": "/paths/a space",
        "/paths/caf%C3%A9": "/paths/café",
        "/paths/h%C3%BCtte": "/paths/h%c3%bctte",
        "/paths/?map=1": "?map=1",
        "/huts/by-path": "../huts/by-path",
        "/paths/userinfo": f"http://hiker@{host}:{port}/paths/userinfo",
    }
    links = [Anchor(href, f"Spelled as {href.strip()}") for href in written.values()]
    links += [
        Anchor("/~maria/", "Maria, plainly"),
        Anchor("", "This page"),
        Anchor("#", "Top"),
        Anchor("http://[1:2", "Broken"),
    ]
    site.page("/paths/", "Paths, oddly spelled", "spelling", enter=True, links=tuple(links))
    for target in written:
        site.page(target, f"Found at {target}", "spelling", size=1_200)
    base = '<base href="/sheets/north/">\n'
    sheets = (Anchor("one", "Sheet one"), Anchor("../south/two", "Sheet two"))
    site.page("/sheets-index", "Map sheets", "base", enter=True, head=base, links=sheets)
    # With a base even "#top" leads there, and not to the top of its own page.
    site.page("/sheets/north/", "All northern sheets", "base-target")
    site.page("/sheets/north/one", "Sheet one", "base-target")
    site.page("/sheets/south/two", "Sheet two", "base-target")


def _languages(site: _Collector) -> None:
    names = {"de": "Deutsch", "fr": "Français", "es": "Español", "ja": "日本語", "pl": "Polski"}
    alternates = "".join(f'<link rel="alternate" hreflang="{code}" href="/{code}/">\n' for code in names)
    for code, name in names.items():
        links = tuple(Anchor(f"/{code}/{number}", f"{name} {number}") for number in (1, 2, 3))
        site.page(f"/{code}/", name, "language", language=code, head=alternates, links=links, compressed=True)
        for number in (1, 2, 3):
            title = TRANSLATIONS[code][number]
            site.page(f"/{code}/{number}", title, "language", language=code, size=2_000 * number, compressed=True)
    site.enter("/de/", "Auf Deutsch")


def _nofollow(site: _Collector) -> None:
    for target in ("/login?next=/help/", "/register", "/report-abuse?post=12"):
        site.page(target, "Members only", "nofollow", "skipped: nofollow")
        site.enter(target, "Members only", "nofollow ugc")
    for path, more in (
        ("/rules", {"head": '<meta name="robots" content="nofollow">\n'}),
        ("/feedback", {"headers": (("X-Robots-Tag", "nofollow"),)}),
    ):
        hidden = f"{path}/drafts"
        site.page(path, f"The {path[1:]} page", "nofollow-page", enter=True, links=(Anchor(hidden, "Drafts"),), **more)
        site.page(hidden, "Drafts", "nofollow", "skipped: nofollow")
    # Meant for somebody else.
    tag = (("X-Robots-Tag", "otherbot: nofollow"),)
    inside = (Anchor("/lounge/inside", "Come in"),)
    site.page("/lounge", "The lounge", "nofollow-other", enter=True, headers=tag, links=inside)
    site.page("/lounge/inside", "Inside the lounge", "nofollow-other")


def _frames(site: _Collector) -> None:
    frameset = (
        '<!DOCTYPE html><html lang="en"><head><title>Studio in frames</title></head>\n'
        '<frameset cols="30%,70%"><frame src="/studio/left"><frame src="/studio/right"></frameset></html>\n'
    )
    site.page("/studio/frameset", "Studio in frames", "frames", enter=True, raw=frameset)
    embedded = '<iframe src="/studio/embedded" title="A map"></iframe>\n'
    site.page("/studio/iframe", "A page in a page", "frames", enter=True, insert=embedded)
    areas = (
        '<img src="/images/map.png" usemap="#m" alt="Map"><map name="m">'
        '<area href="/studio/north" shape="rect" coords="0,0,9,9" alt="North">'
        '<area href="south" shape="rect" coords="0,9,9,18" alt="South"></map>\n'
    )
    site.page("/studio/map", "Click the map", "frames", enter=True, insert=areas)
    refresh = '<meta http-equiv="refresh" content="0; url=/studio/arrived">\n'
    site.page("/studio/leaving", "You are being sent on", "refresh", "redirected", enter=True, head=refresh)
    for name in ("left", "right", "embedded", "north", "south", "arrived"):
        site.page(f"/studio/{name}", f"Studio, {name}", "frames-target")


def _thread(site: _Collector) -> None:
    count = 30
    site.enter("/diary", "Diary")
    for number in range(count):
        target = f"/diary?row={number}" if number else "/diary"
        head = f'<link rel="next" href="/diary?row={number + 1}">\n' if number + 1 < count else ""
        site.page(target, f"Diary, row {number}", "thread", head=head, size=1_500)


def _lost(site: _Collector) -> None:
    for number in range(10):
        site.page(f"/shelves/lost-{number}", "Not on the shelf", "missing", enter=True, status=404, size=300)
    site.page("/shelves/sold", "Sold", "gone", enter=True, status=410, size=300)
    site.page("/shelves/locked", "Behind glass", "forbidden", enter=True, status=403, size=300)


def _moved_home(site: _Collector) -> None:
    site.redirect("/", "/en/", 302)


def _annex(site: _Collector) -> None:
    # Only the seed of site20, which redirects here, leads to the annex: its own target is in scope.
    moved = f"http://{HOSTS[19].name}:{site.layout.port}{HOSTS[19].home}"
    rooms = [Anchor(f"/annex/room-{number}", f"Room {number}") for number in range(1, 7)]
    site.page("/annex/", "The observatory has moved here", "annex", links=(*rooms, Anchor(moved, "Its archive")))
    for room in rooms:
        site.page(room.href, room.text, "annex")


def _moved_away(site: _Collector) -> None:
    site.redirect("/", f"http://{HOSTS[18].name}:{site.layout.port}/annex/")


def _png() -> bytes:
    """Draw a grey square of 32 by 32 pixels (PNG specification, chunks IHDR, IDAT, IEND)."""
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", 32, 32, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress((b"\0" + b"\x99" * 32) * 32)),
        (b"IEND", b""),
    )
    parts = [
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


_SPECIAL: dict[int, Callable[[_Collector], None]] = {
    2: _redirects,
    3: _recovering,
    4: _closed,
    5: _slow,
    6: _unfinished,
    7: _charsets,
    8: _files,
    9: _calendar,
    10: _choosy,
    11: _spellings,
    12: _languages,
    13: _nofollow,
    15: _frames,
    16: _thread,
    17: _lost,
    18: _moved_home,
    19: _annex,
    20: _moved_away,
}
