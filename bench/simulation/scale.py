"""How a crawl grows with its shards: the same work for each of 1 to 64 simulated shards, nothing befalling them.

The time that a page takes is set (`page_s`: what one process that reads pages does), so simulated pages a second say
whether anything between the shards holds them up. What the crawler's own code costs is measured beside it: processor
time of the event loop and the ledger, for each page, links to other shards with all that comes of them included.
"""

import gc
import itertools
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from msgspec import Struct
from msgspec.structs import replace

from bench.simulation.cluster import Cluster
from bench.simulation.plan import Plan
from bench.simulation.run import memory, settings
from bench.simulation.servers import Servers
from bench.simulation.web import Found
from bench.simulation.world import World
from crawler.core.config import CrawlConfig
from crawler.core.model import Seed
from crawler.shards.state import encode, new_state, opened
from crawler.shards.states import States
from crawler.web.shards import owner

__all__ = ["Grown", "LargeWeb", "grown"]

_CHILDREN = 4
_LETTERS = "abcdefghijklmnop"


class LargeWeb:
    """So many domains for each shard, of so many pages, which form a tree; `cross` of all links lead to any domain.

    Nothing of it is kept but which domains there are: each page is made when it is asked for. All shards have as many
    domains, so that what is measured is not how even a hash is.
    """

    def __init__(self, shards: int, domains: int, pages: int, cross: float) -> None:
        self.pages_each, self.cross = pages, cross
        left = dict.fromkeys(range(shards), domains)
        self.domains: list[int] = []
        for number in itertools.count():
            shard = owner(self.url(number, 0), shards)
            if left[shard]:
                left[shard] -= 1
                self.domains.append(number)
            if len(self.domains) == shards * domains:
                break
        self.flaky: dict[str, int] = {}
        self.down: dict[str, tuple[float, float]] = {}
        self.crawl_delay = _Same(0.0)
        self.latency_s = _Same(0.05)

    def url(self, domain: int, page: int) -> str:
        """The URL of a page: names without a number in them, which would look like a list."""
        return f"http://www.{_word(domain)}.test/{_word(page)}"

    def answer(self, url: str, _kind: str) -> Found:
        """What a page leads to."""
        host, _, path = url.removeprefix("http://www.").partition(".test/")
        domain, page = _number(host), _number(path)
        rng = random.Random(f"{domain} {page}")
        first = _CHILDREN * page + 1
        own = [self.url(domain, child) for child in range(first, min(first + _CHILDREN, self.pages_each))]
        # A tree leads to each page once: one link a page on the average.
        away = self.cross / (1 - self.cross)
        number = int(away) + (rng.random() < away % 1)
        own += [self.url(rng.choice(self.domains), rng.randrange(self.pages_each)) for _ in range(number)]
        return "page", [(link, "page", False) for link in own]

    def robots(self, _host: str) -> str:
        """All may be asked for."""
        return ""

    def seeds(self) -> Iterator[Seed]:
        """The first page of each domain."""
        for domain in self.domains:
            yield Seed(self.url(domain, 0), {})


class _Same(dict[str, float]):
    def __init__(self, value: float) -> None:
        self.value = value

    def __missing__(self, _key: str) -> float:
        return self.value


class Grown(Struct, frozen=True):
    """What came of a size. Rates are in seconds of the simulated world, over the middle half of the pages."""

    shards: int
    pages: int
    pages_per_s: float
    cpu_ms: float
    crossing: float
    wire_bytes: float
    most_outbox: int
    took_s: float


def grown(shards: int, *, pages: int, domains: int, cross: float, page_s: float, delay_s: float) -> Grown:
    """Crawl with so many shards: `domains` of `pages` each for every shard."""
    started = time.perf_counter()
    plan = Plan(0, calm=True)
    plan.shards, plan.nodes, plan.max_pages, plan.checkpoint_s = shards, max(1, shards // 2), None, 60.0
    plan.outbox_bytes, plan.delay_s, plan.commit_s = 64 << 20, delay_s, 0.25
    web: Any = LargeWeb(shards, domains, pages, cross)
    world = World(0)
    world.measures = True
    servers = _Counting(world, web, 0)
    with tempfile.TemporaryDirectory(dir=memory()) as name, settings(world, plan), world.entered():
        config = CrawlConfig(
            job=Path(name) / "place", output=(), scope="any", sitemaps=False, delay_s=delay_s, concurrency=256
        )
        cluster = Cluster(plan, world, servers, config, Path(name))
        cluster.page_s = page_s
        gc.collect()
        gc.disable()  # it would look through all shards for each of them
        try:
            state = opened(new_state("scale", shards, 7, {}), max_pages=None, max_time_s=None)
            States(cluster.place.at("states")).put(1, encode(replace(state, number=1)))
            cluster.seeds = list(web.seeds())
            cluster.start_coordinator()
            cluster.look()
            with mock.patch.object(time, "sleep"):
                assert world.run(lambda: cluster.is_over, 3600.0), "it does not end"
            cpu_s = sum(process.cpu_s for process in cluster.shard_processes)
            sent = sum(one.frontier.counters.sent for one in cluster.rings)
        finally:
            gc.enable()
            cluster.close()
    times = sorted(servers.times)
    total = shards * domains * pages
    low, high = times[len(times) // 4], times[len(times) * 3 // 4]
    links = total + total * cross / (1 - cross)
    return Grown(
        shards=shards,
        pages=total,
        pages_per_s=len(times) / 2 / (high - low),
        cpu_ms=1000 * cpu_s / total,
        crossing=sent / links,
        wire_bytes=cluster.network.bytes_by["take"] / total,
        most_outbox=cluster.most_outbox,
        took_s=time.perf_counter() - started,
    )


class _Counting(Servers):
    """Servers that note when pages are asked for, and no more."""

    def __init__(self, world: World, web: Any, seed: int) -> None:
        super().__init__(world, web, seed)
        self.times: list[float] = []

    def note(self, url: str, *_: object) -> None:
        if not url.endswith("/robots.txt"):
            self.times.append(self.world.now)


def _word(number: int) -> str:
    return "".join(_LETTERS[int(digit, 16)] for digit in f"{number:04x}")


def _number(word: str) -> int:
    return int("".join(f"{_LETTERS.index(letter):x}" for letter in word), 16)
