"""The web of a simulation: domains whose pages lead to each other, what their servers say, and what a crawl must take.

What a crawl must take is defined by `tests.support.simulated_web.expected`, which knows nothing of rings or shards.
"""

import random
from typing import Any

from tests.support.simulated_web import WORDS, SimulatedWeb

__all__ = ["Web"]

_LEVELS = ("www.", "docs.", "shop.", "wiki.")
Found = tuple[str, list[tuple[str, str, bool]]]


class Web(SimulatedWeb):
    """A web of some domains, each with one to four hosts, drawn from one number.

    `cross` is the share of links that lead to another domain. A host may ask for a Crawl-delay, be slow, and be down
    for a while. A URL may be barred by its robots.txt: nothing but `robots` comes of it.
    """

    def __init__(self, seed: int, *, domains: int, pages: int, cross: float, plain: bool = False) -> None:
        rng = random.Random(f"web {seed}")
        self.cross = cross
        names = [f"{WORDS[n % 16]}{WORDS[n // 16 + 3]}.test" for n in range(domains)]
        self.hosts = [f"http://{level}{name}" for name in names for level in _LEVELS[: rng.choice((1, 1, 2, 4))]]
        self.scope: Any = "any" if plain else rng.choice(("any", "any", "any", "domain", "host"))
        self.depth = None if plain else rng.choice((None, None, 2, 3, 4))
        self.max_chain = 24 if plain else rng.choice((None, 1, 3, 6, 9))
        if self.depth is None and self.max_chain is None:
            self.max_chain = 2  # else it has no end
        self.urls = [self._name(rng, n) for n in range(pages)]
        first = rng.sample(self.hosts, rng.randint(1, min(6, len(self.hosts))))
        self.seeds = [(url, "page") for url in rng.sample(self.urls, rng.randint(1, min(3, pages)))]
        self.seeds += [(url, "page") for host in first for url in self.of(host)[:1] if (url, "page") not in self.seeds]
        self._named = set(self.urls)
        self._by_domain: dict[str, list[str]] = {}
        for url in self.urls:
            self._by_domain.setdefault(domain_of(url), []).append(url)
        self.pages: dict[str, Found] = {}
        self.traps: dict[str, str] = {}
        self.lists: dict[str, int] = {}
        self.maps: dict[str, Found] = {}
        self.flaky = {url: rng.randint(1, 2) for url in self.urls if rng.random() < 0.1}
        self.barred = {url for url in self.urls if rng.random() < 0.03}
        if not plain:
            self._lay_traps(rng)
            self._lay_maps(rng)
        for url in self.urls:
            self.pages[url] = ("barred", []) if url in self.barred else self._page(rng, url)
            if (url, "page") in self.seeds and self.scope != "any" and self.pages[url][0] == "moved":
                self.pages[url] = "page", []
        self._furnish(rng)

    def _name(self, rng: random.Random, n: int) -> str:
        host = rng.choice(self.hosts)
        word = f"{WORDS[n % 16]}-{WORDS[(n // 16 + 3) % 16]}"
        return rng.choice((f"{host}/{word}", f"{host}/item/{n}", f"{host}/{word}/part-{n % 3}"))

    def of(self, host: str) -> list[str]:
        """The URLs of a host that have a name of their own."""
        return [url for url in self.urls if url.startswith(host + "/")]

    def _page(self, rng: random.Random, url: str) -> Found:
        """As any page, but for where its links lead: `cross` of them to other domains."""
        what, found = super()._page(rng, url)
        if what != "page" or len(self._by_domain) < 2:
            return what, found
        here = self._by_domain[domain_of(url)]
        links = {}
        for link, kind, nofollow in found:
            to = link
            if link in self._named:
                away = rng.random() < self.cross
                if away and domain_of(link) == domain_of(url):
                    to = rng.choice(self.urls)
                elif not away and domain_of(link) != domain_of(url):
                    to = rng.choice(here)
            links[to] = (to, kind, nofollow)
        return what, list(links.values())

    def _furnish(self, rng: random.Random) -> None:
        """Give each host its manners."""
        self.crawl_delay = {host: rng.choice((0.0, 0.0, 0.0, 1.0, 3.0, 8.0)) for host in self.hosts}
        self.latency_s = {host: rng.choice((0.02, 0.05, 0.3, 1.5)) for host in self.hosts}
        self.down: dict[str, tuple[float, float]] = {}
        for host in self.hosts:
            if rng.random() < 0.1:
                start = rng.uniform(0.0, 60.0)
                self.down[host] = start, start + rng.uniform(5.0, 60.0)

    def robots(self, host: str) -> str:
        """The robots.txt of a host."""
        lines = ["User-agent: *"]
        if self.crawl_delay[host]:
            lines.append(f"Crawl-delay: {self.crawl_delay[host]:g}")
        lines += [f"Disallow: {url.removeprefix(host)}$" for url in sorted(self.barred) if url.startswith(host + "/")]
        return "\n".join([*lines, "Disallow: /never", ""])


def host_of(url: str) -> str:
    """Scheme and authority of a URL."""
    return url[: url.index("/", 8)]


def domain_of(url: str) -> str:
    """The domain of a URL, by the way in which these are named."""
    return ".".join(host_of(url).split("/")[2].split(".")[-2:])
