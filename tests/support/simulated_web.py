"""Random webs, and which of their URLs a crawl takes: by the definition alone, without the crawler's own ways to it."""

import random
from collections import deque
from urllib.parse import urlsplit

from crawler.web.traps import alike, is_dated, repeats

__all__ = ["SimulatedWeb", "expected"]

FLAKY = 2
"""Most times that a URL fails before it answers."""
WORDS = (
    "amber", "birch", "cedar", "daisy", "elder", "fern", "gorse", "hazel", "iris", "juniper", "kale", "larch", "maple",
    "nettle", "oak", "pine",
)  # fmt: skip


class SimulatedWeb:
    """What each URL of a web answers: pages, redirects, sitemaps, lists that end, and traps that do not.

    With `joined`, seeds redirect to other hosts, where other seeds may have been. With `apart`, no host leads to
    others, and chains may be long. With `wide`, hosts are of up to six domains.
    """

    def __init__(self, seed: int, *, joined: bool = False, apart: bool = False, wide: bool = False) -> None:
        rng = random.Random(seed)
        domains = WORDS[4 : 4 + rng.choice((2, 4, 6))] if wide else WORDS[4:6]
        names = [f"{word}.{domain}.test" for word in WORDS[:3] for domain in domains]
        self.hosts = [f"http://{name}" for name in names[: rng.choice((2, 4, 6, 8) if wide else (1, 1, 2, 3, 4))]]
        self.scope = rng.choice(("domain", "host")) if joined else rng.choice(("any", "any", "domain", "host"))
        self.depth = rng.choice((None, None, 1, 2, 3, 4))
        self.max_chain = rng.choice((None, 1, 3, 4, 6, 9))
        if self.depth is None and self.max_chain is None:
            self.max_chain = 2  # else it has no end
        if apart:
            self.scope, self.max_chain = "host", 24
        number = rng.randint(3, 30)
        self.urls = [self._name(rng, n) for n in range(number)]
        self.seeds = [(url, "page") for url in rng.sample(self.urls, rng.randint(1, min(3, number)))]
        self.pages: dict[str, tuple[str, list[tuple[str, str, bool]]]] = {}
        self.traps: dict[str, str] = {}
        self.lists: dict[str, int] = {}
        self.maps: dict[str, tuple[str, list[tuple[str, str, bool]]]] = {}
        self.flaky = {url: rng.randint(0, FLAKY) for url in self.urls if rng.random() < 0.15}
        self._lay_traps(rng)
        self._lay_maps(rng)
        for url in self.urls:
            self.pages[url] = self._page(rng, url)
            if (url, "page") in self.seeds and self.scope != "any" and not joined and self.pages[url][0] == "moved":
                self.pages[url] = "page", []

    def _name(self, rng: random.Random, n: int) -> str:
        host = rng.choice(self.hosts)
        word = WORDS[n % len(WORDS)] + "-" + WORDS[n // len(WORDS) + 3]
        return rng.choice((f"{host}/{word}", f"{host}/item/{n}", f"{host}/{word}/part-{n % 3}"))

    def _lay_traps(self, rng: random.Random) -> None:
        """Traps are roots of endless pages; lists end, and bring articles."""
        for n in range(rng.randint(0, 3)):
            host = rng.choice(self.hosts)
            kind = rng.choice(("both", "days", "fresh", "back", "words", "turns", "list", "bare", "tree"))
            self.traps[f"{host}/{WORDS[n]}s/"] = kind
            self.lists[f"{host}/{WORDS[n]}s/"] = rng.randint(2, 25)

    def _lay_maps(self, rng: random.Random) -> None:
        made: list[str] = []
        for n in range(rng.choice((0, 0, 2, 8))):
            url = f"{rng.choice(self.hosts)}/map-{WORDS[n]}.xml"
            if made and rng.random() < 0.7:
                # An index of those before, so that one sitemap stands at several depths.
                found = [(rng.choice(made), "sitemap", False) for _ in range(2)] + [(made[-1], "sitemap", False)]
            else:
                found = [(rng.choice(self.urls), "page", False) for _ in range(rng.randint(0, 4))]
            moved = made and urlsplit(made[-1]).netloc == urlsplit(url).netloc and rng.random() < 0.3
            self.maps[url] = ("moved", [(made[-1], "sitemap", False)]) if moved else ("page", found)
            made.append(url)
        if made:
            self.seeds += [(url, "sitemap") for url in {made[-1], rng.choice(made)}]

    def _page(self, rng: random.Random, url: str) -> tuple[str, list[tuple[str, str, bool]]]:
        chance = rng.random()
        target = rng.choice(self.urls)
        if chance < 0.12:
            later = self.urls[self.urls.index(url) + 1 :]
            return ("moved", [(rng.choice(later), "page", False)]) if later else ("page", [])
        if chance < 0.17:
            return "missing", [(target, "page", False)]
        if chance < 0.21:
            return "dead", [(target, "page", False)]
        found = [rng.choice(self.urls) for _ in range(rng.choice((0, 1, 2, 3, 5)))]
        if rng.random() < 0.3 and self.traps:
            root = rng.choice(list(self.traps))
            found.append(root + str(rng.choice((1, 3, 8))))
        if rng.random() < 0.05:
            found.append(url.rstrip("/") + "/a/a/a/a/a")
        return "page", [(one, "page", rng.random() < 0.08) for one in dict.fromkeys(found)]

    def answer(self, url: str, kind: str) -> tuple[str, list[tuple[str, str, bool]]]:
        """What a URL is, and its links as (URL, kind, nofollow)."""
        if kind == "sitemap":
            return self.maps[url]
        if url in self.pages:
            return self.pages[url]
        root = next((root for root in self.traps if url.startswith(root)), None)
        if root is None:
            return "page", []
        return "page", [(one, "page", False) for one in self._trap(root, self.traps[root], url.removeprefix(root))]

    def _trap(self, root: str, kind: str, rest: str) -> list[str]:
        if rest.startswith("one-"):
            back = len(rest) - len("one-")
            return [f"{root}{back + 1}"] if kind == "back" else []
        if kind == "words":
            return [root + "x" * (len(rest) + 1)]
        if kind == "turns":
            number = rest.rpartition("-")[2]
            return [f"{root}{'abc'[int(number) % 3]}-{int(number) + 1}"]
        if "/" in rest:
            return []
        n = int(rest)
        article = f"{root}one-{'y' * n}"
        return {
            "both": [f"{root}{n - 1}", f"{root}{n + 1}"] if n else [f"{root}1"],
            "days": [f"{root}{n + 1}", f"{root}{n}/2024-01", f"{root}{n}/2024-02"],
            "fresh": [f"{root}{n + 1}", article],
            "back": [article],
            "list": [f"{root}{n + 1}", f"{root}{n + 2}", article] if n < self.lists[root] else [f"{root}1"],
            "bare": [f"{root}{n + 1}"] if n < self.lists[root] else [],
            "tree": [f"{root}{2 * n}", f"{root}{2 * n + 1}"],
        }[kind]


def expected(web: SimulatedWeb, most: int) -> dict[tuple[str, str], str]:
    """(URL, kind) -> how it ends. `most` is how many times `max_chain` a chain that brings something may be long."""
    limits: dict[str, int] = {}
    looks: dict[str, tuple[int, int]] = {}
    while True:
        reach = _closure(web, limits)
        if not _look(web, most, limits, looks, reach):
            return _outcomes(web, limits, reach)


def _closure(web, limits):
    """The smallest number of links, and of links in a row between pages alike, over all ways that may be followed."""
    reach = dict.fromkeys(web.seeds, (0, 0))
    ready = deque(web.seeds)
    while ready:
        asked = ready.popleft()
        if _cut(web, limits, asked, reach[asked]):
            continue
        for target, skip, way in _leads(web, asked, reach[asked]):
            known = reach.get(target, (1 << 30, 1 << 30))
            better = (min(way[0], known[0]), min(way[1], known[1]))
            if not skip and better != known:
                reach[target] = better
                ready.append(target)
    return reach


def _leads(web, asked, at):
    (url, kind), (far, chain) = asked, at
    what, links = web.answer(url, kind)
    for target, to, nofollow in links if what in {"page", "moved"} else ():
        looks_alike = alike(url, target)
        outside = not _in_scope(web, url, target)
        if what == "moved":
            outside = outside and not any(url in _moves(web, *seed) for seed in web.seeds if seed[1] == kind)
            yield (target, to), "scope" if outside else "", (far, chain if looks_alike else 0)
        elif kind == "sitemap":
            yield (target, to), "scope" if outside else "", (far + 1, 0) if to == "sitemap" else (0, 0)
        elif target != url:
            skip = "scope" if outside else "trap" if repeats(target) else "nofollow" if nofollow else ""
            step = 0 if looks_alike and web.depth is None else 1
            yield (target, to), skip, (far + step, chain + 1 if looks_alike and web.max_chain else 0)


def _in_scope(web, url, target):
    """Whether a seed, with what it redirects to, has both in its scope."""
    if web.scope == "any":
        return True
    here, there = _place(web, url), _place(web, target)
    return any({here, there} <= {_place(web, one) for one in _moves(web, *seed)} for seed in web.seeds)


def _place(web, url):
    host = urlsplit(url).netloc
    return host if web.scope == "host" else host.split(".", 1)[1]


def _moves(web, url, kind):
    """A seed, and what it redirects to."""
    yield url
    while web.answer(url, kind)[0] == "moved":
        url = web.answer(url, kind)[1][0][0]
        yield url


def _cut(web, limits, asked, at):
    (url, kind), (far, chain) = asked, at
    if kind == "sitemap":
        return "depth" if far > 5 else ""
    if web.depth is not None and far > web.depth:
        return "depth"
    if web.max_chain is None:
        return ""
    if web.depth is None and far > 10 * web.max_chain:
        return "trap"
    return "trap" if chain > limits.get(urlsplit(url).netloc, _first(web)) else ""


def _first(web):
    return min(6, max(1, web.max_chain * 2 // 3))


def _look(web, most, limits, looks, reach):
    """Raise the limits of chains by a look at the whole; whether there was anything to raise."""
    waiting = set()
    for (url, kind), at in reach.items():
        far_is_fine = kind == "page" and (web.depth is None or at[0] <= web.depth)
        far_is_fine = far_is_fine and (web.depth is not None or web.max_chain is None or at[0] <= 10 * web.max_chain)
        if far_is_fine and _cut(web, limits, (url, kind), at) == "trap":
            waiting.add(urlsplit(url).netloc)
    raised = False
    for host in waiting:
        here = [
            (url, chain) for (url, kind), (far, chain) in reach.items()
            if kind == "page" and urlsplit(url).netloc == host and not _cut(web, limits, (url, kind), (far, chain))
            and web.answer(url, kind)[0] in {"page", "missing"}
        ]  # fmt: skip
        limit = limits.get(host, _first(web))
        before, others_before = looks.get(host, (_first(web), 0))
        if before is None:
            continue
        deep = sum(chain > _first(web) for _, chain in here)
        new = sum(chain > before for _, chain in here)
        others = sum(chain <= _first(web) and not is_dated(url) for url, chain in here)
        longer = limit + (limit + 1) // 2
        if deep > most * web.max_chain:
            goes_on = None
        elif limit < web.max_chain:
            goes_on = min(longer, web.max_chain)
        elif limit < most * web.max_chain and new and others - others_before >= new:
            goes_on = min(longer, most * web.max_chain)
        else:
            goes_on = None
        looks[host] = (None if goes_on is None else limit, others)
        if goes_on is not None:
            limits[host], raised = goes_on, True
    return raised


def _outcomes(web, limits, reach):
    ends = {"page": "fetched", "missing": "fetched", "moved": "redirected", "dead": "failed: protocol"}
    ends["barred"] = "skipped: robots"
    outcomes = {}
    for asked, at in reach.items():
        cut = _cut(web, limits, asked, at)
        end = "fetched: sitemap" if asked[1] == "sitemap" and web.answer(*asked)[0] == "page" else ""
        outcomes[asked] = f"skipped: {cut}" if cut else end or ends[web.answer(*asked)[0]]
    order = ["filter", "trap", "nofollow", "scope"]
    reasons: dict[tuple[str, str], str] = {}
    for asked, at in reach.items():
        for target, skip, _ in () if _cut(web, limits, asked, at) else _leads(web, asked, at):
            if skip and target not in reach:
                reasons[target] = max(skip, reasons.get(target, skip), key=order.index)
    return outcomes | {asked: f"skipped: {skip}" for asked, skip in reasons.items()}
