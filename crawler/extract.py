"""What an HTML page says: bytes in, page fields and links out. The only module that knows turbohtml.

Nothing here raises, whatever the bytes are. Parsing follows the WHATWG HTML Standard, so the tree is the one that a
browser without scripts builds; its text is what a reader of that tree sees.
"""

import re

from msgspec import Struct
from turbohtml import Document, Element, Namespace, PlainText, Text, parse

from crawler.urls import LinkResolver

__all__ = ["MAX_LINKS", "MAX_LINKS_CHARS", "Extracted", "extract", "is_html", "media_type", "without_controls"]

MAX_LINKS = 10_000
"""Most links that are taken from one page."""

MAX_LINKS_CHARS = 4_000_000
"""Most characters that the links of one page have together: a long `<base href>` makes each short link a long URL."""

_LINK_TAGS = ("a", "area", "frame", "iframe", "link", "base", "meta", "title", "template")
_FOLLOWED_RELATIONS = frozenset({"next", "prev", "canonical", "alternate"})

# What no reader sees, or what a page is not about: form values, fall-backs of embedded things, tooltips of drawings.
_UNSEEN_TAGS = (
    "audio",
    "canvas",
    "datalist",
    "desc",
    "dialog",
    "iframe",
    "metadata",
    "noembed",
    "noframes",
    "noscript",
    "object",
    "script",
    "select",
    "style",
    "template",
    "textarea",
    "title",
    "video",
)
_HIDDEN_STYLE = re.compile(r"(?:^|;)\s*display\s*:\s*none\b", re.IGNORECASE)
# Elements that a browser shows as blocks and turbohtml's text renderer does not, or only with a layout of its own: it
# sets tables as a grid, which takes rows x columns bytes, and drops what stands in a list outside an item.
_BLOCK_TAGS = (
    "blockquote",
    "caption",
    "center",
    "dialog",
    "dir",
    "fieldset",
    "form",
    "hgroup",
    "hr",
    "legend",
    "listing",
    "menu",
    "ol",
    "search",
    "table",
    "tbody",
    "tfoot",
    "thead",
    "tr",
    "ul",
    "xmp",
)
_CELL_TAGS = ("td", "th")
# Stands before a cell until the text is rendered. A noncharacter of Unicode §23.7, which no page has any use for.
_CELL_MARK = "\ufdd0"
_PLAIN_TEXT = PlainText(layout="strict")

# C0 but tab and line feed, DEL, C1 and lone surrogates.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_ASCII_CONTROLS = {code: None for code in (*range(0x20), 0x7F) if code not in {0x09, 0x0A}}
_NO_BREAK_SPACES = re.compile("\xa0[\xa0 ]*")

_CHARSET = re.compile(r"""charset\s*=\s*["']?([^\s;"',]+)""", re.IGNORECASE)
_SNIFF_BYTES = 1024
_HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})
_SNIFFED_TYPES = frozenset(
    {"", "*/*", "application/octet-stream", "application/xml", "text/plain", "text/xml", "unknown/unknown"}
)
# WHATWG MIME Sniffing §7.1, without the tags that text which is no page may well start with.
_HTML_START = re.compile(
    rb"\s*(?:<\?xml[^>]*>\s*)?(?>(?:<!--.*?-->\s*)*)<(?:!doctype\s+html|html|head|body|title|meta|script|iframe|h1|div|table)[\s/>]",
    re.IGNORECASE | re.DOTALL,
)
# WHATWG MIME Sniffing §6.1-6.4 and §7.1: what calls itself text/html and is certainly something else.
_NOT_HTML = (
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff",
    b"GIF87a",
    b"GIF89a",
    b"BM",
    b"\x00\x00\x01\x00",
    b"%PDF-",
    b"%!PS-Adobe-",
    b"\x1f\x8b\x08",
    b"PK\x03\x04",
    b"Rar \x1a\x07\x00",
    b"7z\xbc\xaf\x27\x1c",
    b"OggS\x00",
    b"ID3",
    b"\x1a\x45\xdf\xa3",
    b"wOFF",
    b"wOF2",
    b"\x7fELF",
    b"\x00asm",
)
# Share of a body that is looked at when a few wrong bytes keep it from being UTF-8.
_REPAIR_BYTES = 65_536


class Extracted(Struct, frozen=True):
    """What one page says. Texts hold no control characters and are None where the page says nothing.

    `charset` is the WHATWG label (lower case) of the encoding that the page was read with. `title`, `description` and
    `language` (a BCP 47 tag as written) are as the page gives them, white space collapsed. `canonical` is an absolute
    URL in normal form. `text` is the visible text, one block a line, cells of a table row parted by a tab; None unless
    asked for. `hrefs` are (URL in normal form, nofollow) in page order, each URL once; nofollow means that every link
    to it says `rel=nofollow`. `dropped_hrefs` counts link elements that were not looked at because of `MAX_LINKS`
    (which also bounds references that are no http(s) URL) or `MAX_LINKS_CHARS`. `meta_robots` joins the contents of all
    `<meta name=robots>` with ", ".
    """

    charset: str | None
    title: str | None
    description: str | None
    language: str | None
    canonical: str | None
    text: str | None
    hrefs: list[tuple[str, bool]]
    dropped_hrefs: int
    meta_robots: str | None


def media_type(content_type: str | None) -> str | None:
    """Return the media type of a Content-Type value, lower case and without parameters; None if there is none."""
    if content_type is None:
        return None
    return without_controls(content_type.partition(";")[0]).strip().lower() or None


def is_html(content_type: str | None, body: bytes) -> bool:
    """Whether a body is to be read as HTML, by its Content-Type value and its first 1024 bytes.

    text/html and XHTML are, unless the bytes are known to be something else (an image, an archive). Bytes of no type,
    of a type that says nothing (`application/octet-stream`, `text/plain`) or of plain XML are if they begin like a
    page.
    """
    kind = media_type(content_type) or ""
    if kind in _HTML_TYPES:
        return not body.startswith(_NOT_HTML) and not (
            body[:4] == b"RIFF" and body[8:12] in {b"WEBP", b"WAVE", b"AVI "}
        )
    if kind not in _SNIFFED_TYPES:
        return False
    start = body[:_SNIFF_BYTES]
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        start = start[2:].replace(b"\0", b"")
    return _HTML_START.match(start.removeprefix(b"\xef\xbb\xbf")) is not None


def extract(body: bytes, url: str, content_type: str | None, resolver: LinkResolver, want: frozenset[str]) -> Extracted:
    """Read one HTML page. Never raises.

    `body` is the page without its Content-Encoding, `url` where it was found (normal form), `content_type` the value of
    that header. The encoding is the first of: byte-order mark, `charset` of the header if it is a known label,
    `<meta>`, a guess. `want` names the fields to compute: without "text" in it, `text` is None; the others cost
    nothing.

    Links are `href` of `a` and `area`, `src` of `frame` and `iframe`, `link` with rel next, prev, canonical or
    alternate (not of style sheets), and the target of a meta refresh; relative to the first `<base href>`. A link to a
    place in the page itself (`#top`) is none; nor is what a `<template>` holds.
    """
    document = _parsed(body, content_type)
    reader = _Reader(document, url, resolver)
    reader.read()
    encoding = document.encoding
    return Extracted(
        charset=None if encoding is None else encoding.lower(),
        title=reader.title,
        description=reader.description or reader.og_description,
        language=_language(document) or reader.content_language,
        canonical=reader.canonical,
        text=_visible_text(document) if "text" in want else None,
        hrefs=list(reader.found.items()),
        dropped_hrefs=reader.dropped,
        meta_robots=", ".join(reader.robots) or None,
    )


def without_controls(text: str) -> str:
    """Return `text` without what has no place in a record or on a terminal.

    Dropped are the C0 controls but tab and line feed, DEL, the C1 controls and lone surrogates.
    """
    # By measurement: translate is fast on ASCII alone, a search is faster than a substitution that finds nothing.
    if text.isascii():
        return text.translate(_ASCII_CONTROLS)
    return _CONTROLS.sub("", text) if _CONTROLS.search(text) else text


def _parsed(body: bytes, content_type: str | None) -> Document:
    label = _CHARSET.search(content_type) if content_type else None
    if label is not None:
        try:
            return parse(body, encoding=label[1], positions=False)
        except (LookupError, UnicodeError):
            pass  # not a label of the Encoding Standard: as if the header said nothing
    document = parse(body, detect_encoding=True, positions=False)
    if document.encoding_confidence == "tentative" and document.encoding != "UTF-8" and _nearly_utf8(body):
        return parse(body, encoding="utf-8", positions=False)
    return document


def _nearly_utf8(body: bytes) -> bool:
    """Whether a body that is not valid UTF-8 is so only for some bytes: cut in a character, or pasted from elsewhere.

    Text of a legacy encoding hardly ever makes a valid sequence, so four of them to one fault are no chance.
    """
    text = body[:_REPAIR_BYTES].decode("utf-8", "replace")
    faults = text.count("\ufffd")
    sequences = len(text) - len(text.encode("ascii", "ignore")) - faults
    return sequences > 4 * faults


class _Reader:
    """One pass over a document's tree. Its attributes are what was found so far."""

    def __init__(self, document: Document, url: str, resolver: LinkResolver) -> None:
        self._document = document
        self._resolver = resolver
        self._room = MAX_LINKS_CHARS
        self._refused = 0
        self._refreshed = False
        self._plain_base = True
        self._base = url
        self.found: dict[str, bool] = {}
        self.dropped = 0
        self.title: str | None = None
        self.description: str | None = None
        self.og_description: str | None = None
        self.content_language: str | None = None
        self.canonical: str | None = None
        self.robots: list[str] = []

    def read(self) -> None:
        document = self._document
        for _ in document.iter_elements("template"):
            # Its content is no part of the page, and its links are often full of placeholders.
            document.remove("template")
            break
        for element in document.iter_elements("base"):
            href = element.attr("href")
            if href is not None:
                self._base = self._resolver.resolve(self._base, href) or self._base
                self._plain_base = False
                break
        for element in document.iter_elements(_LINK_TAGS):
            tag = element.tag
            if tag in {"a", "area"}:
                relation = element.attr("rel")
                self._link(
                    element.attr("href"), nofollow=relation is not None and "nofollow" in relation.lower().split()
                )
            elif tag in {"iframe", "frame"}:
                self._link(element.attr("src"), nofollow=False)
            elif tag == "link":
                self._relation(element)
            elif tag == "meta":
                self._meta(element)
            elif tag == "title" and self.title is None and element.namespace is Namespace.HTML:
                self.title = _line(element.text)

    def _link(self, href: str | None, *, nofollow: bool) -> None:
        if href is None or (self._plain_base and (not href or href[0] == "#")):
            return
        # References that are no links count by themselves, or a page of nothing else would take seconds.
        if len(self.found) >= MAX_LINKS or self._room <= 0 or self._refused >= MAX_LINKS:
            self.dropped += 1
            return
        url = self._resolver.resolve(self._base, href)
        if url is None:
            self._refused += 1
            return
        known = self.found.get(url)
        if known is None:
            self.found[url] = nofollow
            self._room -= len(url)
        elif known and not nofollow:
            self.found[url] = False

    def _relation(self, element: Element) -> None:
        relations = frozenset((element.attr("rel") or "").lower().split())
        if relations.isdisjoint(_FOLLOWED_RELATIONS) or "stylesheet" in relations:
            return
        href = element.attr("href")
        if href is not None and self.canonical is None and "canonical" in relations:
            self.canonical = self._resolver.resolve(self._base, href)
        self._link(href, nofollow="nofollow" in relations)

    def _meta(self, element: Element) -> None:
        content = element.attr("content")
        if content is None:
            return
        name = (element.attr("name") or element.attr("property") or "").strip().lower()
        if name == "description":
            self.description = self.description or _line(content)
        elif name == "og:description":
            self.og_description = self.og_description or _line(content)
        elif name == "robots":
            self.robots.append(content)
        pragma = (element.attr("http-equiv") or "").strip().lower()
        if pragma == "refresh" and not self._refreshed:
            self._refreshed = True
            refresh = self._document.meta_refresh("")
            self._link(refresh[1] if refresh else None, nofollow=False)
        elif pragma == "content-language" and "," not in content and self.content_language is None:
            # HTML Standard §4.2.5.3: with a comma in it, it says nothing.
            words = without_controls(content).split()
            self.content_language = words[0] if words else None


def _language(document: Document) -> str | None:
    root = document.root
    if root is None:
        return None
    return _line(root.attr("lang") or root.attr("xml:lang") or "")


def _line(text: str) -> str | None:
    """Return `text` as one line, white space collapsed; None if nothing is left."""
    return without_controls(" ".join(text.split())).strip() or None


def _visible_text(document: Document) -> str:
    """Return what a reader sees, one block a line. Changes the document: read everything else from it before."""
    for element in list(document.iter_elements(_UNSEEN_TAGS)):
        if element.tag != "dialog" or element.attr("open") is None:
            element.decompose()
    for element in document.select("[hidden],[style]"):
        if element.attr("hidden") is not None or _HIDDEN_STYLE.search(element.attr("style") or ""):
            element.decompose()
    for element in document.iter_elements(_BLOCK_TAGS):
        element.tag = "div"
    for element in document.iter_elements(_CELL_TAGS):
        element.tag = "span"
        element.insert_before(Text(_CELL_MARK))
    return _tidy(document.to_text(_PLAIN_TEXT))


def _tidy(text: str) -> str:
    """Drop empty lines, the ends of lines, and layout made of no-break spaces; put tabs between cells."""
    if "\xa0" in text:
        text = _NO_BREAK_SPACES.sub(" ", text)
    if "\r" in text or "\x0c" in text:
        text = text.replace("\r", "\n").replace("\x0c", "\n")
    lines = [line for line in map(str.rstrip, without_controls(text).split("\n")) if line]
    if _CELL_MARK in text:
        lines = [line for line in map(_row, lines) if line]
    return "\n".join(lines)


def _row(line: str) -> str:
    if _CELL_MARK not in line:
        return line
    return "\t".join(cell.strip(" ") for cell in line.split(_CELL_MARK)).strip()
