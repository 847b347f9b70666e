"""One crawl of hostile hosts beside three healthy ones, and what it must leave behind whatever they do."""

import asyncio
import gc
import json
import multiprocessing
import multiprocessing.process
import os
import re
import threading
import time
from collections import Counter
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Self
from unittest.mock import patch

from crawler.core.config import CrawlConfig
from crawler.core.stats import CrawlStats
from crawler.frontier.row import QUEUED, UrlRow
from crawler.frontier.store import Store
from crawler.ring.crawler import Crawler
from crawler.web.urls import normalise
from crawler.web.urls import origin as origin_of
from tests.hostile.names import Names
from tests.hostile.registry import CAP, Behaviour
from tests.hostile.server import HostileProcess
from tests.support.servers import Answer, LocalServer, html

__all__ = ["HEALTHY", "SETTINGS", "Crawl", "Evidence", "healthy_server", "run_crawl"]

SETTINGS = {
    "allow_private": True,
    "delay_s": 0.0,
    "per_host": 4,
    "parsers": 1,
    "retries": 1,
    "timeout_s": 8.0,
    "give_up_after_s": 3.0,
    "fail_unreachable": True,
    "parser_timeout_s": 60.0,
    "max_body_bytes": CAP,
}
HEALTHY = ("127.77.0.1", "127.77.0.2", "127.77.0.3")
HEALTHY_PAGES = 24
MEMORY_BYTES = 500_000_000
"""Most that a crawl may add to the memory of this process, its parsers included: about 90 MB without hostile hosts."""
END_S = 400.0
PATIENCE_S = 60.0
GAP_S = 0.5
"""Seconds between two looks at a crawl that mean that its process did not run meanwhile."""
STILL_S = SETTINGS["timeout_s"] / 4
"""Longest that the event loop may stand still, next to the time that a fetch may take."""


def healthy_server() -> LocalServer:
    """Three hosts with two dozen pages each, that answer at once."""

    def respond(host: str, path: str) -> Answer:
        if path == "/robots.txt":
            return Answer(status=404)
        return Answer(html(*(f"/{n}" for n in range(HEALTHY_PAGES)), title=path, text=f"{host} {path}"))

    return LocalServer(respond, HEALTHY)


@dataclass(frozen=True)
class Evidence:
    """What one behaviour's crawl came to. Paths stand for URLs of its own origin.

    `ended` how each URL ended, as (URL, outcome with reason); `records` and `rows` of the store by URL; `asked` the
    requests that the server got (`path`, `address`, `port`, `at`, `head`); `connections` and `peak` by address
    (`canary`: see the server). `due_at` is when the first URL that waits is due, None without one. `memory_bytes` and
    `body_bytes` are the most that the whole crawl took. `cpu_s` is the processor time of this process for it,
    `alone_cpu_s` that of the same crawl without hostile hosts.
    """

    ended: list[tuple[str, str]]
    records: dict[str, dict[str, Any]]
    asked: list[dict[str, Any]]
    connections: dict[str, int]
    peak: dict[str, int]
    stats: CrawlStats
    rows: dict[str, UrlRow]
    due_at: float | None
    started_at: float
    elapsed_s: float
    cpu_s: float
    alone_cpu_s: float
    places: dict[str, str]
    job: Path
    memory_bytes: int
    body_bytes: int

    def times(self, path: str) -> int:
        """How often a path was asked for."""
        return sum(one["path"] == path for one in self.asked)

    def assert_times(self, path: str, times: int) -> None:
        """A path was asked for so often."""
        assert self.times(path) == times, f"{path} was asked for {self.times(path)} times, not {times}"

    def assert_ended(self, outcome: str, times: int | None = None) -> None:
        """So many URLs ended like this; at least one without a number."""
        found = [url for url, ended in self.ended if matches(outcome, ended)]
        assert len(found) == times if times is not None else found, f"{len(found)} URLs ended as {outcome}"

    def assert_requests(self, most: int) -> None:
        """No more requests than this were made."""
        assert len(self.asked) <= most, [one["path"] for one in self.asked]

    def heads(self, path: str) -> list[str]:
        """The requests for a path, as they came."""
        return [one["head"] for one in self.asked if one["path"] == path]

    def assert_responsive(self) -> None:
        """The event loop never stood still for long."""
        assert self.stats.loop_lag_p99_s < STILL_S, f"the loop stood still for {self.stats.loop_lag_p99_s:.2f} s"

    def assert_no_canary(self) -> None:
        """Nobody connected where nobody may."""
        assert self.connections.get("canary", 0) == 0, "a refused address was connected to"

    def only(self, pattern: str) -> Self:
        """The same with the records of these paths alone."""
        return replace(self, records={path: one for path, one in self.records.items() if matches(pattern, path)})


def matches(pattern: str, text: str) -> bool:
    """`*` stands for anything, ` | ` divides alternatives."""
    return any(re.fullmatch(".*".join(map(re.escape, one.split("*"))), text, re.DOTALL) for one in pattern.split(" | "))


@dataclass(frozen=True)
class Crawl:
    """A crawl that has ended: what it left to each behaviour, and what is wrong with the rest, in words.

    `stood_still`: this process had no processor for a while, and what was under way then was asked for again.
    """

    evidence: dict[str, Evidence]
    healthy_s: float
    cpu_s: float
    memory_bytes: int
    left: list[str]
    wrong: list[str]
    stood_still: bool


def run_crawl(
    hostile: HostileProcess | None,
    healthy: LocalServer,
    behaviours: tuple[Behaviour, ...],
    job: Path,
    patience_s: float = PATIENCE_S,
    alone: Crawl | None = None,
    **settings: Any,
) -> Crawl:
    """Crawl the behaviours and the healthy hosts to the end, and gather all that can be seen of it.

    `patience_s`: for what a crawl leaves and ends a moment later, such as the server's side of a connection. `alone`:
    the crawl of the healthy hosts by themselves, to compare with.
    """
    config = CrawlConfig(job=job, **{**SETTINGS, **settings})
    seeds = [hostile.seed(one) for one in behaviours if hostile] + [healthy.url("/0", address) for address in HEALTHY]
    healthy.requests.clear()
    if hostile:
        hostile.forget()
    names = {name: value for one in behaviours for name, value in one.names.items()}
    parse = next((one.parse for one in behaviours if one.parse), None)
    more = {"spider": parse} if parse else {}
    gc.collect()
    before = _things()
    crawler = Crawler(config, seeds, **more)
    watch = _Watch(crawler)
    started_at, started, cpu = time.time(), time.monotonic(), time.process_time()
    with ExitStack() as stack:
        stack.enter_context(watch)
        if names:
            resolver = Names(names)
            stack.enter_context(patch("crawler.fetcher.transport.aiohttp.resolver.DefaultResolver", lambda: resolver))
            stack.enter_context(patch("socket.getaddrinfo", resolver.getaddrinfo))
        lasts = any(one.lasts for one in behaviours)
        stats = asyncio.run(_crawl(crawler, job / "pages.jsonl" if lasts else None))
    elapsed_s, cpu_s = time.monotonic() - started, time.process_time() - cpu
    left = _left(before, patience_s)
    wrong = _wrong_at_healthy(healthy, may_repeat=lasts)
    with Store(job / "state", read_only=True) as store:
        rows = list(store.all_urls())
        due_at = store.retries.next_due_at()
        anchors = {number: store.seed(number).anchors[0] for number in {row.seed for _, row in rows}}
    records = [json.loads(line) for line in (job / "pages.jsonl").read_bytes().splitlines()]
    repeated = [url for url, times in Counter(one["url"] for one in records).items() if times > 1]
    wrong += [f"{url} has several records" for url in repeated]
    fetched = Counter(row.url for _, row in rows if row.outcome == "fetched" and not row.reason.startswith("sitemap"))
    if fetched != Counter(one["url"] for one in records):
        wrong.append("records are not those of the URLs that were fetched")
    healthy_at = [_at(one["fetched_at"]) for one in records if _is_healthy(one["url"])]
    common = {
        "stats": stats,
        "due_at": due_at,
        "started_at": started_at,
        "elapsed_s": elapsed_s,
        "cpu_s": cpu_s,
        "alone_cpu_s": alone.cpu_s if alone else cpu_s,
        "places": hostile.places if hostile else {},
        "job": job,
        "memory_bytes": watch.memory_bytes,
        "body_bytes": watch.body_bytes,
    }
    log = hostile.log() if hostile else {"asked": [], "connections": {}, "peak": {}}
    evidence = {}
    for one in behaviours:
        origin = hostile.origin(one) if hostile else ""
        own = {normalise(hostile.seed(one)), origin_of(hostile.seed(one)) + "/robots.txt"} if hostile else set()
        its_rows = [(state, row) for state, row in rows if anchors[row.seed] in own]
        evidence[one.name] = Evidence(
            ended=[(_short(row.url, origin), _ended(state, row)) for state, row in its_rows],
            records={
                _short(record["url"], origin): record
                for record in records
                if any(row.url == record["url"] for _, row in its_rows)
            },
            asked=[request for request in log["asked"] if request["name"] == one.name],
            connections=log["connections"],
            peak=log["peak"],
            rows={_short(row.url, origin): row for _, row in its_rows},
            **common,
        )
    healthy_s = max(healthy_at, default=float("inf")) - started_at
    return Crawl(evidence, healthy_s, cpu_s, watch.memory_bytes, left, wrong, watch.stood_still)


async def _crawl(crawler: Crawler, records: Path | None) -> CrawlStats:
    """Crawl to the end, or until the pages of the healthy hosts are among these records."""
    if records is None:
        stats = await asyncio.wait_for(crawler.run(), END_S)
    else:
        run = asyncio.create_task(crawler.run())
        deadline = time.monotonic() + END_S
        while not run.done() and time.monotonic() < deadline and not _has_healthy(records):
            await asyncio.sleep(0.05)
        late = not _has_healthy(records)
        run.cancel()
        with suppress(asyncio.CancelledError):
            await run
        stats = crawler.stats()
        assert not late, "the pages of the healthy hosts did not come"
    assert asyncio.all_tasks() == {asyncio.current_task()}, "the crawl left tasks behind"
    return stats


def _has_healthy(records: Path) -> bool:
    return records.exists() and records.read_bytes().count(b'"url":"http://127.77.0.') >= len(HEALTHY) * HEALTHY_PAGES


def _is_healthy(url: str) -> bool:
    return url.startswith("http://127.77.0.")


def _at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _wrong_at_healthy(healthy: LocalServer, *, may_repeat: bool) -> list[str]:
    """Pages that were not asked for once; `may_repeat`: a request that gave way to others may be made again."""
    expected = {
        (f"{address}:{healthy.port}", f"/{number}"): 1 for address in HEALTHY for number in range(HEALTHY_PAGES)
    }
    got = healthy.pages()
    asked = {key: min(1, times) if may_repeat else times for key, times in got.items()}
    return [f"{key}: asked {got[key]} times" for key in {*expected, *got} if asked.get(key) != expected.get(key)]


def _ended(state: bytes, row: UrlRow) -> str:
    if state == QUEUED:
        return "waits"
    return f"{row.outcome}: {row.reason}" if row.reason else row.outcome


def _short(url: str, origin: str) -> str:
    return url[len(origin) :] if origin and url.startswith(origin + "/") else url


class _Watch:
    """The most that was there while it was entered: memory of this process and its parsers over that before, and
    bytes of bodies in flight; and whether this process stood still meanwhile.
    """

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler
        self.body_bytes = 0
        self.stood_still = False
        self._page = os.sysconf("SC_PAGE_SIZE")
        self._before = self._now()
        self._most = self._before
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="memory", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        self._thread.join()

    @property
    def memory_bytes(self) -> int:
        return self._most - self._before

    def _watch(self) -> None:
        looked_at = time.monotonic()
        while not self._over.wait(0.03):
            self.stood_still |= time.monotonic() - looked_at > GAP_S
            looked_at = time.monotonic()
            self._most = max(self._most, self._now())
            self.body_bytes = max(self.body_bytes, self._crawler.stats().body_bytes_held)

    def _now(self) -> int:
        held = 0
        # Not `active_children`: it reaps those that have ended, while the pool's thread waits for them.
        for pid in (os.getpid(), *(child.pid for child in tuple(multiprocessing.process._children))):
            try:
                held += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * self._page
            except (OSError, IndexError):  # it has just ended
                continue
        return held


def _things() -> dict[str, int]:
    return {
        "threads": threading.active_count(),
        "child processes": len(multiprocessing.active_children()),
        "open files": len(os.listdir("/proc/self/fd")),
    }


def _left(before: dict[str, int], patience_s: float) -> list[str]:
    """What there is more of than before."""
    deadline = time.monotonic() + patience_s
    while True:
        gc.collect()
        left = [f"{now - before[name]} {name} left" for name, now in _things().items() if now > before[name]]
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.02)
