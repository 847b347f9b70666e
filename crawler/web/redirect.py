"""What follows from an answer that points elsewhere, by its Location or by its `<meta http-equiv=refresh>`."""

from collections.abc import Iterable, Sequence

from crawler.core.config import ScopeKind
from crawler.core.model import Done, Link, Task
from crawler.web.scope import Scope
from crawler.web.traps import alike
from crawler.web.urls import authority, resolve

__all__ = [
    "MAX_REDIRECTS",
    "MAX_REFRESH_S",
    "followed",
    "followed_location",
    "is_redirect",
    "redirect_scope",
    "refresh_target",
]

MAX_REDIRECTS = 10

MAX_REFRESH_S = 10
"""A page that sends its reader on by itself after at most this time counts as a redirect."""


def redirect_scope(kind: ScopeKind, include: Sequence[str], exclude: Sequence[str], depth: int | None) -> Scope:
    """Return the scope that redirects are judged by, from the settings of the same names in `CrawlConfig`.

    It is the crawl's own but for scope `page`: then nothing but seeds and the pages that sitemaps list is asked for,
    and these may move within their host.
    """
    return Scope("host" if kind == "page" else kind, include, exclude, depth)


def followed_location(source: Task, location: str, *, status: int, spent_s: float, scope: Scope) -> Done:
    """Return the outcome of an answer with this Location; see `followed`."""
    target = resolve(source.url, location, strip_session=False)
    return followed(source, target, status=status, spent_s=spent_s, scope=scope)


def is_redirect(status: int, headers: Iterable[tuple[str, str]]) -> bool:
    """Whether an answer only points elsewhere: its body says nothing and is not read (RFC 9110 §15.4)."""
    return 300 <= status < 400 and any(name == "location" for name, _ in headers)


def refresh_target(url: str, refresh: tuple[int, str] | None) -> str | None:
    """Return where the page at `url` redirects by its meta refresh (seconds, target); None if it does not."""
    if refresh is None:
        return None
    delay_s, target = refresh
    return target if delay_s <= MAX_REFRESH_S and target != url else None


def followed(source: Task, target: str | None, *, status: int, spent_s: float, scope: Scope) -> Done:
    """Return the outcome of a redirect: its target becomes a URL of its own, so that each hop passes every check.

    `target` is in normal form, resolved with its session parameters (a server that adds one would look like a loop);
    None if there is no such http(s) URL. `spent_s` is the time that the target's deadline has lost, this fetch
    included. `scope` is that of `redirect_scope`.

    More than ten hops, a loop, and a target that is None end as `failed: redirects`. The target keeps kind, depth
    and lastmod. It counts as in scope if a seed led to it; so does a sitemap on the host of the one before, since
    filters and depth are for pages.
    """
    hops = (*source.redirected_from, source.url)
    if target is None or target in hops or len(hops) > MAX_REDIRECTS:
        return Done(source.key, "failed", "redirects", status)
    link = Link(
        url=target,
        skip=_skip(source, target, scope),
        kind=source.kind,
        alike=alike(source.url, target),
        spent_s=spent_s,
        lastmod=source.lastmod,
    )
    return Done(source.key, "redirected", status=status, links=(link,))


def _skip(source: Task, target: str, scope: Scope) -> str:
    # Without a parent it is a seed, or what one redirected to. A page of depth 0 with a parent is from a sitemap,
    # which may list what leads anywhere.
    if source.depth == 0 and source.parent is None:
        return ""
    if source.kind == "page":
        return scope.verdict(target, source.seed.anchors, source.depth)
    if authority(target) == authority(source.url):
        return ""
    return scope.verdict(target, source.seed.anchors, 0)
