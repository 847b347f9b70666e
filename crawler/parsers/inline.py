"""Parsing in this process: in the event loop's thread, or in threads that share one interpreter lock.

Here for comparison with `parsers.pool`, which keeps the same promises but for one: nothing stands between a page and
the crawl. A page that hangs holds up the crawl, one that crashes the interpreter or takes all memory ends it; the job
can be resumed with parser processes then.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from crawler.core.config import CrawlConfig
from crawler.core.errors import CrawlerError
from crawler.core.model import Done, Download
from crawler.core.threads import call_in, settle, settle_from_thread
from crawler.parsers.busiest import Busiest
from crawler.parsers.costs import Lately
from crawler.parsers.failure_log import FailureLog
from crawler.parsers.reading.page_end import page_end
from crawler.parsers.reading.reader import PageReader, Parse, parse_page
from crawler.parsers.reading.settings import ParserSettings
from crawler.parsers.reading.whole_body import LARGE_PAGE_BYTES
from crawler.web.urls import authority

__all__ = ["InlineParsers"]

_log = logging.getLogger(__name__)

_MOST_RESULTS = 64
_MOST_RESULT_BYTES = 8 << 20
"""Results that wait for `on_done` to come back from those before; past either, no page is taken."""
_END_S = 1.0

_Page = tuple[Download, bool, "asyncio.Future[bool]"]


class InlineParsers:
    """Parses in this process: with strategy `threads` in `config.parsers` threads, else in the event loop's own.

    `submit` returns when its page is parsed, so that a request and its parsing take one place of `config.concurrency`.
    Each thread has caches of its own, and calls the spider at the same time as the others.

    `on_done` gets results in a thread of its own, the collector, so that the event loop does not wait when it blocks.
    If it raises, nothing is parsed any more: `submit` and `drain` raise `CrawlerError`, and `on_failure` is told in
    that thread. `spider` and `parse` are those of `ParserPool`.

    `start`, `close` and the properties may be used from any thread, `submit` and `drain` from one event loop.
    """

    replaced = 0
    started = True
    processes: tuple[int, ...] = ()

    def __init__(
        self,
        config: CrawlConfig,
        on_done: Callable[[list[Done]], None],
        *,
        on_failure: Callable[[CrawlerError], None] | None = None,
        spider: bytes = b"",
        hash_seed: int = 0,
        parse: Parse = parse_page,
    ) -> None:
        self._settings = ParserSettings.of(config, spider, hash_seed)
        self._strategy = config.strategy
        self._on_done = on_done
        self._on_failure = on_failure
        self._tell: Callable[[dict[str, float]], None] | None = None
        self._parse = parse
        self._size = config.parsers if config.strategy == "threads" else 1
        self._capacity = config.concurrency
        # One for each thread that parses, which alone writes it.
        self._readers: list[PageReader] = []
        self._busy_s = [0.0] * self._size
        self._busiest = Busiest()
        self._pages: SimpleQueue[_Page | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._collector = threading.Thread(target=self._collect, name="parser-collector", daemon=True)
        # State of all threads, under the condition.
        self._changed = threading.Condition()
        self._ready: list[Done] = []
        self._undelivered = 0
        self._undelivered_bytes = 0
        self._pending = 0
        self._lately = Lately(self._size)
        self._failure: CrawlerError | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiters: list[asyncio.Future[None]] = []
        # State of the event loop's thread.
        self._one_large = asyncio.Lock()

    def __repr__(self) -> str:
        return f"<InlineParsers {self._strategy}, {self._pending} pages pending>"

    @property
    def pending(self) -> int:
        """Pages submitted whose result was not delivered yet."""
        return self._pending

    @property
    def capacity(self) -> int:
        """Pages that fit in: as many as requests may be under way."""
        return max(self._pending, self._capacity)

    @property
    def busy_s(self) -> tuple[float, ...]:
        """For each thread that parses, seconds spent on pages, those included in which it waited for another thread."""
        return tuple(self._busy_s)

    @property
    def busiest(self) -> dict[str, float]:
        """See `Parsers.busiest`."""
        with self._changed:
            return self._busiest.first(time.monotonic())

    def is_quick(self, host: str, size: int) -> bool:  # noqa: ARG002 - a request keeps its place until it is parsed
        """Return True: no page waits here beside those whose requests are under way."""
        return True

    def holds(self, host: str) -> bool:  # noqa: ARG002 - as above
        """Return False."""
        return False

    def tell(self, listener: Callable[[dict[str, float]], None]) -> None:
        """Have `listener(waits)` called in the event loop when hosts are to wait for what their pages have cost."""
        self._tell = listener

    def start(self) -> None:
        """Get ready. Raises `CrawlerError` if the spider cannot be had."""
        _log.info(
            "strategy %s parses in the crawl's own process: no limit of time or memory holds for a page", self._strategy
        )
        try:
            self._readers = [PageReader(self._settings) for _ in range(self._size)]
        except Exception as error:
            raise CrawlerError(
                f"the spider cannot be made ready: {error!r}; `crawler try URL --spider ...` shows more"
            ) from error
        if self._strategy == "threads":
            self._threads = [
                threading.Thread(target=self._work, args=(number,), name=f"parser-{number}", daemon=True)
                for number in range(self._size)
            ]
        for thread in (self._collector, *self._threads):
            thread.start()

    async def submit(self, download: Download) -> None:
        """Parse a download; waits while results lie here that nobody takes.

        Cancelled while it waits for that, it has not taken the page. Raises `CrawlerError` if nothing is parsed any
        more. Of large pages one is parsed at a time, as their trees take many times the memory.
        """
        if not self._threads:
            await self._until(self._admit)
            self._read(download, 0, large=True)
            return
        if len(download.answer.body) < LARGE_PAGE_BYTES and await self._put(download, large=False):
            return
        async with self._one_large:
            await self._put(download, large=True)

    async def _put(self, download: Download, *, large: bool) -> bool:
        """Have a thread parse a page; False if it shows to be large, and may not be."""
        await self._until(self._admit)
        ended: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._pages.put((download, large, ended))
        del download
        return await ended

    async def drain(self) -> None:
        """Wait until every page submitted so far is done and delivered. Raises as `submit`."""
        await self._until(lambda: not self._pending)

    def close(self) -> None:
        """End the threads; pages that are not done are dropped, one that hangs is left behind. May be called again."""
        with self._changed:
            if self._failure is None:
                self._failure = CrawlerError("the parsers are closed")
            self._changed.notify_all()
        for _ in self._threads:
            self._pages.put(None)
        until = time.monotonic() + _END_S
        for thread in (*self._threads, self._collector):
            if thread.ident is not None and thread is not threading.current_thread():
                thread.join(max(0.0, until - time.monotonic()))
        self._call(self._wake)

    # The event loop's thread.

    def _admit(self) -> bool:
        """Called with the lock held: take one more page; the event loop's own thread only while there is room."""
        if self._is_full() and not self._threads:
            return False
        self._pending += 1
        return True

    async def _until(self, ready: Callable[[], bool]) -> None:
        """Wait until `ready` says so, which is asked with the lock held, at first and after each delivery."""
        loop = self._loop = asyncio.get_running_loop()
        while True:
            with self._changed:
                if self._failure is not None:
                    raise self._failure
                if ready():
                    return
                waiter = loop.create_future()
                self._waiters.append(waiter)
            await waiter

    def _wake(self) -> None:
        with self._changed:
            waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            settle(waiter)

    # The threads that parse.

    def _work(self, number: int) -> None:
        while (given := self._pages.get()) is not None:
            download, large, ended = given
            is_parsed = True
            with self._changed:
                self._changed.wait_for(lambda: self._failure is not None or not self._is_full())
            try:
                if self._failure is None:
                    is_parsed = self._read(download, number, large=large)
            except BaseException as error:  # noqa: BLE001 - whatever it is, those who wait must hear of it
                self._break(error)
            settle_from_thread(ended, is_parsed)
            del given, download, ended  # a thread that waits for the next page must not keep the body

    def _is_full(self) -> bool:
        """Called with the lock held: whether too many results wait to be delivered."""
        return self._undelivered >= _MOST_RESULTS or self._undelivered_bytes >= _MOST_RESULT_BYTES

    def _read(self, download: Download, number: int, *, large: bool) -> bool:
        """Parse a page with the caches of this thread, and lay down its result; False if it is large and may not be."""
        started_at = time.monotonic()
        done = page_end(download, self._readers[number], self._parse, through=_not_of_a_page(), large=large)
        now = time.monotonic()
        took_s = now - started_at
        self._busy_s[number] += took_s
        host = authority(download.task.url)
        with self._changed:
            if done is None:
                self._pending -= 1
                return False
            self._busiest.learn(host, took_s, now)
            wait_s = self._lately.took(host, took_s, now)
            self._ready.append(done)
            self._undelivered += 1
            self._undelivered_bytes += _size(done)
            self._changed.notify_all()
        if wait_s and self._tell is not None:
            self._call(self._tell, {host: wait_s})
        return True

    # The collector's thread.

    def _collect(self) -> None:
        failures = FailureLog()
        try:
            while results := self._taken():
                failures.tell(results)
                self._on_done(results)
                with self._changed:
                    self._pending -= len(results)
                    self._undelivered -= len(results)
                    self._undelivered_bytes -= sum(map(_size, results))
                    awaited = bool(self._waiters)
                    self._changed.notify_all()
                if awaited:
                    self._call(self._wake)
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait must hear of it
            self._break(error)

    def _taken(self) -> list[Done]:
        """Wait for results; empty at the end."""
        with self._changed:
            while not self._ready and self._failure is None:
                self._changed.wait()
            results, self._ready = self._ready, []
            return results if self._failure is None else []

    def _break(self, error: BaseException) -> None:
        failure = error if isinstance(error, CrawlerError) else CrawlerError(f"parsing failed: {error!r}")
        if failure is not error:
            failure.__cause__ = error
        with self._changed:
            if self._failure is not None:
                return
            self._failure = failure
            self._changed.notify_all()
        if self._on_failure is not None:
            self._on_failure(failure)
        self._call(self._wake)

    def _call(self, function: Callable[..., None], *arguments: Any) -> None:
        if self._loop is not None:
            call_in(self._loop, function, *arguments)


def _not_of_a_page() -> tuple[type[BaseException], ...]:
    """A Ctrl-C of the user strikes in the main thread, and nowhere else; elsewhere it is a spider that raises it."""
    return (KeyboardInterrupt,) if threading.current_thread() is threading.main_thread() else ()


def _size(done: Done) -> int:
    return len(done.records or b"") + len(done.archive or b"")
