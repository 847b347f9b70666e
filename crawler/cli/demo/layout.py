"""How a host of the demo site is laid out: its menus and the ordinary pages that every host has."""

import posixpath
import re
from collections.abc import Iterator
from functools import cache
from typing import Any
from xml.sax.saxutils import escape

from msgspec import Struct

from crawler.cli.demo.answer import Answer
from crawler.cli.demo.hosts import HOSTS, DemoHost
from crawler.cli.demo.page import Anchor, HtmlPage
from crawler.cli.demo.prose import PEOPLE, Prose
from crawler.cli.demo.resource import Resource

__all__ = ["Article", "Layout", "articles"]

_PER_INDEX_PAGE = 8


class Article(Struct, frozen=True):
    """One article of a host: its place in the list of all, and where it stands."""

    number: int
    section: str
    title: str
    path: str


@cache
def articles(host: DemoHost) -> tuple[Article, ...]:
    """List a host's articles, section by section."""
    prose = Prose(host)
    listed: list[Article] = []
    for section in host.sections:
        for _ in range(host.articles):
            number = len(listed)
            title = prose.title(f"article {number}")
            listed.append(Article(number, section, title, f"/{section}/{_slug(title)}-{number:03d}"))
    return tuple(listed)


class Layout:
    """Builds the pages of one host. Holds only what follows from the host and the port; nothing changes."""

    def __init__(self, host: DemoHost, port: int) -> None:
        self.host = host
        self.origin = _origin(host, port)
        self.prose = Prose(host)
        self.articles = articles(host)
        self.port = port
        neighbour = HOSTS[host.number % len(HOSTS)]
        self._neighbour = (_origin(neighbour, port), articles(neighbour))
        self._nav = tuple(self._menu())
        self._footer = tuple(self._below())

    def page(self, path: str, title: str, *, links: tuple[Anchor, ...] = (), **more: Any) -> HtmlPage:
        """Make a page with this host's menus; `links` are listed under "See also", `more` as in `HtmlPage`."""
        return HtmlPage(path=path, title=title, related=links, nav=self._nav, **{"footer": self._footer, **more})

    def pages(self, entrances: tuple[Anchor, ...]) -> Iterator[Resource]:
        """Give the ordinary resources; `entrances` are links that home and about pages carry besides."""
        yield from self._standing(entrances)
        for article in self.articles:
            yield from self._article(article)
        for section in self.host.sections:
            yield from self._index(section)
        yield from self._topics()
        yield from self._machine_readable()

    def _menu(self) -> Iterator[Anchor]:
        host = self.host
        # Three ways of writing the same link, so that joining is not always the easy case.
        start = self.origin if host.number % 3 == 2 else ""
        yield Anchor(f"{start}{host.home}", host.title)
        for section in host.sections:
            yield Anchor(f"{start}/{section}/", section.capitalize())
        for name in ("about", "contact", "imprint"):
            yield Anchor(f"{start}/{name}", name.capitalize())
        for thing in host.things:
            yield Anchor(f"{start}/topics/{_slug(thing)}/", f"All about the {thing}")
        for person in PEOPLE:
            yield Anchor(f"{start}/people/{_slug(person)}", person)
        for article in self.articles[:: max(1, len(self.articles) // (4 + host.number))]:
            yield Anchor(f"{start}{article.path}", article.title)

    def _below(self) -> Iterator[Anchor]:
        number = self.host.number
        for sister in HOSTS if number % 2 else HOSTS[:6]:
            if sister.number != number:
                yield Anchor(f"{_origin(sister, self.port)}/", sister.title)
        yield Anchor("/feed.xml", "News feed")
        if number % 4 == 1:
            yield Anchor("/sitemap.xml", "Sitemap")
        yield Anchor(f"mailto:desk@{self.host.name}", "Write to us")
        yield Anchor("tel:+441632960961", "Call us")
        yield Anchor("javascript:window.print()", "Print")
        yield Anchor("#top", "Back to top")

    def _standing(self, entrances: tuple[Anchor, ...]) -> Iterator[Resource]:
        host = self.host
        outside = Anchor(f"https://www.example.com/partners/{host.number:02d}", "Our partners")
        recent = tuple(Anchor(article.path, article.title) for article in self.articles[:20])
        home = self.page(
            host.home,
            host.title,
            description=f"{host.title}: what is new, what is old and where to find us.",
            links=(*entrances, *recent, outside),
            head=self._feed_link(),
            size=6_000,
        )
        yield Resource(target=host.home, content=home, kind="home")
        for name in ("about", "contact", "imprint"):
            title = f"{name.capitalize()} — {host.title}"
            links = (*entrances, outside) if name == "about" else (Anchor("about#notes", "About us"),)
            page = self.page(f"/{name}", title, links=links, size=2_000)
            yield Resource(target=f"/{name}", content=page, kind="standing")

    def _article(self, article: Article) -> Iterator[Resource]:
        host, number, count = self.host, article.number, len(self.articles)
        near = [self.articles[(number + step) % count] for step in (1, -1, 7, 19, 31)]
        links = [self._link(article.path, other) for other in near]
        links.append(Anchor(f"{links[0].href}#notes", "Notes on the next article"))
        links.append(Anchor("./", f"More {article.section}"))
        if number % 5 == 0:
            there, theirs = self._neighbour
            other = theirs[number % len(theirs)]
            links.append(Anchor(there + other.path, other.title))
        if number == 2:
            links.append(Anchor("/no-longer-here", "An older version"))
            page = self.page("/no-longer-here", "Not found", status=404, size=400)
            yield Resource(target="/no-longer-here", content=page, kind="missing")
        canonical = None
        if host.number % 5 == 0 and number < 4:
            canonical = self._neighbour[0] + self._neighbour[1][number].path
        elif host.number % 2:
            canonical = article.path
        printed = f"{article.path}?view=print"
        if host.number == 1 and number % 4 == 0:
            links.append(Anchor("?view=print", "Print this page"))
            page = self.page(printed, article.title, canonical=article.path, size=2_500, footer=())
            yield Resource(target=printed, content=page, kind="print")
        page = self.page(
            article.path,
            article.title,
            description=f"{article.title}, told in {article.section} of {host.title}.",
            author=self.prose.author(article.path),
            canonical=canonical,
            links=tuple(links),
            size=_size(host.number * 1_000 + number),
            compressed=host.number == 12,
        )
        yield Resource(target=article.path, content=page, kind="article")

    def _link(self, here: str, article: Article) -> Anchor:
        href = article.path
        if self.host.number % 3 == 1:
            href = posixpath.relpath(href, posixpath.dirname(here))
        return Anchor(href, article.title)

    def _index(self, section: str) -> Iterator[Resource]:
        listed = [article for article in self.articles if article.section == section]
        pages = [listed[start : start + _PER_INDEX_PAGE] for start in range(0, len(listed), _PER_INDEX_PAGE)]
        for number, part in enumerate(pages, 1):
            links = [self._link(f"/{section}/", article) for article in part]
            head = ""
            if number > 1:
                before = "./" if number == 2 else f"?page={number - 1}"
                head += f'<link rel="prev" href="{before}">\n'
                links.append(Anchor(before, "Newer"))
            if number < len(pages):
                head += f'<link rel="next" href="?page={number + 1}">\n'
                links.append(Anchor(f"?page={number + 1}", "Older"))
            target = f"/{section}/" if number == 1 else f"/{section}/?page={number}"
            title = f"{section.capitalize()}, page {number} — {self.host.title}"
            page = self.page(target, title, links=tuple(links), head=head, size=1_200)
            yield Resource(target=target, content=page, kind="index")

    def _topics(self) -> Iterator[Resource]:
        things, count = self.host.things, len(self.articles)
        for number, thing in enumerate(things):
            path = f"/topics/{_slug(thing)}/"
            links = tuple(self._link(path, self.articles[index]) for index in range(number % count, count, len(things)))
            page = self.page(path, f"All about the {thing}", links=links, size=1_500)
            yield Resource(target=path, content=page, kind="topic")
        for person in PEOPLE:
            path = f"/people/{_slug(person)}"
            links = tuple(Anchor(a.path, a.title) for a in self.articles if self.prose.author(a.path) == person)
            yield Resource(target=path, content=self.page(path, person, links=links, size=900), kind="person")

    def _machine_readable(self) -> Iterator[Resource]:
        items = "".join(
            f"<item><title>{escape(article.title)}</title><link>{self.origin}{article.path}</link></item>\n"
            for article in self.articles[:20]
        )
        feed = (
            '<?xml version="1.0"?>\n'
            f'<rss version="2.0"><channel><title>{self.host.title}</title>\n{items}</channel></rss>\n'
        )
        content = Answer(headers=(("Content-Type", "application/rss+xml"),), body=feed.encode())
        yield Resource(target="/feed.xml", content=content, kind="feed")
        paths = [self.host.home, "/about", *(f"/{section}/" for section in self.host.sections)]
        paths += [article.path for article in self.articles]
        urls = "".join(f"<url><loc>{self.origin}{path}</loc></url>\n" for path in paths)
        sitemap = (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{urls}</urlset>\n'
        )
        content = Answer(headers=(("Content-Type", "application/xml"),), body=sitemap.encode())
        linked = self.host.number % 4 == 1
        yield Resource(target="/sitemap.xml", content=content, kind="sitemap", outcome="fetched" if linked else "")

    def _feed_link(self) -> str:
        return '<link rel="alternate" type="application/rss+xml" href="/feed.xml">\n'


def _origin(host: DemoHost, port: int) -> str:
    return f"http://{host.name}:{port}"


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _size(number: int) -> int:
    """Spread page sizes as on real sites: most are small, one in eight is long."""
    spread = number * 7_919 % 1_000
    if number % 8 == 3:
        return 25_000 + spread * 25
    return 2_000 + spread * 11
