"""Several rings in one event loop as the shards of one job, and what a cluster does for them, in its plainest form."""

import asyncio
import contextlib
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import msgspec

from crawler.core.config import CrawlConfig
from crawler.core.errors import RingEndedError
from crawler.core.shard import Mark, Parcel, Receipt, Shard
from crawler.core.stats import CrawlStats, Ended
from crawler.ledger.exchange import Exchange
from crawler.ledger.standing import Standing
from crawler.ring.crawler import Crawler
from crawler.ring.member import Member
from crawler.shards.courier import Courier, taken_in
from crawler.web.shards import owner

__all__ = ["Post", "PostOffice"]

HASH_SEED = 4711
_LOOK_S = 0.02


class Post:
    """One shard: its ring, and what the office knows of it. `leased` is for tests to set, and `is_cut_off`: nothing
    comes to it until the office is `open`."""

    def __init__(self, office: "PostOffice", number: int) -> None:
        self.office = office
        self.number = number
        self.folder = office.folder / f"{number:03}"
        self.incarnation = 1
        self.credit: tuple[int | None, int] = (office.credit, 0)
        self.safe: dict[int, Mark] = {}
        self.leased = True
        self.is_cut_off = False
        self.last: Exchange | None = None
        self.exchange: Exchange | None = None
        self.crawler: Crawler | None = None
        self.running: asyncio.Task[CrawlStats] | None = None
        self.joined = asyncio.Event()
        self.checkpoints = 0
        self.saved: Path | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        pages, number = self.credit
        self.joined.clear()
        member = Member(
            shard=Shard(self.number, self.office.of),
            hash_seed=HASH_SEED,
            incarnation=self.incarnation,
            epoch=1,
            may_ask=lambda: self.leased,
            joined=self._join,
            credit=pages,
            credit_number=number,
            safe=self.safe,
        )
        config = msgspec.structs.replace(self.office.config, job=self.folder)
        self.crawler = Crawler(config, self.office.seeds_of(self.number), member=member, spider=self.office.spider)
        self.running = asyncio.create_task(self.crawler.run())

    def _join(self, exchange: Exchange) -> None:
        self.exchange = self.last = exchange
        shard = Shard(self.number, self.office.of)
        courier = Courier(exchange, shard, deliver=self.office.deliver, ask=partial(self.office.ask, self.number))
        self._tasks = [asyncio.create_task(self._work(courier.run())), asyncio.create_task(self._work(self._keep()))]
        self.joined.set()

    async def _work(self, work) -> None:
        with contextlib.suppress(RingEndedError):
            await work

    async def _keep(self) -> None:
        """Make a checkpoint whenever the shard rests with something that none has."""
        while True:
            standing = self.exchange.standing
            if standing.resting and standing.unsafe:
                await self.checkpoint()
            await asyncio.sleep(_LOOK_S)

    async def checkpoint(self) -> None:
        self.checkpoints += 1
        folder = self.office.folder / "checkpoints" / f"{self.number}-{self.incarnation}-{self.checkpoints}"
        folder.parent.mkdir(exist_ok=True)
        cut = await asyncio.wrap_future(self.exchange.checkpoint(folder))
        if self.saved is not None:
            shutil.rmtree(self.saved)
        self.saved, self.safe = folder, cut.marks
        self.exchange.safe(cut.marks)

    async def end(self, why: Ended) -> CrawlStats:
        """Have it drain and end."""
        self.exchange.end(why)
        stats = await self.running
        self.stop()
        return stats

    async def kill(self) -> None:
        """End it as nobody would wish, but without a clean end."""
        self.stop()
        self.running.cancel()
        await asyncio.gather(self.running, return_exceptions=True)

    def allow(self, pages: int, book: int | None = None) -> None:
        """Grant it so many pages; `book` counts as granted until it has answered."""
        self.credit = pages if book is None else book, self.credit[1] + 1
        self.exchange.allow(pages, self.credit[1])

    def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        self.exchange = None

    def lose_disk(self) -> None:
        """Begin again from the last checkpoint, the next time: what was public stays."""
        self.incarnation += 1
        shutil.rmtree(self.folder / "state")
        if self.saved is not None:
            shutil.copytree(self.saved, self.folder / "state")


class PostOffice:
    """A job of `of` shards in `folder`: deals out the seeds, carries parcels, lends credit, and ends the crawl."""

    def __init__(self, folder: Path, of: int, seeds: list[str], *, spider: Callable | None = None, **settings) -> None:
        self.folder = folder
        self.of = of
        self.seeds = seeds
        self.spider = spider
        self.config = CrawlConfig(
            job=folder,
            **{"allow_private": True, "delay_s": 0.0, "strategy": "threads", "dashboard": False, **settings},
        )
        self.max_pages = self.config.max_pages
        self.credit = None if self.max_pages is None else 0
        self.posts = [Post(self, number) for number in range(of)]
        self.carried = 0
        self.loan, self.loans = 10, 0
        self.opened = asyncio.Event()

    def seeds_of(self, number: int) -> list[str]:
        return [seed for seed in self.seeds if owner(seed, self.of) == number]

    async def deliver(self, destination: int, parcels: Sequence[Parcel]) -> Receipt:
        post = self.posts[destination]
        if post.is_cut_off:
            await self.opened.wait()
        if post.exchange is None:
            raise ConnectionError
        self.carried += len(parcels)
        try:
            return await taken_in(post.exchange, parcels)
        except RingEndedError as error:
            raise ConnectionError from error

    async def ask(self, sender: int, destination: int) -> Receipt:
        exchange = self.posts[destination].exchange
        if exchange is None:
            raise ConnectionError
        try:
            return await asyncio.wrap_future(exchange.ask(sender))
        except RingEndedError as error:
            raise ConnectionError from error

    async def crawl(self) -> list[CrawlStats]:
        """Crawl with all shards, until nothing is left or all pages are there."""
        await self.begin()
        return await self.end(await self.over())

    async def begin(self) -> None:
        for post in self.posts:
            post.start()
        for post in self.posts:
            await until_joined(post)

    async def end(self, why: Ended) -> list[CrawlStats]:
        return await asyncio.gather(*(post.end(why) for post in self.posts))

    async def over(self) -> Ended:
        """Wait until all shards are idle, the same twice in a row; return why it is over."""
        seen: list[Standing] = []
        while True:
            await asyncio.sleep(_LOOK_S)
            for post in self.posts:
                if post.exchange is not None and post.running.done():
                    post.running.result()
            if any(post.exchange is None for post in self.posts):
                seen = []
                continue
            now = [post.exchange.standing for post in self.posts]
            if self.max_pages is not None:
                self._lend(now)
                if sum(one.pages for one in now) == self.max_pages:
                    return "max-pages"
            looks = max(one.looks for one in now)
            for post, one in zip(self.posts, now, strict=True):
                if one.looks < looks:
                    post.exchange.look(looks)
            if not all(one.idle and one.why != "max-pages" for one in now):
                seen = []
            elif not seen or [_counters(one) for one in seen] != [_counters(one) for one in now]:
                seen = now
            elif all(one is not other for one, other in zip(seen, now, strict=True)):
                if not any(one.wants_look for one in now):
                    return "unreachable" if any(one.why == "unreachable" for one in now) else "done"
                for post in self.posts:
                    post.exchange.look(looks + 1)
                seen = []

    def _lend(self, now: list[Standing]) -> None:
        """Give who needs credit what nobody has, and ask the others for what they have too much."""
        for post, one in zip(self.posts, now, strict=True):
            if one.credit_number == post.credit[1]:
                post.credit = one.credit, one.credit_number
        free = self.max_pages - sum(post.credit[0] for post in self.posts)
        needy = [post for post, one in zip(self.posts, now, strict=True) if one.why == "max-pages" and _told(post, one)]
        for post in needy:
            share = min(self.loan, free)
            if share:
                free -= share
                self.loans += 1
                post.allow(post.credit[0] + share)
        if needy and not free:
            for post, one in zip(self.posts, now, strict=True):
                if post not in needy and _told(post, one) and one.pages < post.credit[0]:
                    # What it still owes stays booked until it has said to how many it is bound.
                    post.allow(one.pages, book=post.credit[0])


async def until_joined(post: Post) -> None:
    joined = asyncio.create_task(post.joined.wait())
    await asyncio.wait({joined, post.running}, return_when=asyncio.FIRST_COMPLETED)
    if not joined.done():
        joined.cancel()
        post.running.result()


def _told(post: Post, standing: Standing) -> bool:
    """Whether a shard has answered to its last grant."""
    return standing.credit_number == post.credit[1]


def _counters(one: Standing) -> tuple[int, ...]:
    return one.sent, one.taken, one.looks, one.pages
