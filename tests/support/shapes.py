"""Pages of the shapes that the web has, of any size: what generators of sites, scripts and people make."""

import base64
import json
import random
from collections.abc import Callable

__all__ = ["SHAPES", "ordinary", "shaped"]

_random = random.Random(1)
_WORDS = ["".join(_random.choices("abcdefghijklmnopqrstuvwxyz", k=_random.randint(2, 10))) for _ in range(3_000)]
_PROSE = " ".join(_random.choices(_WORDS, k=200_000))
_BASE64 = base64.b64encode(_random.randbytes(750_000)).decode()


def _prose(number: int, chars: int) -> str:
    """So many characters of text, other ones for each number."""
    at = number * 7_919 % (len(_PROSE) - chars)
    return _PROSE[at : at + chars]


def _long(text: str, size: int) -> str:
    return (text * (size // len(text) + 1))[:size]


def _many(part: Callable[[int], str]) -> Callable[[int], str]:
    """Parts one after the other until the page is long enough."""

    def made(size: int) -> str:
        parts, length = [], 0
        while length < size:
            parts.append(part(len(parts)))
            length += len(parts[-1])
        return "".join(parts)

    return made


def _state(number: int, size: int) -> str:
    return json.dumps([{"id": number + at, "name": _WORDS[at % 3_000]} for at in range(size // 28)])


def _row(number: int) -> str:
    return f"<tr>{''.join(f'<td>{_WORDS[(number + at) % 3_000]}</td>' for at in range(8))}</tr>"


SHAPES: dict[str, Callable[[int], str]] = {
    "state of an application in one script": lambda size: f"<script>window.state={_state(0, size)}</script>",
    "states of 100 KB in scripts": _many(lambda n: f"<script>state[{n}]={_state(n, 100_000)}</script>"),
    "states of 200 KB in scripts": _many(lambda n: f"<script type=application/json>{_state(n, 200_000)}</script>"),
    "JSON-LD of many things": _many(
        lambda n: f"<script type=application/ld+json>{json.dumps({'name': _WORDS[n % 3_000]})}</script>"
    ),
    "an image in base64": lambda size: f'<img src="data:image/png;base64,{_long(_BASE64, size)}">',
    "images of 150 KB in base64": _many(lambda n: f'<img src="data:image/png;base64,{_BASE64[n : n + 150_000]}">'),
    "a minified script": lambda size: f"<script>{_long('function a(b){return b&&c>1?d:e};', size)}</script>",
    "a minified script with markup": lambda size: f"<script>{_long('if(a<b)c=`<p>${d}</p>`;', size)}</script>",
    "many short scripts": _many(lambda n: f"<script>var a{n}={n};</script>"),
    "a style sheet": lambda size: f"<style>{_long('.a>b{color:red}', size)}</style>",
    "HTML in one line": _many(lambda n: f"<div class=a><p>{_prose(n, 80)}</p><span>{_prose(n, 10)}</span></div>"),
    "a long text without tags": lambda size: f"<p>{_long(_PROSE, size)}",
    "a long text without white space": lambda size: f"<p>{'x' * size}",
    "a long text without ASCII": lambda size: f"<p>{'中文字符。' * (size // 15)}",
    "character references without white space": lambda size: f"<p>{'&nbsp;&eacute;&amp;' * (size // 19)}",
    "a listing": _many(lambda n: f"{'' if n else '<pre>'}{_prose(n, 70)}\n"),
    "a listing in colours": _many(lambda n: f"{'' if n else '<pre>'}<span class=k>{_WORDS[n % 3_000]}</span>\n"),
    "a huge attribute": lambda size: f'<div data-state="{_long(_PROSE, size)}">x</div>',
    "huge attributes": _many(lambda n: f'<div data-state="{_prose(n, 120_000)}">x</div>'),
    "an unquoted huge attribute": lambda size: f"<div data-state={'x' * size}>x</div>",
    "links with scripts and styles": _many(
        lambda n: f'<a href=/{n} onclick="{_prose(n, 150)}" style="color:red;display:block">{_prose(n, 9)}</a> '
    ),
    "a huge comment": lambda size: f"<!--{_long(_PROSE, size)}-->",
    "comments of 200 KB": _many(lambda n: f"<!--{_prose(n, 200_000)}-->"),
    "many comments": _many(lambda n: f"<!-- {_WORDS[n % 3_000]} -->"),
    "a long table": _many(lambda n: f"{'' if n else '<table>'}{_row(n)}"),
    "a wide table": _many(lambda n: f"{'' if n else '<table><tr>'}<td>{_WORDS[n % 3_000]}"),
    "tables in tables": _many(lambda n: f"{'<table><tr><td>' * 12}{_prose(n, 60)}{'</table>' * 12}"),
    "links": _many(lambda n: f'<li><a href="/x/{n}">{_WORDS[n % 3_000]}</a></li>'),
    "lists in lists": _many(lambda n: f"<ul><li>{_WORDS[n % 3_000]}<ul><li>a<li>b</ul></ul>"),
    "lines parted by <br>": _many(lambda n: f"{_prose(n, 60)}<br>"),
    "elements in elements without end": _many(lambda n: f"<div>{_WORDS[n % 3_000]}"),
    "menus in menus without end": _many(lambda n: f"<div class=nav>{_prose(n, 40)}"),
    "articles in articles": _many(lambda n: f"<article>{_prose(n, 40)}"),
    "bold text that never ends": _many(lambda n: f"<p><b>{_prose(n, 40)}"),
    "hidden parts": _many(lambda n: f'<p hidden>{_prose(n, 40)}</p><p style="display: none">x</p>'),
    "a choice": _many(lambda n: f"{'' if n else '<select>'}<option value={n}>{_WORDS[n % 3_000]}"),
    "templates": _many(lambda n: f"<template><p>{_prose(n, 40)}</p></template>"),
    "a drawing": _many(lambda n: f'{"" if n else "<svg>"}<path d="M{n} 0L1 2"/>'),
    "headings and paragraphs": _many(lambda n: f"<h2>{_prose(n, 20)}</h2><p>{_prose(n, 300)}.</p>"),
    "articles": _many(lambda n: f"<article><h2>{_prose(n, 20)}</h2><p>{_prose(n, 200)}</p></article>"),
    "microdata": _many(lambda n: f"<div itemscope itemtype=http://s.example/T><b itemprop=a>{_prose(n, 9)}</b></div>"),
    "images with descriptions": _many(lambda n: f'<img src=/{n}.png alt="{_prose(n, 20)}">'),
}  # fmt: skip
"""By name, what stands in the body of a page: markup of about as many characters as it is given."""


def shaped(name: str, size: int) -> bytes:
    """Return a page with a head, an ordinary beginning and end, and about `size` bytes of the shape between them."""
    return _page(SHAPES[name](size))


def ordinary(size: int) -> bytes:
    """Return a page of text, links and tables, a tag for every 40 bytes."""
    part = _many(
        lambda n: f"<p>{_prose(n, 90)} <a href=/{n}>{_WORDS[n % 3_000]}</a> {_prose(n, 90)}<table>{_row(n)}</table>"
    )
    return _page(part(size))


def _page(content: str) -> bytes:
    return (
        f"<!DOCTYPE html><html lang=en><head><meta charset=utf-8><title>Title</title></head><body><nav><a href=/>Home"
        f"</a></nav><main><h1>Heading</h1><p>{_prose(1, 500)}</p>{content}</main><footer>End</footer></body></html>"
    ).encode()
