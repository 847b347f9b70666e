"""What an HTML page says: bytes in, page fields and links out.

Nothing here raises, whatever the bytes are. Parsing follows the WHATWG HTML Standard, so the tree is the one that a
browser without scripts builds; its text is what a reader of that tree sees.
"""

import re
from collections.abc import Iterable

from msgspec import Struct, structs
from turbohtml import Document, Element, Namespace, PlainText, Text

from crawler.page.charset import parsed
from crawler.page.query_encoding import encodes_queries, with_encoded_query
from crawler.web.urls import LinkResolver, resolve

__all__ = [
    "LINK_CHARS",
    "MAX_LINKS",
    "Extracted",
    "drop_unseen",
    "extract",
    "laid_out",
    "media_type",
    "read",
    "visible_text",
    "without_controls",
]

MAX_LINKS = 10_000
"""Most links that are taken from one page, unless told otherwise."""

LINK_CHARS = 400
"""The links of one page have at most so many characters each on average, counted as if there were `MAX_LINKS` of them
or as many as may be taken, if that is more: a long `<base href>` makes each short link a long URL."""

_LINK_TAGS = ("a", "area", "frame", "iframe", "link", "meta")
_LINKS_BESIDE = ("area", "frame", "iframe", "svg a:not([href])")
_HREFS_AT_ONCE = 1_000
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
_UNSEEN = frozenset(_UNSEEN_TAGS)
_LAID_OUT_TAGS = tuple({*_UNSEEN_TAGS, *_BLOCK_TAGS, *_CELL_TAGS})
# Stands before a cell until the text is rendered. A noncharacter of Unicode §23.7, which no page has any use for.
_CELL_MARK = "\ufdd0"
_PLAIN_TEXT = PlainText(layout="strict")

# C0 but tab and line feed, DEL, C1 and lone surrogates.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_ASCII_CONTROLS = {code: None for code in (*range(0x20), 0x7F) if code not in {0x09, 0x0A}}
_CONTROL_BYTES = bytes(_ASCII_CONTROLS)
_C1_BYTES = re.compile(rb"\xc2[\x80-\x9f]")  # the UTF-8 of each C1 control; \xc2 alone begins "©" and others, too
_NO_BREAK_SPACES = re.compile("\xa0[\xa0 ]*")

# HTML Standard §2.5.7, "shared declarative refresh steps".
_REFRESH = re.compile(
    r"""[\t\n\f\r ]*(?:([0-9]++)|(?=\.))[0-9.]*+(?:[\t\n\f\r ]|(?=[;,]))[\t\n\f\r ]*[;,]?[\t\n\f\r ]*"""
    r"""(?:url[\t\n\f\r ]*=[\t\n\f\r ]*)?(?:'([^']*)|"([^"]*)|(.*))""",
    re.IGNORECASE | re.DOTALL,
)


class Extracted(Struct, frozen=True):
    """What one page says. Texts hold no control characters and are None where the page says nothing.

    `charset` is the WHATWG label (lower case) of the encoding that the page was read with. `title`, `description` and
    `language` (a BCP 47 tag as written) are as the page gives them, white space collapsed. `canonical` is an absolute
    URL in normal form. `text` is the visible text, one block a line, cells of a table row parted by a tab; None unless
    asked for. `base` is what references are relative to: the first `<base href>`, else the page's URL. `hrefs` are (URL
    in normal form, nofollow) in page order, each URL once; nofollow means that every link to it says `rel=nofollow`.
    `dropped_hrefs` counts link elements that were not looked at because there were enough (see `extract`).
    `meta_robots` joins the contents of all `<meta name=robots>` with ", ". `refresh` is where the page sends its reader
    by itself: seconds until then, and the URL in normal form, session parameters and all.
    """

    charset: str | None
    title: str | None
    description: str | None
    language: str | None
    canonical: str | None
    text: str | None
    base: str
    hrefs: list[tuple[str, bool]]
    dropped_hrefs: int
    meta_robots: str | None
    refresh: tuple[int, str] | None


def media_type(content_type: str | None) -> str | None:
    """Return the media type of a Content-Type value, lower case and without parameters; None if there is none."""
    if content_type is None:
        return None
    return without_controls(content_type.partition(";")[0]).strip().lower() or None


def extract(
    body: bytes,
    url: str,
    content_type: str | None,
    resolver: LinkResolver,
    want: frozenset[str],
    *,
    max_links: int = MAX_LINKS,
) -> Extracted:
    """Read one HTML page. Never raises.

    `body` is the page without its Content-Encoding, `url` where it was found (normal form), `content_type` the value of
    that header. The encoding is found as HTML Standard §13.2.3 says, by labels of the Encoding Standard. It is the
    first of: byte-order mark, `charset` of the header if it is a known label, `<meta>` and then `<?xml encoding=` in
    the first 1,024 bytes, a `<meta>` further down, a guess. `want` names the fields to compute: without "text" in it,
    `text` is None; the others cost nothing.

    Links are `href` of `a` and `area`, and of an `a` in SVG without it `xlink:href`; `src` of `frame` and `iframe`;
    `link` with rel next, prev, canonical or alternate (not of style sheets); and the target of a meta refresh. They
    are relative to the first `<base href>`. A link to a place in the page itself (`#top`) is none; nor is what a
    `<template>` holds, a declarative shadow root apart. A query is percent-encoded in the encoding of the page, as
    browsers do (`query_encoding`). At most `max_links` are taken, of at most `LINK_CHARS` characters each on average,
    and 10,000 references that are no http(s) URL are looked at.

    `refresh` is the first meta refresh to a URL, without those in a `<noscript>`, which are links like any other:
    browsers with scripts leave them alone.
    """
    document = parsed(body, content_type)
    extracted = read(document, url, resolver, max_links=max_links)
    return structs.replace(extracted, text=visible_text(document)) if "text" in want else extracted


def read(document: Document, url: str, resolver: LinkResolver, *, max_links: int = MAX_LINKS) -> Extracted:
    """Read a page that was parsed: `extract` without its `text`. Removes the templates from the document."""
    reader = _Reader(document, url, resolver, max_links)
    reader.read()
    encoding = document.encoding
    return Extracted(
        charset=None if encoding is None else encoding.lower(),
        title=reader.title,
        description=reader.description or reader.og_description,
        language=_language(document) or reader.content_language,
        canonical=reader.canonical,
        text=None,
        base=reader.base,
        hrefs=list(reader.found.items()),
        dropped_hrefs=reader.dropped,
        meta_robots=", ".join(reader.robots) or None,
        refresh=reader.refresh,
    )


def without_controls(text: str) -> str:
    """Return `text` without what has no place in a record or on a terminal.

    Dropped are the C0 controls but tab and line feed, DEL, the C1 controls and lone surrogates.
    """
    # By measurement: translate is fast on ASCII and on bytes alone, and most text has none of these.
    if text.isascii():
        return text.translate(_ASCII_CONTROLS)
    return _CONTROLS.sub("", text) if _may_have_controls(text) else text


def _may_have_controls(text: str) -> bool:
    try:
        encoded = text.encode()
    except UnicodeEncodeError:  # a lone surrogate
        return True
    return len(encoded.translate(None, _CONTROL_BYTES)) < len(encoded) or _C1_BYTES.search(encoded) is not None


class _Reader:
    """One pass over a document's tree. Its attributes are what was found so far."""

    def __init__(self, document: Document, url: str, resolver: LinkResolver, max_links: int) -> None:
        self._document = document
        self._resolver = resolver
        self._max_links = max_links
        self._room = LINK_CHARS * max(max_links, MAX_LINKS)
        self._refused = 0
        self._plain_base = True
        self._encoding = (document.encoding or "utf-8").lower()
        self._encodes = encodes_queries(self._encoding)
        self.base = url
        self.found: dict[str, bool] = {}
        self.dropped = 0
        self.title: str | None = None
        self.description: str | None = None
        self.og_description: str | None = None
        self.content_language: str | None = None
        self.canonical: str | None = None
        self.robots: list[str] = []
        self.refresh: tuple[int, str] | None = None

    def read(self) -> None:
        document = self._document
        # Here and below: turbohtml finds the elements of one name by an index, and looks for several in the whole tree.
        if document.select_one("template") is not None:
            # Its content is no part of the page, and its links are often full of placeholders.
            document.remove("template")
        base = document.select_one("base[href]")
        if base is not None:
            self.base = self._resolver.resolve(self.base, base.attr("href") or "") or self.base
            self._plain_base = False
        head = document.select_one("head")
        if head is None or _says_more_behind(head, document):
            self._walk(document.iter_elements(_LINK_TAGS))
        else:
            self._walk(head.iter_elements(_LINK_TAGS))
            self._anchors(document.select("a[href]"))
        for element in document.select("title"):
            if self.title is None and element.namespace is Namespace.HTML:
                self.title = _line(element.text)

    def _walk(self, elements: Iterable[Element]) -> None:
        """Read elements of `_LINK_TAGS`, in page order."""
        for element in elements:
            tag = element.tag
            if tag == "a" or tag == "area":  # noqa: PLR1714 - in the hot loop
                href, relation = element.attr("href"), element.attr("rel")
                if href is None and element.namespace is Namespace.SVG:
                    href = element.attr("xlink:href")  # SVG 2 §16.1.5: of the two, href counts
                if href is not None:
                    self._link(href, nofollow=relation is not None and "nofollow" in relation.lower().split())
            elif tag in {"iframe", "frame"}:
                self._link(element.attr("src"), nofollow=False)
            elif tag == "link":
                self._relation(element)
            elif tag == "meta":
                self._meta(element)

    def _anchors(self, anchors: list[Element]) -> None:
        """Read `a` elements with a href, in page order."""
        if any("nofollow" in (anchor.attr("rel") or "").lower() for anchor in self._document.select("a[rel]")):
            self._walk(anchors)
            return
        hrefs = [anchor.attr("href") or "" for anchor in anchors]
        if self._plain_base:
            hrefs = [href for href in hrefs if href and href[0] != "#"]
        for start in range(0, len(hrefs), _HREFS_AT_ONCE):
            if self._is_full:
                self.dropped += len(hrefs) - start
                return
            self._links(hrefs[start : start + _HREFS_AT_ONCE])

    def _links(self, hrefs: list[str]) -> None:
        """Take links that may be followed: as `_link` does with each, for less."""
        if self._encodes:
            hrefs = [with_encoded_query(href, self._encoding) for href in hrefs]
        urls = self._resolver.resolve_all(self.base, hrefs)
        refused = urls.count(None)
        found = dict.fromkeys(filter(None, urls), False)
        chars = sum([len(url) for url in found if url not in self.found])
        # The page is not full before its last link.
        many = len(self.found) + len(found) >= self._max_links or self._refused + refused >= MAX_LINKS
        if many or chars >= self._room:
            for url in urls:
                self._take(url, nofollow=False)
            return
        self._refused += refused
        self._room -= chars
        self.found.update(found)

    def _link(self, href: str | None, *, nofollow: bool) -> None:
        if href is None or (self._plain_base and (not href or href[0] == "#")):
            return
        if self._is_full:
            self.dropped += 1
            return
        if self._encodes:
            href = with_encoded_query(href, self._encoding)
        self._take(self._resolver.resolve(self.base, href), nofollow=nofollow)

    @property
    def _is_full(self) -> bool:
        """Whether no more links are taken."""
        # References that are no links count by themselves, or a page of nothing else would take seconds.
        return len(self.found) >= self._max_links or self._room <= 0 or self._refused >= MAX_LINKS

    def _take(self, url: str | None, *, nofollow: bool) -> None:
        """Take what a link means, None if that is no URL."""
        if self._is_full:
            self.dropped += 1
        elif url is None:
            self._refused += 1
        elif url not in self.found:
            self.found[url] = nofollow
            self._room -= len(url)
        elif not nofollow:
            self.found[url] = False

    def _relation(self, element: Element) -> None:
        relations = _followed(element)
        if not relations:
            return
        href = element.attr("href")
        if href is not None and self.canonical is None and "canonical" in relations:
            self.canonical = self._resolver.resolve(self.base, with_encoded_query(href, self._encoding))
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
        if pragma == "refresh":
            self._refresh(element, content)
        elif pragma == "content-language" and "," not in content and self.content_language is None:
            # HTML Standard §4.2.5.3: with a comma in it, it says nothing.
            words = without_controls(content).split()
            self.content_language = words[0] if words else None

    def _refresh(self, element: Element, content: str) -> None:
        match = _REFRESH.match(content)
        href = None if match is None else match[2] or match[3] or match[4]
        if match is None or not href:
            return
        self._link(href, nofollow=False)
        if self.refresh is None and element.closest("noscript") is None:
            url = resolve(self.base, with_encoded_query(href, self._encoding), strip_session=False)
            if url is not None:
                # More digits than these are no other answer, but would be an error.
                self.refresh = (int((match[1] or "0").lstrip("0")[:9] or "0"), url)


def _says_more_behind(head: Element, document: Document) -> bool:
    """Whether a page says more behind its head than its title and links of `a` elements, with a `href`."""
    if any(document.select_one(tag) is not None for tag in _LINKS_BESIDE):
        return True
    links, metas = (document.select(tag)[len(head.select(tag)) :] for tag in ("link", "meta"))
    return any(map(_followed, links)) or any(
        meta.attr(name) is not None for meta in metas for name in ("name", "property", "http-equiv")
    )


def _followed(link: Element) -> frozenset[str]:
    """Return the relations of a `link` element that is followed; none of any other."""
    relations = frozenset((link.attr("rel") or "").lower().split())
    is_none = relations.isdisjoint(_FOLLOWED_RELATIONS) or "stylesheet" in relations
    return frozenset() if is_none else relations


def _language(document: Document) -> str | None:
    root = document.root
    if root is None:
        return None
    return _line(root.attr("lang") or root.attr("xml:lang") or "")


def _line(text: str) -> str | None:
    """Return `text` as one line, white space collapsed; None if nothing is left."""
    return without_controls(" ".join(text.split())).strip() or None


def visible_text(document: Document) -> str:
    """Return what a reader sees, one block a line. Changes the document: read everything else from it before."""
    _drop_hidden(document)
    return laid_out(document)


def drop_unseen(document: Document) -> None:
    """Take out of a document what no reader sees."""
    for element in list(document.iter_elements(_UNSEEN_TAGS)):
        if _is_unseen(element):
            element.decompose()
    _drop_hidden(document)


def _drop_hidden(document: Document) -> None:
    """Take out of a document what its attributes hide."""
    for element in document.select("[hidden],[style]"):
        if element.attr("hidden") is not None or _HIDDEN_STYLE.search(element.attr("style") or ""):
            element.decompose()


def _is_unseen(element: Element) -> bool:
    """Whether an element of `_UNSEEN_TAGS` is not seen."""
    return element.tag != "dialog" or element.attr("open") is None


def laid_out(part: Document | Element) -> str:
    """Return the text of a tree, one block a line, cells parted by tabs, without elements of `_UNSEEN_TAGS`.

    Changes the tree: its blocks become `div`.
    """
    # One walk for all: it takes longer than what is done with the elements. They are known before the first is changed.
    for element in list(part.iter_elements(_LAID_OUT_TAGS)):
        tag = element.tag
        if tag in _CELL_TAGS:
            element.tag = "span"
            element.insert_before(Text(_CELL_MARK))
        elif tag in _UNSEEN and _is_unseen(element):
            element.decompose()
        else:
            element.tag = "div"
    return _tidy(part.to_text(_PLAIN_TEXT))


def _tidy(text: str) -> str:
    """Drop empty lines, the ends of lines, and layout made of no-break spaces; put tabs between cells."""
    if "\xa0" in text:
        text = _NO_BREAK_SPACES.sub(" ", text)
    if "\r" in text or "\x0c" in text:
        text = text.replace("\r", "\n").replace("\x0c", "\n")
    lines = [line for line in map(str.rstrip, without_controls(text).split("\n")) if line]
    if _CELL_MARK in text:
        lines = [line for line in [_row(line) if _CELL_MARK in line else line for line in lines] if line]
    return "\n".join(lines)


def _row(line: str) -> str:
    return "\t".join([cell.strip(" ") for cell in line.split(_CELL_MARK)]).strip()
