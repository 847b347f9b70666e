"""Links between the places of one scope that were left out before it was known to be one.

A seed that redirects has two places in its scope, or more: where it stood, and where it led. Another seed may have led
to pages of one of them before, whose links to the other were out of its own scope. Such a page is read again for the
seed that has both.

With scope `page` no page is, since its links are not followed: only sitemaps, and redirects of pages that they list,
are judged by the scope of a seed then.
"""

from collections.abc import Collection, Iterable

from msgspec import structs

from crawler.core.config import CrawlConfig
from crawler.core.model import SeedContext
from crawler.frontier.row import UrlRow
from crawler.frontier.store import Store
from crawler.web.redirect import redirect_scope

__all__ = ["JoinedScopes"]


class JoinedScopes:
    """The scopes of seeds that redirected, as of the last commit. State: which pages were read again for which seed."""

    def __init__(self, store: Store, config: CrawlConfig) -> None:
        self._store = store
        self._scope = redirect_scope(config.scope, config.include, config.exclude, None)
        self._follows_links = config.scope != "page"
        self._tried: set[tuple[bytes, int]] = set()

    def may_let_in(self, outcomes: Collection[str]) -> bool:
        """Whether something may come in when a scope grows, by how URLs have ended as yet (`Counters.outcomes`)."""
        if "skipped: scope" not in outcomes:
            return False
        return self._follows_links or any(outcome.startswith("fetched: sitemap") for outcome in outcomes)

    def pages(self, skipped: Iterable[UrlRow]) -> list[tuple[bytes, UrlRow]]:
        """Return the pages to be read again, each with the seed that it is read for, of URLs out of scope."""
        by_place: dict[str, list[SeedContext]] = {}
        for seed in self._store.seeds():
            if len(seed.anchors) > 1:
                for place in {self._scope.place(anchor) for anchor in seed.anchors}:
                    by_place.setdefault(place, []).append(seed)
        found: dict[bytes, UrlRow] = {}
        for row in skipped if by_place else ():
            seeds = by_place.get(self._scope.place(row.url), ())
            covering = [seed for seed in seeds if self._lets_in(row, seed)]
            if covering:
                self._add(row, covering, found)
        return list(found.items())

    def _lets_in(self, row: UrlRow, seed: SeedContext) -> bool:
        # Filters are for pages. Costly ones are for parsers: the page is read again, and what it leads to judged there.
        if row.is_sitemap or self._scope.is_costly:
            return self._scope.covers(row.url, seed.anchors)
        return not self._scope.verdict(row.url, seed.anchors, 0)

    def _add(self, row: UrlRow, seeds: list[SeedContext], found: dict[bytes, UrlRow]) -> None:
        """Add what led to a URL, if one of the seeds has that in its scope, too."""
        key = self._store.keys.url(row.redirected_from[-1], row.kind) if row.redirected_from else row.parent
        (value,) = self._store.urls.values([key])
        if value is None or key in found:
            return
        page = self._store.urls.row(value)
        if not (self._follows_links or page.is_sitemap or page.outcome == "redirected"):
            return
        for seed in seeds:
            if (key, seed.number) not in self._tried and self._scope.covers(page.url, seed.anchors):
                self._tried.add((key, seed.number))
                found[key] = structs.replace(page, seed=seed.number)
                return
