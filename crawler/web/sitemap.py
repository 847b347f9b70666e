"""Sitemaps: the URLs that a site lists, in each of the forms in which sites list them.

| form | kind | taken |
| --- | --- | --- |
| XML `<urlset>` (https://www.sitemaps.org/protocol.html) | `urls` | `<loc>` and `<lastmod>` of each `<url>` |
| XML `<sitemapindex>` (same protocol) | `index` | the same of each `<sitemap>`: other sitemaps |
| RSS 2.0, RSS 1.0 (RDF) | `feed` | `<link>` of each `<item>`, else its permanent `<guid>` or `rdf:about` |
| Atom (RFC 4287) | `feed` | each `<link>` of an `<entry>` whose `rel` is `alternate` or absent |
| text | `text` | one URL a line |
| robots.txt, known by its URL | `robots` | its `Sitemap:` lines: other sitemaps |

The content decides, not the Content-Type. Each form may be gzip, which its first two bytes tell. XML may be in any
namespace or none; extensions (images, videos, news, languages) are left out.

The XML comes from strangers. It is read as a stream of whole tags, by libxml2's strict parser and its limits on depth,
sizes and amplification, with entities, DTDs and the network off. What is read is thrown away at once, and an
entry may be only so large, so memory does not follow the size of the file. Four common slips are mended on the way:
blanks before the XML declaration, bytes that do not fit the encoding, control characters, and an `&` that should have
been `&amp;`. By that last rule the name of an entity is only text, too, whatever a DTD says of it.
"""

import gc
import re
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import TYPE_CHECKING, Final, Literal

from msgspec import Struct

from crawler.web.robots import MAX_ROBOTS_BYTES, RobotsRules
from crawler.web.sitemap_text import BLANK, MAX_ENTRY_CHARS, SitemapBody, decoded, whole_tags
from crawler.web.urls import resolve, robots_url

if TYPE_CHECKING:
    from lxml.etree import _Element as Element

__all__ = [
    "MAX_SITEMAP_CHARS",
    "MAX_SITEMAP_URLS",
    "Entry",
    "Sitemap",
    "SitemapError",
    "SitemapKind",
    "read_sitemap",
]

MAX_SITEMAP_URLS: Final = 50_000
"""URLs that are taken from a sitemap (sitemaps.org)."""

MAX_SITEMAP_CHARS: Final = 16 << 20
"""Characters of all URLs taken from a sitemap: 335 for each of 50,000. Short relative ones may grow long."""

SitemapKind = Literal["index", "urls", "feed", "text", "robots"]
"""What was read. The entries of `index` and `robots` are sitemaps, the others pages."""

_LONG_ENTRY = f"an entry of more than {MAX_ENTRY_CHARS:,} characters"
# Twice as many as 50 MB hold of real entries with all their images; of junk there would be four times as many.
_MAX_TAGS = 3_000_000
# A collection takes 10 ms or so.
_WORTH_COLLECTING_BYTES = 1 << 20
_ROOTS: Final[dict[str, SitemapKind]] = {
    "urlset": "urls",
    "sitemapindex": "index",
    "rss": "feed",
    "RDF": "feed",
    "feed": "feed",
}
_ITEMS = {"urlset": "url", "sitemapindex": "sitemap", "rss": "item", "RDF": "item", "feed": "entry"}
_NAMES = tuple(f"{{*}}{name}" for name in dict.fromkeys((*_ROOTS, "channel", *_ITEMS.values())))
_LINE = re.compile(f"[^{BLANK}][^\r\n]*")
_HTTP = re.compile(r"https?:", re.IGNORECASE)
# https://www.w3.org/TR/NOTE-datetime
_W3C_DATETIME = re.compile(
    r"\d{4}(?:-(?:0[1-9]|1[0-2])(?:-(?:0[1-9]|[12]\d|3[01])"
    r"(?:T(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,12})?)?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d))?)?)?",
    re.ASCII,
)


class SitemapError(ValueError):
    """Not a sitemap.

    The message is one of a few, fit to be counted: `empty`, `broken gzip`, `broken XML`, `unknown XML` (well-formed,
    but its root element is none of ours), `neither XML nor a list of URLs`.
    """


class Entry(Struct, frozen=True, gc=False):
    """A URL that a sitemap lists.

    `url` is absolute, in normal form. `lastmod` is the time of its last change as written, None if there is none or it
    is no W3C date (`2026`, `2026-11`, `2026-11-22`, `2026-11-22T16:20Z`, also with seconds and fractions of them).
    """

    url: str
    lastmod: str | None = None


class Sitemap(Struct, frozen=True):
    """What `read_sitemap` found.

    `entries` are in the order of the file, duplicates included. `cut` is empty, or why not all was taken:
    `50,000 URLs`, `52,428,800 bytes`, `16,777,216 characters of URLs`, `an entry of more than 1,048,576 characters`,
    `3,000,000 tags`, `512,000 bytes of robots.txt`, `broken gzip`, `1,000 gzip members`, `broken XML at line N`,
    `an incomplete body`.
    """

    kind: SitemapKind
    entries: tuple[Entry, ...]
    cut: str = ""


def read_sitemap(body: bytes, url: str, content_type: str | None, *, truncated: bool = False) -> Sitemap:
    """Read a sitemap that came from `url`, to which relative URLs in it are resolved.

    `content_type` is the value of that header; only its charset counts, for XML without a byte-order mark (RFC 7303
    §3). `truncated` says that `body` is not all there was, so that its last line may be half a URL. What is no http(s)
    URL is left out. What stands before a limit or a fault is kept.

    Raises `SitemapError`, and nothing else, for what is not a sitemap. Costs 5 to 8 µs an entry; memory beside body and
    entries is a few megabytes.
    """
    pieces = SitemapBody(body, truncated=truncated)
    entries = _Entries(url)
    if url.partition("?")[0] == robots_url(url):
        _read_robots(pieces, entries)
        return Sitemap("robots", tuple(entries.found), entries.cut)
    texts = decoded(pieces, content_type)
    first = next(texts, "")
    if not first:
        raise SitemapError("broken gzip" if pieces.cut == "broken gzip" else "empty")
    texts = chain((first,), texts)
    if first[0] != "<":
        kind: SitemapKind = "text"
        _read_text(texts, pieces, entries)
    else:
        # lxml keeps each name it ever met in a table of the thread, for as long as the thread lives. In a thread of its
        # own, a file of a million names leaves nothing behind.
        with ThreadPoolExecutor(1) as thread:
            kind = thread.submit(_read_xml, texts, pieces, entries).result()
        if pieces.size > _WORTH_COLLECTING_BYTES:
            # A parser and its context refer to each other, and with them the tree and the table.
            gc.collect()
    return Sitemap(kind, tuple(entries.found), entries.cut)


class _Entries:
    """Collects what is found. `cut` tells why no more is taken, if so."""

    __slots__ = ("_left", "_room", "_url", "cut", "found")

    def __init__(self, url: str) -> None:
        self._url = url
        self._room = MAX_SITEMAP_URLS
        self._left = MAX_SITEMAP_CHARS
        self.found: list[Entry] = []
        self.cut = ""

    def add(self, href: str | None, lastmod: str | None = None) -> None:
        """Take an entry if there is room. One without a URL takes room, too: reading it cost the same time."""
        if self.cut:
            return
        if not self._room:
            self.cut = f"{MAX_SITEMAP_URLS:,} URLs"
            return
        self._room -= 1
        # Of nothing, or nothing but blanks, `resolve` would make the sitemap's own URL.
        url = resolve(self._url, href) if href and not href.isspace() else None
        if url is None:
            return
        self._left -= len(url)
        if self._left < 0:
            self.cut = f"{MAX_SITEMAP_CHARS:,} characters of URLs"
            return
        if lastmod is not None and _W3C_DATETIME.fullmatch(lastmod := lastmod.strip()) is None:
            lastmod = None
        self.found.append(Entry(url, lastmod))


def _read_robots(pieces: SitemapBody, entries: _Entries) -> None:
    body = b""
    cut = ""
    for piece in pieces:
        body += piece
        if len(body) > MAX_ROBOTS_BYTES:
            cut = f"{MAX_ROBOTS_BYTES:,} bytes of robots.txt"
            break
    if pieces.cut:  # the last line may be half of one
        cut = pieces.cut
        body = body[: body.rfind(b"\n") + 1]
    for value in RobotsRules.parse(body).sitemaps:
        entries.add(value)
    entries.cut = entries.cut or cut


def _read_text(texts: Iterator[str], pieces: SitemapBody, entries: _Entries) -> None:
    """Take the lines that are absolute URLs. The first one, but for comments (`#`), must be one."""
    is_list = False
    rest = ""
    ended = False
    while not ended and not entries.cut:
        text = next(texts, "")
        ended = not text
        rest += text
        end = len(rest) if ended and not pieces.cut else max(rest.rfind("\n"), rest.rfind("\r")) + 1
        for match in _LINE.finditer(rest, 0, end):
            href = match[0].rstrip(BLANK)
            if _HTTP.match(href) is not None:
                is_list = True
                entries.add(href)
            elif is_list or href[0] == "#":
                entries.add(None)
            else:
                raise SitemapError("neither XML nor a list of URLs")
        rest = rest[end:]
        if len(rest) > MAX_ENTRY_CHARS and not entries.cut:
            entries.cut = _LONG_ENTRY
    entries.cut = entries.cut or pieces.cut
    if not is_list:
        raise SitemapError("neither XML nor a list of URLs")


def _read_xml(texts: Iterator[str], pieces: SitemapBody, entries: _Entries) -> SitemapKind:
    """Take the entries of an XML document, and return its kind.

    The tree that lxml builds is kept small: after each piece, all children of the list but the last are thrown away.
    """
    from lxml import etree  # noqa: PLC0415 - most crawls read no sitemap

    # Nothing is left to a default: those of lxml have differed from one version and one parser class to the next.
    parser = etree.XMLPullParser(
        events=("start", "end"),
        tag=_NAMES,
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=False,
        recover=False,
        remove_comments=True,
        remove_pis=True,
    )
    document = _Document(entries)
    fault: etree.XMLSyntaxError | None = None
    waiting = tags = 0
    for piece in whole_tags(texts):
        try:
            parser.feed(piece)
        except etree.XMLSyntaxError as error:
            fault = error
        waiting = 0 if document.take(parser.read_events()) else waiting + len(piece)
        if waiting > MAX_ENTRY_CHARS and not entries.cut:
            entries.cut = _LONG_ENTRY
        tags += piece.count(b"<")
        if tags > _MAX_TAGS and not entries.cut:
            entries.cut = f"{_MAX_TAGS:,} tags"
        if fault is not None or document.ended or entries.cut:
            break
    else:
        try:
            parser.close()
        except etree.XMLSyntaxError as error:
            # Undeclared namespaces are told only now. They are no fault if the document has ended.
            fault = error
        document.take(parser.read_events())
        if not document.ended and not entries.cut:
            entries.cut = pieces.cut
    if document.root is None:
        raise SitemapError("unknown XML" if fault is None else "broken XML")
    if not document.ended and not entries.cut:
        entries.cut = f"broken XML at line {fault.lineno if fault is not None else 1}"
    return _ROOTS[_last(str(document.root.tag))]


class _Document:
    """What is known of an XML document under way: its root, the element whose children are the entries, its end."""

    def __init__(self, entries: _Entries) -> None:
        self._entries = entries
        self._list: Element | None = None
        self._item = ""
        self._is_feed = False
        # Of the entry met last: its tag, and those of its parts, in the same namespace. Extensions have others.
        self._tag = self._loc_tag = self._lastmod_tag = ""
        self.root: Element | None = None
        self.ended = False

    def take(self, events: Iterable[tuple[str, "Element"]]) -> bool:
        """Follow the parser, and take each entry that has ended. Returns whether there was one."""
        found = False
        for event, element in events:
            if event == "start":
                if self._list is None:
                    self._find_list(element)
            elif element is self.root:
                self.ended = True
            elif self._list is not None and element.getparent() is self._list and self._is_entry(element):
                found = True
                if self._is_feed:
                    hrefs, lastmod = _feed_entry(element)
                    for href in hrefs:
                        self._entries.add(href, lastmod)
                else:
                    self._take_url(element)
        if self._list is not None and not self.ended:
            # Never the last one: the parser may still be in it.
            del self._list[:-1]
        return found

    def _is_entry(self, element: "Element") -> bool:
        if element.tag == self._tag:
            return True
        tag = str(element.tag)
        if _last(tag) != self._item:
            return False
        namespace = tag[: -len(self._item)]
        self._tag, self._loc_tag, self._lastmod_tag = tag, namespace + "loc", namespace + "lastmod"
        return True

    def _take_url(self, element: "Element") -> None:
        loc = lastmod = None
        for child in element:
            if loc and lastmod:
                break
            if child.tag == self._loc_tag:
                loc = loc or child.text
            elif child.tag == self._lastmod_tag:
                lastmod = child.text
        self._entries.add(loc, lastmod)

    def _find_list(self, element: "Element") -> None:
        parent = element.getparent()
        name = _last(str(element.tag))
        if parent is None and name in _ROOTS:
            self.root = element
            self._item = _ITEMS[name]
            self._is_feed = _ROOTS[name] == "feed"
            if name != "rss":
                self._list = element
        elif parent is not None and parent is self.root and name == "channel":
            self._list = element


def _feed_entry(element: "Element") -> tuple[Sequence[str | None], str | None]:
    """URLs (None: there is none) and time of change of an `<item>` or `<entry>`."""
    namespace = str(element.tag).rpartition("}")[0]
    links: list[str] = []
    guid = lastmod = None
    for child in element:
        tag = child.tag
        if not isinstance(tag, str):  # an entity that a DTD declares
            continue
        space, _, name = tag.rpartition("}")
        if name == "link" and space == namespace:
            href = child.get("href", child.text)
            if href and not href.isspace() and child.get("rel", "alternate") == "alternate":
                links.append(href)
        elif name == "guid" and child.get("isPermaLink", "true") == "true" and _HTTP.match((child.text or "").strip()):
            guid = child.text
        elif name in {"updated", "date"} or (name in {"published", "pubDate"} and lastmod is None):
            lastmod = child.text
    if links or guid:
        return links or (guid,), lastmod
    # By names: lxml looks for each value among all attributes.
    about = next((name for name in element.attrib if _last(str(name)) == "about"), None)
    return (None if about is None else element.get(about),), lastmod


def _last(name: str) -> str:
    return name.rpartition("}")[2]
