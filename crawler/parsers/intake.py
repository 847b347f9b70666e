"""The way into the pool: which page is admitted when, who waits for room, and who for the end."""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from crawler.core.errors import CrawlerError
from crawler.core.large_body import spooled
from crawler.core.model import Done, Download
from crawler.core.threads import call_in, settle
from crawler.parsers.batch import BatchLimits, Item, item_of
from crawler.parsers.busiest import Busiest
from crawler.parsers.costs import Costs, Standing
from crawler.parsers.dispatch import Dispatch
from crawler.parsers.large_pages import Keep, LargePages
from crawler.parsers.process import ParserProcess
from crawler.parsers.reading.whole_body import LARGE_PAGE_BYTES
from crawler.parsers.waiting import Waiting
from crawler.web.urls import authority

__all__ = ["Intake"]


class Intake:
    """Admits pages as fast as the `size` parsers take them. Large ones come one at a time (`large_pages`), in `folder`.

    `submit`, `drain` and what is asked are for one event loop, the rest for the thread that sees to the parsers.
    `listener` is that of `Parsers.tell`.

    State of both threads, under `lock`: `pending`, the pages submitted whose result was not delivered yet; `failure`,
    why no more can be; what waits for parsers (`dispatch`) and what it costs (`costs`); who waits for room (`Waiting`),
    or for the end. State of the event loop's thread: the timer of the open batches.
    """

    def __init__(self, limits: BatchLimits, folder: Path, size: int, keep: Keep | None = None) -> None:
        self.lock = threading.Lock()
        self.pending = 0
        self.failure: CrawlerError | None = None
        self._encoder = msgspec.msgpack.Encoder()
        self.costs = Costs(size)
        self._busiest = Busiest()
        self.dispatch = Dispatch(limits, self._encoder, size, self.costs)
        self.listener: Callable[[dict[str, float]], None] | None = None
        self._waiting = Waiting(self.costs, self.dispatch, size)
        self._limits = limits
        self._folder = folder
        self._loop: asyncio.AbstractEventLoop | None = None
        self._drains: list[asyncio.Future[None]] = []
        self._large = LargePages(self.lock, self.costs, self._waiting, self._put, keep)
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_awaited(self) -> bool:
        """Whether somebody waits for room."""
        return bool(self._waiting)

    @property
    def busiest(self) -> dict[str, float]:
        """See `Parsers.busiest`."""
        with self.lock:
            return self._busiest.first(time.monotonic())

    @property
    def processes(self) -> tuple[int, ...]:
        """Numbers of the processes that parse now; from any thread."""
        return tuple(parser.number for parser in self.dispatch.parsers())

    # The event loop's thread.

    def is_quick(self, host: str, size: int) -> bool:
        """Whether a page of a host, of so many bytes, takes no time that anybody would notice."""
        with self.lock:
            return self.costs.is_quick(host, size)

    def holds(self, host: str) -> bool:
        """Whether so much waits that nothing is to be asked of a host: of its own, or of others like it."""
        with self.lock:
            return self._waiting.holds(host)

    async def submit(self, download: Download) -> None:
        """Take a download; waits for room, and for a large page's end. Raises `failure`."""
        if len(download.answer.body) < LARGE_PAGE_BYTES:
            await self._put(item_of(download, self._encoder))
            return
        # None of those who wait here is to hold a large body beside its copy: each lets go of it.
        async with self._large.turn(authority(download.task.url)), spooled(download, self._folder) as light:
            del download
            await self._large.parse(item_of(light, self._encoder))

    async def _put(self, item: Item) -> None:
        loop = self._loop = asyncio.get_running_loop()
        waited: Standing | None = None
        while True:
            with self.lock:
                waiter, standing = self._admit(item, waited)
            if waiter is None:
                break
            if waited is not None and standing != waited:
                self._wake()  # its place in the other line has gone to nobody
            waited = standing
            try:
                await waiter
            except BaseException:
                with self.lock:
                    self.costs.left(item.host)
                    self._waiting.leave(item.host, waiter, standing)
                self._wake()
                raise
        if self._timer is None and self.dispatch.has_open:
            self._timer = loop.call_later(self._limits.wait_s, self._on_timer)
        if self._waiting:
            self._wake()

    def _admit(self, item: Item, waited: Standing | None) -> "tuple[asyncio.Future[None] | None, Standing]":
        """Called with the lock held: take a page, or return what to wait for; and the standing of its host.

        `waited`: as what it has waited already, None if it has not.
        """
        if waited is not None:
            self._waiting.came(waited)
        if self.failure is not None:
            if waited is not None:
                self.costs.left(item.host)
            raise self.failure
        if waited is None:
            self.costs.entered(item.host)
        standing = self.costs.standing(item.host, item.body_bytes) if self._limits.eager else Standing.QUICK
        lane = self.dispatch.lanes[standing]
        if (waited is not None or not self._waiting.has_line(standing)) and self.dispatch.add(lane, item):
            self.pending += 0 if item.is_large else 1  # what a parser has given back is pending
            return None, standing
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.join(item.host, waiter, standing, called=waited == standing)
        return waiter, standing

    async def drain(self) -> None:
        """Wait until every page submitted so far is done and delivered. Raises `failure`."""
        loop = self._loop = asyncio.get_running_loop()
        with self.lock:
            if self.failure is not None:
                raise self.failure
            if not self.pending:
                return
            self.dispatch.flushing = True
            self.dispatch.send()
            drained = loop.create_future()
            self._drains.append(drained)
        await drained

    def _on_timer(self) -> None:
        self._timer = None
        with self.lock:
            self.dispatch.send()
            # What is due and did not go is sent as soon as a parser has room.
            if self._loop is not None and (due_in_s := self.dispatch.due_in_s) is not None:
                self._timer = self._loop.call_later(max(0.001, due_in_s), self._on_timer)
        if self.is_awaited:
            self._wake()

    def _wake(self) -> None:
        """Let those go on who wait for what has happened."""
        with self.lock:
            failure = self.failure
            drains: list[asyncio.Future[None]] = []
            if failure is not None or not self.pending:
                drains, self._drains = self._drains, []
                self.dispatch.flushing = False
            waiters: list[asyncio.Future[None]] = []
            if failure is not None:
                waiters = self._waiting.take_all()
                waiters += self._large.awaited
            else:
                waiters = self._waiting.call()
        for waiter in (*waiters, *drains):
            settle(waiter, error=failure)

    # The thread that sees to the parsers.

    def look_again(self) -> None:
        """Give what a parser may have by now: for how long pages take, or none came, decides about that."""
        with self.lock:
            self.dispatch.send()
            awaited = bool(self._waiting)
        if awaited:
            self.wake()

    def joined(self, parser: ParserProcess) -> None:
        """Give work to a parser that has started."""
        with self.lock:
            parser.ready = True
            self.dispatch.send()
        self.wake()

    def delivered(self, parser: ParserProcess, results: list[Done | None], times: Sequence[float]) -> None:
        """Go on after a parser's results for its first batch were delivered, whose pages took so many seconds each.

        None stands for a page that it has given back.
        """
        waits: dict[str, float] = {}
        with self.lock:
            batch, costs, now = parser.batches[0], self.costs, time.monotonic()
            large: list[Item] = []
            for item, done, took_s in zip(batch.items, results, times, strict=False):
                size = LARGE_PAGE_BYTES if done is None else max(item.body_bytes, done.body_bytes)
                if done is None:
                    large.append(item)
                self._busiest.learn(item.host, took_s, now)
                if wait_s := costs.took(item.host, took_s, size):
                    waits[item.host] = waits.get(item.host, 0.0) + wait_s
                costs.left(item.host)
            self.dispatch.answered(parser, times)  # what its first pages have told decides about the rest of a batch
            self._large.note_ended([done.key for done in results if done is not None])
            self.pending -= len(results) - len(large)
            self.dispatch.send()
            if not batch.may_last:
                self._waiting.adapt()
            tells = bool(waits) or (batch.may_last and self._waiting.was_held())
            awaited = bool(self.is_awaited or self._drains)
        if large and self._loop is not None:
            call_in(self._loop, self._large.take_back, large)
        if awaited:
            self.wake()
        if tells:
            self._tell(waits)

    def taken_back(self, parser: ParserProcess, *, blames: bool) -> Item | None:
        """Queue again what a dead parser had; return the page that is to blame for its death, if one is proven to be.

        `blames`: the pages that it was at are suspects.
        """
        with self.lock:
            return self.dispatch.take_back(parser, blames=blames)

    def replaced(self, parser: ParserProcess, by: ParserProcess, failed: Item | None, took_s: float) -> None:
        """Go on with another parser in the place of a dead one; a page `failed`, if one did, after so long."""
        waits: dict[str, float] = {}
        with self.lock:
            self.dispatch.join(by, instead_of=parser)
            if failed is not None:
                waits[failed.host] = self.costs.killed(failed.host, took_s)
                self.costs.left(failed.host)
                self._large.note_ended([failed.key])
                self.pending -= 1
            self.dispatch.send()
        self.wake()
        if waits:
            self._tell(waits)

    def _tell(self, waits: dict[str, float]) -> None:
        if self.listener is not None and self._loop is not None:
            call_in(self._loop, self.listener, waits)

    # Any thread.

    def refuse(self, failure: CrawlerError) -> bool:
        """Admit nothing more, for this reason; False if there was a reason before."""
        with self.lock:
            if self.failure is not None:
                return False
            self.failure = failure
            return True

    def wake(self) -> None:
        """Have the event loop look soon who of those that wait can go on."""
        if self._loop is not None:
            call_in(self._loop, self._wake)
