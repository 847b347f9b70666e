"""The ring, from start to drain: seeds, frontier, fetcher, parsers, ledger, sink."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, BinaryIO

import msgspec

from crawler.config import CrawlConfig
from crawler.errors import CrawlerError, SeedError
from crawler.fetcher import Fetcher
from crawler.frontier import Frontier
from crawler.job import Job
from crawler.lag import LagMeter
from crawler.ledger import Ledger
from crawler.limits import affordable_concurrency
from crawler.model import Task
from crawler.opening import Opening
from crawler.parsers import ParserPool
from crawler.refusal import refusal
from crawler.seeds import BadSeed, check_sources
from crawler.sinks.base import Sink
from crawler.stats import CrawlStats, Ended
from crawler.store import Store
from crawler.transport.base import Transport
from crawler.transport.budget import ByteBudget
from crawler.worker import Parse, parse_page

__all__ = ["Crawler"]

_log = logging.getLogger(__name__)


class Crawler:
    """One crawl of one job, from its seeds to its end; several can run in one process, they share nothing.

    `seeds`: http(s) URLs, paths of seed files, or "-" for `stdin`; may be empty to resume a job that exists.
    `fresh` starts the job over. `transport` replaces the one that `config.transport` names. `on_bad_seed` is
    told of each line that is no seed, in the ledger's thread; with `config.strict` the first one raises `SeedError`.
    `parse` is what parser processes do with a page, imported there by its name.

        stats = await Crawler(CrawlConfig(job=Path("output/docs")), ["https://example.com/"]).run()
    """

    def __init__(
        self,
        config: CrawlConfig,
        seeds: Sequence[str],
        *,
        transport: Transport | None = None,
        fresh: bool = False,
        stdin: BinaryIO | None = None,
        on_bad_seed: Callable[[BadSeed], None] | None = None,
        parse: Parse = parse_page,
    ) -> None:
        self._config = config
        self._sources = list(seeds)
        self._transport = transport
        self._fresh = fresh
        self._stdin = stdin
        self._on_bad_seed = on_bad_seed
        self._parse = parse
        # State: written by `run` and `_end` in the event loop's thread.
        self._started_at = time.monotonic()
        self._finished_at: float | None = None
        self._why: Ended | None = None
        self._stop = asyncio.Event()
        self._bad_seeds = 0
        self._pages_before = 0
        self._bytes_before = 0
        self._lag = LagMeter()
        self._budget = ByteBudget(config.bytes_in_flight)
        self._frontier: Frontier | None = None
        self._ledger: Ledger | None = None
        self._fetcher: Fetcher | None = None
        self._pool: ParserPool | None = None

    async def run(self) -> CrawlStats:
        """Crawl until nothing is left, a budget is used up or `stop` is called; everything is committed then.

        Raises `UsageError` for seeds, settings or a job that cannot be used, `StorageError` when the disk refuses
        (what was committed is safe and a later run goes on), BrokenPipeError when standard output was closed.
        """
        self._started_at = time.monotonic()
        # Before anything is made: a typo must not leave a job behind.
        if self._sources:
            check_sources(self._sources, self._stdin)
        concurrency = affordable_concurrency(self._config.concurrency, self._config.parsers)
        if concurrency < self._config.concurrency:
            _log.warning(
                "the limit on open files allows %d requests at once, not %d: raise it with `ulimit -n`",
                concurrency,
                self._config.concurrency,
            )
            self._config = msgspec.structs.replace(self._config, concurrency=concurrency)
        job = Job(self._config)
        try:
            # The one thread that opens, uses and closes the store: first for the seeds, then for the ledger.
            with ThreadPoolExecutor(1, thread_name_prefix="ledger") as thread:
                await self._run_job(job, partial(_in_thread, thread))
        finally:
            job.close()
            self._finished_at = time.monotonic()
        return self.stats()

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
                active_hosts=frontier.active_hosts,
            )
        if ledger is not None and fetcher is not None and pool is not None:
            now = msgspec.structs.replace(
                now,
                committing=ledger.backlog,
                commits=ledger.commits,
                fetching=fetcher.in_flight,
                concurrency=fetcher.concurrency,
                waiting_hosts=fetcher.waiting_hosts,
                parsing=pool.pending,
                parse_capacity=pool.capacity,
                parser_busy_s=pool.busy_s,
                parsers_replaced=pool.replaced,
            )
        return now

    async def _run_job(self, job: Job, in_ledger_thread: Callable[..., asyncio.Future[Any]]) -> None:
        was_there = job.exists
        opening = Opening(
            job,
            self._config,
            self._sources,
            fresh=self._fresh,
            stdin=self._stdin,
            on_bad_seed=self._told_bad_seed,
            stopping=self._stop.is_set,
        )
        try:
            store, sink, frontier = await in_ledger_thread(opening.open)
        except CrawlerError:
            if not was_there:
                await in_ledger_thread(job.discard)
            raise
        try:
            self._pages_before, self._bytes_before = frontier.counters.pages, frontier.counters.bytes
            self._frontier = frontier
            if not self._stop.is_set():
                await self._turn(store, frontier, sink, in_ledger_thread)
        finally:
            await in_ledger_thread(sink.close)
            await in_ledger_thread(store.close)

    def _told_bad_seed(self, bad: BadSeed) -> None:
        self._bad_seeds += 1
        if self._config.strict:
            raise SeedError(str(bad))
        if self._on_bad_seed is not None:
            self._on_bad_seed(bad)

    async def _turn(
        self,
        store: Store,
        frontier: Frontier,
        sink: Sink,
        in_ledger_thread: Callable[..., asyncio.Future[Any]],
    ) -> None:
        """Turn the ring until something ends it, then drain it stage by stage, in the direction of the flow."""
        loop = asyncio.get_running_loop()
        config = self._config

        def deliver(tasks: list[Task], states: list[bytes]) -> None:
            loop.call_soon_threadsafe(fetcher.feed, tasks, states)

        def ended(why: Ended) -> None:
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
            ledger = self._ledger = Ledger(store, frontier, sink, deliver=deliver, ended=ended)
            pool = self._pool = ParserPool(config, ledger.put_records, on_failure=pool_failed, parse=self._parse)
            cleanup.callback(pool.close)
            pool.start()  # first, so that the processes import what they need while this one does
            transport = self._transport
            if transport is None:
                transport = _transport(config, self._budget)
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
            ledger_run = in_ledger_thread(ledger.run)
            cleanup.push_async_callback(_commit_and_end, ledger, ledger_run)
            cleanup.push_async_callback(fetcher.abort)
            if config.max_time_s is not None:
                cleanup.callback(loop.call_later(config.max_time_s, self._end, "max-time").cancel)
            lag = asyncio.create_task(self._lag.run())
            cleanup.callback(lag.cancel)

            await _first(asyncio.create_task(self._stop.wait()), ledger_run, failed)
            if self._stop.is_set():
                await _first(asyncio.create_task(_drain(fetcher, pool)), ledger_run, failed)

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


async def _drain(fetcher: Fetcher, pool: ParserPool) -> None:
    await fetcher.drain()
    await pool.drain()


async def _commit_and_end(ledger: Ledger, run: asyncio.Future[None]) -> None:
    ledger.stop()
    await run


def _in_thread(thread: ThreadPoolExecutor, function: Callable[..., Any], *arguments: Any) -> asyncio.Future[Any]:
    return asyncio.get_running_loop().run_in_executor(thread, partial(_storing, function, *arguments))


def _storing(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function that uses the store, which says what the disk refuses as a bare Exception."""
    try:
        return function(*arguments)
    except Exception as error:
        if type(error) is not Exception:
            raise
        raise refusal("use the store", error, "if it is damaged, --fresh starts the job over") from error


def _transport(config: CrawlConfig, budget: ByteBudget) -> Transport:
    """The transport that the settings name; imported here because aiohttp alone takes 0.3 s."""
    if config.transport == "requests":
        from crawler.transport.requests import RequestsTransport  # noqa: PLC0415

        return RequestsTransport(config, budget)
    from crawler.transport.aiohttp import AiohttpTransport  # noqa: PLC0415

    return AiohttpTransport(config, budget)
