"""A page as it came, and what its record is made of. Pure.

Nothing is computed before it is asked for, and each thing at most once.
"""

import json
from contextlib import suppress
from typing import Any

from turbohtml import Document, parse
from xxhash import xxh3_128_digest

from crawler.core.model import Download
from crawler.page.bounds import cut_at_tag, most_tags, with_breaks
from crawler.page.charset import decoded, encoding_of, parsed
from crawler.page.fetched import Fetched
from crawler.page.html import (
    MAX_LINKS,
    Extracted,
    media_type,
    read,
    visible_text,
)
from crawler.page.once import once
from crawler.page.roots import with_few_roots
from crawler.page.sniff import HTML_TYPES, sniffed_type
from crawler.web.urls import LinkResolver

__all__ = ["NotJsonError", "RawPage"]


class NotJsonError(ValueError):
    """A body is not JSON. Says where it goes wrong, and quotes nothing of it."""


class RawPage(Fetched):
    """A page as it came, and what its record is made of. All attributes are read-only.

    `download` is the server's answer, with the task that asked for it. `resolver` remembers resolved links from page to
    page. At most `max_links` links are taken. Of an HTML page with more tags than `max_body_bytes` allows
    (`page.bounds.most_tags`) the rest is not read.

    `content_type` is the media type that the server named, lower case, without parameters, None if it named none;
    `sniffed_type` the one that the first bytes show, where the server's cannot be believed, None if it can. `is_html`
    says whether the page counts as HTML, by its type and its first bytes; without a body it does not.

    Its state is what was read so far, and the page's own tree, which is used up by `visible_text`. It belongs to one
    thread.
    """

    def __init__(
        self,
        download: Download,
        resolver: LinkResolver | None = None,
        *,
        max_links: int = MAX_LINKS,
        max_body_bytes: int = 10_000_000,
    ) -> None:
        super().__init__(download)
        self._resolver = LinkResolver() if resolver is None else resolver
        self._max_links = max_links
        self._max_body_bytes = max_body_bytes
        # What each page is asked for, whatever it is.
        self.content_type = media_type(self._answer.header("content-type"))
        self.sniffed_type = sniffed_type(self.content_type, self._answer.body)
        self.is_html = bool(self._answer.body) and (self.sniffed_type or self.content_type) in HTML_TYPES

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.status} {self.url}>"

    @property
    def body(self) -> bytes:
        """The bytes received, without their Content-Encoding. Without a spider empty for what is not read: images."""
        return self._answer.body

    @property
    def body_bytes(self) -> int:
        """Size of the body received, after decompression; more than that of `body` if that was not read."""
        return self._answer.body_bytes

    @once
    def body_hash(self) -> bytes:
        """16 bytes, the xxh3_128 of the body; empty without one."""
        return xxh3_128_digest(self._answer.body) if self._answer.body else b""

    @property
    def truncated(self) -> bool:
        """Whether something is missing: a body longer than is read or that ended early, or more tags than are read."""
        return self._answer.truncated or (self.is_html and len(self._read_bytes) < len(self._answer.body))

    @once
    def charset(self) -> str | None:
        """Encoding that `text` was read with: a WHATWG label, lower case; None without a body. Parses an HTML page."""
        if not self._answer.body:
            return None
        if self.is_html:
            return (self._parsed.encoding or "utf-8").lower()
        return encoding_of(self._answer.body, self._answer.header("content-type"))

    @once
    def text(self) -> str:
        """The body as text, without byte-order mark: the source of the page. Bytes that fit no character are U+FFFD."""
        return "" if self.charset is None else decoded(self._answer.body, self.charset)

    def json(self) -> Any:
        """Return what a JSON body holds, parsed once. Raises `NotJsonError`, which says where the body goes wrong.

        UTF-8, UTF-16 and UTF-32 are known by their bytes, whatever the header says (RFC 8259 §8.1, RFC 4627 §3); other
        encodings as for `text`. As Python's `json` reads it: `NaN` and lone surrogates are let pass, of equal keys the
        last one counts.
        """
        return self._json

    # What the page says: as in a record.

    @once
    def extracted(self) -> Extracted | None:
        """What a record of the page is made of, but its text; None if it is not HTML. Costs 40 µs."""
        if not self.is_html:
            return None
        self._before_reading()
        return read(self._parsed, self._task.url, self._resolver, max_links=self._max_links)

    @property
    def title(self) -> str | None:
        """Text of the first `<title>`, one line; None if it has none or is not HTML."""
        return None if self.extracted is None else self.extracted.title

    @property
    def description(self) -> str | None:
        """`<meta name="description">`, else `og:description`, one line; None if it has none or is not HTML."""
        return None if self.extracted is None else self.extracted.description

    @property
    def language(self) -> str | None:
        """`lang` of `<html>`, else the language of a `<meta>`, as written; None if it has none or is not HTML."""
        return None if self.extracted is None else self.extracted.language

    @property
    def canonical(self) -> str | None:
        """First `<link rel="canonical">`, absolute, in normal form; None if it has none or is not HTML."""
        return None if self.extracted is None else self.extracted.canonical

    @once
    def links(self) -> tuple[str, ...]:
        """URLs that the page links to, absolute, in normal form, each once, in page order; empty if it is not HTML."""
        return () if self.extracted is None else tuple([url for url, _ in self.extracted.hrefs])

    @property
    def links_dropped(self) -> int:
        """Links of the page that were not looked at, because it has more than are taken; 0 if it is not HTML."""
        return 0 if self.extracted is None else self.extracted.dropped_hrefs

    @once
    def visible_text(self) -> str:
        """What a reader sees, one block a line: the record's `text`. Of a page that is not HTML, its `text`. 85 µs."""
        return visible_text(self._tree_for_text()) if self.is_html else self.text

    @once
    def simhash(self) -> int | None:
        """64-bit SimHash of the visible text (see `web.simhash`); None if too short to tell, or no HTML. 130 µs."""
        from crawler.web.simhash import simhash  # noqa: PLC0415 - most crawls need it not

        return simhash(self.visible_text) if self.is_html else None

    # How it is done.

    def _bytes_to_parse(self) -> bytes:
        """The bytes that the page's own tree is made of: with breaks, which no reader sees and which save memory."""
        return with_breaks(self._read_bytes)

    def _before_reading(self) -> None:
        """Keep what reading takes out of the page's own tree; here nobody else looks at it."""

    def _tree_for_text(self) -> Document:
        """A tree that may be changed: the page's own, once everything else was read from it. It is let go of."""
        _ = self.extracted, self.charset
        tree = self._parsed
        del self._parsed
        return tree

    @once
    def _read_bytes(self) -> bytes:
        """The part of the body that is not too much to parse."""
        return cut_at_tag(self._answer.body, most_tags(self._max_body_bytes))

    @once
    def _markup(self) -> str:
        if len(self._read_bytes) == len(self._answer.body) or self.charset is None:
            return self.text
        return decoded(self._read_bytes, self.charset)

    @once
    def _parsed(self) -> Document:
        """The page's own tree, which no spider sees."""
        if self.is_html:
            return parsed(self._bytes_to_parse(), self._answer.header("content-type"))
        return parse(with_few_roots(self._markup.encode()).decode(), positions=False)

    @once
    def _json(self) -> Any:
        try:
            return json.loads(self._json_text)
        except RecursionError:
            why = "it is nested too deeply"
        except json.JSONDecodeError as error:
            why = f"{error.msg} in line {error.lineno}, column {error.colno}"
        except ValueError:
            why = "it has a number with too many digits"
        cut = ", cut by max_body_bytes or its server" if self._answer.truncated else ""
        raise NotJsonError(f"{self.url} is not JSON: {why} (Content-Type {self.content_type}{cut})")

    @property
    def _json_text(self) -> str:
        body = self._answer.body
        if b"\x1b" not in body:  # JSON has none in it, and encodings that switch by it pass for UTF-8
            with suppress(UnicodeDecodeError):
                return body.decode(json.detect_encoding(body))
        return self.text
