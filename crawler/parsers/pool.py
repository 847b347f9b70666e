"""The pool of parser processes, as the main process sees it.

Pages are gathered into batches; each parser has its own bounded `multiprocessing.Queue` to receive them and its own
pipe to answer. One thread, the collector, starts the processes, reads the answers and sees to processes that die or
hang.

What a parser was given is kept here until its answer has come whole. When a parser dies, the batch that it was at is
parsed again page by page, and a page that ends its parser when it is there alone has failed; everything else is only
moved.
"""

import asyncio
import atexit
import threading
import time
from collections import deque
from collections.abc import Callable, MutableSequence
from contextlib import suppress
from multiprocessing import connection
from typing import Any, Literal

import msgspec

from crawler.core.config import CrawlConfig
from crawler.core.errors import CrawlerError
from crawler.core.large_body import spooled
from crawler.core.model import Done, Download
from crawler.parsers.batch import Batch, BatchLimits, Item, item_of, kept
from crawler.parsers.failure_log import FailureLog
from crawler.parsers.reading.parse import Parse, ParserSettings, parse_page
from crawler.parsers.worker import (
    BUSY_S,
    OUT_OF_MEMORY,
    READY,
    SLOTS,
    STARTED_AT,
    WORN,
    ParserProcess,
    new_counters,
)

__all__ = ["ParserPool"]

BATCH_BYTES = 256 << 10
"""Size at which a batch is closed."""
BATCH_PAGES = 16
"""Number of pages at which a batch is closed."""
BATCH_S = 0.05
"""A batch has no more pages than a parser reads in this time: what lies in one inbox no other parser can take, so that
large batches of pages that take long (a heavy spider) leave parsers idle at the end of a crawl."""
LARGE_PAGE_BYTES = 2_000_000
"""Pages from this size on are parsed one at a time: a tree takes many times the memory of its page."""
BATCH_WAIT_S = 0.02
"""Longest time that a page waits for others to fill its batch."""
BATCHES_PER_PARSER = 2
"""Batches that a parser has at most: one under way, and one so that it need not wait for the next."""
LIMITS = BatchLimits(BATCH_BYTES, BATCH_PAGES, BATCH_S, BATCH_WAIT_S)


_STARTS = 5
_END_S = 1.0
_TICK_S = 0.25


class _Parser:
    """One parser process and what was given to it.

    `batches` and `gone` change under the pool's lock; the rest is the collector's.
    """

    def __init__(self, slot: int, process: ParserProcess, busy_s: float) -> None:
        self.slot = slot
        self.process = process
        self.batches: deque[Batch] = deque()
        # Its batches were taken back, and it must not get others.
        self.gone = False
        self.ready = False
        # The time that pages have taken in this slot, up to its last answer.
        self.busy_s = busy_s
        # What it sent was no answer.
        self.garbled = False
        # `STARTED_AT` of the page for which this process was killed.
        self.hung_at: float | None = None

    def has_room(self) -> bool:
        """Whether it can take another batch."""
        return not self.gone and len(self.batches) < BATCHES_PER_PARSER


class ParserPool:
    """Parser processes behind a back-pressured inlet.

    `on_done` gets the results, batch by batch, in the collector thread; it may block, which slows the parsers down. If
    it raises, or parsers cannot be started, the pool is broken: `submit` and `drain` raise `CrawlerError` from then on,
    and `on_failure` is told in the collector thread. `spider` is the crawl's, as `spiders.spider` packs it. `parse` is
    what a parser does with a page instead of `parse_page`; it is imported there by its name. `limits` are those of a
    batch, for measurements.

    `start`, `close` and the properties may be used from any thread, `submit` and `drain` from one event loop.
    Pools share nothing with each other.
    """

    def __init__(
        self,
        config: CrawlConfig,
        on_done: Callable[[list[Done]], None],
        *,
        on_failure: Callable[[CrawlerError], None] | None = None,
        spider: bytes = b"",
        parse: Parse = parse_page,
        limits: BatchLimits = LIMITS,
    ) -> None:
        self._limits = limits
        self._size = config.parsers
        self._timeout_s = config.parser_timeout_s
        self._folder = config.folder
        self._archive = config.archive
        self._settings = msgspec.msgpack.encode(ParserSettings.of(config, spider))
        self._on_done = on_done
        self._on_failure = on_failure
        self._parse = parse
        self._counters: MutableSequence[float] = [0.0] * (self._size * SLOTS)
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(list[Done])
        self._wakeup, self._waker = connection.Pipe(duplex=False)
        self._collector = threading.Thread(target=self._collect, name="parser-collector", daemon=True)
        self._started = threading.Event()
        # State of the collector.
        self._failures = FailureLog()
        # State of both threads, under the lock.
        self._lock = threading.Lock()
        self._parsers: list[_Parser] = []
        self._again: deque[Batch] = deque()
        self._open: list[Item] = []
        self._open_bytes = 0
        self._open_since = 0.0
        self._page_s = 0.0  # that a page takes, lately
        self._pending = 0
        self._draining = False
        self._closing = False
        self._failure: CrawlerError | None = None
        self._replaced = 0
        self._failed_starts = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._drains: list[asyncio.Future[None]] = []
        # The large page under way, and who waits for its end.
        self._large: tuple[bytes, asyncio.Future[None]] | None = None
        # State of the event loop's thread.
        self._one_large = asyncio.Lock()
        self._timer: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"<ParserPool {self._size} parsers, {self._pending} pages pending, {self._replaced} replaced>"

    @property
    def pending(self) -> int:
        """Pages submitted whose result was not delivered yet."""
        return self._pending

    @property
    def capacity(self) -> int:
        """Pages that fit in; how many depends on their sizes, so it equals `pending` while `submit` has to wait."""
        return (
            self._pending if self._waiters else max(self._pending, self._size * BATCHES_PER_PARSER * self._limits.pages)
        )

    @property
    def busy_s(self) -> tuple[float, ...]:
        """For each parser, seconds spent on pages since the start; a replacement goes on counting."""
        return tuple(self._counters[slot + BUSY_S] for slot in range(0, self._size * SLOTS, SLOTS))

    @property
    def replaced(self) -> int:
        """Parsers that died or were killed and were replaced; not those that had swollen."""
        return self._replaced

    def start(self) -> None:
        """Start the processes and the collector. Raises `CrawlerError` if a process cannot be started."""
        atexit.register(self.close)
        self._collector.start()
        self._started.wait()
        if self._failure is not None:
            raise self._failure

    async def submit(self, download: Download) -> None:
        """Give a download to the parsers; waits while they have as much as they may have, and for a large page's end.

        Cancelled while it waits for room, it has not taken the page. Raises `CrawlerError` if the pool is broken or
        closed.
        """
        if len(download.answer.body) < LARGE_PAGE_BYTES:
            await self._put(item_of(download, self._encoder))
            return
        # None of those who wait here is to hold a large body beside its copy: each lets go of it.
        async with self._one_large, spooled(download, self._folder) as light:
            del download
            ended = asyncio.get_running_loop().create_future()
            with self._lock:
                self._large = (light.task.key, ended)
            try:
                await self._put(item_of(light, self._encoder))
                await ended
            finally:
                with self._lock:
                    self._large = None
                if not ended.cancel() and not ended.cancelled():
                    ended.exception()  # known, even if nobody came to wait for it

    async def _put(self, item: Item) -> None:
        loop = self._loop = asyncio.get_running_loop()
        woken = False
        while True:
            with self._lock:
                if self._admit(item):
                    break
                waiter = loop.create_future()
                # Woken and again without room, it keeps its place.
                (self._waiters.appendleft if woken else self._waiters.append)(waiter)
            woken = True
            try:
                await waiter
            except asyncio.CancelledError:
                with self._lock, suppress(ValueError):
                    self._waiters.remove(waiter)
                self._wake()
                raise
        if self._timer is None and self._open:
            self._timer = loop.call_later(self._limits.wait_s, self._on_timer)
        if self._waiters:
            self._wake()

    async def drain(self) -> None:
        """Wait until every page submitted so far is done and delivered. Raises `CrawlerError` if the pool is broken."""
        loop = self._loop = asyncio.get_running_loop()
        with self._lock:
            if self._failure is not None:
                raise self._failure
            if not self._pending:
                return
            self._draining = True
            self._dispatch()
            drained = loop.create_future()
            self._drains.append(drained)
        await drained

    def close(self) -> None:
        """End the processes and the collector; pages that are not done are dropped. May be called again."""
        with self._lock:
            first = not self._closing
            self._closing = True
            if self._failure is None:
                self._failure = CrawlerError("the parser pool is closed")
        if first:
            self._waker.send_bytes(b"close")
        if self._collector.ident is not None and threading.current_thread() is not self._collector:
            self._collector.join()
        if first:
            self._waker.close()
            self._wakeup.close()
            self._counters = list(self._counters)
            self._call(self._wake)
            atexit.unregister(self.close)

    # The way in: called with the lock held, in either thread.

    def _admit(self, item: Item) -> bool:
        """Put a page into the open batch, if there is room for it."""
        if self._failure is not None:
            raise self._failure
        if self._is_full():
            self._dispatch()
            if self._is_full():
                return False
        if not self._open:
            self._open_since = time.monotonic()
        self._open.append(item)
        self._open_bytes += item.size
        self._pending += 1
        self._dispatch()
        return True

    def _is_full(self) -> bool:
        limits = self._limits
        if self._open_bytes >= limits.bytes or len(self._open) >= limits.pages:
            return True
        return bool(self._open) and (len(self._open) + 1) * self._page_s > limits.parse_s

    def _open_is_due(self) -> bool:
        """Whether the open batch should go: it is full or old, or no parser has anything to do."""
        return bool(self._open) and (
            self._is_full()
            or self._draining
            or time.monotonic() - self._open_since >= self._limits.wait_s
            or (self._limits.eager and not any(parser.batches for parser in self._parsers))
        )

    def _dispatch(self) -> None:
        """Give to the parsers what is due, as far as they have room; the least loaded first."""
        while self._again or self._open_is_due():
            parser = min(
                (one for one in self._parsers if one.has_room()), key=lambda one: len(one.batches), default=None
            )
            if parser is None:
                return
            if self._again:
                batch = self._again.popleft()
            else:
                batch = Batch(self._open)
                self._open = []
                self._open_bytes = 0
            parser.batches.append(batch)
            # Never waits: the inbox has room for more than a parser is given.
            parser.process.give(self._encoder.encode([item.raw for item in batch.items]))

    # The event loop's thread.

    def _on_timer(self) -> None:
        self._timer = None
        with self._lock:
            self._dispatch()
            # What is due and did not go is sent as soon as a parser has room.
            if self._loop is not None and self._open and not self._open_is_due():
                due_s = self._open_since + self._limits.wait_s - time.monotonic()
                self._timer = self._loop.call_later(max(0.001, due_s), self._on_timer)

    def _wake(self) -> None:
        """Let those go on who wait for what has happened."""
        with self._lock:
            failure = self._failure
            drains: list[asyncio.Future[None]] = []
            if failure is not None or not self._pending:
                drains, self._drains = self._drains, []
                self._draining = False
            waiters: list[asyncio.Future[None]] = []
            if failure is not None:
                waiters = list(self._waiters)
                self._waiters.clear()
                if self._large is not None:
                    waiters.append(self._large[1])
            elif self._waiters and (not self._is_full() or self._has_room()):
                # One at a time: hundreds may wait, and each wakes the next if there is room left.
                waiters = [self._waiters.popleft()]
        for waiter in (*waiters, *drains):
            if waiter.done():
                continue
            if failure is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(failure)

    def _has_room(self) -> bool:
        return not self._again and any(parser.has_room() for parser in self._parsers)

    # The collector's thread.

    def _collect(self) -> None:
        try:
            self._counters = new_counters(self._size)
            for slot in range(0, self._size * SLOTS, SLOTS):
                parser = self._start_parser(slot)
                with self._lock:
                    self._parsers.append(parser)
            self._started.set()
            while not self._closing:
                self._turn()
        except Exception as error:  # noqa: BLE001 - whatever it is, the pool is broken and those who wait must hear of it
            self._break(error)
        finally:
            self._started.set()
            self._end_parsers()

    def _turn(self) -> None:
        """Wait for something to happen and deal with it."""
        sources: list[Any] = [self._wakeup]
        for parser in self._parsers:
            sources += (parser.process.results, parser.process.sentinel)
        ready = connection.wait(sources, min(_TICK_S, self._timeout_s / 4))
        for parser in tuple(self._parsers):
            # A process that a spider has forked holds the sentinel open after the parser's end.
            if parser.process.exit_code is not None or (parser.process.results in ready and not self._receive(parser)):
                self._replace(parser)
            else:
                self._kill_if_hung(parser)

    def _receive(self, parser: _Parser) -> bool:
        """Take one message from a parser; False if no more can come from it, or what comes is no answer."""
        try:
            message = parser.process.results.recv_bytes()
        except (EOFError, OSError):
            return False
        if message == READY:
            parser.ready = True
            return True
        try:
            results = self._decoder.decode(message)
        except msgspec.DecodeError:
            results = []
        if not parser.batches or [done.key for done in results] != [item.key for item in parser.batches[0].items]:
            parser.garbled = True
            return False
        self._failures.tell(results)
        self._on_done(results)
        with self._lock:
            parser.batches.popleft()
            self._note_time(parser, len(results))
            self._pending -= len(results)
            self._failed_starts = 0
            self._dispatch()
            self._note_large([done.key for done in results])
            awaited = bool(self._waiters or self._drains)
        if awaited:
            self._call(self._wake)
        return True

    def _note_time(self, parser: _Parser, pages: int) -> None:
        """Called with the lock held: learn how long a page takes from what a parser took for the batch it answered."""
        busy_s = self._counters[parser.slot + BUSY_S]
        self._page_s += (max(0.0, busy_s - parser.busy_s) / pages - self._page_s) / 4
        parser.busy_s = busy_s

    def _note_large(self, ended: list[bytes]) -> None:
        """Called with the lock held: let go on who waits for the large page, if it is among those that have ended."""
        if self._large is not None and self._large[0] in ended:
            self._call(_settle, self._large[1])

    def _kill_if_hung(self, parser: _Parser) -> None:
        started_at = self._counters[parser.slot + STARTED_AT]
        if parser.hung_at is None and started_at and time.monotonic() - started_at > self._timeout_s:
            parser.hung_at = started_at
            parser.process.kill()

    def _replace(self, parser: _Parser) -> None:
        """Start a parser in the place of one that is gone, and see to the pages that it had."""
        parser.process.end(0.0)
        while not parser.garbled and parser.process.results.poll() and self._receive(parser):
            pass
        # Of itself it ends so only between two batches; a page that ended it so is to blame like any other.
        worn = parser.process.exit_code == WORN and not self._counters[parser.slot + STARTED_AT]
        failed = self._take_back(parser, blameless=worn)
        if failed is not None:
            self._on_done([failed])
        if self._failed_starts >= _STARTS:
            raise CrawlerError(_why_no_start(parser.process.exit_code))
        self._counters[parser.slot + STARTED_AT] = 0.0
        replacement = self._start_parser(parser.slot)
        with self._lock:
            self._parsers[self._parsers.index(parser)] = replacement
            self._replaced += 0 if worn else 1
            if failed is not None:
                self._pending -= 1
                self._note_large([failed.key])
            self._dispatch()
        parser.process.discard()
        self._call(self._wake)

    def _take_back(self, parser: _Parser, *, blameless: bool) -> Done | None:
        """Queue again what a dead parser had; return how its page ends if that page is to blame."""
        # A page that ended after all, just before its parser was killed for it, leaves nobody to blame.
        innocent = blameless or parser.hung_at not in {None, self._counters[parser.slot + STARTED_AT]}
        failed = item = None
        with self._lock:
            if not parser.ready:
                self._failed_starts += 1
            elif parser.batches and not innocent:
                # Batches are answered in order: the process was at the first one.
                suspect = parser.batches.popleft()
                if suspect.retried:
                    reason: Literal["parser-died", "parser-timeout"]
                    reason = "parser-died" if parser.hung_at is None else "parser-timeout"
                    item = suspect.items[0]
                    failed = Done(item.key, "failed", reason, item.status, body_bytes=item.body_bytes)
                else:
                    parser.batches.extendleft(Batch([item], retried=True) for item in reversed(suspect.items))
            self._again.extendleft(reversed(parser.batches))
            parser.batches.clear()
            parser.gone = True
        return kept(failed, item) if self._archive and failed is not None and item is not None else failed

    def _start_parser(self, slot: int) -> _Parser:
        # In this thread, and for as long as the processes live: Linux ends them with the thread that started them.
        process = ParserProcess(self._counters, slot, self._settings, self._parse, BATCHES_PER_PARSER + 1)
        return _Parser(slot, process, self._counters[slot + BUSY_S])

    def _break(self, error: Exception) -> None:
        failure = error if isinstance(error, CrawlerError) else CrawlerError(f"the parser pool failed: {error!r}")
        if failure is not error:
            failure.__cause__ = error
        with self._lock:
            if self._failure is not None:
                return
            self._failure = failure
        self._call(self._wake)
        if self._on_failure is not None:
            self._on_failure(failure)

    def _call(self, function: Callable[..., None], *arguments: Any) -> None:
        if self._loop is not None:
            # A loop that is closed has nobody who waits.
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(function, *arguments)

    def _end_parsers(self) -> None:
        with self._lock:
            parsers, self._parsers = self._parsers, []
        for parser in parsers:
            if parser.ready and not parser.batches:
                parser.process.give(None)
            else:
                parser.process.kill()
        patience_at = time.monotonic() + _END_S
        for parser in parsers:
            parser.process.end(max(0.0, patience_at - time.monotonic()))
            parser.process.discard()


def _settle(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


def _why_no_start(exit_code: int | None) -> str:
    if exit_code == OUT_OF_MEMORY:
        return (
            f"parser processes run out of memory while they start, {_STARTS} in a row: allow them more "
            "(--parser-memory, parser_memory_bytes)"
        )
    return (
        f"parser processes end while they start, {_STARTS} in a row, the last with exit code {exit_code}: the message "
        "above says why; if it is about a spider, `crawler try URL --spider ...` shows it in one process"
    )
