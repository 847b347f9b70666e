"""What the store of a sample tells, counted host by host."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from crawler.core.config import CrawlConfig
from crawler.core.host_rows import HEAD, TEXT
from crawler.frontier.gate import HELD_BACK
from crawler.frontier.keyed_rows import keyed_rows
from crawler.frontier.row import UrlRow
from crawler.frontier.store import Store
from crawler.planning.host_sample import HostSample, Level
from crawler.planning.sample import RecordBytes
from crawler.web.host_state import HostState, decoded
from crawler.web.robots import RobotsAnswer, rules_for
from crawler.web.urls import authority, robots_url, url_key

__all__ = ["Census", "LeftOut", "SitemapCount", "take_census"]

_WHEN_ASKED: Final = frozenset({"robots", "robots-unreachable", "private-address"})
"""Reasons for which a URL is skipped only when its turn has come: those that wait may be so, too."""
_REQUESTED: Final = frozenset({"fetched", "redirected", "failed"})
_EXAMPLES: Final = 3
_LEAST_TIMES: Final = 6
_WARMING_UP: Final = 4
"""A host's first quarter says little of its pace: there is one page to ask for, or its robots.txt."""
_MOST_LEVELS: Final = 1_000
_SIGHTINGS: Final = 4
_MOST_ANCHORS: Final = 20
_LONG_CHAIN: Final = 20


class LeftOut(Struct, frozen=True):
    """URLs that a rule leaves out: how many were met, and a few of them."""

    rule: str
    urls: int
    examples: tuple[str, ...] = ()


class SitemapCount(Struct, frozen=True):
    """A sitemap: its URL, how it was read (`fetched: sitemap`, `failed: …`), and how many URLs it lists."""

    url: str
    outcome: str
    urls: int


class Census(Struct, frozen=True, kw_only=True):
    """What a sample shows: each host, what rules leave out, seeds that are denied, sitemaps that were read.

    `robots_urls` are those of each robots.txt that there is. `linked` are keys (`web.urls.url_key`) of the pages that
    links lead to, `anchors` what scope is measured from on each host, the first few. `span_s` are the seconds from the
    first request of all to the last answer.
    """

    hosts: tuple[HostSample, ...]
    left_out: tuple[LeftOut, ...]
    seeds: int
    denied_seeds: tuple[LeftOut, ...]
    sitemaps: tuple[SitemapCount, ...]
    robots_urls: tuple[str, ...]
    linked: frozenset[bytes] = frozenset()
    anchors: Mapping[str, tuple[str, ...]] = {}
    span_s: float = 0.0


class _Host:
    """What is counted of one host. State: the counts, written by `_Count` alone."""

    def __init__(self) -> None:
        self.levels: defaultdict[int, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
        self.read = self.pages = self.waiting = self.requests = self.lists = self.latency_ms = self.answers = (
            self.chained
        ) = 0
        self.times: list[float] = []
        self.seen: Counter[bytes] = Counter()
        self.scheme = b"http"
        self.ended_at = 0.0
        self.address = ""


class _Count:
    """Counts the rows of a store. State: the counts, and of each URL that is admitted its host, depth and parent."""

    def __init__(self, depth: int | None) -> None:
        self._depth = depth
        self.hosts: defaultdict[str, _Host] = defaultdict(_Host)
        self.urls: dict[bytes, tuple[str, int, bytes, bool]] = {}
        self.left_out: dict[str, tuple[int, list[str]]] = {}
        self.denied: dict[str, tuple[int, list[str]]] = {}
        self.seeds = 0
        self.sitemaps: dict[bytes, UrlRow] = {}
        self.listed: Counter[bytes] = Counter()
        self.linked: set[bytes] = set()

    def take(self, key: bytes, row: UrlRow) -> None:
        """Count one URL."""
        if row.parent:
            self.listed[row.parent] += 1
        host = self.hosts[authority(row.url)]
        host.scheme = row.url.partition(":")[0].encode()
        self._take_attempts(host, row)
        if row.is_sitemap:
            self.sitemaps[key] = row
            return
        is_seed = not row.parent and not row.redirected_from
        self.seeds += is_seed
        skipped = row.outcome == "skipped" and row.reason not in HELD_BACK
        if skipped:
            _add(self.left_out, row.reason, row.url)
            if is_seed:
                _add(self.denied, row.reason, row.url)
            if row.reason not in _WHEN_ASKED:
                return
        read = skipped or row.outcome in _REQUESTED
        depth = min(row.depth, _MOST_LEVELS)
        level = host.levels[depth]
        level[0] += 1
        level[1] += read
        host.read += read
        level[3] += row.outcome == "fetched"
        host.pages += row.outcome == "fetched"
        host.waiting += not read
        if depth:
            self.linked.add(url_key(row.url))
        host.chained += not read and row.chain > _LONG_CHAIN
        self.urls[key] = authority(row.url), depth, row.parent, read

    def _take_attempts(self, host: _Host, row: UrlRow) -> None:
        for attempt in row.log:
            host.requests += 1
            host.times.append(attempt.at)
            host.ended_at = max(host.ended_at, attempt.at + attempt.elapsed_ms / 1000)
            host.address = attempt.address.hex() or host.address
            if not attempt.what:
                host.answers += 1
                host.latency_ms += attempt.elapsed_ms

    def lead(self) -> None:
        """Count, of all URLs that are admitted, to how many new ones of its host each level led."""
        for host, _, parent, _ in self.urls.values():
            above = self.urls.get(parent)
            if above is not None and above[0] == host and above[3]:
                self.hosts[host].levels[above[1]][2] += 1

    def see(self, key: bytes, links: list[bytes]) -> None:
        """Count what one page links to on its host, if that may tell how much there is besides."""
        page = self.urls.get(key)
        if page is None or not page[2] or (self._depth is not None and page[1] >= self._depth):
            return
        name, _, parent, _ = page
        above = {key}
        while parent in self.urls and parent not in above:
            above.add(parent)
            parent = self.urls[parent][2]
        host = self.hosts[name]
        host.lists += 1
        host.seen.update(
            link for link in dict.fromkeys(links) if link not in above and self.urls.get(link, ("",))[0] == name
        )


def take_census(folder: Path, config: CrawlConfig, sizes: RecordBytes) -> Census:
    """Read the store of a sample that has ended. Memory: some 300 bytes for each URL that it met.

    Raises `StorageError` and `JobError` for a store that cannot be read.
    """
    with Store(folder / "state", read_only=True) as store:
        count = _Count(config.depth)
        for key, row in keyed_rows(store):
            count.take(key, row)
        count.lead()
        for key, links in store.link_lists.all():
            count.see(key, links)
        anchors: defaultdict[str, list[str]] = defaultdict(list)
        for seed in store.seeds():
            for anchor in seed.anchors:
                if len(anchors[authority(anchor)]) < _MOST_ANCHORS:
                    anchors[authority(anchor)].append(anchor)
        robots = {name: _robots(store, name, host.scheme) for name, host in count.hosts.items()}
        proven = {name: _answered(store, name) for name in count.hosts}
    hosts = tuple(
        _sample(name, host, config, sizes, robots[name], answered=proven[name])
        for name, host in count.hosts.items()
        if host.levels
    )
    asked = [host for host in count.hosts.values() if host.times]
    return Census(
        hosts=hosts,
        linked=frozenset(count.linked),
        anchors={name: tuple(urls) for name, urls in anchors.items()},
        span_s=max(host.ended_at for host in asked) - min(min(host.times) for host in asked) if asked else 0.0,
        left_out=_sorted(count.left_out),
        seeds=count.seeds,
        denied_seeds=_sorted(count.denied),
        sitemaps=tuple(_sitemaps(count)),
        robots_urls=tuple(
            robots_url(f"{count.hosts[name].scheme.decode()}://{name}/")
            for name, answer in robots.items()
            if answer is not None and 200 <= answer.status < 300
        ),
    )


def _level(host: str, depth: int, counts: Sequence[int], sizes: RecordBytes) -> Level:
    known, read, led_to, pages = counts
    place = host, depth
    return Level(known, read, led_to, pages, sizes.bodies.get(place, 0), sizes.records.get(place, 0))


def _sample(
    name: str,
    host: _Host,
    config: CrawlConfig,
    sizes: RecordBytes,
    robots: RobotsAnswer | None,
    *,
    answered: bool | None,
) -> HostSample:
    once = Counter(host.seen.values())
    obeys = config.robots == "obey" and robots is not None
    crawl_delay_s = rules_for(robots).crawl_delay_s(config.user_agent) if obeys and robots is not None else None
    return HostSample(
        host=name,
        levels=tuple(_level(name, depth, host.levels[depth], sizes) for depth in range(max(host.levels) + 1)),
        read=host.read,
        pages=host.pages,
        waiting=host.waiting,
        requests=host.requests + (config.robots == "obey"),
        span_s=host.ended_at - min(host.times) if host.times else 0.0,
        pace_s=_pace(sorted(host.times)),
        latency_s=host.latency_ms / 1000 / host.answers if host.answers else None,
        delay_s=max(config.delay_s or 0.0, crawl_delay_s or 0.0),
        crawl_delay_s=crawl_delay_s,
        sightings=(once[1], once[2], once[3], once[_SIGHTINGS]),
        lists=host.lists,
        chained=host.chained,
        answered=answered,
        address=host.address,
        robots_status=None if robots is None else robots.status,
    )


def _pace(times: list[float]) -> float | None:
    """Return the seconds between two requests, once there was enough to ask for."""
    if len(times) < _LEAST_TIMES:
        return None
    settled = times[len(times) // _WARMING_UP :]
    return (settled[-1] - settled[0]) / (len(settled) - 1)


def _robots(store: Store, host: str, scheme: bytes) -> RobotsAnswer | None:
    row = store.host(store.keys.authority(host) + TEXT + scheme)
    if row is not None:
        return msgspec.msgpack.decode(row, type=RobotsAnswer)
    head = store.host(store.keys.authority(host) + HEAD)
    answers = {} if head is None else _state(head).robots
    return next(iter(answers.values()), None)


def _answered(store: Store, host: str) -> bool | None:
    """Whether a host answers; None if it was not asked, or not for long enough to tell."""
    head = store.host(store.keys.authority(host) + HEAD)
    return None if head is None else _state(head).proven


def _state(head: bytes) -> HostState:
    state = decoded((head,))
    assert state is not None  # noqa: S101 - one row is one state
    return state


def _sitemaps(count: _Count) -> Iterator[SitemapCount]:
    for key, row in count.sitemaps.items():
        if not row.url.endswith("/robots.txt"):
            outcome = f"{row.outcome}: {row.reason}" if row.outcome else "not read"
            yield SitemapCount(row.url, outcome, count.listed[key])


def _add(left_out: dict[str, tuple[int, list[str]]], rule: str, url: str) -> None:
    number, examples = left_out.get(rule, (0, []))
    if len(examples) < _EXAMPLES:
        examples.append(url)
    left_out[rule] = number + 1, examples


def _sorted(left_out: dict[str, tuple[int, list[str]]]) -> tuple[LeftOut, ...]:
    ordered = sorted(left_out.items(), key=lambda item: (-item[1][0], item[0]))
    return tuple(LeftOut(rule, number, tuple(examples)) for rule, (number, examples) in ordered)
