"""A crawl as an iterator: `for page in crawl("https://example.com/"): ...`, in scripts, notebooks and running loops."""

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, Unpack, overload

from crawler.core.config import CrawlConfig, TransportKind, with_new_names
from crawler.core.errors import ConfigError
from crawler.core.record import Record
from crawler.core.stats import CrawlStats
from crawler.fetcher.transport.base import Transport
from crawler.frontier.seeds import BadSeed, check_sources
from crawler.ledger.sinks.consumer import ConsumerSink
from crawler.ledger.sinks.outputs import sinks_for
from crawler.parsers.spiders.spider import Spider
from crawler.ring.background import Background
from crawler.ring.call_settings import Seeds, Select, config_of
from crawler.ring.crawler import Crawler
from crawler.ring.keywords import Settings
from crawler.ring.records import Records

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Crawl", "crawl", "crawl_to_arrow"]

T = TypeVar("T")
_log = logging.getLogger(__name__)


class Crawl(Records[T]):
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
        # The transport lived in the thread's loop, which nobody else can use.
        last = None if transport is None else transport.close
        super().__init__(config, Background(crawler, consumer, config.job, last))
        self._crawler = crawler

    def __repr__(self) -> str:
        return f"<Crawl of {', '.join(self._config.seeds[:3]) or self._config.job}: {self.stats().ended}>"

    def stats(self) -> CrawlStats:
        """Counters as of now; from any thread."""
        return self._crawler.stats()


@overload
def crawl(
    seeds: Seeds = (),
    *,
    spider: None = None,
    fields: None = None,
    select: None = None,
    transport: Transport | TransportKind | None = None,
    fresh: bool = False,
    **config: Unpack[Settings],
) -> Crawl[Record]: ...
@overload
def crawl(
    seeds: Seeds = (),
    *,
    spider: Spider | str,
    fields: Sequence[str] | None = None,
    select: None = None,
    transport: Transport | TransportKind | None = None,
    fresh: bool = False,
    **config: Unpack[Settings],
) -> Crawl[dict[str, Any]]: ...
@overload
def crawl(
    seeds: Seeds = (),
    *,
    spider: None = None,
    fields: Sequence[str] | None = None,
    select: Select,
    transport: Transport | TransportKind | None = None,
    fresh: bool = False,
    **config: Unpack[Settings],
) -> Crawl[dict[str, Any]]: ...
@overload
def crawl(
    seeds: Seeds = (),
    *,
    spider: None = None,
    fields: Sequence[str],
    select: None = None,
    transport: Transport | TransportKind | None = None,
    fresh: bool = False,
    **config: Unpack[Settings],
) -> Crawl[dict[str, Any]]: ...


def crawl(
    seeds: Seeds = (),
    *,
    spider: Spider | str | None = None,
    fields: Sequence[str] | None = None,
    select: Select | None = None,
    transport: Transport | TransportKind | None = None,
    fresh: bool = False,
    **config: Any,
) -> Crawl[Any]:
    """Return the records of a crawl from `seeds`, to be iterated over; nothing happens before the first is asked for.

        for page in crawl("https://docs.python.org/3/", scope="prefix", max_pages=100):
            print(page.url, page.title)

    `seeds`: one or several http(s) URLs, `sitemap:URL`, or paths of seed files; none resumes a `job` that exists.
    Records are `Record` structs; with `spider`, `fields` or `select` they are dicts. `spider` is a spider
    (`docs/spiders.md`): any function that takes a page, or a reference to one; `fields` names what the records have;
    `select` finds it: `{"title": "h1"}`, lines, or `Field`s. `transport` names what downloads, or is it and is closed
    at the end. `fresh` starts a job over. All other settings are those of `CrawlConfig`; lists will do for tuples, text
    for paths. Without `job` the state lies in a temporary folder that is removed at the end; without `output` nothing
    is written. When no page at all was fetched, the log gets a warning that says why.

    Raises `ConfigError` for a setting, a spider or an output that cannot be used, and `SeedError` for a seed that can
    not. Bad lines in seed files are skipped with a warning in the log, or with `strict` end the crawl.
    """
    named = {"spider": spider, "fields": fields, "select": select}
    settings = with_new_names({**config, **{name: value for name, value in named.items() if value is not None}})
    own: Transport | None = None
    if transport is not None and not isinstance(transport, str) and callable(getattr(transport, "fetch", None)):
        own = transport
    elif transport is not None:  # a name, or what is told as one that does not exist
        settings["transport"] = transport
    reader: Spider | str | None = settings.get("spider")
    if reader is not None and not isinstance(reader, str):
        # Known from the first, since it is what `fields` are checked against; the Crawler gives it its name.
        settings["spider"] = "a function"
    if settings.get("output") is None:
        settings["output"] = ()
    checked = config_of(seeds, settings)
    if checked.cluster:
        raise ConfigError(
            f"cluster: crawl needs one ring, not {checked.cluster!r}, since records of several are files: call "
            "crawl_on_cluster with the same arguments, and read what Job(job).parts() names"
        )
    sinks_for(checked)
    if checked.seeds:
        check_sources(checked.seeds, None)
    consumer = ConsumerSink()
    crawler = Crawler(
        checked,
        transport=own,
        fresh=fresh,
        on_bad_seed=_warn,
        spider=reader,
        sinks=(consumer,),
    )
    return Crawl(checked, crawler, consumer, own)


def crawl_to_arrow(
    seeds: Seeds = (),
    *,
    spider: Spider | str | None = None,
    fields: Sequence[str] | None = None,
    select: Select | None = None,
    transport: Transport | TransportKind | None = None,
    fresh: bool = False,
    **config: Unpack[Settings],
) -> "pa.Table":
    """Crawl from `seeds` to the end and return all records as a table of Arrow; the arguments are those of `crawl`.

    Raises `ConfigError` if pyarrow is not installed, before anything is fetched, and what `crawl` and a `Crawl` raise.
    """
    made: Callable[..., Crawl[Any]] = crawl  # mypy would look for one overload that fits all
    with made(seeds, spider=spider, fields=fields, select=select, transport=transport, fresh=fresh, **config) as pages:
        return pages.to_arrow()


def _warn(bad: BadSeed) -> None:
    _log.warning("%s (skipped)", bad)
