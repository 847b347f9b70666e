"""Whole crawls of random webs: with failures, stops, deaths and budgets, each URL still ends once, as the model says.

Everything is real but the network (`FakeTransport`), the parser processes (the same code, in this process) and the
sizes of the window and of waiting times, which are made small so that a small web reaches every limit. A host that is
down is given up after a fifth of a second, in which this process runs.
"""

import asyncio
import json
import random
from collections import Counter, deque
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import crawler.fetcher.clock
import crawler.fetcher.retry
import crawler.fetcher.silences
import crawler.frontier.deferred
import crawler.frontier.window
import crawler.ledger.ledger
import crawler.parsers.chosen
from crawler.core.config import CrawlConfig
from crawler.core.errors import StorageError
from crawler.core.model import Failure
from crawler.fetcher.parser_line import NoLoad
from crawler.fetcher.silence import Patience
from crawler.fetcher.transport.fake import FakeTransport, answer
from crawler.frontier.row import QUEUED
from crawler.frontier.store import Store
from crawler.parsers.reading.reader import PageReader, parse_page
from crawler.parsers.reading.settings import ParserSettings
from crawler.ring.crawler import Crawler
from tests.support.patience import PATIENCE_S
from tests.support.thorough import first_quickly
from tests.support.virtual_time import in_steady_time

SEEDS = (*range(20), 49, 54, 79, 87, 91, 103, 105, 113, 118, 123, 150, 162, 164, 166, 275, 336, 731)
RETRIES = 2
MAX_CHAIN = 12
MAX_INDEXES = 5
LITTLE_PATIENCE = Patience(
    doubt_s=0.01, first_sleep_s=0.01, longest_sleep_s=0.05, refusing_s=5.0, stranger_s=0.2, offline_sleep_s=0.02
)
SITEMAP = "sitemap"
PAGE = "page"
DUE = "due"
"""How a URL ends whose host is down: it does not."""


class InlinePool(NoLoad):
    """`ParserPool` without processes: parses at once and delivers late, in another order, at the latest in `drain`."""

    capacity, busy_s, busiest, replaced, started, processes = 64, (0.0,), {}, 0, True, ()

    def __init__(self, config, on_done, *, on_failure, spider, hash_seed, keep):
        self._state = PageReader(ParserSettings.of(config, spider, hash_seed))
        self._on_done = on_done
        self._held = []
        self._rng = random.Random(len(config.job.name))
        self._closed = False

    @property
    def pending(self):
        return len(self._held)

    def start(self):
        pass

    def close(self):
        self._closed = True

    def tell(self, listener):
        pass

    async def submit(self, page):
        self._held.append(parse_page(page, self._state))
        asyncio.get_running_loop().call_later(self._rng.uniform(0, 0.004), self._deliver)
        if self._rng.random() < 0.1:
            await asyncio.sleep(self._rng.uniform(0, 0.003))

    def _deliver(self):
        if self._held and not self._closed:
            count = self._rng.randint(1, len(self._held))
            self._rng.shuffle(self._held)
            batch, self._held = self._held[:count], self._held[count:]
            self._on_done(batch)

    async def drain(self):
        while self._held:
            self._deliver()


class OneAddress(FakeTransport):
    """All hosts live on one address, and that is known before the first request."""

    async def address(self, url):
        return "192.0.2.1"


def name(number: int) -> str:
    """A name without a digit, so that no page looks like another to `crawler.web.traps`."""
    return "".join("jkqvwxyzgh"[int(digit)] for digit in str(number))


class Web:
    """A random web: what each URL answers, and how a crawl of it must end. A thing asked for is (URL, kind)."""

    def __init__(self, seed: int) -> None:
        rng = self.rng = random.Random(seed)
        self.hosts = rng.choice((1, 2, 5, 12, 40))
        self.pages = rng.randint(20, 250)
        self.scope = rng.choice(("any", "host"))
        self.urls = [f"http://h{rng.randrange(self.hosts)}.test/{name(n)}" for n in range(self.pages)]
        self.depth = rng.choice((None, None, 0, 1, 2, 3, 5))
        self.starts = rng.sample(self.urls, min(self.pages, rng.randint(1, 6)))
        self.kinds: dict[str, tuple[str, int]] = {}
        self.links: dict[str, list[str]] = {}
        most = rng.choice((3, 10, 60))
        for n, url in enumerate(self.urls):
            chance = rng.random()
            kind, number = "page", 0
            if chance < 0.08 and n + 1 < self.pages:
                kind, number = "redirect", rng.randrange(n + 1, min(self.pages, n + 8))
            elif chance < 0.12:
                kind = "missing"
            elif chance < 0.24:
                kind, number = rng.choice(("busy", "reset")), rng.randint(1, RETRIES)
            elif chance < 0.28:
                kind = "dead"
            elif chance < 0.32:
                kind = "private"
            if url in self.starts and self.scope == "host" and kind == "redirect":
                kind = "page"
            self.kinds[url] = (kind, number)
            near = [rng.randrange(max(0, n - 5), min(self.pages, n + 30)) for _ in range(rng.randint(0, most))]
            self.links[url] = [self.urls[target] for target in near]
        self.down = {f"h{n}.test" for n in range(1, self.hosts) if rng.random() < 0.05}
        self.asked: Counter[str] = Counter()
        self.slow = rng.choice((0.0, 0.002, 0.01))
        self.under_way: Counter[str] = Counter()
        self.peak_of_a_host = self.peak_of_all = 0
        self.robots: dict[str, list[str]] = {}
        self.maps: dict[str, tuple[str, list[str]]] = {}
        self.sitemaps = rng.random() < 0.6
        self.seeds = [*self.starts, *self._lay_sitemaps()]
        if self.depth is None and rng.random() < 0.5:
            self._lay_row()

    def _lay_sitemaps(self) -> list[str]:
        """Give some hosts sitemaps: a tree of them for robots.txt, others to be seeds. Return the seeds.

        A sitemap is found at one depth only, so that the way on which it is found first makes no difference.
        """
        rng = self.rng
        seeds = []
        for n in range(self.hosts):
            host = f"http://h{n}.test"
            if rng.random() < 0.6:
                nested = MAX_INDEXES + 1 if rng.random() < 0.3 else 0
                self.robots[f"h{n}.test"] = [
                    self._map(host, 1, nested=0 if other else nested) for other in range(rng.randint(1, 3))
                ]
            if rng.random() < 0.3:
                seeds.append(f"sitemap:{self._map(host, 0)}")
        return rng.sample(seeds, min(len(seeds), 3))

    def _map(self, host: str, layer: int, *, nested: int = 0, may_move: bool = True) -> str:
        rng = self.rng
        url = f"{host}/map-{name(len(self.maps))}.xml"
        self.maps[url] = ("", [])  # holds the name while those below it are made
        kind = "index" if layer <= nested else rng.choice(("index", "list", "list", "junk", "gone", "moved"))
        if kind == "index" and layer <= MAX_INDEXES + 1:
            found = [self._map(host, layer + 1, nested=nested)]
            found += [self._map(host, layer + 1)] if rng.random() < 0.5 else []
            found += rng.choices((url, *found), k=2)
        elif kind == "moved" and may_move and layer:
            found = [self._map(host, layer, may_move=False)]
        else:
            kind = "list" if kind in {"index", "moved"} else kind
            found = rng.choices(self.urls, k=rng.randint(0, 40))
        self.maps[url] = (kind, found)
        return url

    def _lay_row(self) -> None:
        """Hang a row of pages that look alike on a page: a calendar without end, or one that leads to articles."""
        root = self.rng.choice(self.starts)
        host = root.rpartition("/")[0]
        if self.kinds[root][0] != "page":
            return
        row, articles = self.rng.choice((("day", False), ("list", True)))
        length = MAX_CHAIN + self.rng.randint(2, 8)
        urls = [f"{host}/{row}/{n}" for n in range(length)]
        self.links[root] = [*self.links[root], urls[0]]
        for n, url in enumerate(urls):
            self.kinds[url] = ("page" if articles or n <= MAX_CHAIN else "trap", 0)
            self.links[url] = [*urls[max(0, n - 1) : n], *urls[n + 1 : n + 2]]
            if articles:
                article = f"{host}/article-{name(n)}"
                self.kinds[article], self.links[article] = ("page", 0), []
                self.links[url].append(article)

    def transport(self) -> FakeTransport:
        rng = self.rng

        async def handle(request):
            host = urlsplit(request.url).hostname
            self.under_way[host] += 1
            self.peak_of_a_host = max(self.peak_of_a_host, self.under_way[host])
            self.peak_of_all = max(self.peak_of_all, self.under_way.total())
            try:
                if self.slow:
                    await asyncio.sleep(rng.uniform(0, self.slow))
                return respond(request)
            finally:
                self.under_way[host] -= 1

        def respond(request):
            parts = urlsplit(request.url)
            if parts.path == "/robots.txt":
                if parts.hostname in self.down:
                    return answer(request, status=500)
                named = "".join(f"Sitemap: {url}\n" for url in self.robots.get(parts.hostname, ()))
                return answer(request, f"User-agent: *\nDisallow: /private\n{named}", headers=())
            url = request.url
            if url in self.maps:
                return sitemap(request)
            kind, number = self.kinds[url]
            self.asked[url] += 1
            if kind in {"busy", "reset"} and self.asked[url] <= number:
                if kind == "reset":
                    return Failure("reset", "", retryable=True)
                more = (("retry-after", "0"),) if rng.random() < 0.5 else ()
                return answer(request, status=503, headers=more)
            if kind == "dead":
                return Failure("protocol", "", retryable=False)
            if kind == "redirect":
                return answer(request, status=302, headers=(("location", self.urls[number]),))
            if kind == "missing":
                return answer(request, status=404)
            if kind == "trap":
                raise AssertionError(f"asked for {url}")
            return answer(request, self.body(url))

        def sitemap(request):
            kind, found = self.maps[request.url]
            self.asked[request.url] += 1
            if self.asked[request.url] == 1 and rng.random() < 0.2:
                return answer(request, status=503)
            if kind == "moved":
                return answer(request, status=301, headers=(("location", found[0]),))
            if kind == "gone":
                return answer(request, status=404)
            if kind == "junk":
                return answer(request, "<p>no sitemap</p>")
            root, item = ("sitemapindex", "sitemap") if kind == "index" else ("urlset", "url")
            listed = "".join(f"<{item}><loc>{url}</loc></{item}>" for url in found)
            return answer(request, f"<{root}>{listed}</{root}>", headers=(("content-type", "application/xml"),))

        return OneAddress(handle)

    def expected(self) -> dict[tuple[str, str], str]:
        """(URL, kind) -> outcome, by a search of the model."""
        outcomes: dict[tuple[str, str], str] = {}
        listed = self._expected_of_sitemaps(outcomes)
        best: dict[str, int] = {}
        ready = deque((url, 0) for url in (*self.starts, *listed))
        while ready:
            url, depth = ready.popleft()
            if best.get(url, 1 << 30) <= depth:
                continue
            best[url] = depth
            self._expected_of_page(url, depth, outcomes, ready)
        return outcomes

    def _expected_of_sitemaps(self, outcomes: dict[tuple[str, str], str]) -> list[str]:
        """Tell how the sitemaps end; return the pages to be followed from them."""
        robots = dict.fromkeys(url.rpartition("/")[0] + "/robots.txt" for url in self.starts) if self.sitemaps else ()
        ready = deque((url, 0) for url in robots)
        ready += [(seed.removeprefix("sitemap:"), 0) for seed in self.seeds if seed.startswith("sitemap:")]
        pages = []
        while ready:
            url, depth = ready.popleft()
            if (url, SITEMAP) in outcomes:
                continue
            host = urlsplit(url).hostname
            kind, found = self.maps.get(url) or ("robots", self.robots.get(host, []))
            ends = {
                "moved": "redirected",
                "gone": "failed: sitemap: status 404",
                "junk": "failed: sitemap: unknown XML",
            }
            end = ends.get(kind, "fetched: sitemap")
            outcomes[url, SITEMAP] = DUE if host in self.down else end
            if host in self.down:
                continue
            if kind == "moved":
                ready.append((found[0], depth))
            elif kind == "list":
                for page in found:
                    if self.scope == "host" and urlsplit(page).hostname != host:
                        outcomes[page, PAGE] = "skipped: scope"
                    else:
                        pages.append(page)
            elif kind in {"index", "robots"}:
                for other in found:
                    if depth >= MAX_INDEXES:
                        outcomes.setdefault((other, SITEMAP), "skipped: depth")
                    else:
                        ready.append((other, depth + 1))
        return pages

    def _expected_of_page(
        self, url: str, depth: int, outcomes: dict[tuple[str, str], str], ready: deque[tuple[str, int]]
    ) -> None:
        host = urlsplit(url).hostname
        kind, number = self.kinds[url]
        if host in self.down:
            outcomes[url, PAGE] = DUE
            return
        outcomes[url, PAGE] = {"dead": "failed: protocol", "redirect": "redirected"}.get(kind, "fetched")
        if kind == "redirect":
            target = self.urls[number]
            if self.scope == "host" and urlsplit(target).hostname != host:
                outcomes.setdefault((target, PAGE), "skipped: scope")
            else:
                ready.appendleft((target, depth))
        elif kind not in {"missing", "dead"}:
            for target in self.links[url]:
                skip = "" if target == url else self._skip(target, depth + 1, host)
                if skip:
                    outcomes.setdefault((target, PAGE), f"skipped: {skip}")
                elif target != url:
                    ready.append((target, depth + 1))

    def _skip(self, target: str, depth: int, host: str | None) -> str:
        """Why a page's link is not followed."""
        if self.depth is not None and depth > self.depth:
            return "depth"
        if self.scope == "host" and urlsplit(target).hostname != host:
            return "scope"
        return {"private": "nofollow", "trap": "trap"}.get(self.kinds[target][0], "")

    def body(self, url: str) -> str:
        """What a page holds; those without links are all the same."""
        rel = {link: ' rel="nofollow"' if self.kinds[link][0] == "private" else "" for link in self.links[url]}
        return "".join(f'<a href="{link}"{rel[link]}>x</a>' for link in self.links[url]) or "nothing here"

    def duplicates(self, fetched: list[str]) -> int:
        """How many records have a body that an earlier one has."""
        bodies = [self.body(url) for url in fetched if self.kinds[url][0] != "missing"]
        return len(bodies) - len(set(bodies))


def recount(job: Path) -> tuple[dict, dict[tuple[str, str], str]]:
    """The counters as the rows say, and each task's outcome."""
    with Store(job / "state") as store:
        rows = list(store.all_urls())
        waiting = sum(1 for _ in store.retries.rows())
        known = {bytes(key) for key, value in store._database.table("urls").items() if value[:1] == QUEUED}
        due = [value[:16] for value in store._database.table("queue").values() if not store.queue.row(value).outcome]
        saved = store.meta("counters")
        keys = store.keys
    ended = [row for state, row in rows if state != QUEUED]
    open_keys = {keys.url(row.url, row.kind) for state, row in rows if state == QUEUED}
    assert len(due) + waiting == len(open_keys), "every URL not ended stands once in the queue or waits for a retry"
    assert set(due) <= open_keys == known
    names = {(row.url, row.kind): f"{row.outcome}: {row.reason}" if row.reason else row.outcome for row in ended}
    records = [row for row in ended if row.outcome == "fetched" and row.kind == PAGE]
    counted = {
        "known": len(rows),
        "queued": len(open_keys),
        "retrying": waiting,
        "pages": len(records),
        "outcomes": dict(Counter(names.values())),
        "statuses": dict(Counter(row.status for row in records)),
    }
    assert {name: saved[name] for name in counted} == counted
    return saved, names


def merged(outcomes: dict[tuple[str, str], str]) -> dict[tuple[str, str], str]:
    """A URL skipped for several reasons has the one that was found first."""
    either = {"skipped: scope", "skipped: nofollow", "skipped: depth"}
    return {asked: "skipped" if outcome in either else outcome for asked, outcome in outcomes.items()}


def written(job: Path) -> list[str]:
    path = job / "pages.jsonl"
    return [json.loads(line)["url"] for line in path.read_bytes().splitlines()] if path.exists() else []


async def run_once(web: Web, config: CrawlConfig, *, stop_after_s: float | None):
    crawler = Crawler(config, web.seeds, transport=web.transport())
    run = asyncio.create_task(crawler.run())
    if stop_after_s is not None:
        asyncio.get_running_loop().call_later(stop_after_s, crawler.stop)
    done, _ = await asyncio.wait({run}, timeout=PATIENCE_S)
    if not done:
        stats = crawler.stats()
        frontier = crawler._ring.statistics._frontier
        run.cancel()
        await asyncio.wait({run}, timeout=5)
        raise AssertionError(
            f"stuck: {stats.queued} queued, {stats.retrying} retrying, {frontier.handed_out} handed out, "
            f"{stats.active_hosts} hosts, waiting={frontier._window._waiting}"
        )
    return run.result()


def shrink(monkeypatch, rng: random.Random) -> None:
    """Make limits and waiting times small."""
    window, ledger = crawler.frontier.window, crawler.ledger.ledger
    monkeypatch.setattr(crawler.parsers.chosen, "ParserPool", InlinePool)
    monkeypatch.setattr(window, "WINDOW_TASKS", rng.choice((8, 32, 200)))
    monkeypatch.setattr(window, "WINDOW_HOSTS", rng.choice((1, 2, 4, 50)))
    few = rng.choice((4, 16))
    monkeypatch.setattr(window, "HOST_TASKS", few)
    monkeypatch.setattr(crawler.frontier.deferred, "_PER_COMMIT", few)
    monkeypatch.setattr(window, "TURN", rng.choice((1, 4)))
    monkeypatch.setattr(window, "_SEEKS_PER_REFILL", rng.choice((1, 3, 100)))
    monkeypatch.setattr(ledger, "COMMIT_INTERVAL_S", rng.choice((0.002, 0.02, 0.1)))
    monkeypatch.setattr(ledger, "_STARVED_INTERVAL_S", 0.002)
    monkeypatch.setattr(ledger, "COMMIT_ROWS", rng.choice((3, 5_000)))
    monkeypatch.setattr(ledger, "SLICE_LINKS", rng.choice((1, 7, 1_000)))
    monkeypatch.setattr(crawler.fetcher.retry, "_BACKOFF_BASE_S", 0.01)
    monkeypatch.setattr(crawler.fetcher.clock, "_FIRST_BACKED_OFF_DELAY_S", 0.002)
    monkeypatch.setattr(crawler.fetcher.clock, "MAX_DELAY_S", 0.004)
    monkeypatch.setattr(crawler.fetcher.silences, "PATIENCE", LITTLE_PATIENCE)


def plant_death(monkeypatch, rng: random.Random, *, before: bool) -> None:
    """Let one commit from now on fail: as a kill between sink and store, or just after the store's commit."""
    left = [rng.randint(3, 12)]
    commit = Store.commit

    def dying(self):
        left[0] -= 1
        if left[0] == 0 and before:
            raise StorageError("planted")
        commit(self)
        if left[0] == 0:
            raise StorageError("planted")

    monkeypatch.setattr(Store, "commit", dying)


@pytest.mark.parametrize("seed", first_quickly(SEEDS, 5))
@in_steady_time
async def test_any_crawl_ends_as_the_model_says(seed, tmp_path, monkeypatch):
    """Each URL has the model's outcome, each page one record, after whatever stops, deaths and budgets."""
    web = Web(seed)
    rng = random.Random(seed)
    shrink(monkeypatch, rng)
    config = CrawlConfig(
        job=tmp_path / "job", scope=web.scope, depth=web.depth, delay_s=0.0, retries=RETRIES,
        concurrency=rng.choice((1, 4, 64)), per_host=rng.choice((1, 2, 16)), per_address=rng.choice((1, 3, 64)),
        fields=("url", "status"), sitemaps=web.sitemaps, max_chain=MAX_CHAIN,
    )  # fmt: skip
    budget = 0
    for _ in range(rng.randint(0, 4)):
        how = rng.choice(("stop", "die", "die late", "budget", "time"))
        stop_after_s = rng.uniform(0, 0.15) if how == "stop" else None
        settings = {}
        if how == "budget":
            budget += rng.randint(0, 60)
            settings["max_pages"] = budget
        if how == "time":
            settings["max_time_s"] = rng.choice((0.0, 0.05))
        changed = type(config)(**{name: getattr(config, name) for name in config.__struct_fields__} | settings)
        with monkeypatch.context() as patch:
            if how.startswith("die"):
                plant_death(patch, rng, before=how == "die")
            try:
                stats = await run_once(web, changed, stop_after_s=stop_after_s)
            except StorageError:
                continue  # the next run cuts off what was not committed
        counted, _ = recount(config.job)
        lines = written(config.job)
        assert len(set(lines)) == len(lines) == stats.pages == counted["pages"]
        if how == "budget":
            assert stats.ended in {"max-pages", "done"}
            most = max(stats.pages - stats.run_pages, budget)
            assert stats.pages == most if stats.ended == "max-pages" else stats.pages <= most
    stats = await run_once(web, config, stop_after_s=None)
    expected = web.expected()
    due = sum(outcome == DUE for outcome in expected.values())
    assert stats.ended == ("unreachable" if due else "done")
    counted, outcomes = recount(config.job)
    lines = written(config.job)
    assert len(set(lines)) == len(lines)
    assert merged(outcomes) == merged({asked: outcome for asked, outcome in expected.items() if outcome != DUE})
    assert sorted(lines) == sorted(url for (url, _), outcome in expected.items() if outcome == "fetched")
    assert (counted["queued"], counted["retrying"]) == (due, 0)
    assert counted["duplicates"] == web.duplicates(lines)
    assert web.peak_of_a_host <= config.per_host
    assert web.peak_of_all <= min(config.concurrency, max(config.per_address, config.per_host))
