"""A crawl as an iterator: `for page in crawl("https://example.com/"): ...`, in scripts, notebooks and running loops."""

import asyncio
import concurrent.futures.thread  # noqa: F401 - cannot be imported any more when the main thread has ended
import logging
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, Unpack, overload

from crawler.core.config import CrawlConfig, TransportKind
from crawler.core.event_loop import loop_factory
from crawler.core.model import Field
from crawler.core.record import Record
from crawler.core.stats import CrawlStats
from crawler.fetcher.transport.base import Transport
from crawler.frontier.seeds import BadSeed, check_sources
from crawler.ledger.sinks.consumer import ConsumerLeftError, ConsumerSink
from crawler.ledger.sinks.outputs import sinks_for
from crawler.parsers.spiders.spider import Spider
from crawler.ring.call_settings import Seeds, Settings, config_of
from crawler.ring.crawler import Crawler

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

__all__ = ["Crawl", "crawl", "crawl_to_arrow"]

T = TypeVar("T")
_log = logging.getLogger(__name__)
_LOOK_S = 0.25


class Crawl(Generic[T]):
    """The records of a crawl, one after the other; `crawl` makes it. It starts when the first record is asked for.

    The crawl runs in a thread of its own, with an event loop of its own, and never further ahead than its buffers hold:
    a few megabytes of records, `bytes_in_flight` of pages, and what the parsers have. To ask for a record says that
    those before are used; whole batches of used records are committed to the job. A Crawl is for one thread at a time.

    It ends when all records were taken, when a `for` loop over it is left, by `close`, or with a `with` block. What is
    under way is cancelled then; what was not committed stays due in the job. One of which records were only asked for
    by `next` ends when nobody refers to it any more, behind the program's back and within a second or two; the
    interpreter waits for that, and so does the next crawl of the same job.

    Raises, where a record is asked for: `JobError` for a job that another process runs or that was begun with other
    settings, `StorageError` when the disk refuses, `CrawlerError` for anything else that broke the crawl.
    """

    def __init__(
        self, config: CrawlConfig, crawler: Crawler, consumer: ConsumerSink, transport: Transport | None
    ) -> None:
        self._config = config
        self._decode = crawler.decode
        # The thread refers to this alone, or a Crawl would never be garbage.
        self._background = _Background(config.job, crawler, consumer, transport)
        weakref.finalize(self, self._background.leave).atexit = False
        # State: records that were looked at to find out columns, and what was found.
        self._ahead: deque[T] = deque()
        self._inferred: Any = None

    def __repr__(self) -> str:
        return f"<Crawl of {', '.join(self._config.seeds[:3]) or self._config.job}: {self.stats().ended}>"

    def __iter__(self) -> Iterator[T]:
        """Give the records; when the loop over them is left, however that happens, the crawl ends."""
        try:
            yield from self._rest()
        finally:
            self._background.close(quietly=True)

    def __next__(self) -> T:
        if self._ahead:
            return self._ahead.popleft()
        line = self._background.next()
        if line is None:
            raise StopIteration
        record: T = self._decode(line)
        return record

    def _rest(self) -> Iterator[T]:
        """Give the records; when that is left, the crawl waits for whoever comes next."""
        while True:
            try:
                record = next(self)
            except StopIteration:
                return
            yield record

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        self._background.close(quietly=error is not None)

    def close(self) -> None:
        """End the crawl if it has not ended, and wait for that: no process, thread or temporary file is left.

        Raises what broke the crawl, if `next` has not raised it. May be called again.
        """
        self._background.close(quietly=False)

    def stop(self) -> None:
        """Start nothing new and finish what is under way; its records still come."""
        self._background.stop()

    def stats(self) -> CrawlStats:
        """Counters as of now; from any thread."""
        return self._background.crawler.stats()

    def to_arrow(self) -> "pa.Table":
        """Crawl to the end and return all further records as a table of Arrow (`docs/arrow.md` has the columns).

        Raises `ConfigError` if pyarrow is not installed.
        """
        from crawler.ledger.tables.tables import to_table  # noqa: PLC0415 - an extra

        return to_table(self, self._columns())

    def to_pandas(self) -> "pd.DataFrame":
        """Crawl to the end and return all further records as a DataFrame of pandas; see `to_arrow`."""
        from crawler.ledger.tables.tables import to_pandas  # noqa: PLC0415 - an extra

        return to_pandas(self, self._columns())

    def to_polars(self) -> "pl.DataFrame":
        """Crawl to the end and return all further records as a DataFrame of polars; see `to_arrow`."""
        from crawler.ledger.tables.tables import to_polars  # noqa: PLC0415 - an extra

        return to_polars(self, self._columns())

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Give the records to whatever reads Arrow's PyCapsule interface, batch by batch while the crawl runs."""
        from crawler.ledger.tables.batch import BATCH_RECORDS  # noqa: PLC0415 - as below
        from crawler.ledger.tables.tables import inferred, reader  # noqa: PLC0415 - an extra

        columns, other = self._columns(), False
        if columns is None:
            # Some ask for the schema first and then once more for the records: none may be lost by that.
            if self._inferred is None:
                first: list[Any] = list(islice(self._rest(), BATCH_RECORDS))
                self._ahead.extend(first)
                self._inferred = inferred(first)
            columns, other = self._inferred, True
        return reader(self._rest(), columns, other=other).__arrow_c_stream__(requested_schema)

    def _columns(self) -> Any:
        from crawler.ledger.tables.schema import columns_of  # noqa: PLC0415 - an extra

        return columns_of(self._config)


class _Background:
    """The thread in which a crawl runs, and the way to its records. It holds no reference to the `Crawl`.

    State: the thread and whether what broke the crawl was raised, changed by the consumer; the loop with its task and
    what broke the crawl, changed by the thread.
    """

    def __init__(self, job: Path | None, crawler: Crawler, consumer: ConsumerSink, transport: Transport | None) -> None:
        self.crawler = crawler
        self._transport = transport
        self._consumer = consumer
        self._folder = None if job is None else job.resolve()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._told = False
        self._stopped = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[Any] | None = None
        self._error: BaseException | None = None

    def next(self) -> bytes | None:
        """Return the next record, or None after the last one; start the crawl if that has not been done."""
        with self._starting:
            if self._thread is None and not self._consumer.left:
                self._start()
        line = self._consumer.wait()
        if line is None:  # it ends by itself: to leave now would hide what broke it
            self._wait_for_end(quietly=False)
        return line

    def leave(self) -> None:
        """Take no more records and cancel the crawl; returns at once. From any thread, the garbage collector too."""
        self._consumer.leave()
        self._in_loop(lambda: self._task and self._task.cancel())

    def stop(self) -> None:
        """Let the crawl drain, or not begin."""
        self._stopped = True
        self._in_loop(self.crawler.stop)

    def close(self, *, quietly: bool) -> None:
        """Leave and wait for the end. Raises what broke the crawl, once, unless `quietly`."""
        if not self._consumer.ended:
            self.leave()
        self._wait_for_end(quietly=quietly)

    def _wait_for_end(self, *, quietly: bool) -> None:
        if self._thread is not None:
            self._thread.join()
        if self._error is not None and not quietly and not self._told:
            self._told = True
            raise self._error

    def wait_if_left(self) -> None:
        """Wait for the end if the consumer has left: a moment longer it holds the job."""
        if self._consumer.left and self._thread is not None:
            self._thread.join()

    def _start(self) -> None:
        if self._folder is not None:
            other = _running.get(self._folder)
            if other is not None:
                other.wait_if_left()
            _running.setdefault(self._folder, self)
        # The interpreter waits for it at its end, so that it ends in good order even then: see `_watch`.
        self._thread = threading.Thread(target=self._main, name="crawl", daemon=False)
        self._thread.start()

    # The thread

    def _main(self) -> None:
        try:
            with asyncio.Runner(loop_factory=loop_factory()) as runner:
                runner.run(self._crawl())
        except (asyncio.CancelledError, ConsumerLeftError):
            pass  # its consumer has left
        except BaseException as error:  # noqa: BLE001 - it is raised again where records are asked for
            self._error = error
        finally:
            if self._folder is not None and _running.get(self._folder) is self:
                del _running[self._folder]
            self._consumer.end()

    async def _crawl(self) -> None:
        self._task = asyncio.current_task()
        self._loop = asyncio.get_running_loop()
        if self._consumer.left:  # before there was a task to cancel
            return
        if self._stopped:
            self.crawler.stop()
        watch = asyncio.create_task(self._watch())
        try:
            await self.crawler.run()
        finally:
            watch.cancel()
            # It lived in this loop, which nobody else can use.
            if self._transport is not None:
                await self._transport.close()

    async def _watch(self) -> None:
        """Leave when nobody can come for records any more: the program has ended without closing the crawl."""
        while not self._consumer.abandoned:  # noqa: ASYNC110 - there is no event for the end of the main thread
            await asyncio.sleep(_LOOK_S)
        self.leave()

    def _in_loop(self, function: Callable[[], object]) -> None:
        if self._loop is not None:
            # A loop that is closed has nothing left to end.
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(function)


_running: dict[Path, _Background] = {}
"""The crawls of this process by the folders of their jobs."""


@overload
def crawl(
    seeds: Seeds = (),
    *,
    parse: None = None,
    fields: None = None,
    selectors: None = None,
    transport: Transport | TransportKind | None = None,
    fresh: bool = False,
    **config: Unpack[Settings],
) -> Crawl[Record]: ...
@overload
def crawl(
    seeds: Seeds = (),
    *,
    parse: Spider | str,
    fields: Sequence[str] | None = None,
    selectors: None = None,
    transport: Transport | TransportKind | None = None,
    fresh: bool = False,
    **config: Unpack[Settings],
) -> Crawl[dict[str, Any]]: ...
@overload
def crawl(
    seeds: Seeds = (),
    *,
    parse: None = None,
    fields: Sequence[str] | None = None,
    selectors: Sequence[Field],
    transport: Transport | TransportKind | None = None,
    fresh: bool = False,
    **config: Unpack[Settings],
) -> Crawl[dict[str, Any]]: ...
@overload
def crawl(
    seeds: Seeds = (),
    *,
    parse: None = None,
    fields: Sequence[str],
    selectors: None = None,
    transport: Transport | TransportKind | None = None,
    fresh: bool = False,
    **config: Unpack[Settings],
) -> Crawl[dict[str, Any]]: ...


def crawl(
    seeds: Seeds = (),
    *,
    parse: Spider | str | None = None,
    fields: Sequence[str] | None = None,
    selectors: Sequence[Field] | None = None,
    transport: Transport | TransportKind | None = None,
    fresh: bool = False,
    **config: Any,
) -> Crawl[Any]:
    """Return the records of a crawl from `seeds`, to be iterated over; nothing happens before the first is asked for.

        for page in crawl("https://docs.python.org/3/", scope="prefix", max_pages=100):
            print(page.url, page.title)

    `seeds`: one or several http(s) URLs, `sitemap:URL`, or paths of seed files; none resumes a `job` that exists.
    Records are `Record` structs; with `parse`, `fields` or `selectors` they are dicts. `parse` is a spider
    (`docs/spiders.md`): any function that takes a page, or a reference to one; `fields` names what the records have;
    `selectors` finds it. `transport` names what downloads, or is it and is closed at the end. `fresh` starts a job
    over. All other settings are those of `CrawlConfig`; lists will do for tuples, text for paths. Without `job` the
    state lies in a temporary folder that is removed at the end; without `output` nothing is written.

    Raises `ConfigError` for a setting, a spider or an output that cannot be used, and `SeedError` for a seed that can
    not. Bad lines in seed files are skipped with a warning in the log, or with `strict` end the crawl.
    """
    named = {"fields": fields, "selectors": selectors}
    settings = {**config, **{name: value for name, value in named.items() if value is not None}}
    if isinstance(transport, str):
        settings["transport"] = transport
    if "spider" in settings:
        parse = settings.pop("spider") if parse is None else parse
    if parse is not None:
        # Known from the first, since it is what `fields` are checked against; the Crawler gives it its name.
        settings["spider"] = parse if isinstance(parse, str) else "a function"
    if settings.get("output") is None:
        settings["output"] = ()
    checked = config_of(seeds, settings)
    sinks_for(checked)
    if checked.seeds:
        check_sources(checked.seeds, None)
    consumer = ConsumerSink()
    own = None if isinstance(transport, str) else transport
    crawler = Crawler(
        checked,
        transport=own,
        fresh=fresh,
        on_bad_seed=_warn,
        parse=parse,
        sinks=(consumer,),
    )
    return Crawl(checked, crawler, consumer, own)


def crawl_to_arrow(
    seeds: Seeds = (),
    *,
    parse: Spider | str | None = None,
    fields: Sequence[str] | None = None,
    selectors: Sequence[Field] | None = None,
    transport: Transport | TransportKind | None = None,
    fresh: bool = False,
    **config: Unpack[Settings],
) -> "pa.Table":
    """Crawl from `seeds` to the end and return all records as a table of Arrow; the arguments are those of `crawl`.

    Raises `ConfigError` if pyarrow is not installed, before anything is fetched, and what `crawl` and a `Crawl` raise.
    """
    made: Callable[..., Crawl[Any]] = crawl  # mypy would look for one overload that fits all
    with made(
        seeds, parse=parse, fields=fields, selectors=selectors, transport=transport, fresh=fresh, **config
    ) as pages:
        return pages.to_arrow()


def _warn(bad: BadSeed) -> None:
    _log.warning("%s (skipped)", bad)
