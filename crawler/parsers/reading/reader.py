"""What a parser does with a page: a download in, its records and its links out."""

from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from xxhash import xxh3_128_digest

from crawler.core.model import Answer, Done, Download, Link, SeedContext, SeedRow
from crawler.page.raw_page import RawPage
from crawler.parsers.reading.findings import Finder, Findings
from crawler.parsers.reading.gist import Gist, Gists, gist_of_file
from crawler.parsers.reading.new_links import NewLinks
from crawler.parsers.reading.plain_page import PlainFinder
from crawler.parsers.reading.settings import ParserSettings
from crawler.web.redirect import followed, followed_location, is_redirect, redirect_scope, refresh_target
from crawler.web.robots import directives
from crawler.web.scope import Scope
from crawler.web.urls import LinkResolver, url_key

if TYPE_CHECKING:
    from crawler.parsers.reading.sitemap_page import SitemapReader

__all__ = ["PageReader", "Parse", "parse_page"]

_NOTHING = Findings()


class PageReader:
    """Reads pages, one after the other, as the settings say. Raises `CrawlerError` for a spider that cannot be used.

    State, of the one thread that uses it: two bounded caches (resolved links, links sent), which change speed and
    never an outcome, and the last pages of watched sites.
    """

    def __init__(self, settings: ParserSettings) -> None:
        self.settings = settings
        limits = (settings.scope, settings.include, settings.exclude, settings.depth)
        by_depth = settings.depth is not None
        self.links = NewLinks(Scope(*limits), settings.max_chain, by_depth=by_depth, obey=settings.robots == "obey")
        self._redirect_scope = redirect_scope(*limits)
        self._resolver = LinkResolver()
        self._gists = Gists(settings.hash_seed)
        # Made at once: what a spider imports takes time, and no page is to pay for it.
        self._finder = _finder(settings)

    @cached_property
    def _sitemaps(self) -> "SitemapReader":
        from crawler.parsers.reading.sitemap_page import SitemapReader  # noqa: PLC0415 - a tenth of a start, and most crawls need it not

        return SitemapReader(self.settings.scope, self.settings.include, self.settings.exclude)

    def read(self, download: Download) -> Done:
        """Return how a download ends: see `read_page`, for a sitemap `reading.sitemap_page`, for a redirect `followed`.

        A redirect comes here if only a parser may judge where it leads (`Scope.is_costly`).
        """
        if self._redirect_scope.is_costly and is_redirect(download.answer.status, download.answer.headers):
            return _redirected(download, self._redirect_scope)
        if download.task.kind == "sitemap":
            return self._sitemaps.read(download)
        return self.read_page(self.page(download))

    def page(self, download: Download) -> RawPage:
        """Return what the records of a download are made of; with a spider or selectors it is a `Page`."""
        settings = self.settings
        return self._finder.page(
            download, self._resolver, max_links=settings.max_links, max_body_bytes=settings.max_body_bytes
        )

    def read_page(self, page: RawPage) -> Done:
        """Return how a page ends: `fetched` with its records and with its links, each with its verdict.

        What the records are, and which links are followed, the spider says, or the selectors; they see answers with a
        2xx status alone, unless the settings or the spider say otherwise. Without them there is one record, of an
        answer of any status, and all links are followed.
        Raises what a spider raises; a record that cannot be written ends its page as `failed: record: <what is wrong>`.

        Links are followed from pages with a 2xx status, and those that a spider asks for. `skip` of a link is the
        verdict of scope, or `trap` (see `web.traps`), or `nofollow` when robots are obeyed and the link, the page's
        `<meta name=robots>` or its X-Robots-Tag says so. The page itself, and links sent before (see `NewLinks`), are
        left out. With `noindex` obeyed, some fields of the record are null (see `core.record`). An HTML page with a 2xx
        status that sends its reader to another URL within ten seconds is a redirect and has no record.
        """
        download = page.download
        task, answer = download.task, download.answer
        succeeded = 200 <= answer.status < 300
        if not succeeded and not self._finder.any_status:
            return self._done(page, download, _NOTHING, ())
        extracted = page.extracted
        target = refresh_target(task.url, extracted.refresh) if succeeded and extracted is not None else None
        if target is not None:
            spent_s, scope = download.spent_s, self._redirect_scope
            moved = followed(task, target, status=answer.status, spent_s=spent_s, scope=scope)
            return msgspec.structs.replace(moved, body_bytes=answer.body_bytes)
        asked = self._asked(answer, None if extracted is None else extracted.meta_robots)
        find = self._find_for_rows if task.rows else self._finder.find
        found = find(page, noindex="noindex" in asked)
        hrefs = found.hrefs if succeeded or self.settings.spider else ()
        links = self.links.take(task, hrefs, nofollow="nofollow" in asked) if hrefs else ()
        gist = None
        if succeeded and not page.is_html and not hrefs and answer.body_bytes:
            gist = gist_of_file(answer)
        elif task.watched and succeeded:
            gist = self._gists.take(task, answer.body, hrefs, {link.url for link in links if link.skip})
        done = self._done(page, download, found, links, gist)
        if not self.settings.sampled:
            return done
        seed = self.settings.hash_seed
        return msgspec.structs.replace(done, all_links=b"".join([url_key(url, seed) for url, _ in hrefs]))

    def _find_for_rows(self, page: RawPage, *, noindex: bool) -> Findings:
        """Return what is found in a page that is read once for each row of the seeds that led to it."""
        found = [
            (row.number, self._finder.find(self.page(_of_row(page.download, row)), noindex=noindex))
            for row in page.download.task.rows
        ]
        failed = next((one for _, one in found if one.outcome == "failed"), None)
        if failed is not None:
            return failed
        hrefs = {url: nofollow for _, one in found for url, nofollow in one.hrefs}
        records = tuple([(number, one.records or b"") for number, one in found])
        return msgspec.structs.replace(found[0][1], hrefs=list(hrefs.items()), row_records=records)

    def _asked(self, answer: Answer, meta: str | None) -> frozenset[str]:
        """What robots directives a page has for this crawler, as far as they count; `meta` are those in its HTML."""
        if self.settings.robots != "obey":
            return frozenset()
        tags = [value for name, value in answer.headers if name == "x-robots-tag"]
        return directives(tags, meta, self.settings.user_agent) if tags or meta else frozenset()

    def _done(
        self, page: RawPage, download: Download, found: Findings, links: tuple[Link, ...], gist: Gist | None = None
    ) -> Done:
        task, answer = download.task, download.answer
        return Done(
            task.key,
            found.outcome,
            found.reason,
            answer.status,
            records=found.records,
            links=links,
            body_bytes=answer.body_bytes,
            body_hash=page.body_hash,
            simhash=page.simhash if self.settings.simhash else None,
            detail=found.detail,
            row_records=found.row_records,
            body_key=self._body_key(answer.body),
            pieces=None if gist is None else gist.pieces,
            own_links=b"" if gist is None else gist.links,
            marks=b"" if gist is None else gist.marks,
        )

    def _body_key(self, body: bytes) -> bytes:
        seed = self.settings.hash_seed
        return xxh3_128_digest(body, seed) if seed and body else b""


def _redirected(download: Download, scope: Scope) -> Done:
    task, answer = download.task, download.answer
    location = answer.header("location") or ""
    return followed_location(task, location, status=answer.status, spent_s=download.spent_s, scope=scope)


def _of_row(download: Download, row: SeedRow) -> Download:
    """Return a download as if this row of the seeds alone had led to it."""
    task = download.task
    seed = SeedContext(row.number, task.seed.anchors, row.extra)
    hops = row.redirected_from
    task = msgspec.structs.replace(
        task, seed=seed, redirected_from=hops, hop_statuses=row.hop_statuses, depth=0, parent=None, rows=()
    )
    return msgspec.structs.replace(download, task=task)


def _finder(settings: ParserSettings) -> Finder[Any]:
    if not settings.spider and not settings.select:
        return PlainFinder(settings.fields or ())
    from crawler.parsers.reading.spider_page import SelectorFinder, SpiderFinder  # noqa: PLC0415 - these import much, and most crawls need it not

    if settings.select:
        return SelectorFinder(settings.select, settings.fields or (), any_status=settings.all_statuses)
    from crawler.parsers.spiders.spider import unpack_spider  # noqa: PLC0415 - as above

    return SpiderFinder(
        unpack_spider(settings.spider),
        settings.fields,
        any_status=settings.all_statuses,
        with_seed=settings.seed_records,
    )


class Parse(Protocol):
    """What a parser does with a page. Runs in the parser process, so it must be importable there by its name."""

    __qualname__: str

    def __call__(self, download: Download, reader: PageReader, /) -> Done:
        """Return how the page ends. An exception ends it as `failed: parser-error: <name of the exception>`."""


def parse_page(download: Download, reader: PageReader) -> Done:
    """Return how a download ends: what a parser does unless it is told otherwise."""
    return reader.read(download)
