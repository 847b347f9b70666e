"""What a page of a watched host has to itself: text, marks and links that the pages before it did not have."""

import re
from collections.abc import Container, Iterable, Sequence
from heapq import nsmallest
from urllib.parse import unquote_to_bytes

from msgspec import Struct
from xxhash import xxh3_64_digest

from crawler.core.model import Answer, Task
from crawler.web.readable import names_a_file
from crawler.web.traps import is_dated
from crawler.web.urls import authority, task_key

__all__ = ["HASH_BYTES", "KEY_BYTES", "Gist", "Gists", "gist_of_file"]

HASH_BYTES, KEY_BYTES = 8, 16
MOST_PIECES, MOST_MARKS, MOST_LINKS = 16, 8, 16
"""Of a page, so many pieces of text, marks and links are looked at: enough to tell most from few."""

_HEAD_BYTES, _TAIL_BYTES = 49_152, 16_384
"""What is read of a page: more would take a parser's time, and tell no more."""
_MOST_OWN = 24
_HOSTS = 32
# What stands between two tags and has a letter or a digit in it, of any script.
_PIECE = re.compile(rb">([^<>]*[0-9A-Za-z\x80-\xff][^<>]*)")
# What a page shows without text: pictures and other media, and what is written in attributes of these.
_SHOWING = re.compile(
    rb"<(?:img|source|picture|video|audio|iframe|embed|object|image|meta|input|time|data|meter|progress)\b[^>]*",
    re.IGNORECASE,
)
_VALUE = re.compile(
    rb"""[\s"'](src|srcset|data-src|data-srcset|data|poster|alt|title|content|value|label|datetime)\s*=\s*"""
    rb"""("[^"]*"|'[^']*'|[^\s"'>]+)""",
    re.IGNORECASE,
)
_SHOWS = frozenset({b"src", b"data", b"srcset", b"data-src", b"data-srcset", b"poster"})
_WORD = re.compile(rb"[0-9A-Za-z\x80-\xff]+")
_DIGIT = re.compile(rb"[0-9]")


class Gist(Struct, frozen=True, gc=False):
    """Samples of what is a page's own.

    `pieces`: hashes (8 bytes each) of pieces of text, numbers left out. `marks`: hashes (8 bytes each) of what says
    something without words: numbers, pictures, attributes, links elsewhere. `links`: keys (16 bytes each) of URLs.
    A file has no `pieces`, and one mark.
    """

    pieces: bytes | None = b""
    marks: bytes = b""
    links: bytes = b""


class _Page(Struct, frozen=True):
    pieces: frozenset[bytes] = frozenset()
    values: frozenset[tuple[bytes, bytes]] = frozenset()
    links: frozenset[str] = frozenset()


class Gists:
    """Takes the gists of pages, by what the two pages before of the same host had, whichever these were.

    A piece of text is what stands between two tags. Words and numbers that stand in the page's own URL do not count, or
    a page that repeats its address would say something new each time; what a picture is called counts in any case.
    Menus, footers and the like are on the pages before as well.
    State: the two pages before of the hosts that were read lately. It changes what a sample holds, and no outcome of a
    site whose pages all end.
    """

    def __init__(self, hash_seed: int) -> None:
        self._hash_seed = hash_seed
        self._before: dict[str, tuple[_Page, _Page]] = {}

    def take(
        self, task: Task, body: bytes, hrefs: Sequence[tuple[str, bool]], skipped: Container[str] = frozenset()
    ) -> Gist:
        """Return the gist of a page: what is its own of its text, and of its links to the site that is watched.

        Links that are `skipped` lead nowhere, nor do those to files, unless the page's URL ends in a date: each day of
        a calendar without end may have one.
        """
        host = authority(task.url)
        one, other = self._before.pop(host, (_Page(), _Page()))
        if len(body) > _HEAD_BYTES + _TAIL_BYTES:
            body = body[:_HEAD_BYTES] + b">" + body[-_TAIL_BYTES:]
        page = _Page(
            frozenset(_PIECE.findall(body)),
            frozenset(_VALUE.findall(b"".join(_SHOWING.findall(body)))),
            frozenset([url for url, _ in hrefs]),
        )
        if len(self._before) >= _HOSTS:
            del self._before[next(iter(self._before))]
        self._before[host] = other, page
        own = [url for url, nofollow in hrefs if url not in one.links and url not in other.links and not nofollow]
        links = [url for url in own if url != task.url and _is_of(url, task.watched) and url not in skipped]
        if not is_dated(task.url):
            links = [url for url in links if not names_a_file(url)]
        few = links[:: -(-len(links) // MOST_LINKS)] if links else links
        known = frozenset(_WORD.findall(unquote_to_bytes(task.url).lower()))
        pieces, marks = _hashes(page.pieces - one.pieces - other.pieces, known)
        marks |= _shown(page.values - one.values - other.values, known)
        marks |= {xxh3_64_digest(url.encode()) for url in own[:MOST_MARKS] if not _is_of(url, task.watched)}
        return Gist(
            b"".join(nsmallest(MOST_PIECES, pieces)),
            b"".join(nsmallest(MOST_MARKS, marks)),
            b"".join([task_key(url, "page", self._hash_seed) for url in few]),
        )


def gist_of_file(answer: Answer) -> Gist:
    """Return the gist of a file, by what tells it from others without its body, which mostly stays behind."""
    tag = answer.header("etag") or ""
    return Gist(pieces=None, marks=xxh3_64_digest(f"{answer.body_bytes} {tag}".encode()))


def _is_of(url: str, site: str) -> bool:
    """Whether a URL is of a site: a host with its port, or a domain with its hosts."""
    host = authority(url)
    return host == site or host.endswith(f".{site}")


def _hashes(pieces: frozenset[bytes], known: frozenset[bytes]) -> tuple[set[bytes], set[bytes]]:
    """Return the hashes of what pieces say in words beside those that are known, and in numbers; of many, of a few."""
    texts, numbers = set(), set()
    for piece in nsmallest(_MOST_OWN, pieces, xxh3_64_digest) if len(pieces) > _MOST_OWN else pieces:
        words = [word for word in _WORD.findall(piece.lower()) if word not in known]
        spelled = [word for word in words if not _DIGIT.search(word)]
        if spelled:
            texts.add(xxh3_64_digest(b" ".join(spelled)))
        if len(spelled) < len(words):
            numbers.add(xxh3_64_digest(b" ".join(words)))
    return texts, numbers


def _shown(values: Iterable[tuple[bytes, bytes]], known: frozenset[bytes]) -> set[bytes]:
    """Return the hashes of what attributes say beside the words that are known, and of the addresses of pictures."""
    hashes = set()
    for name, value in nsmallest(_MOST_OWN, values):
        if name.lower() in _SHOWS:
            hashes.add(xxh3_64_digest(value.strip(b"\"'")))
        elif words := [word for word in _WORD.findall(value.lower()) if word not in known]:
            hashes.add(xxh3_64_digest(b" ".join(words)))
    return hashes
