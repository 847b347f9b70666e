"""With the same site and settings a crawl takes the same URLs: whatever answers first, however often it is killed.

The frontier and what parsers judge links by are real, and driven as the ledger drives them. The web is made up
(`tests.support.simulated_web`), with an independent definition of what a crawl of it takes. `make same-set` tries
20,000 webs (CRAWLER_FUZZ_EXAMPLES), the suite a few.
"""

import os
import random
from collections import Counter
from pathlib import Path

import pytest

import crawler.frontier.second_look
import crawler.frontier.store
import crawler.frontier.window
from crawler.core.config import CrawlConfig
from crawler.core.model import Seed, Task
from crawler.frontier.frontier import Frontier
from crawler.frontier.row import QUEUED
from crawler.frontier.store import Store
from crawler.parsers.reading.new_links import NewLinks
from crawler.web.scope import Scope
from tests.support.memory_database import MemoryDatabase
from tests.support.simulated_web import SimulatedWeb, expected
from tests.support.web_answers import WebAnswers

WEBS = int(os.environ.get("CRAWLER_FUZZ_EXAMPLES", "150"))
FIRST = int(os.environ.get("CRAWLER_FIRST_EXAMPLE", "0"))
MOST = 4
STEPS = 40_000


class Crawl:
    """One crawl of a web, killed and started again, with answers in any order."""

    def __init__(self, web: SimulatedWeb, seed: int) -> None:
        self.web = web
        self.early = 0
        self.rng = random.Random(seed)
        self.disk: dict = {}
        self.now = 1000.0
        self.config = CrawlConfig(
            job=Path("job"), scope=web.scope, depth=web.depth, max_chain=web.max_chain, sitemaps=False
        )
        self.parsers = self.rng.choice((1, 2, 4))
        self.kills = self.rng.choice((0.0, 0.0, 0.02, 0.1))
        self.commits = self.rng.choice((0.05, 0.3, 1.0))
        self.answers = WebAnswers(web, self.config, self.rng)
        self.written: list[str] = []
        self.open()
        for number, (url, kind) in enumerate(web.seeds, start=1):
            self.frontier.add_seed(number, Seed(url, {}, kind))
        self.commit()

    def open(self) -> None:
        """As a start after `kill -9`: what was not committed is gone, and so is what parsers had in mind."""
        self.store = Store(self.disk)
        self.frontier = Frontier(self.store, self.config)
        self.under_way: list[Task] = []
        self.unwritten: list[str] = []
        scope = (self.config.scope, (), (), self.config.depth)
        self.links = [
            NewLinks(
                Scope(*scope), self.config.max_chain, by_depth=self.config.depth is not None, obey=True,
                sent_chars=self.rng.choice((1_000, 1 << 20)),
            )
            for _ in range(self.parsers)
        ]  # fmt: skip

    def commit(self) -> None:
        self.frontier.save()
        self.store.commit()
        limits = self.frontier._limits.chains.copy()
        self.frontier.committed()
        self.early += self.frontier._limits.chains != limits
        self.written += self.unwritten
        self.unwritten = []

    def run(self) -> dict[tuple[str, str], str]:
        """Crawl to the end; return how each URL ended."""
        rng = self.rng
        for _ in range(STEPS):
            tasks, _ = self.frontier.refill(self.now)
            self.under_way += tasks
            if self.frontier.exhausted:
                self.commit()
                return self.ends()
            if rng.random() < self.kills:
                self.open()
            elif self.under_way:
                self.answer_some()
                if rng.random() < self.commits:
                    self.commit()
            else:
                self.commit()
                self.now += rng.choice((0.0, 1.0, 5.0))
        raise AssertionError(f"does not end: {self.frontier.counters}")

    def answer_some(self) -> None:
        results, self.under_way = self.answers.some_of(self.under_way, lambda: self.rng.choice(self.links), self.now)
        done = self.frontier.finish(results, self.now)
        self.unwritten += [one.url for one in done if one.records is not None]

    def ends(self) -> dict[tuple[str, str], str]:
        rows = list(self.store.all_urls())
        assert not [row for state, row in rows if state == QUEUED]
        names = {(row.url, row.kind): f"{row.outcome}: {row.reason}".removesuffix(": ") for _, row in rows}
        counters = self.frontier.counters
        assert (counters.queued, counters.retrying) == (0, 0)
        assert counters.known == len(rows) == len(names)
        assert counters.outcomes == Counter(names.values())
        assert counters.stale == sum(bool(row.stale) for _, row in rows)
        records = [url for (url, kind), end in names.items() if end == "fetched" and kind == "page"]
        assert sorted(self.written) == sorted(records), "each page has one record"
        return names


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(crawler.frontier.store, "Database", MemoryDatabase)
    monkeypatch.setattr(crawler.frontier.second_look, "_MOST_PER_CHAIN", MOST)
    monkeypatch.setattr(crawler.frontier.window, "HOST_TASKS", 8)


@pytest.mark.usefixtures("small")
def test_a_crawl_takes_the_same_urls_whatever_answers_first():
    reread = fetched = 0
    for seed in range(FIRST, FIRST + WEBS):
        one, differences = crawled(SimulatedWeb(seed), seed)
        assert not differences, f"web {seed}: (is, should be) {differences}"
        reread += one.frontier.counters.reread
        fetched += one.frontier.counters.pages
    print(f"{WEBS} webs, {fetched} pages, {reread} read again")


@pytest.mark.usefixtures("small")
def test_chains_of_one_host_go_on_while_others_are_busy_and_end_where_they_would():
    """Hosts that are apart, and chains long enough for looks at one of them: the set is that of looks at the whole."""
    raised = 0
    for seed in range(FIRST, FIRST + WEBS // 2):
        one, differences = crawled(SimulatedWeb(seed, apart=True), seed)
        assert not differences, f"web {seed}: (is, should be) {differences}"
        raised += one.early
    assert raised, "no look was taken at one host"
    print(f"{raised} looks at one host")


@pytest.mark.usefixtures("small")
def test_seeds_that_redirect_into_each_other_s_scope_take_the_same_as_a_rule():
    """What is missed is a link from one place of a scope to the other, read before they were one, found elsewhere."""
    number = WEBS // 2
    differing = [seed for seed in range(FIRST, FIRST + number) if crawled(SimulatedWeb(seed, joined=True), seed)[1]]
    assert len(differing) <= max(2, number // 50), differing
    print(f"{len(differing)} of {number} webs differ")


def crawled(web: SimulatedWeb, seed: int) -> tuple[Crawl, dict]:
    """A crawl of a web, and the URLs that ended otherwise than they should: (how, how they should have)."""
    one = Crawl(web, seed)
    ends, wanted = one.run(), expected(web, MOST)
    keys = ends | wanted
    return one, {asked: (ends.get(asked), wanted.get(asked)) for asked in keys if ends.get(asked) != wanted.get(asked)}
