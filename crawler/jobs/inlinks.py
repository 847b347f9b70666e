"""Which pages of a job link to some of its URLs: from the `links` of its own records, read back from an output.

Memory holds the URLs that are asked about, and what redirects to them; the records are read one after the other.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Final

import msgspec
from msgspec import Struct

from crawler.core.config import CrawlConfig
from crawler.core.printable import SHOWN_CHARS, printable
from crawler.frontier.store import Store
from crawler.jobs.urls import UrlFacts, Wanted, rows_of
from crawler.ledger.sinks.outputs import records_of

__all__ = ["COLUMNS", "Inlink", "Inlinks", "Rows", "sources_of"]

Rows = Iterator[bytes | Mapping[str, Any]]
"""Records read back: each a line of JSON, or the row of a table."""

_MOST_HOPS: Final = 12
COLUMNS: Final = ("url", "links")


class Inlink(Struct, frozen=True, kw_only=True):
    """A link of `page` to `url`, which was asked about: with the `redirects` between, the first one first.

    `page` is None for a URL to which no page links: a seed, a page that a sitemap lists, or one whose links are known
    from its parent alone.
    """

    url: str
    status: int
    outcome: str
    reason: str
    page: str | None
    redirects: tuple[str, ...] = ()


class _Page(Struct):
    """What of a record matters here; `links` is unset where records do not have it."""

    url: str = ""
    links: list[str] | None = None


class Inlinks:
    """The pages that link to some URLs. `why_parents` says why only the page that was met first is known of each.

    State: the URLs and what redirects to them, and which of them no page was found for.
    """

    def __init__(
        self, stores: Sequence[Store], sources: Iterable[tuple[str, Rows | None]], wanted: Iterable[UrlFacts]
    ) -> None:
        """`sources` are the outputs by name, with their records, as `sources_of` gives them."""
        self._sources = sources
        self._targets = {one.url: one for one in wanted}
        self._ways: dict[str, tuple[str, ...]] = dict.fromkeys(self._targets, ())
        self._found: set[str] = set()
        self._ends = {url: url for url in self._targets}
        self.why_parents = ""
        if self._targets:
            self._add_redirects(stores)

    def __iter__(self) -> Iterator[Inlink]:
        """Give each link, page by page, and at the end those URLs for which there is none."""
        records = self._records() if self._targets else iter(())
        for page in records:
            for link in dict.fromkeys(page.links or ()):
                if link in self._ways and page.url != link:
                    yield self._inlink(link, page.url)
        for url, one in self._targets.items():
            if url not in self._found:
                yield self._of(one, one.parent, one.redirected_from if one.parent else ())

    def _inlink(self, link: str, page: str) -> Inlink:
        end = self._ends[link]
        self._found.add(end)
        return self._of(self._targets[end], page, self._ways[link])

    @staticmethod
    def _of(one: UrlFacts, page: str | None, redirects: Sequence[str]) -> Inlink:
        return Inlink(
            url=one.url,
            status=one.status,
            outcome=one.outcome,
            reason=one.reason,
            page=page,
            redirects=tuple(redirects),
        )

    def _add_redirects(self, stores: Sequence[Store]) -> None:
        """Learn which URLs redirect to those asked about, by one hop after the other."""
        for url, one in self._targets.items():
            for at, hop in enumerate(one.redirected_from):
                self._lead(hop, url, one.redirected_from[at:])
        made = stores[0].keys  # all shards of a job make the same keys
        keys = {made.url(url, "page"): url for url in self._targets}
        redirected = Wanted.of(outcome="redirected")
        for _ in range(_MOST_HOPS):
            further: dict[bytes, str] = {}
            for row in chain.from_iterable(rows_of(store, redirected) for store in stores):
                if (to := keys.get(row.other)) is not None and row.url not in self._ways:
                    self._lead(row.url, self._ends[to], (row.url, *self._ways[to]))
                    further[made.url(row.url, "page")] = row.url
            if not further:
                break
            keys = further

    def _lead(self, url: str, end: str, way: Sequence[str]) -> None:
        if url not in self._ways:
            self._ways[url] = tuple(way)
            self._ends[url] = end

    def _records(self) -> Iterator[_Page]:
        """Give what matters of each record, from the first output that has the links of its pages."""
        self.why_parents = "the job has no output that can be read again"
        for output, rows in self._sources:
            if rows is None:
                continue
            shown = printable(output, SHOWN_CHARS)
            try:
                pages = map(_page, rows)
                first = next(pages, None)
                if first is None:
                    self.why_parents = f"{shown} has no record yet"
                elif first.links is None:
                    self.why_parents = f"the records in {shown} have no field links"
                else:
                    self.why_parents = ""
                    yield first
                    yield from pages
                    return
            except Exception as error:  # noqa: BLE001 - every reader raises its own: gzip, zstd, SQLite, pyarrow, csv
                self.why_parents = f"{shown} cannot be read any further: {printable(str(error), SHOWN_CHARS)}"


def sources_of(config: CrawlConfig, names: Sequence[str] | None = COLUMNS) -> Iterator[tuple[str, Rows | None]]:
    """Give the outputs of a crawl, each with its records read back; None for one that cannot be read again.

    Of tables the columns `names` are read; None is all.
    """
    return ((output, records_of(output, config, names)) for output in config.outputs)


def _page(record: bytes | Mapping[str, Any]) -> _Page:
    if isinstance(record, bytes):
        return _decode(record)
    links = record.get("links")
    if isinstance(links, str):
        links = msgspec.json.decode(links) if links.startswith("[") else []
    return _Page(str(record.get("url") or ""), None if "links" not in record else list(links or ()))


_decode = msgspec.json.Decoder(_Page).decode
