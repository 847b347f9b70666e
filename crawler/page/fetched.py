"""How a page was fetched: what is known of it before anything in it is read. Pure."""

from typing import Any

import msgspec

from crawler.core.dates import rfc3339
from crawler.core.http_date import http_date
from crawler.core.ip_address import address_text
from crawler.core.model import Download
from crawler.core.record import Redirect, redirects
from crawler.page.once import once
from crawler.page.values import Headers

__all__ = ["Fetched"]


class Fetched:
    """An answer of a server, and how it came. All attributes are read-only.

    `download` is the answer, with the task that asked for it.
    """

    def __init__(self, download: Download) -> None:
        self._download = download
        self._task = download.task
        self._answer = download.answer

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
        """HTTP status. Spiders get 2xx only, unless they ask for all."""
        return self._answer.status

    @once
    def headers(self) -> Headers:
        """Headers by name, in any case of letters: the first value of each. `headers.all(name)` gives every one."""
        return Headers(self._answer.headers)

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

    @once
    def seed(self) -> dict[str, Any] | None:
        """The other columns or keys of the seed's line that led here; None if it had none."""
        extra: dict[str, Any] | None = msgspec.json.decode(self._task.seed.extra)
        return extra

    @property
    def lastmod(self) -> str | None:
        """Time of its last change, as the sitemap says that listed it first; None if none did, or it does not say."""
        return self._task.lastmod or None

    @once
    def fetched_at(self) -> str:
        """When it was fetched: RFC 3339, UTC, milliseconds. `datetime.fromisoformat` reads it."""
        return rfc3339(self._download.fetched_at)

    @property
    def etag(self) -> str | None:
        """ETag of the answer, as sent; None if it has none."""
        return self._answer.header("etag")

    @property
    def last_modified(self) -> str | None:
        """Last-Modified of the answer: RFC 3339, UTC; None if it has none, or one that is no date."""
        value = self._answer.header("last-modified")
        at = None if value is None else http_date(value.strip(), self._download.fetched_at)
        return None if at is None else rfc3339(at)

    @property
    def elapsed_s(self) -> float | None:
        """Seconds from the start of the request to its last byte; None of a page that was not asked for: of a file."""
        attempt = self._download.attempt
        return None if attempt is None else attempt.elapsed_ms / 1000

    @property
    def latency_s(self) -> float | None:
        """Seconds from the start of the request to the complete headers; None as for `elapsed_s`."""
        return None if self._download.attempt is None else round(self._download.latency_s, 3)

    @property
    def address(self) -> str | None:
        """IP address that answered; None as for `elapsed_s`."""
        attempt = self._download.attempt
        return None if attempt is None else address_text(attempt.address) or None

    @property
    def attempts(self) -> int | None:
        """Requests that were made for the page, this one included; None as for `elapsed_s`."""
        return None if self._download.attempt is None else self._task.attempts + 1

    @property
    def redirects(self) -> tuple[Redirect, ...]:
        """`redirected_from` with the status of each, None where it is not known."""
        return redirects(self._task.redirected_from, self._task.hop_statuses)
