"""Stored pages as an iterator: `for page in extract("pages.warc.gz"): ...`, in scripts, notebooks and running loops."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, Unpack, overload

from crawler.core.errors import ConfigError
from crawler.core.record import Record
from crawler.core.stats import ExtractStats
from crawler.ledger.sinks.consumer import ConsumerSink
from crawler.parsers.spiders.spider import Spider
from crawler.ring.background import Background
from crawler.ring.call_settings import Select, config_of
from crawler.ring.keywords import ExtractSettings, PathLike
from crawler.ring.records import Records
from crawler.web.warc import check_installed

if TYPE_CHECKING:
    from crawler.core.config import CrawlConfig
    from crawler.ring.extraction import Extraction

__all__ = ["Extract", "extract"]

T = TypeVar("T")


class Extract(Records[T]):
    """The records of stored pages, one after the other; `extract` makes it. It starts when the first is asked for.

    It works in a thread of its own, with an event loop of its own, and never further ahead than its buffers hold: a few
    megabytes of records and of pages. An Extract is for one thread at a time.

    It ends when all records were taken, when a `for` loop over it is left, by `close`, or with a `with` block. Nothing
    can be resumed: left before the end, its outputs are incomplete, and `fresh` begins anew.

    Raises, where a record is asked for: `StorageError` when the disk refuses, `CrawlerError` for anything else that
    broke it. Of a file that is damaged or cut off, what can be read is; `stats().damaged` tells the rest.
    """

    def __init__(self, config: "CrawlConfig", extraction: "Extraction", consumer: ConsumerSink) -> None:
        super().__init__(config, Background(extraction, consumer))
        self._extraction = extraction

    def __repr__(self) -> str:
        stats = self.stats()
        return f"<Extract of {stats.files} files: {stats.pages} pages>"

    def stats(self) -> ExtractStats:
        """Counters as of now; from any thread."""
        return self._extraction.stats()

    def run(self) -> ExtractStats:
        """Read all files to their end, let go of the records that are left, and return the counters.

        For an extraction that has outputs. Raises as asking for a record does.
        """
        self.skip()
        return self.stats()


@overload
def extract(
    archives: PathLike | Iterable[PathLike],
    *,
    spider: None = None,
    select: None = None,
    fields: None = None,
    output: PathLike | Sequence[PathLike] | None = None,
    ordered: bool = True,
    fresh: bool = False,
    **settings: Unpack[ExtractSettings],
) -> Extract[Record]: ...
@overload
def extract(
    archives: PathLike | Iterable[PathLike],
    *,
    spider: Spider | str,
    select: None = None,
    fields: Sequence[str] | None = None,
    output: PathLike | Sequence[PathLike] | None = None,
    ordered: bool = True,
    fresh: bool = False,
    **settings: Unpack[ExtractSettings],
) -> Extract[dict[str, Any]]: ...
@overload
def extract(
    archives: PathLike | Iterable[PathLike],
    *,
    spider: None = None,
    select: Select,
    fields: Sequence[str] | None = None,
    output: PathLike | Sequence[PathLike] | None = None,
    ordered: bool = True,
    fresh: bool = False,
    **settings: Unpack[ExtractSettings],
) -> Extract[dict[str, Any]]: ...
@overload
def extract(
    archives: PathLike | Iterable[PathLike],
    *,
    spider: None = None,
    select: None = None,
    fields: Sequence[str],
    output: PathLike | Sequence[PathLike] | None = None,
    ordered: bool = True,
    fresh: bool = False,
    **settings: Unpack[ExtractSettings],
) -> Extract[dict[str, Any]]: ...


def extract(
    archives: PathLike | Iterable[PathLike],
    *,
    spider: Spider | str | None = None,
    select: Select | None = None,
    fields: Sequence[str] | None = None,
    output: PathLike | Sequence[PathLike] | None = None,
    ordered: bool = True,
    fresh: bool = False,
    **settings: Any,
) -> Extract[Any]:
    """Return the records of the pages in WARC files, to be iterated over; nothing is fetched.

        for page in extract("pages.warc.gz"):
            print(page.url, page.title)
        stats = extract("pages.warc.gz", spider="shop:product", output="products.csv").run()

    `archives`: paths of one or several `.warc` or `.warc.gz` files, of any program, read in the order given. Records
    are `Record` structs; with `spider`, `select` or `fields` they are dicts. `spider` is a spider (`docs/spiders.md`):
    any function that takes a page, or a reference to one; `select` names fields to find in each page; `fields` names
    what the records have. `ordered` keeps the order of the pages; without it no page waits for a slow one before it.
    `output` names where records go besides, and `fresh` removes what is there. The other settings are those of
    `CrawlConfig` that say how a page is read.

    Raises `ConfigError` for a setting or a spider that cannot be used, for an output that cannot be written or is there
    already, and if the extra `warc` is not installed; `UsageError` for a file that cannot be read.
    """
    check_installed()
    from crawler.ring.extraction import Extraction  # noqa: PLC0415 - an extra

    named = {"spider": spider, "select": select, "fields": fields}
    given = {**settings, **{name: value for name, value in named.items() if value is not None}}
    if spider is not None and not isinstance(spider, str):
        given["spider"] = "a function"  # known from the first, since it is what `fields` are checked against
    config = config_of((), {**given, "output": () if output is None else output}, command="extract")
    consumer = ConsumerSink()
    extraction = Extraction(config, _paths(archives), ordered=ordered, fresh=fresh, spider=spider, sinks=(consumer,))
    return Extract(config, extraction, consumer)


def _paths(archives: PathLike | Iterable[PathLike]) -> list[Path]:
    try:
        return [Path(one) for one in ([archives] if isinstance(archives, str | os.PathLike) else archives)]
    except TypeError as error:
        raise ConfigError(f"archives: expected text or paths: {error}") from error
