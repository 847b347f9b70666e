"""Shards of one crawl take the same URLs as one ring: however late links come, whoever is killed or loses its disk.

Each shard's frontier is real, and driven as the ledger drives it (`tests.support.simulated_shards`). The suite tries a
few webs, CRAWLER_FUZZ_EXAMPLES says how many more.
"""

import os

import pytest

import crawler.frontier.outbox
import crawler.frontier.second_look
import crawler.frontier.store
import crawler.frontier.window
from tests.support.memory_database import MemoryDatabase
from tests.support.simulated_shards import ShardedCrawl
from tests.support.simulated_web import SimulatedWeb, expected

WEBS = int(os.environ.get("CRAWLER_FUZZ_EXAMPLES", "150"))
FIRST = int(os.environ.get("CRAWLER_FIRST_EXAMPLE", "0"))
MOST = 4
SHOWN = (3029, 8408, 8675)
"""Webs in which a shard had settled, and then was told of a way that its counters do not show."""


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(crawler.frontier.store, "Database", MemoryDatabase)
    monkeypatch.setattr(crawler.frontier.second_look, "_MOST_PER_CHAIN", MOST)
    monkeypatch.setattr(crawler.frontier.window, "HOST_TASKS", 8)
    monkeypatch.setattr(crawler.frontier.outbox, "MOST_LINKS", 3)


def test_shards_take_the_same_urls_as_one_ring():
    crossed = killed = lost = 0
    for seed in (*range(FIRST, FIRST + WEBS), *SHOWN):
        one, differences = crawled(SimulatedWeb(seed, wide=True), seed)
        assert not differences, f"web {seed}, {one.of} shards: (is, should be) {differences}"
        crossed += sum(site.frontier.counters.received for site in one.sites)
        killed, lost = killed + one.killed, lost + one.lost
    assert crossed > WEBS
    assert min(killed, lost) > WEBS // 4
    print(f"{WEBS} webs, {crossed} links between shards, {killed} killed, {lost} disks lost")


def test_seeds_that_redirect_from_shard_to_shard_take_the_same_as_a_rule():
    """As for one ring: what is missed is a link between two places of a scope, read before they were one."""
    number = WEBS // 2
    differing = [
        seed for seed in range(FIRST, FIRST + number) if crawled(SimulatedWeb(seed, joined=True, wide=True), seed)[1]
    ]
    assert len(differing) <= max(2, number // 50), differing
    print(f"{len(differing)} of {number} webs differ")


def crawled(web: SimulatedWeb, seed: int) -> tuple[ShardedCrawl, dict]:
    """A crawl of a web, and the URLs that ended otherwise than they should: (how, how they should have)."""
    one = ShardedCrawl(web, seed)
    ends, wanted = one.run(), expected(web, MOST)
    keys = ends | wanted
    return one, {asked: (ends.get(asked), wanted.get(asked)) for asked in keys if ends.get(asked) != wanted.get(asked)}
