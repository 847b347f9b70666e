"""The parsers' work without the fetcher: pages from WARC files in, records out.

    Archive ─► ParserPool ─► writer ─► sinks
    a thread   processes     a thread

What is read, parsed and not written yet is bounded, so that memory does not grow with the files, and whoever takes the
records slowly holds the reader back.
"""

import asyncio
import tempfile
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct, structs

from crawler.core.config import CrawlConfig
from crawler.core.errors import ConfigError, CrawlerError
from crawler.core.model import Done, Download, Finished, Task
from crawler.core.printable import printable
from crawler.core.refusal import refusal
from crawler.core.threads import OneThread
from crawler.ledger.sinks.outputs import files_of, sinks_for
from crawler.parsers.pool import ParserPool
from crawler.parsers.spiders.spider import pack_spider
from crawler.ring.archive import Archive

__all__ = ["ExtractStats", "Extraction"]

_MOST_PAGES = 512
"""Pages that were read and have not been written: with order kept, those that wait for a slow one before them."""
_MOST_BYTES = 32 << 20
_TAKEN_PAGES = 16
_TAKEN_BYTES = 1 << 20
_FLUSH_BYTES = 16 << 20
_FLUSH_S = 5.0
_ADVICE = "choose another --output, or make it writable"


class ExtractStats(Struct, frozen=True):
    """What came of an extraction, so far or at its end.

    `pages` were parsed and `records` written; `outcomes` counts pages as a crawl's summary does. `left_out` counts
    records of the files that are no page, by reason; `damaged` has a message for each file that was not read to its
    end. `parser_busy_s` are the seconds that each parser was at pages. `interrupted`: it was stopped before its end.
    """

    files: int
    pages: int
    records: int
    read_bytes: int
    total_bytes: int
    elapsed_s: float
    outcomes: dict[str, int]
    left_out: dict[str, int]
    damaged: tuple[str, ...]
    parser_busy_s: tuple[float, ...] = ()
    interrupted: bool = False


class Extraction:
    """One pass over WARC files. `config` says what parsers do and where records go; what is about fetching is not used.

    With `ordered`, records stand in the order of their pages in the files, else in that in which parsers are done.
    `fresh` removes outputs that are there, when it begins.

    Raises `ConfigError` for outputs that cannot be written or are there already and for a spider that is none,
    `UsageError` for files that cannot be read.

        stats = await Extraction(CrawlConfig(output="prices.csv", spider="shop:product"), [Path("shop.warc.gz")]).run()
    """

    def __init__(
        self, config: CrawlConfig, paths: Sequence[Path], *, ordered: bool = True, fresh: bool = False
    ) -> None:
        if config.archive:
            raise ConfigError("output: extract writes records, not .warc.gz; the pages are in the file that it reads")
        there = [] if fresh else files_of(config)
        if there:
            raise ConfigError(f"output {printable(str(there[0]))} is there already: --fresh overwrites it")
        self._config = config
        self._ordered = ordered
        self._fresh = fresh
        self._spider = pack_spider(config.spider)
        self._archive = Archive(paths, config.max_body_bytes)
        self._files = len(paths)
        # State: written by `run` and `stop` in the event loop's thread.
        self._started_at = time.monotonic()
        self._stopping = False
        self._is_whole = False
        self._writer: _Writer | None = None
        self._pool: ParserPool | None = None

    def stop(self) -> None:
        """Read no further page; those that were read are finished. For the event loop's thread."""
        self._stopping = True

    def stats(self) -> ExtractStats:
        """Counters as of now."""
        writer = self._writer
        return ExtractStats(
            files=self._files,
            pages=0 if writer is None else writer.pages,
            records=0 if writer is None else writer.records,
            read_bytes=self._archive.read_bytes,
            total_bytes=self._archive.total_bytes,
            elapsed_s=time.monotonic() - self._started_at,
            outcomes={} if writer is None else dict(writer.outcomes),
            left_out=dict(self._archive.left_out),
            damaged=tuple(self._archive.damaged),
            parser_busy_s=() if self._pool is None else self._pool.busy_s,
            interrupted=not self._is_whole,
        )

    async def run(self) -> ExtractStats:
        """Work until all files are read, or `stop` is called. Everything is written then.

        Raises `StorageError` when the disk refuses, BrokenPipeError when standard output was closed, `CrawlerError`
        when parsers cannot be started.
        """
        self._started_at = time.monotonic()
        reading, writing = OneThread("archive"), OneThread("records")
        try:
            with tempfile.TemporaryDirectory(prefix="crawler-") as folder:
                # No link is followed, so none has to be judged or sent.
                config = structs.replace(self._config, job=Path(folder), scope="page", depth=0)
                await self._run(config, reading, writing)
        finally:
            await reading.call(self._archive.close)
            await asyncio.to_thread(reading.close)
            await asyncio.to_thread(writing.close)
        return self.stats()

    async def _run(self, config: CrawlConfig, reading: OneThread, writing: OneThread) -> None:
        loop = asyncio.get_running_loop()
        failed: asyncio.Future[None] = loop.create_future()

        def fail(error: CrawlerError) -> None:
            if not failed.done():
                failed.set_exception(error)

        def pool_failed(error: CrawlerError) -> None:
            loop.call_soon_threadsafe(fail, error)

        writer = self._writer = _Writer(config, loop, ordered=self._ordered, fresh=self._fresh)
        pool = self._pool = ParserPool(config, writer.put, on_failure=pool_failed, spider=self._spider)
        written = writing.start(writer.run)
        feeding = asyncio.ensure_future(self._feed(pool, writer, reading))
        try:
            await asyncio.wait({feeding, written, failed}, return_when=asyncio.FIRST_COMPLETED)
            for future in (failed, written, feeding):
                if future.done():
                    future.result()
            writer.end(whole=True)
            await written
            self._is_whole = not self._stopping
        finally:
            feeding.cancel()
            await asyncio.wait({feeding})
            writer.end(whole=False)
            await asyncio.wait({written})
            # It waits for the parsers' end; the loop hears of signals meanwhile. The reader has nothing left to do.
            await reading.call(pool.close)
            for future in (failed, written):
                _ = future.cancel() or future.exception()  # known, if something else ended it first

    async def _feed(self, pool: ParserPool, writer: "_Writer", reading: OneThread) -> None:
        await asyncio.to_thread(pool.start)
        downloads = iter(self._archive)
        while not self._stopping and (taken := await reading.call(_some, downloads)):
            taken.reverse()
            while taken:
                download = taken.pop()
                await writer.room(download)
                submitting = pool.submit(download)
                del download  # a large one is let go of by all but the pool
                await submitting
        await pool.drain()


class _Writer:
    """Takes results from the pool and gives them to the sinks. `run` is a thread's; other methods say whose they are.

    State: under the condition, results that wait for the thread; of the thread, those that wait for one before them.
    """

    def __init__(self, config: CrawlConfig, loop: asyncio.AbstractEventLoop, *, ordered: bool, fresh: bool) -> None:
        self._config = config
        self._sinks = sinks_for(config)
        self._loop = loop
        self._ordered = ordered
        self._fresh = fresh
        self._changed = threading.Condition()
        self._inbox: deque[Done] = deque()
        self._inbox_bytes = 0
        self._ended = False
        self._whole = False
        self._expected: dict[bytes, tuple[Task, float]] = {}
        self._space = asyncio.Event()
        self._early: dict[int, Done] = {}
        self._early_bytes = 0
        self._unsynced = 0
        self._synced_at = time.monotonic()
        self.pages = 0
        self.records = 0
        self.outcomes: Counter[str] = Counter()

    async def room(self, download: Download) -> None:
        """Wait until this page may be parsed too. In the event loop."""
        while self._expected and (len(self._expected) >= _MOST_PAGES or self._early_bytes >= _MOST_BYTES):
            self._space.clear()
            if len(self._expected) < _MOST_PAGES and self._early_bytes < _MOST_BYTES:
                break
            await self._space.wait()
        self._expected[download.task.key] = (download.task, download.fetched_at)

    def put(self, results: list[Done]) -> None:
        """Take results; wait while many bytes of them lie here already. In the pool's thread."""
        with self._changed:
            while self._inbox_bytes > _MOST_BYTES and not self._ended:
                self._changed.wait()
            self._inbox.extend(results)
            self._inbox_bytes += sum(len(done.records or b"") for done in results)
            self._changed.notify_all()

    def end(self, *, whole: bool) -> None:
        """Let `run` end after what was put; `whole`: nothing is missing. In the event loop."""
        with self._changed:
            self._whole = self._whole or whole
            self._ended = True
            self._changed.notify_all()

    def run(self) -> None:
        """Open the sinks, write what comes until `end`, close them."""
        try:
            if self._fresh:
                self._start_over()
            for sink in self._sinks:
                sink.open(None)
            while (results := self._taken()) is not None:
                self._write(results)
            if self._whole:
                self._flush(last=True)
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()
            for sink in self._sinks:
                sink.close()

    def _start_over(self) -> None:
        """Remove what the outputs would overwrite, and what of it they would leave: columns, later files of a row."""
        try:
            for path in files_of(self._config):
                path.unlink(missing_ok=True)
        except OSError as error:
            raise refusal("remove an earlier output", error, _ADVICE) from error

    def _taken(self) -> list[Done] | None:
        with self._changed:
            while not self._inbox and not self._ended:
                self._changed.wait()
            if not self._inbox:
                return None
            results = list(self._inbox)
            self._inbox.clear()
            self._inbox_bytes = 0
            self._changed.notify_all()
        return results

    def _write(self, results: list[Done]) -> None:
        if self._ordered:
            for done in results:
                self._early[int.from_bytes(done.key, "big")] = done
                self._early_bytes += len(done.records or b"")
            results = list(self._in_turn())
        if results:
            finished = []
            for done in results:
                task, at = self._expected.pop(done.key)
                finished.append(Finished(task, done, at))
                self.records += (done.records or b"").count(b"\n")
                self.outcomes[f"{done.outcome}: {done.reason}" if done.reason else done.outcome] += 1
                self._unsynced += len(done.records or b"")
            for sink in self._sinks:
                sink.write(finished)
            self.pages += len(finished)
            if self._unsynced >= _FLUSH_BYTES or time.monotonic() - self._synced_at >= _FLUSH_S:
                self._flush(last=False)
        self._loop.call_soon_threadsafe(self._space.set)

    def _in_turn(self) -> Iterator[Done]:
        """Give the results that are next by their numbers."""
        number = self.pages + 1
        while (done := self._early.pop(number, None)) is not None:
            self._early_bytes -= len(done.records or b"")
            number += 1
            yield done

    def _flush(self, *, last: bool) -> None:
        for sink in self._sinks:
            sink.flush(last=last)
        for sink in self._sinks:
            sink.committed()
        self._unsynced, self._synced_at = 0, time.monotonic()


def _some(downloads: Iterator[Download]) -> list[Download]:
    """Read the next pages: a few at once, since each call crosses to another thread. Empty at the end."""
    taken: list[Download] = []
    size = 0
    while len(taken) < _TAKEN_PAGES and size < _TAKEN_BYTES:
        download = next(downloads, None)
        if download is None:
            break
        size += len(download.answer.body)
        taken.append(download)
    return taken
