"""A site that resembles reference documentation, on loopback: pages of 26 KB with 90 links on average.

    python -m bench.docs_site --pages 10000        # prints its first URL, serves until it is ended

Every page is made from its number, so the same site comes out each time. Page 0 leads to all chapters, a chapter to its
pages, a page to its neighbours, to its chapter's pages and to some pages elsewhere.
"""

import argparse
import contextlib
import random
from collections.abc import Iterator
from pathlib import Path

from bench.static_server import answer, serve, serving

PAGES = 10_000
CHAPTER = 64
"""Pages of a chapter; its first page is its index."""
_WORDS = (
    *("index", "table", "column", "value", "query", "plan", "scan", "join", "merge", "sort", "hash", "node", "tuple"),
    *(
        "page",
        "buffer",
        "lock",
        "row",
        "key",
        "type",
        "cast",
        "text",
        "array",
        "range",
        "function",
        "operator",
        "class",
    ),
    *("family", "schema", "role", "grant", "view", "trigger", "rule", "cursor", "commit", "rollback", "snapshot"),
    *("vacuum", "freeze", "checkpoint", "archive", "replica", "slot", "stream", "log", "segment", "the", "a", "of"),
    *("to", "in", "is", "which", "that", "with", "when", "each", "may", "must", "not", "returns", "takes", "stores"),
    *("reads", "writes", "uses", "begins", "ends", "holds", "waits", "only", "also", "both", "never", "always"),
)


def page(number: int, pages: int) -> bytes:
    """The HTML of a page."""
    chance = random.Random(number)
    first = number - number % CHAPTER
    chapter = range(first, min(first + CHAPTER, pages))
    anchors = "".join(f'<li><a href="{other}.html">{_title(other)}</a></li>\n' for other in chapter)
    if number == 0:
        anchors += "".join(
            f'<li><a href="{start}.html">{_title(start)}</a></li>\n' for start in range(0, pages, CHAPTER)
        )
    sections = "".join(_section(chance, number, pages, part) for part in range(1, 9))
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{_title(number)}</title>'
        f'<meta name="description" content="{_words(chance, 12)}"><link rel="stylesheet" href="style.css">'
        f'<link rel="prev" href="{max(0, number - 1)}.html"><link rel="next" href="{min(pages - 1, number + 1)}.html">'
        f'</head><body><header><nav><a href="0.html">Home</a> <a href="{first}.html">Up</a></nav></header>\n'
        f'<nav class="toc"><ul>{anchors}</ul></nav><main><h1>{_title(number)}</h1>{sections}</main>'
        f"<footer><p>Reference manual, page {number} of {pages}.</p></footer></body></html>"
    ).encode()


def _title(number: int) -> str:
    words = random.Random(-number - 1).sample(_WORDS[:40], 2)
    return f"{number // CHAPTER + 1}.{number % CHAPTER}. {words[0].title()} {words[1]}"


def _words(chance: random.Random, number: int) -> str:
    return " ".join(chance.choices(_WORDS, k=number))


def _section(chance: random.Random, number: int, pages: int, part: int) -> str:
    """A heading, paragraphs with links and code, a listing, a table."""
    paragraphs = "".join(
        f'<p>{_words(chance, 45).capitalize()} <a href="{chance.randrange(pages)}.html#s{part}" class="xref">'
        f"{_words(chance, 2)}</a> {_words(chance, 25)} <code>{chance.choice(_WORDS)}()</code>, "
        f"<em>{_words(chance, 3)}</em> {_words(chance, 15)}.</p>\n"
        for _ in range(3)
    )
    rows = "".join(
        f'<tr><td><code class="literal">{chance.choice(_WORDS)}_{n}</code></td><td>{_words(chance, 6)}</td></tr>\n'
        for n in range(6)
    )
    return (
        f'<section id="s{part}"><h2 class="title">{_words(chance, 4).title()}</h2>\n{paragraphs}'
        f'<pre class="programlisting">SELECT {_words(chance, 12)};\n{_words(chance, 20)}</pre>\n'
        f'<table class="params"><thead><tr><th>Name</th><th>{number}</th></tr></thead><tbody>{rows}</tbody></table>'
        "</section>"
    )


@contextlib.contextmanager
def docs_site(pages: int = PAGES, tls: Path | None = None) -> Iterator[str]:
    """Serve the site in a process of its own; gives its first URL. `tls` is a file with a certificate and its key."""
    secured = [] if tls is None else ["--tls", str(tls)]
    with serving("bench.docs_site", ["--pages", str(pages), *secured]) as (url, _):
        yield url


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=PAGES)
    parser.add_argument("--tls", type=Path, metavar="FILE", help="serve over TLS with this certificate and its key")
    arguments = parser.parse_args()
    pages = {b"/%d.html" % number: answer(page(number, arguments.pages)) for number in range(arguments.pages)}
    serve(pages, "0.html", certificate=arguments.tls)


if __name__ == "__main__":
    main()
