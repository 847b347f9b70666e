"""One ring in a simulated process: its stages are the crawler's own, wired as `crawler.ring` does.

What is made up: the network, the parsers (who look up what a page leads to, and judge it by the crawler's own rules),
and the threads, which run when the scheduler says so.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from bench.simulation.servers import Servers, Wire
from bench.simulation.world import Process, Thread, keep
from crawler.core.config import CrawlConfig
from crawler.core.model import Done, Download, Link, Seed
from crawler.core.sample import Sample
from crawler.core.shard import Shard
from crawler.core.stats import CrawlStats
from crawler.core.threads import call_in, settle_from_thread
from crawler.fetcher.fetcher import Fetcher
from crawler.fetcher.parser_line import NoLoad
from crawler.fetcher.transport.budget import ByteBudget
from crawler.fetcher.transport.leased import LeasedTransport
from crawler.frontier.frontier import Frontier
from crawler.frontier.store import Store
from crawler.ledger.account import Grant
from crawler.ledger.begun import begin_shard
from crawler.ledger.exchange import Exchange
from crawler.ledger.ledger import Ledger
from crawler.ledger.sinks.base import Sink
from crawler.parsers.reading.new_links import NewLinks
from crawler.shards.messages import Start
from crawler.web.scope import Scope
from crawler.web.shards import owner

__all__ = ["Baton", "Parser", "Ring"]

_STATS = CrawlStats()


class Baton:
    """In the place of a condition: who waits for it gives the turn back to the scheduler. State: who waits."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._waiting: list[Thread] = []

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass

    def wait(self, timeout: float | None = None) -> None:
        """Wait until somebody notifies, or for so many seconds."""
        thread = self._process.thread_now
        assert thread is not None, "who waits is no thread"
        self._waiting.append(thread)
        try:
            thread.wait(timeout)
        finally:
            self._waiting.remove(thread)

    def notify_all(self) -> None:
        """Have all who wait go on."""
        for thread in self._waiting:
            thread.notify()

    notify = notify_all


class Parser(NoLoad):
    """The parsers of a process, as one that takes `page_s` for each page. State: until when it is busy."""

    def __init__(
        self, process: Process, servers: Servers, config: CrawlConfig, put: Callable[[list[Done]], None], page_s: float
    ) -> None:
        scope = (config.scope, (), (), config.depth)
        self._process = process
        self._servers = servers
        self._put = put
        self._page_s = page_s
        self._free_at = 0.0
        self._scope = Scope(config.scope)
        self._links = NewLinks(Scope(*scope), config.max_chain, by_depth=config.depth is not None, obey=True)
        self._held: list[Download] = []
        self._freed = asyncio.Event()

    async def submit(self, download: Download) -> None:
        """Take a page; wait while too many lie here."""
        while len(self._held) >= 64:
            self._freed.clear()
            await self._freed.wait()
        loop = self._process.loop
        self._free_at = max(loop.time(), self._free_at) + self._page_s
        self._held.append(download)
        loop.call_at(self._free_at, self._deliver, download)

    async def drain(self) -> None:
        """Wait until all pages that lie here are read."""
        while self._held:
            self._freed.clear()
            await self._freed.wait()

    def _deliver(self, download: Download) -> None:
        self._process.thread(partial(self._bring, download))

    def _bring(self, download: Download) -> None:
        self._put([self.read(download)])
        self._held.remove(download)
        self._freed.set()

    def read(self, download: Download) -> Done:
        """What a page comes to."""
        task, answer = download.task, download.answer
        if answer.status != 200:
            return Done(task.key, "fetched", "", answer.status, _record(task.url), attempt=download.attempt)
        _, found = self._servers.web.answer(task.url, task.kind)
        if task.kind == "sitemap":
            links = tuple(Link(url, self._scope.verdict(url, task.seed.anchors, 0), kind) for url, kind, _ in found)
            return Done(task.key, "fetched", "sitemap", 200, links=links, attempt=download.attempt)
        links = self._links.take(task, [(url, nofollow) for url, _, nofollow in found], nofollow=False)
        return Done(task.key, "fetched", "", 200, _record(task.url), links, answer.body_bytes, attempt=download.attempt)


class Ring:
    """The stages of one ring in a process, made in its loop. With a `start` it is a shard, which `may_ask()` or not.

    State: the stages.
    """

    def __init__(
        self,
        process: Process,
        servers: Servers,
        config: CrawlConfig,
        folder: Path,
        *,
        sinks: Sequence[Sink],
        seeds: Sequence[Seed],
        page_s: float,
        start: Start | None = None,
        may_ask: Callable[[], bool] = lambda: True,
    ) -> None:
        self.process = process
        self.path = folder / "state"
        loop = process.loop
        self.exchange: Exchange | None = None
        lease: dict[str, Any] = {}
        if start is None:
            self.store = Store(self.path)
            self.frontier = Frontier(self.store, config)
        else:
            shard = Shard(start.shard, start.of)
            self.store = Store(self.path, hash_seed=start.hash_seed, incarnation=start.incarnation)
            self.frontier = Frontier(self.store, config, shard)
            assert self.frontier.outbox is not None
            safe = {} if start.checkpoint is None else start.checkpoint.marks
            self.exchange = Exchange(
                self.frontier,
                self.frontier.outbox,
                epoch=start.epoch,
                safe=safe,
                grant=Grant(start.credit, start.grant),
            )
            self.exchange.on_lost = self._lose
            lease = {"may_ask": may_ask, "begun": begin_shard(self.store)}
        for sink in sinks:
            sink.open((self.store.meta("sinks") or {}).get(sink.name))
        self._sinks = sinks
        self._sow(seeds, start)
        self.over = asyncio.Event()
        self.is_lost = False
        self.ledger = ledger = Ledger(
            self.store,
            self.frontier,
            sinks,
            deliver=lambda tasks, entered: call_in(loop, self.fetcher.feed, tasks, entered),
            ended=lambda _: call_in(loop, self._end),
            look=lambda run, _: Sample(run=run, at=0.0, stats=_STATS),
            exchange=self.exchange,
        )
        ledger.intake._changed = Baton(process)  # type: ignore[assignment]  # noqa: SLF001 - where a ledger waits
        self.wire = Wire(servers, process, *((start.shard, start.epoch) if start is not None else (0, 0)))
        self.parser = Parser(process, servers, config, ledger.intake.put_records, page_s)

        def recall(host: str, parts: tuple[bytes, ...]) -> "asyncio.Future[Sequence[bytes | None]]":
            rows: asyncio.Future[Sequence[bytes | None]] = loop.create_future()
            ledger.hosts.recall(host, parts, partial(settle_from_thread, rows))
            return rows

        self.fetcher = Fetcher(
            config,
            self.wire if start is None else LeasedTransport(self.wire, may_ask),
            ByteBudget(config.bytes_in_flight),
            submit=self.parser.submit,
            report=ledger.intake.put,
            remember=ledger.hosts.remember,
            recall=recall,
            wake=ledger.intake.wake,
            fail=self._failed,
            load=self.parser,
            **lease,
        )
        self.fetcher._rng.seed(process.world.rng.random())  # noqa: SLF001 - its dice fall as the seed says
        self.thread = process.thread(self._write)

    def _sow(self, seeds: Sequence[Seed], start: Start | None) -> None:
        """Add the seeds that are this shard's own, once."""
        if self.store.meta("sown") is not None:
            return
        own = [seed for seed in seeds if start is None or owner(seed.url, start.of) == start.shard]
        for number, seed in enumerate(own, start=1):
            self.frontier.add_seed(number, seed)
        self.store.put_meta("sown", value=True)
        self.frontier.save()
        self.store.commit()
        self.frontier.committed()

    def _write(self) -> None:
        self.ledger.run()
        self.over.set()

    def _lose(self) -> None:
        self.is_lost = True
        self.fetcher.stop()
        self.over.set()

    def _end(self) -> None:
        keep(asyncio.ensure_future(self.finish()))

    def close(self) -> None:
        """Close store and sinks."""
        self.store.close()
        for sink in self._sinks:
            sink.close()

    async def finish(self) -> None:
        """End what is under way, and commit it."""
        self.fetcher.stop()
        if self.exchange is not None:
            self.exchange.draining = True
        await self.fetcher.drain()
        await self.parser.drain()
        self.ledger.intake.stop()

    def _failed(self, error: BaseException) -> None:
        raise AssertionError(f"{self.process.name} breaks: {error!r}") from error


def _record(url: str) -> bytes:
    return b'{"url":"' + url.encode() + b'"}\n'
