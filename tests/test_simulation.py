"""Whole crawls of random webs: with failures, stops, deaths and budgets, each URL still ends once, as the model says.

Everything is real but the network (`FakeTransport`), the parser processes (the same code, in this process) and the
sizes of the window and of waiting times, which are made small so that a small web reaches every limit.
"""

import asyncio
import json
import random
from collections import Counter, deque
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import crawler.crawl
import crawler.frontier
import crawler.ledger
import crawler.politeness
import crawler.retry
from crawler.config import CrawlConfig
from crawler.crawl import Crawler
from crawler.errors import StorageError
from crawler.model import Failure
from crawler.store import QUEUED, Store
from crawler.transport.fake import FakeTransport, answer
from crawler.urls import url_key
from crawler.worker import ParserSettings, ParserState, parse_page

SEEDS = (*range(24), 54, 79, 87, 91, 103, 105, 113, 118, 123, 150, 166)
RUN_LIMIT_S = 5.0
RETRIES = 2


class InlinePool:
    """`ParserPool` without processes: parses at once and delivers late, in another order, at the latest in `drain`."""

    capacity, busy_s, replaced = 64, (0.0,), 0

    def __init__(self, config, on_done, *, on_failure=None):
        self._state = ParserState(ParserSettings.of(config))
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


class Web:
    """A random web: what each URL answers, and how a crawl of it must end."""

    def __init__(self, seed: int) -> None:
        rng = self.rng = random.Random(seed)
        self.hosts = rng.choice((1, 2, 5, 12, 40))
        self.pages = rng.randint(20, 250)
        self.scope = rng.choice(("any", "host"))
        self.urls = [f"http://h{rng.randrange(self.hosts)}.test/p{n}" for n in range(self.pages)]
        self.depth = rng.choice((None, None, 0, 1, 2, 3, 5)) if self.hosts == 1 else None
        troubled = self.depth is None  # a URL that waits for a retry does not hold its level back
        self.seeds = rng.sample(self.urls, min(self.pages, rng.randint(1, 6)))
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
            elif troubled and chance < 0.24:
                kind, number = rng.choice(("busy", "reset")), rng.randint(1, RETRIES)
            elif troubled and chance < 0.28:
                kind = "dead"
            elif chance < 0.32:
                kind = "private"
            if url in self.seeds and self.scope == "host" and kind == "redirect":
                kind = "page"
            self.kinds[url] = (kind, number)
            near = [rng.randrange(max(0, n - 5), min(self.pages, n + 30)) for _ in range(rng.randint(0, most))]
            self.links[url] = [self.urls[target] for target in near]
        self.down = {f"h{n}.test" for n in range(1, self.hosts) if rng.random() < 0.05}
        self.asked: Counter[str] = Counter()
        self.slow = rng.choice((0.0, 0.002, 0.01))
        self.under_way: Counter[str] = Counter()
        self.peak_of_a_host = self.peak_of_all = 0

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
                return answer(request, "User-agent: *\nDisallow: /private\n", headers=())
            url = request.url
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
            rel = {link: ' rel="nofollow"' if self.kinds[link][0] == "private" else "" for link in self.links[url]}
            return answer(request, "".join(f'<a href="{link}"{rel[link]}>x</a>' for link in self.links[url]))

        return OneAddress(handle)

    def expected(self) -> dict[str, str]:
        """URL -> outcome, by a search of the model."""
        outcomes: dict[str, str] = {}
        best: dict[str, int] = {}
        ready = deque((url, 0) for url in self.seeds)
        while ready:
            url, depth = ready.popleft()
            if best.get(url, 1 << 30) <= depth:
                continue
            best[url] = depth
            host = urlsplit(url).hostname
            kind, number = self.kinds[url]
            if host in self.down:
                outcomes[url] = "skipped: robots-unreachable"
                continue
            outcomes[url] = {"dead": "failed: protocol", "redirect": "redirected"}.get(kind, "fetched")
            if kind == "redirect":
                target = self.urls[number]
                if self.scope == "host" and depth and urlsplit(target).hostname != host:
                    outcomes.setdefault(target, "skipped: scope")
                else:
                    ready.appendleft((target, depth))
                continue
            if kind in {"missing", "dead"}:
                continue
            for target in self.links[url]:
                if target == url:
                    continue
                if self.depth is not None and depth + 1 > self.depth:
                    outcomes.setdefault(target, "skipped: depth")
                elif self.scope == "host" and urlsplit(target).hostname != host:
                    outcomes.setdefault(target, "skipped: scope")
                elif self.kinds[target][0] == "private":
                    outcomes.setdefault(target, "skipped: nofollow")
                else:
                    ready.append((target, depth + 1))
        return outcomes


def recount(job: Path) -> tuple[dict, dict[str, str]]:
    """The counters as the rows say, and each URL's outcome."""
    with Store(job / "state") as store:
        rows = list(store.all_urls())
        waiting = sum(1 for _ in store._keys("later"))
        due = [bytes(url) for url in store._queue.values()]
        saved = store.meta("counters")
    ended = [row for state, row in rows if state != QUEUED]
    open_keys = {url_key(row.url) for state, row in rows if state == QUEUED}
    assert len(due) + waiting == len(open_keys), "every URL not ended stands once in the queue or waits for a retry"
    assert set(due) <= open_keys
    names = {row.url: f"{row.outcome}: {row.reason}" if row.reason else row.outcome for row in ended}
    counted = {
        "known": len(rows),
        "queued": len(open_keys),
        "retrying": waiting,
        "pages": sum(1 for row in ended if row.outcome == "fetched"),
        "outcomes": dict(Counter(names.values())),
        "statuses": dict(Counter(row.status for row in ended if row.outcome == "fetched")),
    }
    assert {name: saved[name] for name in counted} == counted
    return counted, names


def merged(outcomes: dict[str, str]) -> dict[str, str]:
    """A URL skipped for several reasons has the one that was found first."""
    either = {"skipped: scope", "skipped: nofollow", "skipped: depth"}
    return {url: "skipped" if outcome in either else outcome for url, outcome in outcomes.items()}


def written(job: Path) -> list[str]:
    path = job / "pages.jsonl"
    return [json.loads(line)["url"] for line in path.read_bytes().splitlines()] if path.exists() else []


async def run_once(web: Web, config: CrawlConfig, *, stop_after_s: float | None):
    crawler = Crawler(config, web.seeds, transport=web.transport())
    run = asyncio.create_task(crawler.run())
    if stop_after_s is not None:
        asyncio.get_running_loop().call_later(stop_after_s, crawler.stop)
    done, _ = await asyncio.wait({run}, timeout=RUN_LIMIT_S)
    if not done:
        stats = crawler.stats()
        frontier = crawler._frontier
        run.cancel()
        await asyncio.wait({run}, timeout=5)
        raise AssertionError(
            f"stuck: {stats.queued} queued, {stats.retrying} retrying, {frontier.handed_out} handed out, "
            f"{stats.active_hosts} hosts, waiting={frontier._waiting}"
        )
    return run.result()


def shrink(monkeypatch, rng: random.Random) -> None:
    """Make limits and waiting times small."""
    frontier, ledger = crawler.frontier, crawler.ledger
    monkeypatch.setattr(crawler.crawl, "ParserPool", InlinePool)
    monkeypatch.setattr(frontier, "WINDOW_TASKS", rng.choice((8, 32, 200)))
    monkeypatch.setattr(frontier, "WINDOW_HOSTS", rng.choice((1, 2, 4, 50)))
    monkeypatch.setattr(frontier, "HOST_TASKS", rng.choice((4, 16)))
    monkeypatch.setattr(frontier, "TURN", rng.choice((1, 4)))
    monkeypatch.setattr(frontier, "_SEEKS_PER_REFILL", rng.choice((1, 3, 100)))
    monkeypatch.setattr(ledger, "COMMIT_INTERVAL_S", rng.choice((0.002, 0.02, 0.1)))
    monkeypatch.setattr(ledger, "_STARVED_INTERVAL_S", 0.002)
    monkeypatch.setattr(ledger, "COMMIT_ROWS", rng.choice((3, 5_000)))
    monkeypatch.setattr(crawler.retry, "_BACKOFF_BASE_S", 0.01)
    monkeypatch.setattr(crawler.politeness, "_FIRST_BACKED_OFF_DELAY_S", 0.002)
    monkeypatch.setattr(crawler.politeness, "MAX_DELAY_S", 0.004)
    monkeypatch.setattr(crawler.politeness, "DOWN_AFTER", 1 << 30)


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


@pytest.mark.parametrize("seed", SEEDS)
async def test_any_crawl_ends_as_the_model_says(seed, tmp_path, monkeypatch):
    """Each URL has the model's outcome, each page one record, after whatever stops, deaths and budgets."""
    web = Web(seed)
    rng = random.Random(seed)
    shrink(monkeypatch, rng)
    config = CrawlConfig(
        job=tmp_path / "job", scope=web.scope, depth=web.depth, delay_s=0.0, retries=RETRIES,
        concurrency=rng.choice((1, 4, 64)), per_host=rng.choice((1, 2, 16)), per_address=rng.choice((1, 3, 64)),
        fields=("url", "status"),
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
    assert stats.ended == "done"
    counted, outcomes = recount(config.job)
    lines = written(config.job)
    expected = web.expected()
    assert len(set(lines)) == len(lines)
    assert merged(outcomes) == merged(expected)
    assert sorted(lines) == sorted(url for url, outcome in expected.items() if outcome == "fetched")
    assert (counted["queued"], counted["retrying"]) == (0, 0)
    assert web.peak_of_a_host <= config.per_host
    assert web.peak_of_all <= min(config.concurrency, max(config.per_address, config.per_host))
