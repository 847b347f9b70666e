"""A page as it came: what a spider sees of it before anything is looked for in its trees. Pure."""

import json
from functools import cached_property
from typing import Any

import msgspec
from turbohtml import Document, parse

from crawler.core.dates import rfc3339
from crawler.core.model import Download
from crawler.page.charset import decoded, encoding_of, parsed
from crawler.page.extract import cut_at_tag, media_type, most_tags
from crawler.page.sniff import HTML_TYPES, sniffed_type
from crawler.page.values import Headers

__all__ = ["NotJsonError", "RawPage"]


class NotJsonError(ValueError):
    """A body is not JSON. Says where it goes wrong, and quotes nothing of it."""


class RawPage:
    """A page as it came: what is known of it before a tree is looked at. All attributes are read-only.

    `download` is the server's answer, with the task that asked for it. Of an HTML page with more tags than
    `max_body_bytes` allows (`page.extract.most_tags`) the rest is not read.

    Its state is what was read so far. It belongs to one thread.
    """

    def __init__(self, download: Download, *, max_body_bytes: int = 10_000_000) -> None:
        self._download = download
        self._task = download.task
        self._answer = download.answer
        self._max_body_bytes = max_body_bytes

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.status} {self.url}>"

    @property
    def download(self) -> Download:
        """The answer as it came from the fetcher."""
        return self._download

    @property
    def url(self) -> str:
        """Where the page was found, in normal form: the last of its redirects."""
        return self._task.url

    @property
    def status(self) -> int:
        """HTTP status. Spiders get 2xx only."""
        return self._answer.status

    @cached_property
    def headers(self) -> Headers:
        """Headers by name, in any case of letters: the first value of each. `headers.all(name)` gives every one."""
        return Headers(self._answer.headers)

    @property
    def body(self) -> bytes:
        """The bytes received, without their Content-Encoding; empty for images and the like, which are not read."""
        return self._answer.body

    @property
    def depth(self) -> int:
        """Links from the seed to here; a seed has 0."""
        return self._task.depth

    @property
    def parent(self) -> str | None:
        """URL of the page on which this one was found first; None for a seed."""
        return self._task.parent

    @property
    def redirected_from(self) -> tuple[str, ...]:
        """The URLs that redirected here, first one first."""
        return self._task.redirected_from

    @cached_property
    def seed(self) -> dict[str, Any] | None:
        """The other columns or keys of the seed's line that led here; None if it had none."""
        extra: dict[str, Any] | None = msgspec.json.decode(self._task.seed.extra)
        return extra

    @property
    def lastmod(self) -> str | None:
        """Time of its last change, as the sitemap says that listed it first; None if none did, or it does not say."""
        return self._task.lastmod or None

    @cached_property
    def fetched_at(self) -> str:
        """When it was fetched: RFC 3339, UTC, milliseconds. `datetime.fromisoformat` reads it."""
        return rfc3339(self._download.fetched_at)

    @cached_property
    def content_type(self) -> str | None:
        """Media type that the server named, lower case, without parameters; None if it named none."""
        return media_type(self._answer.header("content-type"))

    @cached_property
    def sniffed_type(self) -> str | None:
        """Media type that the first bytes show, where the server's cannot be believed; None if it can."""
        return sniffed_type(self.content_type, self.body)

    @cached_property
    def is_html(self) -> bool:
        """Whether the page counts as HTML, by its type and its first bytes. Without a body it does not."""
        return bool(self.body) and (self.sniffed_type or self.content_type) in HTML_TYPES

    @property
    def truncated(self) -> bool:
        """Whether something is missing: a body longer than is read or that ended early, or more tags than are read."""
        return self._answer.truncated or (self.is_html and len(self._read_bytes) < len(self.body))

    @cached_property
    def charset(self) -> str | None:
        """Encoding that `text` was read with: a WHATWG label, lower case; None without a body. Parses an HTML page."""
        if not self.body:
            return None
        if self.is_html:
            return (self._parsed.encoding or "utf-8").lower()
        return encoding_of(self.body, self._answer.header("content-type"))

    @cached_property
    def text(self) -> str:
        """The body as text, without byte-order mark: the source of the page. Bytes that fit no character are U+FFFD."""
        return "" if self.charset is None else decoded(self.body, self.charset)

    def json(self) -> Any:
        """Return what a JSON body holds, parsed once. Raises `NotJsonError`, which says where the body goes wrong.

        As Python's `json` reads it: `NaN` and lone surrogates are let pass, of equal keys the last one counts.
        """
        return self._json

    @cached_property
    def _read_bytes(self) -> bytes:
        """The part of the body that is not too much to parse."""
        return cut_at_tag(self.body, most_tags(self._max_body_bytes))

    @cached_property
    def _markup(self) -> str:
        if len(self._read_bytes) == len(self.body) or self.charset is None:
            return self.text
        return decoded(self._read_bytes, self.charset)

    @cached_property
    def _parsed(self) -> Document:
        """The page's own tree, which no spider sees."""
        if self.is_html:
            return parsed(self._read_bytes, self._answer.header("content-type"))
        return parse(self._markup, positions=False)

    @cached_property
    def _json(self) -> Any:
        try:
            return json.loads(self.text)
        except RecursionError:
            why = "it is nested too deeply"
        except json.JSONDecodeError as error:
            why = f"{error.msg} in line {error.lineno}, column {error.colno}"
        except ValueError:
            why = "it has a number with too many digits"
        raise NotJsonError(f"{self.url} is not JSON: {why} (Content-Type {self.content_type})")
