"""What a parser does with a page: a download in, its records and its links out."""

from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from msgspec import Struct
from xxhash import xxh3_128_digest

from crawler.core.config import CrawlConfig, RobotsMode, ScopeKind
from crawler.core.dates import rfc3339
from crawler.core.model import Done, Download, Field, Link
from crawler.core.record import DEFAULT_FIELDS
from crawler.page.extract import Extracted, cut_at_tag, extract, media_type, most_tags, with_breaks
from crawler.page.sniff import HTML_TYPES, sniffed_type
from crawler.parsers.reading.new_links import NewLinks
from crawler.web.redirect import followed, redirect_scope, refresh_target
from crawler.web.robots import directives
from crawler.web.scope import Scope
from crawler.web.urls import LinkResolver

if TYPE_CHECKING:
    from crawler.parsers.reading.sitemap_page import SitemapReader
    from crawler.parsers.reading.spider_page import SpiderReader

__all__ = ["Parse", "ParserSettings", "ParserState", "parse_page"]

_encoder = msgspec.json.Encoder()


class ParserSettings(Struct, frozen=True):
    """The part of `CrawlConfig` that parsing needs; fields mean the same. Crosses to a parser as msgpack.

    `fields` None stands for all that a spider gives. `spider` is the spider as `spiders.spider` packs it, empty without
    one. `archive` says that an output wants the exchanges with servers, `simhash` that near-duplicates are looked for.
    """

    fields: tuple[str, ...] | None
    robots: RobotsMode
    user_agent: str
    scope: ScopeKind
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    depth: int | None
    max_body_bytes: int
    max_links: int
    max_chain: int | None
    parser_memory_bytes: int | None
    selectors: tuple[Field, ...] = ()
    spider: bytes = b""
    archive: bool = False
    simhash: bool = False

    @classmethod
    def of(cls, config: CrawlConfig, spider: bytes = b"") -> "ParserSettings":
        """Take the settings out of a crawl's configuration; `spider` is the crawl's, packed."""
        fields = config.fields
        if fields is None and not spider:
            fields = ("url",) if config.selectors else DEFAULT_FIELDS
        return cls(
            fields=fields,
            robots=config.robots,
            user_agent=config.user_agent,
            scope=config.scope,
            include=config.include,
            exclude=config.exclude,
            depth=config.depth,
            max_body_bytes=config.max_body_bytes,
            max_links=config.max_links,
            max_chain=config.max_chain,
            parser_memory_bytes=config.parser_memory_bytes,
            selectors=config.selectors,
            spider=spider,
            archive=config.archive,
            simhash=config.skip_duplicates == "near",
        )


class ParserState:
    """What one parser keeps between pages: its settings, and two bounded caches (resolved links, links sent)."""

    def __init__(self, settings: ParserSettings) -> None:
        self.settings = settings
        self.want = frozenset(settings.fields or ())
        self.simhash = settings.simhash or "simhash" in self.want
        if self.simhash:
            self.want |= {"text"}  # of which it is made
        self.obey = settings.robots == "obey"
        limits = (settings.scope, settings.include, settings.exclude, settings.depth)
        self.links = NewLinks(Scope(*limits), settings.max_chain, obey=self.obey)
        self.redirect_scope = redirect_scope(*limits)
        self.resolver = LinkResolver()
        # Made at once: what the spider imports takes time, and no page is to pay for it.
        self.reader = self._reader() if settings.spider or settings.selectors else None

    @cached_property
    def sitemaps(self) -> "SitemapReader":
        """What reads sitemaps."""
        from crawler.parsers.reading.sitemap_page import SitemapReader  # noqa: PLC0415 - a tenth of a start, and most crawls need it not

        return SitemapReader(self.settings.scope, self.settings.include, self.settings.exclude)

    def _reader(self) -> "SpiderReader":
        from crawler.parsers.reading.spider_page import SpiderReader  # noqa: PLC0415 - as above
        from crawler.parsers.spiders.spider import unpack_spider  # noqa: PLC0415 - these import much, and most crawls need it not

        settings = self.settings
        return SpiderReader(
            unpack_spider(settings.spider) if settings.spider else None,
            settings.selectors,
            fields=settings.fields,
            links=self.links,
            redirect_scope=self.redirect_scope,
            resolver=self.resolver,
            max_links=settings.max_links,
            max_body_bytes=settings.max_body_bytes,
            user_agent=settings.user_agent,
            obey=self.obey,
            near=settings.simhash,
        )


class Parse(Protocol):
    """What a parser does with a page. Runs in the parser process, so it must be importable there by its name."""

    __qualname__: str

    def __call__(self, download: Download, state: ParserState, /) -> Done:
        """Return how the page ends. An exception ends it as `failed: parser-error: <name of the exception>`."""


def parse_page(download: Download, state: ParserState) -> Done:
    """Return the record of a page, as one JSON line of the chosen fields, and its links, each with its verdict.

    Links are followed from HTML pages with a 2xx status; the record lists the links of every HTML page. `skip` of a
    link is the verdict of scope, or `trap` (see `web.traps`), or `nofollow` when robots are obeyed and the link,
    the page's `<meta name=robots>` or its X-Robots-Tag says so. The page itself, and links sent before (see
    `NewLinks`), are left out. Of a page with too many tags (`most_tags`) the rest is not read, and the record says
    `truncated`. With `noindex` obeyed, `title`, `description` and `text` of the record are null.

    An HTML page with a 2xx status that sends its reader to another URL within ten seconds is a redirect and has no
    record. A sitemap has none either: see `reading.sitemap_page`. What a spider or selectors make of a page is in
    `reading.spider_page`.
    """
    task, answer = download.task, download.answer
    if task.kind == "sitemap":
        return state.sitemaps.read(download)
    if state.reader is not None:
        return state.reader.read(download)
    content_type = answer.header("content-type")
    declared = media_type(content_type)
    sniffed = sniffed_type(declared, answer.body)
    extracted: Extracted | None = None
    asked: frozenset[str] = frozenset()
    links: tuple[Link, ...] = ()
    cut = False
    fingerprint: int | None = None
    if answer.body and (sniffed or declared) in HTML_TYPES:
        succeeded = 200 <= answer.status < 300
        body = cut_at_tag(answer.body, most_tags(state.settings.max_body_bytes))
        cut = len(body) < len(answer.body)
        extracted = extract(
            with_breaks(body), task.url, content_type, state.resolver, state.want, max_links=state.settings.max_links
        )
        if succeeded and (target := refresh_target(task.url, extracted.refresh)) is not None:
            moved = followed(task, target, status=answer.status, spent_s=download.spent_s, scope=state.redirect_scope)
            return msgspec.structs.replace(moved, body_bytes=answer.body_bytes)
        if state.simhash:
            from crawler.web.simhash import simhash  # noqa: PLC0415 - most crawls need it not

            fingerprint = simhash(extracted.text or "")
        if state.obey:
            tags = [value for name, value in answer.headers if name == "x-robots-tag"]
            if tags or extracted.meta_robots:
                asked = directives(tags, extracted.meta_robots, state.settings.user_agent)
        if succeeded:
            links = state.links.take(task, extracted.hrefs, nofollow="nofollow" in asked)
    body_hash = xxh3_128_digest(answer.body) if answer.body else b""
    values = _values(download, extracted, noindex="noindex" in asked)
    values |= {
        "truncated": answer.truncated or cut,
        "content_type": declared,
        "sniffed_type": sniffed,
        "body_hash": body_hash.hex() or None,
        "simhash": None if fingerprint is None or "noindex" in asked else f"{fingerprint:016x}",
    }
    record = _encoder.encode({name: values.get(name) for name in state.settings.fields or ()}) + b"\n"
    return Done(
        task.key,
        "fetched",
        status=answer.status,
        records=record,
        links=links,
        body_bytes=answer.body_bytes,
        body_hash=body_hash,
        simhash=fingerprint,
    )


def _values(download: Download, extracted: Extracted | None, *, noindex: bool) -> dict[str, Any]:
    """Return the fields of a page's record by name; those that are missing are null."""
    task, answer = download.task, download.answer
    values: dict[str, Any] = {
        "url": task.url,
        "status": answer.status,
        "fetched_at": rfc3339(download.fetched_at),
        "depth": task.depth,
        "parent": task.parent,
        "redirected_from": task.redirected_from,
        "body_bytes": answer.body_bytes,
        "links": (),
        "links_dropped": 0,
        "seed": _one_line(task.seed.extra),
        "lastmod": task.lastmod or None,
    }
    if extracted is not None:
        values["charset"] = extracted.charset
        values["language"] = extracted.language
        values["canonical"] = extracted.canonical
        values["links"] = [url for url, _ in extracted.hrefs]
        values["links_dropped"] = extracted.dropped_hrefs
        if not noindex:
            values["title"] = extracted.title
            values["description"] = extracted.description
            values["text"] = extracted.text
    return values


def _one_line(extra: bytes) -> msgspec.Raw:
    """Return a seed's JSON for a record; it stands there as it is, so it must not bring a line feed along."""
    return msgspec.Raw(msgspec.json.format(extra, indent=-1) if b"\n" in extra else extra)
