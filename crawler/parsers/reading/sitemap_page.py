"""What follows from a sitemap that was fetched: the pages and the other sitemaps that it names."""

from collections.abc import Sequence

from crawler.core.config import ScopeKind
from crawler.core.model import Done, Download, Link, Task, TaskKind
from crawler.web.redirect import redirect_scope
from crawler.web.scope import Scope
from crawler.web.sitemap import Entry, SitemapError, read_sitemap
from crawler.web.traps import repeats
from crawler.web.urls import authority

__all__ = ["SitemapReader"]


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

    def read(self, download: Download) -> Done:
        """Return how a sitemap ends: `fetched` with its links and without a record, or `failed: sitemap: <why>`."""
        task, answer = download.task, download.answer
        if not 200 <= answer.status < 300:
            return _failed(download, f"status {answer.status}")
        try:
            sitemap = read_sitemap(answer.body, task.url, answer.header("content-type"), truncated=answer.truncated)
        except SitemapError as error:
            return _failed(download, str(error))
        if sitemap.kind in {"index", "robots"}:
            vouched = sitemap.kind == "robots"
            links = tuple(
                _link(entry, "sitemap", self._sitemap_skip(entry.url, task, vouched=vouched))
                for entry in sitemap.entries
            )
        else:
            links = tuple(_link(entry, "page", self._page_skip(entry.url, task)) for entry in sitemap.entries)
        reason = "sitemap: cut" if sitemap.cut or answer.truncated else "sitemap"
        return Done(task.key, "fetched", reason, answer.status, links=links, body_bytes=answer.body_bytes)

    def _page_skip(self, url: str, task: Task) -> str:
        return self._pages.verdict(url, task.seed.anchors, 0) or ("trap" if repeats(url) else "")

    def _sitemap_skip(self, url: str, task: Task, *, vouched: bool) -> str:
        if vouched or authority(url) == authority(task.url):
            return ""
        return self._sitemaps.verdict(url, task.seed.anchors, 0)


def _link(entry: Entry, kind: TaskKind, skip: str) -> Link:
    url = entry.url
    return Link(url, skip=skip, kind=kind, lastmod=entry.lastmod or "")


def _failed(download: Download, why: str) -> Done:
    answer = download.answer
    return Done(download.task.key, "failed", f"sitemap: {why}", answer.status, body_bytes=answer.body_bytes)
