"""What a URL is asked for with: its deadline, its body cap, and headers that are not for every server."""

from crawler.config import CrawlConfig
from crawler.cookies import CookieJars
from crawler.credentials import Headers, confidential
from crawler.model import Task
from crawler.sitemap_body import MAX_SITEMAP_BYTES
from crawler.transport.base import FetchRequest, FetchResult
from crawler.urls import origin

__all__ = ["Requests"]

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
        self._for_sitemaps: Headers = () if accepts else (_ACCEPT_SITEMAP,)
        self.jars = CookieJars() if config.cookies else None

    def of(self, task: Task, now: float) -> FetchRequest:
        """Return the request for a URL; its time is what redirects have left of the URL's. `now` is unix time."""
        left_s = self._timeout_s - task.spent_s
        headers: Headers = ()
        if self._confidential and origin(task.url) == origin(task.seed.anchors[0]):
            headers = self._confidential
        if self.jars is not None:
            headers = _with_cookies(headers, self.jars.header(task.url, now))
        if task.kind == "sitemap":
            return FetchRequest(task.url, headers + self._for_sitemaps, left_s, MAX_SITEMAP_BYTES)
        return FetchRequest(task.url, headers, left_s, self._max_body_bytes)

    def answered(self, result: FetchResult, now: float) -> None:
        """Take the cookies of an answer, if cookies are kept. `now` is unix time."""
        if self.jars is not None:
            self.jars.take(result.url, [value for name, value in result.headers if name == "set-cookie"], now)


def _with_cookies(headers: Headers, cookies: str | None) -> Headers:
    """`headers` with cookies from a jar after those that the configuration has, in one header (RFC 6265 §5.4)."""
    if cookies is None:
        return headers
    configured = [value for name, value in headers if name.strip().lower() == "cookie"]
    others = tuple(pair for pair in headers if pair[0].strip().lower() != "cookie")
    return (*others, ("Cookie", "; ".join([*configured, cookies])))
