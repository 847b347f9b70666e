"""The ring, from seeds to sinks: `Ring.crawl` is the whole program, read from top to bottom.

frontier ─► fetcher ─► parsers ─► ledger ─► sinks
▲                                │
└── what ended, what was found ──┘
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, ExitStack
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from msgspec.structs import replace

from crawler.core.config import CrawlConfig
from crawler.core.config import settled as settled_config
from crawler.core.errors import CrawlerError, SeedError
from crawler.core.host_rows import Remembered
from crawler.core.model import Task
from crawler.core.threads import OneThread, settled
from crawler.fetcher.fetcher import Fetcher
from crawler.fetcher.transport.base import Transport
from crawler.fetcher.transport.budget import ByteBudget
from crawler.fetcher.transport.descriptors import affordable_concurrency
from crawler.frontier.seeds import BadSeed, check_sources
from crawler.frontier.storing import storing
from crawler.ledger.exchange import Exchange
from crawler.ledger.job import JobFolder
from crawler.ledger.kept import keep
from crawler.ledger.ledger import Ledger
from crawler.ledger.sinks.base import Sink
from crawler.ledger.sinks.consumer import release
from crawler.ledger.sinks.outputs import wants_exchange
from crawler.parsers.chosen import possible
from crawler.ring.assembly import Assembly
from crawler.ring.breakdown import Breakdown
from crawler.ring.inlets import check_followed
from crawler.ring.job_folder import job_folder, remove_in_use
from crawler.ring.local_pages import local_pages
from crawler.ring.measured import measured
from crawler.ring.member import Member, advice_on_damage
from crawler.ring.opening import Opened, Opening
from crawler.ring.sampler import Sampler
from crawler.ring.statistics import Stages, Statistics
from crawler.ring.steering import Steering
from crawler.ring.stop_request import StopRequest
from crawler.serve.recent import Recent

__all__ = ["Ring"]

_log = logging.getLogger(__name__)


class Ring:
    """One crawl: begins, turns, drains and ends. For the arguments see `Crawler`; `spider` is packed. `counting` are
    sinks that take no records, but count them. `member`: the crawl is a shard of a cluster job.

    `stop_request` is asked when the crawl is to end, `steering` is for people, and `statistics` tells how far it is;
    `opened` is set when the seeds are known. State, of the event loop's thread: those four, the settings, which are
    settled once, and the folder of a temporary job.
    """

    def __init__(
        self,
        config: CrawlConfig,
        sources: Sequence[str],
        *,
        transport: Transport | None,
        fresh: bool,
        stdin: BinaryIO | None,
        on_bad_seed: Callable[[BadSeed], None] | None,
        spider: bytes,
        spider_name: str | None,
        on_dashboard: Callable[[str], None] | None,
        counting: Sequence[Sink] = (),
        member: Member | None = None,
    ) -> None:
        self.stop_request = StopRequest()
        self.opened = asyncio.Event()
        self._budget = ByteBudget(config.bytes_in_flight)
        self.steering = Steering(lambda: self.stop_request.ask("interrupted"))
        self.statistics = Statistics(config, self._budget, self.stop_request, self.steering)
        self._recent = Recent()
        self._on_dashboard = on_dashboard or _log_address
        self._config = config
        self._sources = sources
        self._transport = transport
        self._fresh = fresh
        self._stdin = stdin
        self._on_bad_seed = on_bad_seed
        self._spider = spider
        self._spider_name = spider_name
        self._counting = tuple(counting)
        self._member = member
        self._temporary_job: Path | None = None

    async def crawl(self, sinks: Sequence[Sink]) -> None:
        """Crawl from the seeds until `stop_request` is asked; all is committed then. Raises what `Crawler.run` does."""
        self.statistics.begin()
        self.steering.enter()
        # Begin. Nothing is made before seeds and settings are known to be good: a typo must not leave a job behind.
        if self._sources:
            check_sources(self._sources, self._stdin)
        check_followed(self._config.follow, list(self._sources), self._stdin)
        told = self._config
        self._config = possible(told)
        affordable = _affordable(self._config)
        async with AsyncExitStack() as cleanup:  # ends what was begun, in the reverse order, however this is left
            # The one thread that opens, uses and closes the store: first for the seeds, then for the ledger.
            thread = OneThread("ledger")
            cleanup.callback(thread.close)
            await self._watch(cleanup)
            consumed = bool(sinks)
            folder = await cleanup.enter_async_context(job_folder(self._config, self, thread, consumed=consumed))
            config = self._config = settled_config(
                self._config,
                job=folder,
                affordable=affordable,
                consumed=consumed,
                spider=self._spider_name,
                archive=wants_exchange(self._config.outputs if self._config.output else ()),
            )
            self.statistics.settled(config)
            self._temporary_job = folder if told.job is None else None
            job = JobFolder(config)
            cleanup.callback(job.close)
            opened = await self._open(job, thread, sinks)
            self._config = opened.config
            cleanup.push_async_callback(thread.call, _close, opened)
            if told.job is not None:
                await thread.call(keep, opened.store, replace(told, spider=self._spider_name))
            self.statistics.opened(opened.frontier)
            self.opened.set()
            if self.stop_request.is_asked():
                return

            # Start the stages. Each is given the way to the one behind it: the last comes first, and feeds the first.
            def feed(tasks: list[Task], entered: list[Remembered]) -> None:
                fetcher.feed(tasks, entered)

            broken = Breakdown()
            cleanup.callback(broken.close)
            assembly = Assembly(opened, thread, broken, cleanup, member=self._member)
            ledger = await assembly.ledger(
                job,
                feed,
                ended=self.stop_request.ask,
                look=Sampler(self.statistics).look,
                told=None if self._config.dashboard is False else self._recent.take,
                stdin=self._stdin,
                steer=self.steering.change,
                on_bad_seed=self._told_late_bad_seed,
            )
            parsers = await assembly.parsers(ledger, self._spider, self._budget)
            fetcher = await assembly.fetcher(parsers, ledger, self._transport, self._budget)
            self.steering.begin(opened.steered, ledger.changes.steer, fetcher.steer)
            # It is to start nothing new, not even what is due in the same turn.
            self.stop_request.then(partial(_begin_to_drain, fetcher, opened.exchange))
            self.statistics.started(Stages(fetcher, parsers, ledger))
            assembly.join()
            for meter in (self.statistics.lag, self.statistics.limits):  # to the end of the ledger, which may take long
                cleanup.callback(asyncio.create_task(meter.run()).cancel)
            # Feed: from now on the ledger gives the fetcher what is due, again and again as something has ended.
            written = thread.start(storing, advice_on_damage(self._member, job.path), ledger.run)
            cleanup.push_async_callback(_commit_and_end, ledger, written)
            cleanup.push(_released(sinks))
            cleanup.push_async_callback(fetcher.abort)

            # Turn, until nothing is left, a budget is used up, somebody asks for the end, or something breaks.
            await _wait_for(self.stop_request.wait(), broken, written)
            fetcher.stop()
            if not parsers.started:
                # What is under way would wait for what a spider imports, as long as that takes: it stays due.
                return
            # Drain in the direction of the flow: what is under way ends, and goes on to the stage behind.
            await _wait_for(fetcher.drain(), broken, written)
            await _wait_for(parsers.drain(), broken, written)
            # What the stack does: the ledger commits and ends, then the transport, the parsers, the store, the sinks.

    def abandon(self) -> None:
        """Remove a temporary job, for a process that ends at once."""
        if self._temporary_job is not None:
            remove_in_use(self._temporary_job)

    # The steps

    async def _open(self, job: JobFolder, thread: OneThread, sinks: Sequence[Sink]) -> Opened:
        """Open the job in the ledger's thread. If that fails, no job is left that was not there before."""
        was_there = job.exists
        try:
            opening = Opening(
                job,
                self._config,
                self._sources,
                fresh=self._fresh,
                stdin=self._stdin,
                on_bad_seed=self._told_bad_seed,
                stopping=self.stop_request.is_asked,
                sinks=(*sinks, *self._counting),
                member=self._member,
            )
            return await self._opened_by(opening, thread)
        except CrawlerError:
            if not was_there:
                await thread.call(job.discard)
            raise

    async def _opened_by(self, opening: Opening, thread: OneThread) -> Opened:
        future = thread.start(storing, advice_on_damage(self._member, self._config.folder), opening.open)
        try:
            await asyncio.wait({future})
        except asyncio.CancelledError:
            self.stop_request.ask("interrupted")  # it looks at this now and then while it reads seeds
            await thread.call(_close, await settled(future))
            raise
        opened: Opened = future.result()
        return opened

    def _told_bad_seed(self, bad: BadSeed) -> None:
        if self._config.strict:
            self.statistics.bad_seeds += 1
            raise SeedError(str(bad))
        self._told_late_bad_seed(bad)

    def _told_late_bad_seed(self, bad: BadSeed) -> None:
        """Count and tell a line that came while the crawl runs, which ends for none."""
        self.statistics.bad_seeds += 1
        if self._on_bad_seed is not None:
            self._on_bad_seed(bad)

    async def _watch(self, cleanup: AsyncExitStack) -> None:
        """Count the time of the run, have its limit end the crawl, and let others see how it goes."""
        await cleanup.enter_async_context(measured(self._config, self.statistics))
        pages = local_pages(self._config, self.statistics, self.steering, self._recent, self._on_dashboard)
        await cleanup.enter_async_context(pages)
        cleanup.callback(self.statistics.finish)
        self._start_clock(cleanup)

    def _start_clock(self, cleanup: AsyncExitStack) -> None:
        """Have the time limit end the crawl, wherever it is then."""
        if self._config.max_time_s is not None and self._member is None:
            loop = asyncio.get_running_loop()
            cleanup.callback(loop.call_later(self._config.max_time_s, self.stop_request.ask, "max-time").cancel)


async def _wait_for(work: Coroutine[Any, Any, None], broken: Breakdown, written: "asyncio.Future[None]") -> None:
    """Wait for `work`; raise what breaks the ring meanwhile. The ledger ends by itself only when it broke."""
    task = asyncio.create_task(work)
    try:
        await broken.until(task, written)
    finally:
        task.cancel()
        await asyncio.wait({task})


def _begin_to_drain(fetcher: Fetcher, exchange: Exchange | None) -> None:
    fetcher.stop()
    if exchange is not None:
        exchange.draining = True


async def _commit_and_end(ledger: Ledger, written: "asyncio.Future[None]") -> None:
    ledger.intake.stop()
    await settled(written)


def _released(sinks: Sequence[Sink]) -> Callable[[type[BaseException] | None, object, object], bool]:
    """Return what lets a crawl that breaks, or is cancelled, wait for no consumer: called as the stack's exit."""

    def leave(kind: type[BaseException] | None, _error: object, _traceback: object) -> bool:
        if kind is not None:
            release(sinks)
        return False

    return leave


def _close(opened: Opened) -> None:
    with ExitStack() as cleanup:
        cleanup.callback(opened.locks.close)
        cleanup.callback(opened.store.close)
        for sink in opened.sinks:
            cleanup.callback(sink.close)


def _affordable(config: CrawlConfig) -> int:
    """Return how many requests the limit on open files allows at once; warn if those are too few."""
    wanted = config.most_at_once
    affordable = affordable_concurrency(wanted, config.parser_processes)
    if affordable < wanted:
        _log.warning(
            "the limit on open files allows %d requests at once, not %d: raise it with `ulimit -n`, or in a program by "
            "resource.setrlimit",
            affordable,
            wanted,
        )
    return affordable


def _log_address(address: str) -> None:
    """Tell where the dashboard is. A program shows warnings as a rule, and nobody finds it without."""
    _log.warning("the dashboard of this crawl is at %s", address)
