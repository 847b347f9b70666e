"""What a site (a host, or a registrable domain) may still spend on pages that bring nothing but further links.

A trap without numbers has no end, and its pages look like any others: facets in any order, a page for whatever path,
words at random. What tells it from a large site is what comes of its pages. Looked at are those after the first
`FREE_PAGES`, by what the pages just before did not have (`parsers.reading.gist`); `frontier.worth` says what each is
worth.

This is counted for the site, whose credit it is, and by shape of URL (`web.traps.shape`). URLs of a shape that only
costs stand back behind all others of their host, in any order: so what is behind a facet, or a large directory, is
seen from samples. As long as credit is left they are asked for. When something comes of them, it grows again; when
nothing does, the host sleeps (`frontier.gate`). A list's next page stands back only then: lists have a limit of their
own (`reach.Reach.chain`), and what is in them is not behind facets.

A site whose pages end uses up no credit: each page that promises others is followed by those, which pay for it.
"""

import msgspec
from msgspec import Struct
from xxhash import xxh3_64_digest

from crawler.core.config import CrawlConfig
from crawler.core.model import Done, Task
from crawler.frontier.handed import Handed
from crawler.frontier.out import Out
from crawler.frontier.promises import Looked, Promises
from crawler.frontier.row import QUEUED, UrlRow, is_late
from crawler.frontier.store import Store
from crawler.frontier.worth import BRINGS, COST
from crawler.web.domains import Domains
from crawler.web.traps import is_dated, shape
from crawler.web.urls import authority

__all__ = ["REPEATS", "STAND_BACK", "Budgets"]

STAND_BACK = "later"
"""Verdict on a URL that is to come behind all others of its host."""
REPEATS = "repeats"
"""Reason of outcome `skipped`: its site has used up what it may spend on pages that bring nothing."""
FREE_PAGES = 100
UNPROVEN_TASKS = 128
"""Most tasks of a host that are handed out at once before it is known what its pages bring."""
_BUDGET = b"b"
"""Stands behind a site's key where its budget is kept."""
_LED_TO = 2
"""What a page that brings something counts for the shape of the one where it was found."""
_FOUND_BEHIND = 40
"""What a page of a good shape makes up for that was found only behind one that stands back: there may be more."""
_STANDS_BACK, _GOOD = -80, 60
"""From this score on a shape stands back. It goes no lower than a half more, so that it can come back."""
_MOST_SCORE = 120
_PROVEN_PAGES = 20
_KNOWN_SHAPE = 10
_YOUNG_SHAPES = b""
"""Stands for all shapes of which fewer than `_KNOWN_SHAPE` pages are known."""
_MOST_SHAPES = 512
_SAMPLED = 32
"""Of a site that has proved itself, one page in so many is looked at."""
_FRESH_ONE_IN = 3
"""A page says something new if one piece of its own text in so many is."""
_DOMAIN = b"."
_KEPT = 16_384
_KEPT_FROM = 32
"""Pages from which on a site's number of pages outlives memory."""
_HASH_BYTES, _LINK_BYTES = 8, 16
_HOSTS_OF_A_DOMAIN = 64
"""Hosts that a run has met before it looks at domains: to find a name's domain takes time and memory."""


class _Shape(Struct, array_like=True):
    """What came of the URLs of one shape: their score, how many were looked at, and how many stand back or did."""

    score: int = 0
    pages: int = 0
    stood_back: int = 0


class _Site(Struct, array_like=True):
    """A site: its pages, what it has spent, how many pages brought something, and its shapes by their hashes."""

    pages: int = 0
    spent: int = 0
    brought: int = 0
    shapes: dict[bytes, _Shape] = {}

    def score(self, shape: bytes) -> int:
        """Return the score of a shape, or that of all young ones as long as it is young itself and not worse."""
        known = self.shapes.get(shape, _NO_SHAPE)
        if known.pages >= _KNOWN_SHAPE or known.score > 0:
            return known.score
        return min(known.score, self.shapes.get(_YOUNG_SHAPES, _NO_SHAPE).score)

    def count(self, shape: bytes, change: int, pages: int) -> None:
        """Add to the score of a shape."""
        one = self.shapes.get(shape)
        if one is None:
            if len(self.shapes) >= _MOST_SHAPES:
                del self.shapes[min(self.shapes, key=lambda key: (self.shapes[key].pages, abs(self.shapes[key].score)))]
            one = self.shapes[shape] = _Shape()
        one.pages += pages
        one.score = max(-_MOST_SCORE, min(_MOST_SCORE, one.score + change))


_NO_SHAPE = _Shape()


class Budgets:
    """The budgets of sites. Part of the frontier.

    State: the sites that are in use (in the store from their page `_KEPT_FROM` on), and which of them the open batch is
    to hold; the site for which each task counts that is handed out; what pages have promised; young hosts that wait for
    others of their domain, and those that need not any more; the domains of hosts; the URL whose shape was asked for
    last.
    """

    def __init__(self, store: Store, config: CrawlConfig) -> None:
        self._store = store
        self._most = config.max_repeats
        self._depth = config.depth
        self._sites: dict[bytes, _Site] = {}
        self._unsaved: set[bytes] = set()
        self._out = Out()
        self._promises = Promises()
        self._waiting: dict[bytes, dict[bytes, None]] = {}
        self._freed: list[bytes] = []
        self._domains: Domains | None = None
        self._domain_of: dict[bytes, tuple[bytes, str]] = {}
        self._met = 0
        self._shaped = "", b""
        self._decode = msgspec.msgpack.Decoder(_Site).decode
        self._encode = msgspec.msgpack.Encoder().encode

    @property
    def apply(self) -> bool:
        """Whether there are budgets at all."""
        return self._most is not None

    def verdict(self, host: bytes, place: bytes, row: UrlRow) -> str:
        """Return what becomes of a URL in the queue: empty if it may be handed out, `STAND_BACK`, or `REPEATS`."""
        if row.is_sitemap or row.outcome or not row.parent:
            return ""
        key, site = self._judged_by(host, row.url)
        if key != host and self._waits_for_others(host, row.url):
            return REPEATS
        if site is None or self._most is None:
            return ""
        has_credit = site.spent + self._out.count(key) < COST * self._most
        if is_late(place):
            return "" if has_credit else REPEATS
        if row.chain and has_credit:
            return ""
        return STAND_BACK if site.score(self._shape(row.url)) <= _STANDS_BACK else ""

    def stand_back(self, host: bytes, url: str) -> int:
        """Count a URL that is to stand back; return how many of its shape have done so before."""
        key, site = self._judged_by(host, url)
        if site is None:
            return 0
        own = self._shape(url)
        site.count(own, 0, 0)
        self._unsaved.add(key)
        one = site.shapes[own]
        one.stood_back += 1
        return one.stood_back - 1

    def freed(self) -> list[bytes]:
        """Return the hosts that waited for others of their domain, and need not wait any more."""
        freed, self._freed = self._freed, []
        return freed

    def most_at_once(self, host: bytes) -> int | None:
        """Return how many tasks of a host may be handed out at once, None if that does not matter here."""
        if self._most is None or self._site(host).brought >= _PROVEN_PAGES:
            return None
        return UNPROVEN_TASKS

    def watched(self, host: bytes, key: bytes, row: UrlRow) -> str:
        """Return the site for which it is to be told what a page brings, empty if it need not be."""
        if self._most is None or row.is_sitemap or row.outcome:
            return ""
        by, site = self._judged_by(host, row.url)
        if site is None:
            return ""
        proven = site.brought >= _PROVEN_PAGES and site.spent < self._most
        if proven and key[0] % _SAMPLED and site.score(self._shape(row.url)) > _PROVEN_PAGES:
            return ""
        return authority(row.url) if by == host else self._domain(host, row.url)[1]

    def hand_out(self, handed: Handed) -> None:
        """Learn that a task is handed out."""
        key = b""
        if self._site(handed.host).pages < FREE_PAGES:
            key, _ = self._domain(handed.host, handed.task.url)
        if not key:
            if not is_late(handed.place):
                return
            key = handed.host
        self._out.add(handed.task.key, key)

    def take_back(self, handed: Handed) -> None:
        """Learn that a task is handed out no more."""
        for key in self._out.remove(handed.task.key):
            if waiting := self._waiting.get(key):
                many = self._site(key).brought >= _PROVEN_PAGES
                self._freed += [waiting.popitem()[0] for _ in range(len(waiting) if many else 1)]

    def ended(self, handed: Handed, done: Done) -> None:
        """Learn how a task has ended, and what it leads to that was not known: the latter before it is."""
        task = handed.task
        if self._most is None or task.kind != "page" or handed.outcome:
            return
        page = self._promises.ended(task.key, done)
        if page is not None:
            before = page.worth
            page.new -= 1
            if page.worth != before:
                self._credit(page, before)
        if done.outcome == "fetched":
            self._count(handed)
        elif done.reason != "robots":
            return
        if task.watched:
            of_host = task.watched == authority(task.url)
            key = handed.host if of_host else self._domain(handed.host, task.url)[0]
            if key:
                self._judge(key, task, done)

    def save(self) -> None:
        """Put what was learned into the open batch."""
        for key in self._unsaved:
            site = self._sites[key]
            if site.pages >= _KEPT_FROM:
                self._store.put_host(key + _BUDGET, self._encode(site))
        self._unsaved.clear()

    def committed(self) -> None:
        """Learn that the open batch was committed."""
        if len(self._sites) > _KEPT:
            self._sites.clear()
            self._domain_of.clear()

    def _waits_for_others(self, host: bytes, url: str) -> bool:
        """Whether as many tasks of young hosts of one domain are handed out as of one host may be."""
        key, _ = self._domain(host, url)
        if not key or self._out.count(key) < UNPROVEN_TASKS or self._site(key).brought >= _PROVEN_PAGES:
            return False
        self._waiting.setdefault(key, {})[host] = None
        return True

    def _count(self, handed: Handed) -> None:
        """Count a page."""
        host = self._site(handed.host)
        host.pages += 1
        self._unsaved.add(handed.host)
        if host.pages <= FREE_PAGES:
            domain, _ = self._domain(handed.host, handed.task.url)
            if domain:
                self._site(domain).pages += 1
                self._unsaved.add(domain)

    def _judge(self, key: bytes, task: Task, done: Done) -> None:
        """Count what a page has brought. One that could not be read leads nowhere, too."""
        is_last = self._depth is not None and task.depth >= self._depth  # what it leads to is not asked for
        new, waiting = _leads_to(self._store, [] if is_last else _cut(done.own_links, _LINK_BYTES))
        says = self._says(key, done)
        if done.is_file and task.parent is not None and is_dated(task.parent):
            says = ""
        page = Looked(key, task, says, len(new), waiting)
        if page.worth < 0 and done.pieces is None:
            return
        self._credit(page)
        self._promises.made(page, new)

    def _credit(self, page: Looked, before: int | None = None) -> None:
        """Count what a page is worth, for its site and its shape; `before` is what it has been counted for."""
        site, task, worth = self._site(page.site), page.task, page.worth
        brings, change, looks = worth == BRINGS, worth - (before or 0), int(before is None)
        kind = _hash(task.url)
        parent = b""
        if brings and task.parent is not None and authority(task.parent) == authority(task.url):
            parent = _hash(task.parent)
            if site.score(parent) <= _STANDS_BACK and site.score(kind) >= _GOOD:
                site.spent = max(0, site.spent - _FOUND_BEHIND)
        site.spent = max(0, site.spent - change)
        site.brought = max(0, min(_MOST_SCORE, site.brought + brings - (worth < 0) + ((before or 0) < 0)))
        if site.shapes.get(kind, _NO_SHAPE).pages < _KNOWN_SHAPE:
            site.count(_YOUNG_SHAPES, change, looks)
        site.count(kind, change, looks)
        if parent:
            site.count(parent, _LED_TO, 0)
        self._unsaved.add(page.site)

    def _judged_by(self, host: bytes, url: str) -> tuple[bytes, _Site | None]:
        """Return the site whose budget counts for a URL, with its key; None as long as none does."""
        site = self._site(host)
        if site.pages >= FREE_PAGES:
            return host, site
        key, _ = self._domain(host, url)
        if key and (site := self._site(key)).pages >= FREE_PAGES:
            return key, site
        return b"", None

    def _shape(self, url: str) -> bytes:
        """Return the hash of a URL's shape, which is asked for twice as a rule: whether it may go, and is watched."""
        if url is not self._shaped[0]:
            self._shaped = url, _hash(url)
        return self._shaped[1]

    def _says(self, key: bytes, done: Done) -> str:
        """Return what is new on a page: `text`, a `mark`, or nothing."""
        pieces = _cut(done.pieces or b"", _HASH_BYTES)
        fresh = self._store.contents.add_pieces(key, pieces)
        marks = self._store.contents.add_pieces(key, _cut(done.marks, _HASH_BYTES))
        return "text" if fresh and _FRESH_ONE_IN * fresh >= len(pieces) else "mark" if fresh or marks else ""

    def _site(self, key: bytes) -> _Site:
        site = self._sites.get(key)
        if site is None:
            stored = self._store.host(key + _BUDGET)
            site = self._sites[key] = _Site() if stored is None else self._decode(stored)
            self._met += len(key) == _HASH_BYTES
        return site

    def _domain(self, host: bytes, url: str) -> tuple[bytes, str]:
        """Return the key and the name of a host's domain; both empty for an address, and while hosts are few."""
        if self._met < _HOSTS_OF_A_DOMAIN:
            return b"", ""
        found = self._domain_of.get(host)
        if found is None:
            if self._domains is None:
                self._domains = Domains()
            name = self._domains.of(url)
            is_name = "." in name and not name.rpartition(".")[2].isdigit()
            found = (self._store.keys.authority(name) + _DOMAIN, name) if is_name else (b"", "")
            self._domain_of[host] = found
        return found


def _leads_to(store: Store, links: list[bytes]) -> tuple[list[bytes], int]:
    """Return which of a page's links, by their keys, nobody knows, and how many were found before and wait."""
    known = store.urls.values(links)
    new = [link for link, value in zip(links, known, strict=True) if value is None]
    return new, sum(value is not None and value[:1] == QUEUED for value in known)


def _cut(text: bytes, size: int) -> list[bytes]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def _hash(url: str) -> bytes:
    return xxh3_64_digest(shape(url).encode())
