"""What a page of a watched host has to itself: text and links that the pages before it did not have."""

import re
from collections.abc import Sequence
from heapq import nsmallest

from msgspec import Struct
from xxhash import xxh3_64_digest

from crawler.core.model import Task
from crawler.web.urls import authority, task_key

__all__ = ["HASH_BYTES", "KEY_BYTES", "Gist", "Gists"]

HASH_BYTES, KEY_BYTES = 8, 16
MOST_PIECES, MOST_LINKS = 16, 16
"""Of a page, so many pieces of text and links are looked at: enough to tell most from few."""

_MOST_BYTES = 65_536
"""What is read of a page: more would take a parser's time, and tell no more."""
_MOST_OWN = 24
_HOSTS = 32
# What stands between two tags and has a letter in it, of any script.
_PIECE = re.compile(rb">([^<>]*[A-Za-z\x80-\xff][^<>]*)")
_WORD = re.compile(rb"[0-9A-Za-z\x80-\xff]+")


class Gist(Struct, frozen=True, gc=False):
    """`pieces`: hashes (8 bytes each) of pieces of text; `links`: keys (16 bytes each) of URLs. Samples of both."""

    pieces: bytes = b""
    links: bytes = b""


class _Page(Struct, frozen=True):
    pieces: frozenset[bytes] = frozenset()
    links: frozenset[str] = frozenset()


class Gists:
    """Takes the gists of pages, by what the two pages before of the same host had, whichever these were.

    A piece of text is what stands between two tags. Words that stand in the page's own URL do not count, or a page that
    repeats its address would say something new each time. Menus, footers and the like are on the pages before as well.
    State: the two pages before of the hosts that were read lately. It changes what a sample holds, and no outcome of a
    site whose pages all end.
    """

    def __init__(self, hash_seed: int) -> None:
        self._hash_seed = hash_seed
        self._before: dict[str, tuple[_Page, _Page]] = {}

    def take(self, task: Task, body: bytes, hrefs: Sequence[tuple[str, bool]]) -> Gist:
        """Return the gist of a page: what is its own of its text, and of its links to the site that is watched."""
        host = authority(task.url)
        one, other = self._before.pop(host, (_Page(), _Page()))
        page = _Page(frozenset(_PIECE.findall(body, 0, _MOST_BYTES)), frozenset([url for url, _ in hrefs]))
        if len(self._before) >= _HOSTS:
            del self._before[next(iter(self._before))]
        self._before[host] = other, page
        links = [
            url
            for url, nofollow in hrefs
            if url not in one.links and url not in other.links and not nofollow
            if url != task.url and _is_of(url, task.watched)
        ]
        few = links[:: -(-len(links) // MOST_LINKS)] if links else links
        return Gist(
            b"".join(_hashes(page.pieces - one.pieces - other.pieces, task.url)),
            b"".join([task_key(url, "page", self._hash_seed) for url in few]),
        )


def _is_of(url: str, site: str) -> bool:
    """Whether a URL is of a site: a host with its port, or a domain with its hosts."""
    host = authority(url)
    return host == site or host.endswith(f".{site}")


def _hashes(pieces: frozenset[bytes], url: str) -> list[bytes]:
    """Return the hashes of those pieces that say something beside what stands in the URL; of many the smallest."""
    known = frozenset(_WORD.findall(url.lower().encode()))
    hashes = set()
    for piece in nsmallest(_MOST_OWN, pieces, xxh3_64_digest) if len(pieces) > _MOST_OWN else pieces:
        words = [word for word in _WORD.findall(piece.lower()) if word not in known]
        if words:
            hashes.add(xxh3_64_digest(b" ".join(words)))
    return sorted(hashes)[:MOST_PIECES]
