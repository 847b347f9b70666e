"""The part of a page that it is about: without menus, headers, footers and what else stands around it. Pure.

What authors say counts first: landmarks of HTML and ARIA, then the names that they give to such parts. The density of
text (turbohtml's `main_content`) decides only where that would leave out little else: by itself it takes one section
of a long page for all of it. `make bench-text` measures what is kept and what is let in.
"""

import copy
import re
from functools import lru_cache
from operator import itemgetter
from typing import Literal

from turbohtml import Document, Element, Text

from crawler.page.html import drop_unseen, laid_out, without_controls

__all__ = ["main_markdown", "main_text"]

# HTML Standard §4.3 and WAI-ARIA 1.2 §5.3.4, without <header> and <aside>, which hold titles and notes as well.
_LANDMARKS = (
    "nav,footer,button,[aria-hidden=true],[role=navigation],[role=banner],[role=contentinfo],[role=search],[role=menu],"
    "[role=menubar],[role=dialog],[role=complementary]"
)
_MAIN = "main,[role=main]"
_ARTICLES = "article,[itemprop=articleBody]"
# What the class or id of a menu and the like has in it, and of what may as well be a part of the text: a boxed note is
# a sidebar, too.
_MENU = re.compile(
    "nav|menu|breadcrumb|footer|foot-|masthead|topbar|toolbar|pagination|pager|skip-link|social|share|sharing|cookie|popup|"
    "modal|newsletter|subscri|sponsor|advert|disqus|outbrain|taboola|login|signup|copyright|catlinks",
    re.IGNORECASE,
)
_ASIDE = re.compile(
    "sidebar|related|comment|kommentar|promo|banner|widget|recommend|trending|popular|rail|teaser|portlet|author-|byline|"
    "meta|tags|backlink|archive|blogroll|calendar|respond|reply",
    re.IGNORECASE,
)
_COMMENTS = re.compile("comments|comment-|kommentare|respond", re.IGNORECASE)
_BOXES = ("div", "ul", "ol", "table", "section", "header", "form", "aside", "center", "dir", "hgroup", "li", "td", "tr")
"""Elements that a menu may be. Others are text, whatever their names."""
_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
_SHORT_CHARS = 200
"""An aside of fewer characters than this is none of the text."""
_ROOM = 20
"""All named boxes together are looked at up to so many times the page's text: they may lie in each other."""
_MOST_OF: dict[str, float] = {"menu": 0.4, "aside": 0.4, "comments": 0.8}
"""A box with more of the page's text than this is none, whatever its name."""
_MOST_OF_A_HEADER = 0.2
_LINKED = 0.25
"""Share of an aside's text that is links at least."""
_MAIN_CHARS = 0.1
"""Share of the text that `<main>` has at least to be the main part: applications have empty ones."""
_ARTICLE = 0.5
"""Share of the text that an article has at least to be the main part."""
_DENSE = 0.75
"""Share of the text that is no link which the densest part has at least to be the main part."""
_PROSE = 0.97
"""Where more of the text than this is no link, no menu is left to be found."""
_INDEX = 0.3
"""Where less of the text than this is no link, the links are what the page is about."""
_LEAST = 0.1
"""Share of the text that has to be left, links apart, or less is taken away."""


def main_text(page: Document) -> str:
    """Return the text of a page's main part, one block a line. Leaves `page` as it is."""
    return laid_out(_main_part(page))


def main_markdown(page: Document, base: str) -> str:
    """Return a page's main part as Markdown, its links relative to `base` made absolute. Leaves `page` as it is."""
    part = _main_part(page)
    part.resolve_links(base)
    for heading in part.iter_elements(_HEADINGS):
        if "\xa0" in heading.text:  # turbohtml writes it as a character reference there
            for node in heading.descendants:
                if isinstance(node, Text):
                    node.data = node.data.replace("\xa0", " ")
    return without_controls(part.to_markdown()).strip()


def _main_part(page: Document) -> Element | Document:
    """Return the main part of a page, in a tree of its own without what no reader sees. Leaves `page` as it is.

    It is all of the page when nothing stands around it.
    """
    document, body = _seen(page)
    if body is None:
        return document
    chars = _chars(body.text)
    part = _without(body, names=True)
    if _chars(part.text) > _LEAST * chars:
        return part
    # Little is left. That is well if the rest was links.
    least = _LEAST * _plain_chars(_seen(page)[1] or document)
    if _plain_chars(part) >= least:
        return part
    part = _without(_seen(page)[1] or document, names=False)
    return part if _plain_chars(part) >= least else _seen(page)[1] or document


def _seen(page: Document) -> tuple[Document, Element | None]:
    """Return a copy of a page without what no reader sees, and its body."""
    document = copy.deepcopy(page)
    drop_unseen(document)
    return document, document.select_one("body")


def _without(body: Element | Document, *, names: bool) -> Element | Document:
    """Take what stands around the main part out of a page, and return the part."""
    body.remove(_LANDMARKS)
    part = _largest(body, _MAIN, _MAIN_CHARS) or body
    if names:
        _drop_named(part)
    if headers := part.select("header"):
        most = _MOST_OF_A_HEADER * _chars(part.text)
        for header in headers:
            if _chars(header.text) < most and header.select_one("h1") is None:
                header.decompose()
    part = _largest(part, _ARTICLES, _ARTICLE) or part
    chars = _chars(part.text)
    plain = chars - _linked_chars(part)
    if plain < _INDEX * chars or plain > _PROSE * chars:
        return part
    dense = part.main_content()
    return dense if dense is not None and _plain_chars(dense) > _DENSE * plain else part


def _drop_named(part: Element | Document) -> None:
    """Take out what has the name of a menu or an aside, and holds neither the title nor most of the text."""
    chars = room = 0
    for element in list(part.iter_elements(_BOXES)):
        kind = _kind_of(element.attr("class"), element.attr("id"))
        if not kind:
            continue
        if not chars:
            chars = _chars(part.text)
            room = _ROOM * chars
        own = _chars(element.text)
        room -= own
        if room < 0:
            return
        if own > _MOST_OF[kind] * chars or element.select_one("h1,main,article") is not None:
            continue
        if kind != "aside" or own < _SHORT_CHARS or own - _plain_chars(element) > _LINKED * own:
            element.decompose()


@lru_cache(8_192)
def _kind_of(names: str | None, name: str | None) -> Literal["menu", "aside", "comments", ""]:
    """Say what an element is by its class and id: a site has the same ones on all its pages."""
    if names and _COMMENTS.search(names):
        return "comments"
    if names and _MENU.search(names):
        return "menu"
    # The id of a chapter is what it is about, as in `id=pagination`.
    return "aside" if (names and _ASIDE.search(names)) or (name and _MENU.search(name)) else ""


def _largest(within: Element | Document, selector: str, share: float) -> Element | None:
    """Return the one of these elements with the most text, if it has more than that share of all; else None."""
    found = within.select(selector)[:_ROOM]
    if not found:
        return None
    chars, largest = max(((_chars(one.text), one) for one in found), key=itemgetter(0))
    return largest if chars > share * _chars(within.text) else None


def _plain_chars(element: Element | Document) -> int:
    """Count the characters of an element that are in no link."""
    return _chars(element.text) - _linked_chars(element)


def _linked_chars(element: Element | Document) -> int:
    return _chars("".join([link.text for link in element.iter_elements("a")]))


def _chars(text: str) -> int:
    """Count the characters of a text without blanks and ends of lines: that of a menu is half indentation."""
    return len(text) - text.count(" ") - text.count("\n")
