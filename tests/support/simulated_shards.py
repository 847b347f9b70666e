"""Several frontiers that share a crawl of a simulated web, with all that may go wrong between them.

Parcels come late, twice, in any order or not at all; shards are killed, and lose their disks: then they begin again
from their last checkpoint. Who says when looks are taken and when the crawl is over sees what a coordinator sees.
"""

import random
from collections import Counter
from pathlib import Path

from crawler.core.config import CrawlConfig
from crawler.core.model import Seed, Task
from crawler.core.shard import START, Mark, Parcel, Receipt, Shard
from crawler.frontier.frontier import Frontier
from crawler.frontier.row import QUEUED
from crawler.frontier.store import Store
from crawler.parsers.reading.new_links import NewLinks
from crawler.web.scope import Scope
from crawler.web.shards import owner
from tests.support.simulated_web import SimulatedWeb
from tests.support.web_answers import WebAnswers

__all__ = ["ShardedCrawl"]

STEPS = 100_000


class _Site:
    """One shard: what is on its disk, what of it is in a checkpoint, and what only its process knows."""

    def __init__(self, crawl: "ShardedCrawl", number: int) -> None:
        self.crawl = crawl
        self.shard = Shard(number, crawl.of)
        self.disk: dict = {}
        self.incarnation = 0
        self.checkpoint: dict = {}
        self.safe: dict[int, Mark] = {}
        self.written: list[str] = []
        self.public: list[str] = []
        self.begin()
        self.save_checkpoint()

    def begin(self) -> None:
        """Start on what the disk has."""
        self.open()
        for number, (url, kind) in enumerate(self.crawl.seeds_of(self.shard.number), start=1):
            self.frontier.add_seed(number, Seed(url, {"name": url}, kind))
        self.commit()

    def open(self) -> None:
        """As a start after `kill -9`: what was not committed is gone, and so is what parsers had in mind."""
        crawl = self.crawl
        self.store = Store(self.disk, hash_seed=5, incarnation=self.incarnation)
        self.frontier = Frontier(self.store, crawl.config, self.shard)
        self.under_way: list[Task] = []
        self.unwritten: list[str] = []
        self.sent_up_to: dict[int, Mark] = {}
        self.is_saved = False
        scope = Scope(crawl.config.scope, (), (), crawl.config.depth)
        self.links = NewLinks(
            scope, crawl.config.max_chain, by_depth=crawl.config.depth is not None, obey=True,
            sent_chars=crawl.rng.choice((1_000, 1 << 20)),
        )  # fmt: skip

    def commit(self) -> None:
        self.is_saved = self.is_saved and not self.store.dirty
        self.frontier.save()
        self.store.commit()
        self.frontier.committed()
        self.written += self.unwritten
        self.unwritten = []

    def save_checkpoint(self) -> None:
        """Commit, and have a checkpoint accepted: what is in it cannot be lost, and what was public stays."""
        self.commit()
        self.checkpoint = {}
        self.store.checkpoint(self.checkpoint)
        self.safe = dict(self.frontier.marks)
        assert self.written[: len(self.public)] == self.public
        self.public = list(self.written)
        self.is_saved = True

    def lose_disk(self) -> None:
        """Go on elsewhere from the last checkpoint."""
        self.disk = {family: dict(rows) for family, rows in self.checkpoint.items()}
        self.incarnation += 1
        self.written = list(self.public)
        self.open()
        self.commit()

    @property
    def is_idle(self) -> bool:
        return self.is_saved and not self.under_way and self.frontier.rests and self.frontier.outbox.is_empty

    def turn(self) -> None:
        """One turn of the ledger's thread."""
        crawl, rng = self.crawl, self.crawl.rng
        owed = self.frontier.owed(crawl.now)
        self.unwritten += [one.url for one in owed if one.records is not None]
        tasks, _ = self.frontier.refill(crawl.now)
        for task in tasks:
            assert owner(task.url, crawl.of) == self.shard.number, "one domain has one owner"
        self.under_way += tasks
        if self.under_way:
            self.answer_some()
        if not self.under_way or rng.random() < crawl.commits:
            self.commit()

    def answer_some(self) -> None:
        results, self.under_way = self.crawl.answers.some_of(self.under_way, lambda: self.links, self.crawl.now)
        done = self.frontier.finish(results, self.crawl.now)
        self.unwritten += [one.url for one in done if one.records is not None]


class ShardedCrawl:
    """One crawl of a web by `of` shards, whose `trouble` is how often something goes wrong."""

    def __init__(self, web: SimulatedWeb, seed: int) -> None:
        self.web = web
        self.rng = rng = random.Random(seed)
        self.now = 1000.0
        self.of = rng.choice((1, 2, 3, 4, 5, 6))
        self.config = CrawlConfig(
            job=Path("job"), scope=web.scope, depth=web.depth, max_chain=web.max_chain, sitemaps=False
        )
        self.kills = rng.choice((0.0, 0.01, 0.05))
        self.losses = rng.choice((0.0, 0.005, 0.02))
        self.checkpoints = rng.choice((0.01, 0.1))
        self.commits = rng.choice((0.05, 0.3, 1.0))
        self.drops = rng.choice((0.0, 0.0, 0.2))
        self.answers = WebAnswers(web, self.config, self.rng)
        self.on_the_way: list[tuple[int, Parcel]] = []
        self.receipts: list[tuple[int, int, Receipt]] = []
        self.killed = self.lost = 0
        self.sites = [_Site(self, number) for number in range(self.of)]

    def seeds_of(self, number: int) -> list[tuple[str, str]]:
        return [seed for seed in self.web.seeds if owner(seed[0], self.of) == number]

    def run(self) -> dict[tuple[str, str], str]:
        """Crawl to the end; return how each URL ended."""
        rng = self.rng
        for _ in range(STEPS):
            site = rng.choice(self.sites)
            chance = rng.random()
            if chance < self.kills:
                self.killed += 1
                site.open()
            elif chance < self.kills + self.losses:
                self.lost += 1
                site.lose_disk()
            elif rng.random() < self.checkpoints:
                site.save_checkpoint()
            else:
                site.turn()
            self.carry()
            if all(not site.under_way for site in self.sites):
                self.now += rng.choice((0.0, 1.0, 5.0))
                if self.rest():
                    return self.ends()
        raise AssertionError(f"does not end: {[site.frontier.counters for site in self.sites]}")

    def rest(self) -> bool:
        """What a coordinator does when nobody has a request under way; True when the crawl is over."""
        last = max(site.frontier.looks for site in self.sites)
        behind = [site for site in self.sites if site.frontier.looks < last]
        for site in self.sites:
            if not site.is_idle and not site.is_saved and not site.store.dirty and self.rng.random() < 0.5:
                site.save_checkpoint()
        if not behind and all(site.is_idle for site in self.sites):
            if not any(site.frontier.wants_look for site in self.sites):
                return True
            last, behind = last + 1, self.sites
        for site in behind:
            if self.rng.random() < 0.7:  # or it is told later
                site.frontier.look(last)
        return False

    def carry(self) -> None:
        """Send, deliver and answer, as a network does: late, in any order, some twice, some not at all."""
        rng = self.rng
        for site in self.sites:
            outbox = site.frontier.outbox
            for destination in outbox.destinations():
                after = site.sent_up_to.get(destination, START)
                if rng.random() < 0.1:
                    after = START
                for parcel in outbox.waiting(destination, after, rng.choice((1, 3))):
                    site.sent_up_to[destination] = parcel.mark
                    if rng.random() >= self.drops:
                        self.on_the_way += [(destination, parcel)] * rng.choice((1, 1, 2))
        self._deliver()
        self._answer()

    def _deliver(self) -> None:
        self.rng.shuffle(self.on_the_way)
        for _ in range(self.rng.randint(0, len(self.on_the_way))):
            destination, parcel = self.on_the_way.pop()
            self.sites[destination].frontier.receive(parcel, self.now)

    def _answer(self) -> None:
        """Let receivers say how far they are; what is said comes late, and some of it not."""
        rng = self.rng
        site = rng.choice(self.sites)
        here = site.shard.number
        for sender in range(self.of):
            if sender != here and rng.random() < 0.5:
                taken, safe = site.frontier.marks.get(sender, START), site.safe.get(sender, START)
                self.receipts.append((sender, here, Receipt(taken, safe, site.incarnation)))
        rng.shuffle(self.receipts)
        for _ in range(rng.randint(0, len(self.receipts))):
            sender, receiver, receipt = self.receipts.pop()
            sending = self.sites[sender]
            sending.frontier.outbox.forget(receiver, receipt.safe)
            sending.sent_up_to[receiver] = receipt.taken

    def ends(self) -> dict[tuple[str, str], str]:
        """How each URL ended, over all shards, each of which has counted its own."""
        names: dict[tuple[str, str], str] = {}
        for site in self.sites:
            rows = list(site.store.all_urls())
            assert not [row for state, row in rows if state == QUEUED]
            own = {(row.url, row.kind): f"{row.outcome}: {row.reason}".removesuffix(": ") for _, row in rows}
            assert all(owner(url, self.of) == site.shard.number for url, _ in own)
            assert len(own) == len(rows)
            names |= own
            counters = site.frontier.counters
            assert (counters.queued, counters.retrying, counters.known) == (0, 0, len(rows))
            assert counters.outcomes == Counter(own.values())
            assert counters.stale == sum(bool(row.stale) for _, row in rows)
            assert site.frontier.outbox.is_empty
            assert site.frontier.outbox.size_bytes == 0
            for _, row in rows:
                if row.parent and row.parent_url is None:
                    assert site.store.urls.values([row.parent])[0] is not None, "where it was found is known"
        records = [url for (url, kind), end in names.items() if end == "fetched" and kind == "page"]
        assert sorted(url for site in self.sites for url in site.public) == sorted(records), "each once"
        return names
