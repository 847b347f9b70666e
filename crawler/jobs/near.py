"""URLs of a job that are near to one that it does not know: other spellings first, then those that look like it."""

import contextlib
from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher
from itertools import islice, permutations

from msgspec import Struct

from crawler.core.errors import UrlError
from crawler.frontier.row import QUEUED
from crawler.frontier.store import Store
from crawler.jobs.known_rows import KnownRows
from crawler.web.urls import authority, normalise, resolve

__all__ = ["Near", "nearest"]

_LOOKED_AT = 20_000
"""Rows of the store that are looked at, in the order of their hashes: a whole small job, a sample of a large one."""
_DUE_LOOKED_AT = 2_000
_COMPARED = 100
_LEAST_ALIKE = 0.6
_MOST_PARENTS = 12
_MOST_TURNED = 4
_INDEXES = ("index.html", "index.htm", "index.php", "default.html")


class Near(Struct, frozen=True):
    """A known URL, and how it differs from the one that was asked about. `how` is empty for one that looks like it."""

    url: str
    how: str = ""


def nearest(store: Store, url: str, most: int = 5) -> list[Near]:
    """Return known URLs near to one in normal form, at most so many, the nearest first. Takes a bounded time."""
    found = dict(_known(store, url, _spellings(url)))
    if len(found) < most:
        for other in islice(_alike(store, url), most):
            found.setdefault(other, "")
    if len(found) < most:
        for other, how in _known(store, url, _folders(url)):
            found.setdefault(other, how)
    return [Near(other, how) for other, how in islice(found.items(), most)]


def _known(store: Store, url: str, changes: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Give those of some URLs that the job knows, each with how it differs."""
    spelled: dict[str, str] = {}
    for how, changed in changes:
        with contextlib.suppress(UrlError):
            spelled.setdefault(normalise(changed), how)
    spelled.pop(url, None)
    found = KnownRows(store).find([store.keys.url(one, "page") for one in spelled])
    return ((one, how) for (one, how), known in zip(spelled.items(), found, strict=True) if known is not None)


def _folders(url: str) -> Iterator[tuple[str, str]]:
    """Give the folders above a URL, the nearest first."""
    start, _, path = url.partition("?")[0].rpartition("://")[2].partition("/")
    scheme = url.partition("://")[0]
    folders = path.split("/")[:-1][:_MOST_PARENTS]
    for depth in range(len(folders), -1, -1):
        yield "folder above", f"{scheme}://{start}/{''.join(f'{one}/' for one in folders[:depth])}"


def _spellings(url: str) -> Iterator[tuple[str, str]]:
    """Give other ways to write a URL that often mean the same page, each behind what differs."""
    scheme, _, rest = url.partition("://")
    host, _, tail = rest.partition("/")
    other = "http" if scheme == "https" else "https"
    path, mark, query = tail.partition("?")
    named = host.removeprefix("www.") if host.startswith("www.") else f"www.{host}"
    slashed = path.removesuffix("/") if path.endswith("/") else f"{path}/"
    yield from (
        ("slash at the end", f"{scheme}://{host}/{slashed}{mark}{query}"),
        ("scheme", f"{other}://{host}/{tail}"),
        ("www", f"{scheme}://{named}/{tail}"),
        ("scheme and www", f"{other}://{named}/{tail}"),
        ("scheme and slash", f"{other}://{host}/{slashed}{mark}{query}"),
        ("capital letters", f"{scheme}://{host}/{path.lower()}{mark}{query}"),
        ("session in it", resolve(url, "", strip_session=True) or url),
        ("ending", f"{scheme}://{host}/{path}.html"),
        ("ending", f"{scheme}://{host}/{path.removesuffix('.html')}"),
    )
    if query:
        parameters = query.split("&")
        orders = permutations(parameters) if len(parameters) <= _MOST_TURNED else [sorted(parameters)]
        yield from (("order of its parameters", f"{scheme}://{host}/{path}?{'&'.join(order)}") for order in orders)
        yield "query", f"{scheme}://{host}/{path}"
    for index in _INDEXES:
        if path.rpartition("/")[2] == index:
            yield "index page", f"{scheme}://{host}/{path.removesuffix(index)}"
        elif not path or path.endswith("/"):
            yield "index page", f"{scheme}://{host}/{path}{index}"


def _alike(store: Store, url: str) -> Iterator[str]:
    """Give URLs of the same host that look like one, the most alike first, as far as a bounded look finds them."""
    host = store.keys.host(url)
    needle = f"://{authority(url)}/".encode()
    others = [
        store.queue.row(value).url for _, value in islice(store.queue.scan(host, host + b"\xff" * 9), _DUE_LOOKED_AT)
    ]
    stored = islice(store.urls.stored(), _LOOKED_AT)
    others += [store.urls.row(value).url for value in stored if needle in value and value[:1] != QUEUED]
    own = authority(url)
    begun = sorted(
        {one for one in others if authority(one) == own and one != url}, key=lambda one: (-_shared(url, one), one)
    )
    rated = [(SequenceMatcher(None, url, one).ratio(), one) for one in begun[:_COMPARED]]
    rated.sort(key=lambda pair: (-pair[0], pair[1]))
    return (one for alike, one in rated if alike >= _LEAST_ALIKE)


def _shared(url: str, other: str) -> int:
    """Return how many characters two texts have in common at their start and their end."""
    most = min(len(url), len(other))
    start = next((at for at in range(most) if url[at] != other[at]), most)
    end = next((at for at in range(most - start) if url[-1 - at] != other[-1 - at]), most - start)
    return start + end
