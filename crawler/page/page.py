"""What a spider gets: an answer of a server, and everything that can be read from it. Pure.

Nothing is computed before it is asked for, and each thing at most once. Three trees can be had: `document` (turbohtml,
the fast one: `css`, `xpath`), `tree` (lxml) and `soup` (BeautifulSoup). They belong to the spider, which may change
them: `links`, `title`, `record()` and the other values say what the page said. `docs/page.md` lists shapes and costs.
"""

import copy
import re
from collections.abc import Iterable, Mapping
from io import StringIO
from typing import TYPE_CHECKING, Any, Self

import msgspec
from turbohtml import Document, Element, HTMLParseError, Node, parse_xml

from crawler.core.model import Answer, Download, SeedContext, Task
from crawler.core.record import DEFAULT_FIELDS, RecordMaker
from crawler.page.html import without_controls
from crawler.page.main_part import main_markdown, main_text
from crawler.page.microdata import microdata_of
from crawler.page.once import once
from crawler.page.query_encoding import with_encoded_query
from crawler.page.raw_page import NotJsonError, RawPage
from crawler.page.tables import tables_of
from crawler.page.values import Article, Feed, FeedEntry, Follow, Microdata
from crawler.web.urls import normalise, url_key

if TYPE_CHECKING:
    from bs4 import BeautifulSoup
    from lxml.html import HtmlElement

__all__ = ["Follow", "NotJsonError", "Page"]

_FEED_START = re.compile(r"<(?:rss|feed|\w+:(?:RDF|feed))[\s>]")
_FEED_START_CHARS = 4096
# Where the elements of a page keep the URL that they lead to.
_REFERENCES = ("href", "src", "action", "data", "xlink:href")
_default = RecordMaker(DEFAULT_FIELDS)


class Page(RawPage):
    """An answer of a server, as a spider sees it. All attributes are read-only and computed when first asked for.

    Its arguments are those of `RawPage`. Its state is what was read so far. It belongs to one thread.
    """

    @classmethod
    def from_html(
        cls,
        html: str | bytes,
        url: str = "http://example.com/",
        *,
        status: int = 200,
        headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        depth: int = 0,
        parent: str | None = None,
        redirected_from: tuple[str, ...] = (),
        seed: dict[str, Any] | SeedContext | None = None,
        lastmod: str = "",
        fetched_at: float = 0.0,
        body_bytes: int | None = None,
        truncated: bool = False,
    ) -> Self:
        """Return a page without a server, for tests of spiders.

        Everything but `html` is optional, and means what the attribute of the same name says. `headers` are a mapping
        or pairs, with a Content-Type of HTML unless one is among them; `seed` is the dict of the seed's extra columns,
        `fetched_at` unix time, `body_bytes` the length of the body. Raises `UrlError` for what is not an http(s) URL.
        """
        body = html.encode("utf-8", "replace") if isinstance(html, str) else html
        pairs = headers.items() if isinstance(headers, Mapping) else headers
        lower = tuple((name.lower(), value) for name, value in pairs)
        if not any(name == "content-type" for name, _ in lower):
            lower += (("content-type", "text/html; charset=utf-8" if isinstance(html, str) else "text/html"),)
        normal = normalise(url)
        if not isinstance(seed, SeedContext):
            seed = SeedContext(0, (normal,), msgspec.json.encode(seed))
        task = Task(url_key(normal), normal, depth, parent, redirected_from, attempts=0, seed=seed, lastmod=lastmod)
        answer = Answer(status, lower, body, len(body) if body_bytes is None else body_bytes, truncated)
        return cls(Download(task, answer, fetched_at))

    # Trees.

    @once
    def document(self) -> Document:
        """The page as turbohtml's tree, which a browser without scripts would build; of other texts, too.

        Without a body it is an empty page. Costs 70 µs, and `css` and `xpath` on it a few µs each: for a page of 7 KB
        with 236 tags, as all costs that are named here.
        """
        return copy.deepcopy(self._parsed)

    def css(self, selector: str) -> list[Element]:
        """Return the elements that a CSS selector matches, in page order. Raises `ValueError` for one that is none."""
        return self.document.select(selector)

    def css_first(self, selector: str) -> Element | None:
        """Return the first element that a CSS selector matches. Raises `ValueError` for one that is none."""
        return self.document.select_one(selector)

    def xpath(self, expression: str) -> list[Node | str] | float | bool | str:
        """Return what an XPath 1.0 expression finds: nodes and texts in page order, or one number, boolean or text.

        Raises `ValueError` for an expression that is none.
        """
        return self.document.xpath(expression)

    def xpath_first(self, expression: str) -> Node | str | float | bool | None:
        """Return the first of what `xpath` returns. Raises `ValueError` for an expression that is none."""
        return self.document.xpath_one(expression)

    @once
    def tree(self) -> "HtmlElement":
        """The page as lxml's tree: its root element, `<html>`. Of an empty page that is an empty one.

        Where elements are nested more than 2,000 deep, libxml2 leaves out the rest of the page. If a tag of a page over
        32 KB has more than 256 attributes, these count. Costs 140 µs.
        """
        from crawler.page.lxml_tree import tree_of  # noqa: PLC0415 - lxml takes 10 ms, and most crawls need it not

        return tree_of(self._markup, self.url)

    @once
    def soup(self) -> "BeautifulSoup":
        """The page as BeautifulSoup's tree, built by lxml's parser. Costs 2.2 ms, more than all others together."""
        from bs4 import BeautifulSoup  # noqa: PLC0415 - 40 ms, and most crawls need it not

        # What begins like XML would raise a warning, which is for people who choose the parser.
        markup = "\n" + self._markup if self._markup.startswith("<?xml") else self._markup
        # From a file, BeautifulSoup does not warn that a short text looks like the name of one.
        return BeautifulSoup(StringIO(markup), "lxml", huge_tree=True)

    def record(self) -> dict[str, Any]:
        """Return the page's record, as a crawl without a spider writes it: the fields of `DEFAULT_FIELDS`.

        A new dict each time, so a spider may add to it: `{**page.record(), "price": 3}`. It does not look at `noindex`,
        with which a crawl without a spider leaves out what the page says.
        """
        return _default.record(self)

    # What the page says about itself.

    @once
    def meta(self) -> dict[str, str]:
        """Content of each `<meta>` by its `name` or `property`, in lower case; of equal names the first one counts."""
        found: dict[str, str] = {}
        for element in self._pristine.iter_elements("meta"):
            name = (element.attr("name") or element.attr("property") or "").strip().lower()
            content = element.attr("content")
            if name and content is not None:
                found.setdefault(name, without_controls(content).strip())
        return found

    @once
    def open_graph(self) -> dict[str, str]:
        """The `og:` properties (https://ogp.me) without that prefix, URLs absolute; of equal names the first counts."""
        return dict(self._pristine.opengraph(self._base))

    @once
    def json_ld(self) -> tuple[Any, ...]:
        """Every `<script type="application/ld+json">` that is JSON, in page order."""
        return tuple(self._pristine.json_ld())

    @once
    def microdata(self) -> tuple[Microdata, ...]:
        """The items of HTML Microdata that are in no other item, in page order; none if they nest hundreds deep.

        Where all of a page's `itemref` have more than 1,000 references, or bring more than 100,000 properties, none is
        followed; a page with more than 2,000 names of properties has none.
        """
        return microdata_of(self._pristine, self._base)

    @once
    def tables(self) -> tuple[tuple[tuple[str, ...], ...], ...]:
        """Every `<table>` as rows of cells of text, in page order; one that lies in another comes after it.

        All rows of a table have the same length: a cell that spans several stands in each column, and missing ones are
        empty. Rows with which the tables of a page would have more than 2,000,000 places for cells are left out.
        """
        return tables_of(self._pristine)

    @once
    def article(self) -> Article:
        """The main part of the page, and what the page says about it. Costs 250 µs."""
        found = self._pristine.article()
        return Article(
            text=self.main_text,
            title=found.title,
            byline=found.byline,
            date=found.date,
            description=found.description,
            language=found.lang,
            canonical=self._absolute(found.canonical),
            site_name=found.site_name,
            image=self._absolute(found.image),
            tags=found.tags,
        )

    @once
    def main_text(self) -> str:
        """Text of the main part of the page, without menus and the like, one block a line. 170 µs."""
        return main_text(self._pristine)

    @once
    def markdown(self) -> str:
        """The main part of the page as Markdown, links absolute. 190 µs."""
        return main_markdown(self._pristine, self._base)

    @once
    def feed(self) -> Feed | None:
        """The page as a feed: RSS 2.0, Atom or RDF (RSS 1.0), whatever its type says; None if it is none."""
        if _FEED_START.search(self.text[:_FEED_START_CHARS]) is None:
            return None
        try:
            found = parse_xml(self.text).feed()
        except HTMLParseError:
            found = self._parsed.feed()
        if found is None:
            return None
        entries = tuple(
            FeedEntry(
                title=entry.title,
                link=self._absolute(entry.link),
                id=entry.id,
                published=entry.published,
                updated=entry.updated,
                author=entry.author,
                summary=entry.summary,
                content=entry.content if isinstance(entry.content, str) else None,
            )
            for entry in found.entries
        )
        return Feed(found.type, found.title, self._absolute(found.link), found.description, found.updated, entries)

    # Where it leads.

    def urljoin(self, href: str) -> str | None:
        """Return the absolute URL, in normal form, that `href` means on this page; None if it is not an http(s) URL.

        Relative to the page's `<base href>`, else to its URL; session parameters are left out, as from all links,
        and a query is percent-encoded in the page's encoding.
        """
        encoding = (self.charset if self.is_html else None) or "utf-8"
        return self._resolver.resolve(self._base, with_encoded_query(href, encoding))

    def follow(self, *targets: Any, css: str | None = None, xpath: str | None = None) -> Follow:
        """Return links to be followed: a spider yields it. Without any argument, all links of the page.

        Each of `targets` is a URL, relative or not; an element of any of the trees, of which `href`, `src`, `action`,
        `data` or `xlink:href` counts, the first that it has; None, which is nothing; or an iterable of these. `css`
        selects elements, `xpath` elements or attributes. What is not an http(s) URL is left out, and so is a link
        into the page itself. Raises `ValueError` for a selector that is none, `TypeError` for anything else.
        """
        if not targets and css is None and xpath is None:
            return Follow(self.links, everything=True)
        found: list[Any] = list(targets)
        if css is not None:
            found.append(self.css(css))
        if xpath is not None:
            found.append(self.xpath(xpath))
        urls = map(self._link, _references(found))
        return Follow(tuple(dict.fromkeys(url for url in urls if url is not None)))

    # How it is done.

    def _bytes_to_parse(self) -> bytes:
        # As they came: a spider looks into scripts and attributes, where a break would be part of the text.
        return self._read_bytes

    def _before_reading(self) -> None:
        if next(self._parsed.iter_elements("template"), None) is not None:
            _ = self.document  # copied now: templates are part of it, and reading takes them out

    def _tree_for_text(self) -> Document:
        return copy.deepcopy(self._parsed)

    @property
    def _pristine(self) -> Document:
        """The page's own tree, always without the templates that reading takes out."""
        _ = self.extracted
        return self._parsed

    @property
    def _base(self) -> str:
        return self.url if self.extracted is None else self.extracted.base

    def _link(self, href: str) -> str | None:
        # A link into the page itself is none, as among its `links`.
        if (not href or href[0] == "#") and self._base == self.url:
            return None
        return self.urljoin(href)

    def _absolute(self, href: str | None) -> str | None:
        return None if href is None else self.urljoin(href) or href


def _references(target: Any) -> Iterable[str]:
    """Give the references in what `follow` takes."""
    if target is None:
        return
    if isinstance(target, str):
        yield target
    elif callable(get := target.attr if isinstance(target, Element) else getattr(target, "get", None)):
        href = next((value for name in _REFERENCES if isinstance(value := get(name), str)), None)
        if href is not None:
            yield href
    elif isinstance(target, Iterable) and not isinstance(target, bytes):
        for one in target:
            yield from _references(one)
    else:
        raise TypeError(f"follow: {type(target).__name__} is not a URL, element or iterable of them")
