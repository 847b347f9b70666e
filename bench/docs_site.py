"""A site that resembles reference documentation, on loopback: pages of 26 KB with 90 links on average.

    python -m bench.docs_site --pages 10000        # prints its first URL, serves until it is ended

Every page is made from its number, so the same site comes out each time. Page 0 leads to all chapters, a chapter to its
pages, a page to its neighbours, to its chapter's pages and to some pages elsewhere.
"""

import argparse
import asyncio
import contextlib
import random
import socket
import subprocess
import sys
from collections.abc import Iterator

PAGES = 10_000
CHAPTER = 64
"""Pages of a chapter; its first page is its index."""
_MADE = 12_000  # pages kept once they were made: 26 KB each
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
        f"{_words(chance, 2)}</a> {_words(chance, 40)} <code>{chance.choice(_WORDS)}()</code>, "
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


class _Connection(asyncio.Protocol):
    """Answers GET requests of one connection, in order."""

    made: dict[str, bytes] = {}  # noqa: RUF012 - shared on purpose: the pages made so far
    pages = PAGES

    def __init__(self) -> None:
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        *heads, self._rest = (self._rest + data).split(b"\r\n\r\n")
        for head in heads:
            self._transport.write(self._answer(head.split(b" ", 2)[1].decode()))  # type: ignore[attr-defined]

    def _answer(self, path: str) -> bytes:
        answer = self.made.get(path)
        if answer is None:
            name = path.removeprefix("/").removesuffix(".html")
            known = name.isdigit() and int(name) < self.pages
            body = page(int(name), self.pages) if known else b"no such page"
            status, kind = (b"200 OK", b"text/html; charset=utf-8") if known else (b"404 Not Found", b"text/plain")
            answer = b"HTTP/1.1 %b\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n%b" % (
                status,
                kind,
                len(body),
                body,
            )
            if len(self.made) < _MADE:
                self.made[path] = answer
        return answer


async def serve(pages: int) -> None:
    """Make the pages, print the first URL and serve until this process is ended."""
    _Connection.pages = pages
    _Connection.made = {}
    server = await asyncio.get_running_loop().create_server(_Connection, "127.0.0.1", 0, backlog=1024)
    for number in range(min(pages, _MADE)):
        _Connection()._answer(f"/{number}.html")  # noqa: SLF001
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/0.html", flush=True)
    await server.serve_forever()


@contextlib.contextmanager
def docs_site(pages: int = PAGES) -> Iterator[str]:
    """Serve the site in a process of its own; gives its first URL."""
    command = [sys.executable, "-m", "bench.docs_site", "--pages", str(pages)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            if not url:
                raise SystemExit("the site could not be served")
            yield url
        finally:
            process.terminate()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=PAGES)
    arguments = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt, socket.error):
        asyncio.run(serve(arguments.pages))


if __name__ == "__main__":
    main()
