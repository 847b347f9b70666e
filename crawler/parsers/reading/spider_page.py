"""What a spider, or fields found by selectors, make of a page: its records, and which of its links are followed."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import msgspec
from xxhash import xxh3_128_digest

from crawler.core.model import Done, Download, Field, Link
from crawler.page.page import Page
from crawler.page.values import Follow
from crawler.parsers.reading.new_links import NewLinks
from crawler.parsers.spiders.encode import RecordError, encode_record, is_record
from crawler.web.redirect import followed, refresh_target
from crawler.web.robots import directives
from crawler.web.scope import Scope
from crawler.web.urls import LinkResolver

__all__ = ["SpiderReader"]


class _Reading(msgspec.Struct, frozen=True):
    """What a page came to before its links were judged: its records as lines, and what is to be followed.

    `hrefs` are (URL in normal form, its `nofollow`); `nofollow` says that of all. `missing` names the required field
    that the page does not have, if one is missing.
    """

    records: bytes
    hrefs: list[tuple[str, bool]]
    nofollow: bool
    missing: str = ""


def _values(returned: Any) -> Iterator[Any]:
    """Give, one by one, the records and the `Follow`s that a spider returned or yields. None is nothing."""
    several = isinstance(returned, Iterable) and not isinstance(returned, str | bytes | Follow)
    for value in returned if several and not is_record(returned) else (returned,):
        if isinstance(value, list | tuple) and not is_record(value):
            yield from _values(value)
        elif value is not None:
            yield value


class SpiderReader:
    """Reads pages with a spider, or by selectors if there is none. Keeps nothing of them.

    `fields` are those of `ParserSettings`; so are `max_links`, `max_body_bytes` and `user_agent`. `obey` says that
    robots directives of pages count. `near` asks for the SimHash of each page.
    """

    def __init__(
        self,
        spider: Callable[[Page], Any] | None,
        selectors: tuple[Field, ...],
        *,
        fields: Sequence[str] | None,
        links: NewLinks,
        redirect_scope: Scope,
        resolver: LinkResolver,
        max_links: int,
        max_body_bytes: int,
        user_agent: str,
        obey: bool,
        near: bool,
    ) -> None:
        self._spider = spider
        self._selectors = selectors
        self._fields = fields
        self._links = links
        self._redirect_scope = redirect_scope
        self._resolver = resolver
        self._max_links = max_links
        self._max_body_bytes = max_body_bytes
        self._user_agent = user_agent
        self._obey = obey
        self._near = near

    def read(self, download: Download) -> Done:
        """Return how a page ends: see `read_page`."""
        return self.read_page(self.page(download))

    def page(self, download: Download) -> Page:
        """Return what the spider gets of an answer."""
        return Page(download, self._resolver, max_links=self._max_links, max_body_bytes=self._max_body_bytes)

    def read_page(self, page: Page) -> Done:
        """Return how a page ends: `fetched` with the records of its spider, or as `reading.parse.parse_page` does.

        Only answers with a 2xx status are read; the others have no record and lead nowhere. Of the links, those are
        followed that the spider asks for; without a spider, all. A record that cannot be written ends the page as
        `failed: record: <what is wrong>`. Raises what the spider raises.
        """
        download = page.download
        task, answer = download.task, download.answer
        if not 200 <= answer.status < 300:
            return self._done(page, b"", ())
        target = None if page.extracted is None else refresh_target(page.url, page.extracted.refresh)
        if target is not None:
            status, spent_s = answer.status, download.spent_s
            moved = followed(task, target, status=status, spent_s=spent_s, scope=self._redirect_scope)
            return msgspec.structs.replace(moved, body_bytes=answer.body_bytes)
        try:
            reading = self._reading(page)
        except RecordError as error:
            reason, detail = f"record: {error.reason}", f"{page.url}: {error}"
            return Done(task.key, "failed", reason, answer.status, body_bytes=answer.body_bytes, detail=detail)
        links = self._links.take(task, reading.hrefs, nofollow=reading.nofollow)
        return self._done(page, reading.records, links, f"no {reading.missing}" if reading.missing else "")

    def _reading(self, page: Page) -> _Reading:
        asked = self._asked(page)
        follow: list[Follow] = []
        missing = ""
        if self._spider is None:
            found = self._found(page, noindex="noindex" in asked)
            missing, lines = (found, []) if isinstance(found, str) else ("", [found] if found else [])
            follow.append(page.follow())
        else:
            lines = []
            for value in _values(self._spider(page)):
                if isinstance(value, Follow):
                    follow.append(value)
                else:
                    lines.append(encode_record(value, self._fields))
        return _Reading(b"".join(lines), self._hrefs(page, follow), "nofollow" in asked, missing)

    def _found(self, page: Page, *, noindex: bool) -> bytes | str:
        """Return the record of a page whose fields selectors find, or the name of a required one that is missing.

        A page that no selector can find anything in, such as an image, has none.
        """
        from crawler.page.fields.find import find  # noqa: PLC0415 - not for spiders

        if not page.body:
            return b""
        values = find(page, self._selectors)
        if isinstance(values, str):
            return values
        own = self._record(page, noindex=noindex)
        return encode_record({**own, **values})

    def _record(self, page: Page, *, noindex: bool) -> dict[str, Any]:
        fields = self._fields or ()
        if tuple(fields) == ("url",):
            return {"url": page.url}
        record = page.record()
        if noindex:
            record |= {"title": None, "description": None, "text": None}
        record["lastmod"] = page.lastmod
        if "simhash" in fields:
            record["simhash"] = None if page.simhash is None or noindex else f"{page.simhash:016x}"
        return {name: record[name] for name in fields}

    def _asked(self, page: Page) -> frozenset[str]:
        """What robots directives the page has for this crawler, as far as they count."""
        tags = page.headers.all("x-robots-tag")
        meta = None if page.extracted is None else page.extracted.meta_robots
        if not self._obey or not (tags or meta):
            return frozenset()
        return directives(list(tags), meta, self._user_agent)

    def _hrefs(self, page: Page, follow: list[Follow]) -> list[tuple[str, bool]]:
        """Return what is to be followed, each URL once, with what the page says about it."""
        if not follow:
            return []
        own = {} if page.extracted is None else dict(page.extracted.hrefs)
        urls: dict[str, bool] = {}
        for one in follow:
            # One that was made by hand may be in any form.
            named = own if one.everything else filter(None, map(page.urljoin, one.urls))
            for url in named:
                if len(urls) >= self._max_links:
                    break
                urls[url] = own.get(url, False)
        return list(urls.items())

    def _done(self, page: Page, records: bytes, links: tuple[Link, ...], reason: str = "") -> Done:
        answer = page.download.answer
        return Done(
            page.download.task.key,
            "fetched",
            reason,
            answer.status,
            records=records,
            links=links,
            body_bytes=answer.body_bytes,
            body_hash=xxh3_128_digest(answer.body) if answer.body else b"",
            simhash=page.simhash if self._near else None,
        )
