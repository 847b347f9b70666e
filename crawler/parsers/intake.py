"""The way into the pool: which page is admitted when, who waits for room, and who for the end."""

import asyncio
import threading
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import msgspec

from crawler.core.errors import CrawlerError
from crawler.core.large_body import spooled
from crawler.core.model import Done, Download
from crawler.core.threads import call_in, settle, settle_from_thread
from crawler.parsers.batch import LARGE_PAGE_BYTES, BatchLimits, Item, item_of
from crawler.parsers.dispatch import Dispatch
from crawler.parsers.process import ParserProcess

__all__ = ["Intake"]


class Intake:
    """Admits pages as fast as the `size` parsers take them. Large pages come one at a time, and wait in `folder`.

    `submit` and `drain` are for one event loop, the rest for the thread that sees to the parsers.

    State of both threads, under `lock`: `pending`, the pages submitted whose result was not delivered yet; `failure`,
    why no more can be; what waits for parsers (`dispatch`); who waits for room, for the end, or for the large page's
    end. State of the event loop's thread: whose turn it is among large pages, and the timer of the open batch.
    """

    def __init__(self, limits: BatchLimits, folder: Path, size: int) -> None:
        self.lock = threading.Lock()
        self.pending = 0
        self.failure: CrawlerError | None = None
        self._encoder = msgspec.msgpack.Encoder()
        self.dispatch = Dispatch(limits, self._encoder, size)
        self._limits = limits
        self._folder = folder
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._drains: list[asyncio.Future[None]] = []
        # The key of the large page under way, and who waits for its end.
        self._large: tuple[bytes, asyncio.Future[None]] | None = None
        self._one_large = asyncio.Lock()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_awaited(self) -> bool:
        """Whether somebody waits for room."""
        return bool(self._waiters)

    # The event loop's thread.

    async def submit(self, download: Download) -> None:
        """Take a download; waits for room, and for a large page's end. Raises `failure`."""
        if len(download.answer.body) < LARGE_PAGE_BYTES:
            await self._put(item_of(download, self._encoder))
            return
        # None of those who wait here is to hold a large body beside its copy: each lets go of it.
        async with self._one_large, spooled(download, self._folder) as light:
            del download
            ended = asyncio.get_running_loop().create_future()
            with self.lock:
                self._large = (light.task.key, ended)
            try:
                await self._put(item_of(light, self._encoder))
                await ended
            finally:
                with self.lock:
                    self._large = None
                if not ended.cancel() and not ended.cancelled():
                    ended.exception()  # known, even if nobody came to wait for it

    async def _put(self, item: Item) -> None:
        loop = self._loop = asyncio.get_running_loop()
        woken = False
        while True:
            with self.lock:
                if self._admit(item):
                    break
                waiter = loop.create_future()
                # Woken and again without room, it keeps its place.
                (self._waiters.appendleft if woken else self._waiters.append)(waiter)
            woken = True
            try:
                await waiter
            except asyncio.CancelledError:
                with self.lock, suppress(ValueError):
                    self._waiters.remove(waiter)
                self._wake()
                raise
        if self._timer is None and self.dispatch.has_open:
            self._timer = loop.call_later(self._limits.wait_s, self._on_timer)
        if self._waiters:
            self._wake()

    def _admit(self, item: Item) -> bool:
        """Called with the lock held: take a page, if there is room for it."""
        if self.failure is not None:
            raise self.failure
        if not self.dispatch.add(item):
            return False
        self.pending += 1
        return True

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
            if self._loop is not None and self.dispatch.has_open and not self.dispatch.is_due:
                self._timer = self._loop.call_later(max(0.001, self.dispatch.due_in_s), self._on_timer)

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
                waiters = list(self._waiters)
                self._waiters.clear()
                if self._large is not None:
                    waiters.append(self._large[1])
            elif self._waiters and (not self.dispatch.is_full or self.dispatch.has_room):
                # One at a time: hundreds may wait, and each wakes the next if there is room left.
                waiters = [self._waiters.popleft()]
        for waiter in (*waiters, *drains):
            settle(waiter, error=failure)

    # The thread that sees to the parsers.

    def joined(self, parser: ParserProcess) -> None:
        """Give work to a parser that has started."""
        with self.lock:
            parser.ready = True
            self.dispatch.send()
        self.wake()

    def delivered(self, parser: ParserProcess, results: list[Done]) -> None:
        """Go on after a parser's results for its first batch were delivered."""
        with self.lock:
            self.dispatch.answered(parser)
            self._note_ended(done.key for done in results)
            self.pending -= len(results)
            self.dispatch.send()
            awaited = bool(self._waiters or self._drains)
        if awaited:
            self.wake()

    def replaced(self, parser: ParserProcess, by: ParserProcess, failed: Done | None) -> None:
        """Go on with another parser in the place of a dead one, for whose death the page `failed`, if it did."""
        with self.lock:
            self.dispatch.join(by, instead_of=parser)
            if failed is not None:
                self._note_ended([failed.key])
                self.pending -= 1
            self.dispatch.send()
        self.wake()

    def _note_ended(self, keys: Iterable[bytes]) -> None:
        """Called with the lock held: let go on who waits for the large page, if it is among those that have ended."""
        if self._large is not None and self._large[0] in keys:
            settle_from_thread(self._large[1])

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
