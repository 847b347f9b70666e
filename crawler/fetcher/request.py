"""What a URL is asked for with: its deadline, its body cap, and headers that are not for every server."""

from collections.abc import Iterable

from crawler.core.config import CrawlConfig
from crawler.core.model import Exchange, Failure, Task
from crawler.fetcher.cookies import CookieJars
from crawler.fetcher.transport.base import FetchRequest, FetchResult
from crawler.fetcher.transport.headers import request_headers
from crawler.web.credentials import HeaderPairs, anywhere, confidential
from crawler.web.sitemap_text import MAX_SITEMAP_BYTES
from crawler.web.urls import authority, origin

__all__ = ["Requests"]

_COOKIES = (b"set-cookie", b"set-cookie2")
_ACCEPT_SITEMAP = ("Accept", "application/xml,text/xml;q=0.9,text/plain;q=0.8,*/*;q=0.5")


class Requests:
    """Makes the requests of one crawl, and keeps its cookies if it has any.

    The configured headers that may hold a secret go only to the origin (scheme, host and port) of the seed that led to
    the URL; a transport sends the others by itself. Used in the event loop's thread.
    """

    def __init__(self, config: CrawlConfig) -> None:
        self._timeout_s = config.timeout_s
        self._max_body_bytes = config.max_body_bytes
        self._confidential = confidential(config.headers)
        accepts = any(name.strip().lower() == "accept" for name, _ in config.headers)
        self._for_sitemaps: HeaderPairs = () if accepts else (_ACCEPT_SITEMAP,)
        self.jars = CookieJars() if config.cookies else None
        self._always = request_headers(config) if config.archive else None

    def of(
        self, task: Task, now: float, *, fresh: bool = False, patient: bool = False, last: bool = False
    ) -> FetchRequest:
        """Return the request for a URL; its time is what redirects have left of the URL's. `now` is unix time.

        `fresh`: on a connection of its own. `patient`: it need not give way. `last`: its host has no other task.
        """
        left_s = self._timeout_s - task.spent_s
        headers: HeaderPairs = ()
        if self._confidential and origin(task.url) == origin(task.seed.anchors[0]):
            headers = self._confidential
        if self.jars is not None:
            headers = _with_cookies(headers, self.jars.header(task.url, now))
        if task.kind == "sitemap":
            headers += self._for_sitemaps
        most = self._max_body_bytes if task.kind == "page" else MAX_SITEMAP_BYTES
        return FetchRequest(task.url, headers, left_s, most, fresh=fresh, patient=patient, last=last)

    def exchange(self, request: FetchRequest, result: FetchResult | Failure) -> Exchange | None:
        """Return what an archive keeps of an exchange beside the body; None if there is no answer, or no archive.

        What may hold a secret is left out: headers that not every server may see, cookies among them, and where such
        a header was sent, or cookies are kept, also the cookies that the answer sets.
        """
        if self._always is None or isinstance(result, Failure):
            return None
        own = {name.strip().lower(): (name.strip(), value.strip()) for name, value in anywhere(request.headers)}
        sent = {name.lower(): (name, value) for name, value in self._always.items()} | own
        pairs = [("Host", authority(request.url)), *sent.values()]
        received = result.raw_headers or _raw(result.headers)
        if self.jars is not None or confidential(request.headers):
            received = tuple(pair for pair in received if pair[0].lower() not in _COOKIES)
        return Exchange(result.version, result.reason, _raw(pairs), received, result.address)

    def answered(self, result: FetchResult, now: float) -> None:
        """Take the cookies of an answer, if cookies are kept. `now` is unix time."""
        if self.jars is not None:
            self.jars.take(result.url, [value for name, value in result.headers if name == "set-cookie"], now)


def _raw(pairs: Iterable[tuple[str, str]]) -> tuple[tuple[bytes, bytes], ...]:
    return tuple((name.encode("utf-8", "replace"), value.encode("utf-8", "replace")) for name, value in pairs)


def _with_cookies(headers: HeaderPairs, cookies: str | None) -> HeaderPairs:
    """`headers` with cookies from a jar after those that the configuration has, in one header (RFC 6265 §5.4)."""
    if cookies is None:
        return headers
    configured = [value for name, value in headers if name.strip().lower() == "cookie"]
    others = tuple(pair for pair in headers if pair[0].strip().lower() != "cookie")
    return (*others, ("Cookie", "; ".join([*configured, cookies])))
