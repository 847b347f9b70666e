"""What follows from a sitemap that was fetched: the pages and the other sitemaps that it names."""

from collections.abc import Sequence

from crawler.core.config import ScopeKind
from crawler.core.model import Done, Download, Kind, Link
from crawler.web.redirect import redirect_scope
from crawler.web.scope import Scope
from crawler.web.sitemap import Entry, SitemapError, read_sitemap
from crawler.web.traps import repeats
from crawler.web.urls import authority, host_key, task_key

__all__ = ["MAX_INDEXES", "SitemapReader"]

MAX_INDEXES = 5
"""Indexes that may stand above a sitemap; the protocol knows one (https://www.sitemaps.org/protocol.html)."""


class SitemapReader:
    """Reads pages of kind `sitemap`, by the settings of the same names in `CrawlConfig`. Keeps nothing of them.

    The pages that a sitemap lists count as seeds, of depth 0: of the settings on what is crawled, `scope` (measured
    from the anchors of the seed that led to the sitemap; not if it is `page`), `include` and `exclude` apply to them,
    and a URL that repeats itself is a trap. Of the sitemaps that another one names, those on its own host are read, and
    those in scope; all that a robots.txt names are, because the protocol lets that vouch for other hosts.
    """

    def __init__(self, scope: ScopeKind, include: Sequence[str], exclude: Sequence[str]) -> None:
        self._pages = Scope("any" if scope == "page" else scope, include, exclude)
        self._sitemaps = redirect_scope(scope, (), (), None)

    def read(self, page: Download) -> Done:
        """Return how a sitemap ends: `fetched` with its links and without a record, or `failed: sitemap: <why>`."""
        if not 200 <= page.status < 300:
            return _failed(page, f"status {page.status}")
        try:
            sitemap = read_sitemap(page.body, page.url, page.header("content-type"), truncated=page.truncated)
        except SitemapError as error:
            return _failed(page, str(error))
        if sitemap.kind in {"index", "robots"}:
            vouched = sitemap.kind == "robots"
            links = tuple(
                _link(entry, "sitemap", self._sitemap_skip(entry.url, page, vouched=vouched))
                for entry in sitemap.entries
            )
        else:
            links = tuple(_link(entry, "page", self._page_skip(entry.url, page)) for entry in sitemap.entries)
        reason = "sitemap: cut" if sitemap.cut or page.truncated else "sitemap"
        return Done(page.key, "fetched", reason, page.status, None, links, page.body_bytes)

    def _page_skip(self, url: str, page: Download) -> str:
        return self._pages.verdict(url, page.seed.anchors, 0) or ("trap" if repeats(url) else "")

    def _sitemap_skip(self, url: str, page: Download, *, vouched: bool) -> str:
        if page.depth >= MAX_INDEXES:
            return "depth"
        if vouched or authority(url) == authority(page.url):
            return ""
        return self._sitemaps.verdict(url, page.seed.anchors, 0)


def _link(entry: Entry, kind: Kind, skip: str) -> Link:
    url = entry.url
    return Link(url, task_key(url, kind), host_key(url), skip, kind, lastmod=entry.lastmod or "")


def _failed(page: Download, why: str) -> Done:
    return Done(page.key, "failed", f"sitemap: {why}", page.status, None, (), page.body_bytes)
