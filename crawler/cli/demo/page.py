"""An HTML page of the demo site: what is on it, and the bytes that a server sends for it."""

import gzip
from html import escape

from msgspec import Struct

from crawler.cli.demo.answer import Answer, HeaderPairs
from crawler.cli.demo.prose import Prose

__all__ = ["Anchor", "HtmlPage", "render"]

_STYLE = (
    "body{font:16px/1.6 Georgia,serif;max-width:64rem;margin:0 auto;padding:1rem;color:#223}"
    "nav ul{display:flex;flex-wrap:wrap;gap:.3rem 1rem;list-style:none;padding:0}"
    "aside{border-left:4px solid #9bc;padding-left:1rem}footer{font-size:.85rem;color:#667}"
)
# Neither a script nor a comment nor an image holds a link to follow: no record may come of these.
_SCRIPT = 'var menu = {"open": "<a href=/from-a-script>", "next": "/from-a-script/2"};'
_COMMENT = '<!-- <a href="/from-a-comment">old menu</a> -->'


class Anchor(Struct, frozen=True):
    """A link as written in a page: `href` before HTML escaping."""

    href: str
    text: str
    rel: str = ""


class HtmlPage(Struct, frozen=True, kw_only=True):
    """What is on one page, and how it is sent. `size` is the length of its prose in characters.

    `nav`, `related` and `footer` are its menus. `head` and `insert` are raw HTML for the head and the article.
    `encoding` is what the bytes really are; `header_charset` and `meta_charset` are what is said about them
    (None: nothing). `raw` replaces the whole document.
    """

    path: str
    title: str
    description: str = ""
    language: str = "en"
    canonical: str | None = None
    size: int = 3_000
    author: str = ""
    nav: tuple[Anchor, ...] = ()
    related: tuple[Anchor, ...] = ()
    footer: tuple[Anchor, ...] = ()
    head: str = ""
    insert: str = ""
    raw: str | None = None
    encoding: str = "utf-8"
    header_charset: str | None = "utf-8"
    meta_charset: str | None = "utf-8"
    media_type: str = "text/html"
    compressed: bool = False
    status: int = 200
    headers: HeaderPairs = ()
    wait_s: float = 0.0
    drip_s: float = 0.0
    cut: bool = False
    first: tuple[Answer, ...] = ()


def render(page: HtmlPage, prose: Prose) -> Answer:
    """Turn a page into the answer that a server gives; the same page always gives the same bytes."""
    document = page.raw if page.raw is not None else _document(page, prose)
    body = document.encode(page.encoding, "xmlcharrefreplace")
    content_type = (
        page.media_type if page.header_charset is None else f"{page.media_type}; charset={page.header_charset}"
    )
    headers = (("Content-Type", content_type), *page.headers)
    if page.compressed:
        body = gzip.compress(body, mtime=0)
        headers += (("Content-Encoding", "gzip"),)
    return Answer(
        status=page.status,
        headers=headers,
        body=body,
        wait_s=page.wait_s,
        drip_s=page.drip_s,
        cut=page.cut,
        first=page.first,
    )


def _document(page: HtmlPage, prose: Prose) -> str:
    meta = f'<meta charset="{page.meta_charset}">\n' if page.meta_charset else ""
    description = f'<meta name="description" content="{escape(page.description)}">\n' if page.description else ""
    canonical = f'<link rel="canonical" href="{escape(page.canonical)}">\n' if page.canonical else ""
    byline = f'<p class="byline">By {escape(page.author)}</p>\n' if page.author else ""
    return (
        f'<!DOCTYPE html>\n<html lang="{page.language}">\n<head>\n{meta}<title>{escape(page.title)}</title>\n'
        f'<meta name="viewport" content="width=device-width">\n{description}{canonical}{page.head}'
        f"<style>{_STYLE}</style>\n<script>{_SCRIPT}</script>\n</head>\n<body>\n"
        f'<header id="top">{_COMMENT}\n<nav>{_menu(page.nav)}</nav></header>\n'
        f"<main><article>\n<h1>{escape(page.title)}</h1>\n{byline}{page.insert}{_text(page, prose)}"
        f"</article>\n<aside><h2>See also</h2>{_menu(page.related)}</aside></main>\n"
        f'<footer id="notes">{_menu(page.footer)}</footer>\n</body>\n</html>\n'
    )


def _menu(anchors: tuple[Anchor, ...]) -> str:
    items = []
    for anchor in anchors:
        rel = f' rel="{anchor.rel}"' if anchor.rel else ""
        items.append(f'<li><a href="{escape(anchor.href)}"{rel}>{escape(anchor.text)}</a></li>\n')
    return f"<ul>\n{''.join(items)}</ul>" if items else ""


def _text(page: HtmlPage, prose: Prose) -> str:
    parts = []
    for number, paragraph in enumerate(prose.paragraphs(page.path, page.language, page.size)):
        if number % 6 == 3:
            parts.append(f"<h2>{escape(prose.title(f'{page.path} {number}'))}</h2>\n")
        if number % 9 == 5:
            parts.append(f'<figure><img src="/images/photo-{number}.jpg" alt="A photograph" loading="lazy"></figure>\n')
        parts.append(f"<p>{paragraph}</p>\n")
    return "".join(parts)
