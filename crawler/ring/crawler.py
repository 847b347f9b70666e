"""A crawl as a program sees it: run it, or take its records, ask how far it is, stop it."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO, Self

from msgspec import structs

from crawler.core.config import CrawlConfig, with_new_names
from crawler.core.errors import ConfigError, UnmetError, UsageError
from crawler.core.expectation import Verdict, paths_of, unknown_field
from crawler.core.page_fields import all_fields, has_seed_records
from crawler.core.stats import CrawlStats
from crawler.fetcher.transport.base import Transport
from crawler.frontier.seeds import BadSeed
from crawler.ledger.sinks.base import Sink
from crawler.ledger.sinks.coverage import CoverageSink
from crawler.parsers.spiders.spider import Spider, load_spider, pack_spider
from crawler.ring.costly_patterns import tell_costly
from crawler.ring.decoder import decoder
from crawler.ring.expectations import verdicts
from crawler.ring.member import Member
from crawler.ring.ring import Ring
from crawler.ring.steering import Steering
from crawler.ring.stream import RecordStream, cancelled

__all__ = ["Crawler"]

_log = logging.getLogger(__name__)


class Crawler:
    """One crawl of one job, from its seeds to its end; several can run in one process, they share nothing.

    `seeds`: http(s) URLs, paths of seed files, or "-" for `stdin`, beside those of `config.seeds`; none at all resumes
    a job that exists. `fresh` starts the job over. `transport` replaces the one that `config.transport` names.
    `on_bad_seed` is told of each line that is not a seed, in the ledger's thread; with `config.strict` the first one
    raises `SeedError`. `spider` is the spider (see `docs/spiders.md`): a function or a reference to one, instead of
    `config.spider`. `sinks` are told of all that ends, beside the outputs; with any of them, `config.output` None means
    no output at all. `on_dashboard` is told the address of the dashboard, once, instead of the log. `member` is for a
    cluster, whose job has this crawl as a shard. Raises `ConfigError` for a spider that cannot be used.

        stats = await Crawler(CrawlConfig(job=Path("output/docs")), ["https://example.com/"]).run()

    To take the records instead of having them written, iterate. The crawl ends with the block, however that is left:

        async with Crawler(CrawlConfig(seeds=("https://example.com/",))) as crawler:
            async for record in crawler:
                print(record.url)

    A crawler crawls once, in the event loop in which it is started. `verdicts` says at the end what came of each
    expectation (`expect`), empty if the crawl was stopped before its end.
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
        spider: Spider | str | None = None,
        sinks: Sequence[Sink] = (),
        on_dashboard: Callable[[str], None] | None = None,
        parse: Spider | str | None = None,
        member: Member | None = None,
    ) -> None:
        given: Spider | str | None = with_new_names({"spider": spider, "parse": parse})["spider"]
        reader = config.spider if given is None else given
        config.check_reader(reader)
        if getattr(None if reader is None else load_spider(reader), "all_statuses", False):
            config = structs.replace(config, all_statuses=True)
        if config.select:
            from crawler.page.fields.lines import check_fields  # noqa: PLC0415 - 30 ms, and most crawls have none

            check_fields(config.select)
        tell_costly(config, None if reader is None else load_spider(reader))
        _check_expectations(config, has_spider=reader is not None)
        paths = paths_of(config.expect)
        self._config = config
        self._coverage = CoverageSink(paths) if paths else None
        self._decode = decoder(config, spider=reader is not None)
        self._sinks = tuple(sinks)
        self._ring = Ring(
            config,
            _sources(config, seeds),
            transport=transport,
            fresh=fresh,
            stdin=stdin,
            on_bad_seed=on_bad_seed,
            spider=pack_spider(reader),
            spider_name=None if reader is None else _spider_name(reader),
            counting=() if self._coverage is None else (self._coverage,),
            on_dashboard=on_dashboard,
            member=member,
        )
        # State: written in the event loop's thread.
        self.verdicts: tuple[Verdict, ...] = ()
        self._task: asyncio.Task[CrawlStats] | None = None
        self._records: RecordStream | None = None

    async def run(self) -> CrawlStats:
        """Crawl until nothing is left, a budget is used up or `stop` is called; everything is committed then.

        Cancelled, it ends at once what is under way, commits what is done, and then raises CancelledError.

        Raises `UsageError` for seeds, settings or a job that cannot be used, `StorageError` when the disk refuses
        (what was committed is safe and a later run goes on), BrokenPipeError when standard output was closed, and
        `UnmetError` when it ended, and not as `expect` says.
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
        await records.start(self._begin(), self._ring.opened)
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
        """Return the next record: a `Record`, or a dict if `fields`, `select` or a spider say what is in it.

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
        return self._decode

    def stop(self) -> None:
        """Start nothing new, finish what is under way, commit, end. For the event loop's thread."""
        self._ring.stop_request.ask("interrupted")

    @property
    def steering(self) -> Steering:
        """Pause and resume the crawl, block a host or change its delay while it runs: see `Steering`."""
        return self._ring.steering

    def abandon(self) -> None:
        """Remove a temporary job now, for a process that ends at once, without a clean end. Keep any other as it is."""
        self._ring.abandon()

    def stats(self) -> CrawlStats:
        """Counters as of now; from any thread."""
        return self._ring.statistics.now()

    def _begin(self) -> "asyncio.Task[CrawlStats]":
        """Start the crawl as a task, which is cancelled at most once: its own clean-up is never cut short."""
        if self._task is not None:
            raise UsageError("a Crawler crawls once: make another one for another run")
        self._task = asyncio.create_task(self._crawl())
        return self._task

    async def _crawl(self) -> CrawlStats:
        await self._ring.crawl(self._sinks)
        stats = self.stats()
        if self._sinks and not stats.pages and stats.ended != "interrupted":
            # A loop over nothing ends as quietly as one over everything.
            kinds = sorted(stats.outcomes.items(), key=lambda kind: -kind[1])
            _log.warning("no page was fetched: %s", ", ".join(f"{kind} ({number:,})" for kind, number in kinds[:5]))
        await self._check(stats)
        return stats

    async def _check(self, stats: CrawlStats) -> None:
        """Judge what is expected of the crawl, unless it was stopped before its end. Raises `UnmetError`."""
        if not self._config.expect or stats.ended == "interrupted":
            return
        self.verdicts = tuple(await asyncio.to_thread(verdicts, self._config, stats, self._coverage))
        missed = [verdict.text for verdict in self.verdicts if not verdict.met]
        if missed:
            raise UnmetError("not as expected: " + "; ".join(missed))


def _check_expectations(config: CrawlConfig, *, has_spider: bool) -> None:
    """Refuse an expectation of a field that no record can have. What a spider writes is known to it alone."""
    known = all_fields(config, has_spider=has_spider)
    if known is not None and (wrong := unknown_field(config.expect, known)):
        raise ConfigError(f"expect: {wrong}")


def _sources(config: CrawlConfig, seeds: Sequence[str]) -> list[str]:
    """Return all seeds; each once, unless each is to have a record."""
    if has_seed_records(config):
        return [*config.seeds, *(seed for seed in seeds if seed not in config.seeds)]
    return list(dict.fromkeys([*config.seeds, *seeds]))


def _spider_name(spider: Spider | str) -> str:
    """What a job knows a spider by."""
    if isinstance(spider, str):
        return spider
    return f"{getattr(spider, '__module__', '__main__')}:{getattr(spider, '__qualname__', type(spider).__qualname__)}"
