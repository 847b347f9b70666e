"""The ring, from start to drain: seeds, frontier, fetcher, parsers, ledger, sink."""

import asyncio
import logging
import os
import shutil
import time
import weakref
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any, BinaryIO, Self

import msgspec

from crawler.core.config import CrawlConfig
from crawler.core.errors import ConfigError, CrawlerError, SeedError, UsageError
from crawler.core.model import Task
from crawler.core.record import Record
from crawler.core.refusal import refusal
from crawler.core.stats import CrawlStats, Ended
from crawler.core.threads import OneThread, settled
from crawler.fetcher.fetcher import Fetcher
from crawler.fetcher.transport.base import Transport
from crawler.fetcher.transport.budget import ByteBudget
from crawler.fetcher.transport.chosen import transport_class
from crawler.fetcher.transport.descriptors import affordable_concurrency
from crawler.frontier.frontier import Frontier
from crawler.frontier.seeds import BadSeed, check_sources
from crawler.ledger.job import Job
from crawler.ledger.ledger import Ledger
from crawler.ledger.sinks.base import Sink
from crawler.ledger.sinks.consumer import ConsumerSink
from crawler.ledger.sinks.outputs import is_remote
from crawler.parsers.chosen import Parsers, chosen_parsers
from crawler.parsers.spiders.spider import Spider, pack_spider
from crawler.ring.lag import LagMeter
from crawler.ring.opening import Opened, Opening
from crawler.ring.stream import RecordStream, cancelled

if TYPE_CHECKING:
    pass

__all__ = ["Crawler"]

_log = logging.getLogger(__name__)
_decode_record = msgspec.json.Decoder(Record).decode
_decode_dict = msgspec.json.Decoder(dict[str, Any]).decode


class Crawler:
    """One crawl of one job, from its seeds to its end; several can run in one process, they share nothing.

    `seeds`: http(s) URLs, paths of seed files, or "-" for `stdin`, beside those of `config.seeds`; none at all resumes
    a job that exists. `fresh` starts the job over. `transport` replaces the one that `config.transport` names.
    `on_bad_seed` is told of each line that is no seed, in the ledger's thread; with `config.strict` the first one
    raises `SeedError`. `parse` is the spider (see `docs/spiders.md`): a function or a reference to one, instead of
    `config.spider`. `sinks` are told of all that ends, beside the outputs; with any of them, `config.output` None means
    no output at all. Raises `ConfigError` for a spider that cannot be used.

        stats = await Crawler(CrawlConfig(job=Path("output/docs")), ["https://example.com/"]).run()

    To take the records instead of having them written, iterate. The crawl ends with the block, however that is left:

        async with Crawler(CrawlConfig(seeds=("https://example.com/",))) as crawler:
            async for record in crawler:
                print(record.url)

    A crawler crawls once, in the event loop in which it is started.
    """

    def __init__(
        self,
        config: CrawlConfig,
        seeds: Sequence[str] = (),
        *,
        transport: Transport | None = None,
        fresh: bool = False,
        stdin: BinaryIO | None = None,
        on_bad_seed: Callable[[BadSeed], None] | None = None,
        parse: Spider | str | None = None,
        sinks: Sequence[Sink] = (),
    ) -> None:
        reader = config.spider if parse is None else parse
        config.check_reader(reader)
        if config.selectors:
            from crawler.page.fields.lines import check_fields  # noqa: PLC0415 - 30 ms, and most crawls have none

            check_fields(config.selectors)
        self._config = config
        self._sources = list(dict.fromkeys([*config.seeds, *seeds]))
        self._transport = transport
        self._fresh = fresh
        self._stdin = stdin
        self._on_bad_seed = on_bad_seed
        self._spider = pack_spider(reader)
        self._spider_name = None if reader is None else _spider_name(reader)
        self._sinks = tuple(sinks)
        # State: written by `_crawl` and `_end` in the event loop's thread.
        self._started_at = time.monotonic()
        self._finished_at: float | None = None
        self._why: Ended | None = None
        self._stop = asyncio.Event()
        self._opened = asyncio.Event()
        self._bad_seeds = 0
        self._pages_before = 0
        self._bytes_before = 0
        self._lag = LagMeter()
        self._budget = ByteBudget(config.bytes_in_flight)
        self._frontier: Frontier | None = None
        self._ledger: Ledger | None = None
        self._fetcher: Fetcher | None = None
        self._pool: Parsers | None = None
        self._task: asyncio.Task[CrawlStats] | None = None
        self._records: RecordStream | None = None

    async def run(self) -> CrawlStats:
        """Crawl until nothing is left, a budget is used up or `stop` is called; everything is committed then.

        Cancelled, it ends at once what is under way, commits what is done, and then raises CancelledError.

        Raises `UsageError` for seeds, settings or a job that cannot be used, `StorageError` when the disk refuses
        (what was committed is safe and a later run goes on), BrokenPipeError when standard output was closed.
        """
        task = self._begin()
        try:
            await asyncio.wait({task})
        finally:
            await cancelled(task)
        return task.result()

    async def __aenter__(self) -> Self:
        """Start the crawl, as `run` does, and wait until its seeds are read. Raises what `run` raises."""
        records = self._records = RecordStream()
        self._sinks = (records.sink, *self._sinks)
        await records.start(self._begin(), self._opened)
        return self

    async def __aexit__(self, kind: object, error: object, traceback: object) -> None:
        """End the crawl if it has not ended: what is under way is cancelled, what was not taken stays due in the job.

        Raises what broke the crawl, unless the block was left by an exception.
        """
        if self._records is not None:
            await self._records.leave(quietly=error is not None)

    def __aiter__(self) -> Self:
        """Iterate over the records as they come: see `__anext__`."""
        return self

    async def __anext__(self) -> Any:
        """Return the next record: a `Record`, or a dict if `fields`, `selectors` or a spider say what is in it.

        To ask for one says that those before are used: they count as done, in whole batches. One task at a time may
        ask. A consumer that is slow slows the whole crawl down. Raises what broke the crawl.
        """
        if self._records is None:
            raise UsageError("a Crawler gives its records inside of `async with Crawler(...) as crawler:` only")
        line = await self._records.next()
        if line is None:
            raise StopAsyncIteration
        return self.decode(line)

    @property
    def decode(self) -> Callable[[bytes], Any]:
        """What makes a record out of a line of this crawl's JSON."""
        config = self._config
        return _decode_dict if config.fields or self._spider_name or config.selectors else _decode_record

    def stop(self) -> None:
        """Start nothing new, finish what is under way, commit, end. For the event loop's thread."""
        self._end("interrupted")

    def stats(self) -> CrawlStats:
        """Counters as of now; from any thread."""
        frontier, ledger, fetcher, pool = self._frontier, self._ledger, self._fetcher, self._pool
        now = CrawlStats(
            ended="running" if self._finished_at is None else self._why or "interrupted",
            elapsed_s=(self._finished_at or time.monotonic()) - self._started_at,
            bad_seeds=self._bad_seeds,
            concurrency=self._config.concurrency,
            max_pages=self._config.max_pages,
            max_time_s=self._config.max_time_s,
            loop_lag_p99_s=self._lag.p99_s,
            body_bytes_held=self._budget.used,
            body_bytes_most=self._budget.limit,
            body_waits=self._budget.waits,
        )
        if frontier is not None:
            counters = frontier.counters
            now = msgspec.structs.replace(
                now,
                pages=counters.pages,
                run_pages=counters.pages - self._pages_before,
                bytes=counters.bytes,
                run_bytes=counters.bytes - self._bytes_before,
                outcomes=dict(counters.outcomes),
                statuses=dict(counters.statuses),
                known=counters.known,
                queued=counters.queued,
                retrying=counters.retrying,
                duplicates=counters.duplicates,
                near_duplicates=counters.near_duplicates,
                active_hosts=frontier.active_hosts,
            )
        if ledger is not None and fetcher is not None and pool is not None:
            now = msgspec.structs.replace(
                now,
                committing=ledger.backlog,
                commits=ledger.commits,
                commit_s=ledger.commit_s,
                fetching=fetcher.in_flight,
                concurrency=fetcher.concurrency,
                waiting_hosts=fetcher.waiting_hosts,
                parsing=pool.pending,
                parse_capacity=pool.capacity,
                parser_busy_s=pool.busy_s,
                parsers_replaced=pool.replaced,
            )
        return now

    def _begin(self) -> "asyncio.Task[CrawlStats]":
        """Start the crawl as a task, which is cancelled at most once: its own clean-up is never cut short."""
        if self._task is not None:
            raise UsageError("a Crawler crawls once: make another one for another run")
        self._task = asyncio.create_task(self._crawl())
        return self._task

    async def _crawl(self) -> CrawlStats:
        self._started_at = time.monotonic()
        # Before anything is made: a typo must not leave a job behind.
        if self._sources:
            check_sources(self._sources, self._stdin)
        affordable = _affordable(self._config)
        # The one thread that opens, uses and closes the store: first for the seeds, then for the ledger.
        with ExitStack() as cleanup:
            thread = OneThread("ledger")
            cleanup.callback(thread.close)
            folder, temporary = self._config.job, None
            if folder is None:
                folder = _make_temporary_job(self._config, consumed=bool(self._sinks))
                temporary = weakref.finalize(self, _remove, folder, os.getpid())  # at the latest as the program ends
            try:
                self._config = self._config.settled(
                    job=folder,
                    affordable=affordable,
                    consumed=bool(self._sinks),
                    spider=self._spider_name,
                )
                job = Job(self._config)
                try:
                    await self._run_job(job, thread)
                finally:
                    job.close()
            finally:
                if temporary is not None:
                    await thread.call(temporary)
                self._finished_at = time.monotonic()
        return self.stats()

    async def _run_job(self, job: Job, thread: OneThread) -> None:
        was_there = job.exists
        try:
            opened = await self._open(job, thread)
        except CrawlerError:
            if not was_there:
                await thread.call(job.discard)
            raise
        try:
            counters = opened.frontier.counters
            self._pages_before, self._bytes_before = counters.pages, counters.bytes
            self._frontier = opened.frontier
            self._opened.set()
            if not self._stop.is_set():
                await self._turn(opened, thread)
        finally:
            await thread.call(_close, opened)

    async def _open(self, job: Job, thread: OneThread) -> Opened:
        opening = Opening(
            job,
            self._config,
            self._sources,
            fresh=self._fresh,
            stdin=self._stdin,
            on_bad_seed=self._told_bad_seed,
            stopping=self._stop.is_set,
            sinks=self._sinks,
        )
        future = thread.start(_storing, opening.open)
        try:
            await asyncio.wait({future})
        except asyncio.CancelledError:
            self._stop.set()  # it looks at this now and then while it reads seeds
            await thread.call(_close, await settled(future))
            raise
        opened: Opened = future.result()
        return opened

    def _told_bad_seed(self, bad: BadSeed) -> None:
        self._bad_seeds += 1
        if self._config.strict:
            raise SeedError(str(bad))
        if self._on_bad_seed is not None:
            self._on_bad_seed(bad)

    async def _turn(self, opened: Opened, thread: OneThread) -> None:
        """Turn the ring until something ends it, then drain it stage by stage, in the direction of the flow."""
        loop = asyncio.get_running_loop()
        config = self._config

        def deliver(tasks: list[Task], states: list[bytes]) -> None:
            loop.call_soon_threadsafe(fetcher.feed, tasks, states)

        def nothing_left(why: Ended) -> None:
            loop.call_soon_threadsafe(self._end, why)

        failed: asyncio.Future[None] = loop.create_future()

        def fail(error: BaseException) -> None:
            if not failed.done():
                failed.set_exception(error)

        def pool_failed(error: CrawlerError) -> None:
            loop.call_soon_threadsafe(fail, error)

        async with AsyncExitStack() as cleanup:  # ends things in the reverse order
            # Known to have failed, even if something else has ended the crawl by then.
            cleanup.callback(lambda: failed.cancel() or failed.exception())
            ledger = self._ledger = Ledger(
                opened.store, opened.frontier, opened.sinks, deliver=deliver, ended=nothing_left
            )
            pool = self._pool = chosen_parsers(config, ledger.put_records, on_failure=pool_failed, spider=self._spider)
            # In the thread: processes take their time to start and to end, and the loop may have others to serve.
            cleanup.push_async_callback(thread.call, pool.close)
            await thread.call(pool.start)
            transport = self._transport
            if transport is None:
                transport = (await thread.call(transport_class, config))(config, self._budget)
                cleanup.push_async_callback(transport.close)
            fetcher = self._fetcher = Fetcher(
                config,
                transport,
                self._budget,
                submit=pool.submit,
                report=ledger.put,
                remember=ledger.remember,
                fail=fail,
            )
            ledger_run = thread.start(_storing, ledger.run)
            cleanup.push_async_callback(_commit_and_end, ledger, ledger_run)
            cleanup.push(self._dismiss)
            cleanup.push_async_callback(fetcher.abort)
            if config.max_time_s is not None:
                cleanup.callback(loop.call_later(config.max_time_s, self._end, "max-time").cancel)
            lag = asyncio.create_task(self._lag.run())
            cleanup.callback(lag.cancel)

            await _first(asyncio.create_task(self._stop.wait()), ledger_run, failed)
            if self._stop.is_set():
                await _first(asyncio.create_task(_drain(fetcher, pool)), ledger_run, failed)

    def _dismiss(self, kind: type[BaseException] | None, error: object, traceback: object) -> bool:  # noqa: ARG002 - as ExitStack calls it
        """A crawl that is cancelled waits for no consumer: whoever would take the records may be cancelled too."""
        if kind is not None:
            for sink in self._sinks:
                if isinstance(sink, ConsumerSink):
                    sink.release()
        return False

    def _end(self, why: Ended) -> None:
        if self._why is None:
            self._why = why
            self._stop.set()
            if self._fetcher is not None:
                self._fetcher.stop()


async def _first(task: asyncio.Task[Any], *breakdowns: asyncio.Future[Any]) -> None:
    """Wait for `task`, or for one of `breakdowns`, which end only when something broke; raise what they raise."""
    try:
        await asyncio.wait({task, *breakdowns}, return_when=asyncio.FIRST_COMPLETED)
        for future in (*breakdowns, task):
            if future.done():
                future.result()
    finally:
        task.cancel()
        await asyncio.wait({task})


async def _drain(fetcher: Fetcher, pool: Parsers) -> None:
    await fetcher.drain()
    await pool.drain()


async def _commit_and_end(ledger: Ledger, run: "asyncio.Future[None]") -> None:
    ledger.stop()
    await settled(run)


def _close(opened: Opened) -> None:
    with ExitStack() as cleanup:
        cleanup.callback(opened.store.close)
        for sink in opened.sinks:
            cleanup.callback(sink.close)


def _affordable(config: CrawlConfig) -> int:
    """Raise the limit on open files and return how many requests it allows at once; warn if those are too few."""
    wanted = config.most_at_once
    affordable = affordable_concurrency(wanted, config.parser_processes)
    if affordable < wanted:
        _log.warning(
            "the limit on open files allows %d requests at once, not %d: raise it with `ulimit -n`", affordable, wanted
        )
    return affordable


def _make_temporary_job(config: CrawlConfig, *, consumed: bool) -> Path:
    """Make a folder for a job that has none. `consumed`: whether the program takes the records itself."""
    if config.output is None and not consumed:
        raise ConfigError("job: none is named, and no output either: name one of them, or iterate over the records")
    if config.output is not None and any(map(is_remote, config.outputs)):
        raise ConfigError("job: an output in object storage needs a named one, where records wait to be sent")
    try:
        return Path(mkdtemp(prefix="crawler-"))
    except OSError as error:
        raise refusal("make a temporary folder for the job", error, "name one with `job`") from error


def _remove(folder: Path, owner: int) -> None:
    """Remove a temporary job. A process that was forked meanwhile ends without touching it."""
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


def _spider_name(spider: Spider | str) -> str:
    """What a job knows a spider by."""
    if isinstance(spider, str):
        return spider
    return f"{getattr(spider, '__module__', '__main__')}:{getattr(spider, '__qualname__', type(spider).__qualname__)}"


def _storing(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function that uses the store, which says what the disk refuses as a bare Exception."""
    try:
        return function(*arguments)
    except Exception as error:
        if type(error) is not Exception:
            raise
        raise refusal("use the store", error, "if it is damaged, --fresh starts the job over") from error
