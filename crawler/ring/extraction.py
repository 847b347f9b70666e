"""The parsers' work without the fetcher: pages from WARC files in, records out.

    Archive ─► ParserPool ─► writer ─► sinks
    a thread   processes     a thread

What is read, parsed and not written yet is bounded, so that memory does not grow with the files, and whoever takes the
records slowly holds the reader back.
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from msgspec import structs

from crawler.core.config import CrawlConfig
from crawler.core.errors import ConfigError
from crawler.core.model import Download
from crawler.core.printable import printable
from crawler.core.stats import ExtractStats
from crawler.core.threads import OneThread, ended, settle
from crawler.ledger.sinks.base import Sink
from crawler.ledger.sinks.outputs import files_of, sinks_for, wants_exchange
from crawler.parsers.pool import ParserPool
from crawler.parsers.spiders.spider import Spider, pack_spider
from crawler.ring.archive import Archive
from crawler.ring.breakdown import Breakdown
from crawler.ring.record_writer import RecordWriter
from crawler.ring.temporary_folder import sweep, temporary_folder

__all__ = ["Extraction"]

_TAKEN_PAGES = 16
_TAKEN_BYTES = 1 << 20


class Extraction:
    """One pass over WARC files. `config` says what parsers do and where records go; what is about fetching is not used.

    With `ordered`, records stand in the order of their pages in the files, else in that in which parsers are done.
    `fresh` removes outputs that are there, when it begins. `spider` reads the pages instead of `config.spider`: a
    function or a reference to one. `sinks` are told of all pages, before the outputs.

    Raises `ConfigError` for outputs that cannot be written or are there already and for a spider that is none,
    `UsageError` for files that cannot be read.

        stats = await Extraction(CrawlConfig(output="prices.csv", spider="shop:product"), [Path("shop.warc.gz")]).run()
    """

    def __init__(
        self,
        config: CrawlConfig,
        paths: Sequence[Path],
        *,
        ordered: bool = True,
        fresh: bool = False,
        spider: Spider | str | None = None,
        sinks: Sequence[Sink] = (),
    ) -> None:
        if wants_exchange(config.outputs):
            raise ConfigError("output: extract writes records, not .warc.gz; the pages are in the file that it reads")
        there = [] if fresh else files_of(config)
        if there:
            raise ConfigError(f"output {printable(str(there[0]))} is there already: --fresh overwrites it")
        sinks_for(structs.replace(config, job=Path()))  # only to see whether they can be made
        self._config = config
        self._ordered = ordered
        self._sinks = tuple(sinks)
        self._spider = pack_spider(config.spider if spider is None else spider)
        self._archive = Archive(paths, config.max_body_bytes)
        self._files = len(paths)
        # State: written by `run` and `stop` in the event loop's thread.
        self._started_at = time.monotonic()
        self._finished_at: float | None = None
        self._stopping = False
        self._is_whole = False
        self._writer: RecordWriter | None = None
        self._pool: ParserPool | None = None
        self._halted: asyncio.Future[None] | None = None

    def stop(self) -> None:
        """Read no further page; those that were read are finished, or given up if no parser has started yet.

        For the event loop's thread.
        """
        self._stopping = True
        if self._halted is not None and self._pool is not None and not self._pool.started:
            settle(self._halted)

    def stats(self) -> ExtractStats:
        """Counters as of now; from any thread."""
        writer = self._writer
        return ExtractStats(
            files=self._files,
            pages=0 if writer is None else writer.pages,
            records=0 if writer is None else writer.records,
            read_bytes=self._archive.read_bytes,
            total_bytes=self._archive.total_bytes,
            elapsed_s=(self._finished_at or time.monotonic()) - self._started_at,
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
            async with AsyncExitStack() as cleanup:
                cleanup.callback(writing.close)
                cleanup.callback(reading.close)
                cleanup.push_async_callback(reading.call, self._archive.close)
                await reading.call(sweep)
                with temporary_folder() as folder:
                    # No link is followed, so none has to be judged or sent.
                    config = structs.replace(self._config, job=folder, scope="page", depth=0, record_per_seed=False)
                    await self._run(config, reading, writing)
        finally:
            self._finished_at = time.monotonic()
        return self.stats()

    async def _run(self, config: CrawlConfig, reading: OneThread, writing: OneThread) -> None:
        # Each step waits for its end, even if this is cancelled meanwhile, and then the next one comes.
        async with AsyncExitStack() as cleanup:
            broken = Breakdown()
            cleanup.callback(broken.close)
            writer = self._writer = RecordWriter(config, self._sinks, ordered=self._ordered)
            pool = self._pool = ParserPool(config, writer.put, on_failure=broken.tell_from_thread, spider=self._spider)
            # It waits for the parsers' end; the loop hears of signals meanwhile. The reader has nothing left to do.
            cleanup.push_async_callback(reading.call, pool.close)
            halted = self._halted = asyncio.get_running_loop().create_future()
            written = writing.start(writer.run)
            cleanup.callback(lambda: written.cancelled() or written.exception())  # known, if something else ended it
            cleanup.push_async_callback(ended, written)
            cleanup.callback(writer.end, whole=False)
            feeding = asyncio.ensure_future(self._feed(pool, writer, reading))
            cleanup.push_async_callback(ended, feeding)
            cleanup.callback(feeding.cancel)
            await broken.until(feeding, written, halted)
            writer.end(whole=True)
            await written
            self._is_whole = not self._stopping

    async def _feed(self, pool: ParserPool, writer: RecordWriter, reading: OneThread) -> None:
        pool.start()
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
