"""Links between the places of one scope that were left out before it was known to be one.

A seed that redirects has two places in its scope, or more: where it stood, and where it led. Another seed may have led
to pages of one of them before, whose links to the other were out of its own scope. Such a page is read again for the
seed that has both.

Where pages lie in several shards, the URL that was left out may be in one and the page that leads to it in another.
Then the former knows that the page is to be read again, and asks the latter for it.

With scope `page` no page is, since its links are not followed: only sitemaps, and redirects of pages that they list,
are judged by the scope of a seed then.
"""

from collections.abc import Collection, Iterable

from msgspec import structs

from crawler.core.config import CrawlConfig
from crawler.core.model import SeedContext
from crawler.frontier.outbox import Outbox
from crawler.frontier.row import QUEUED, UrlRow
from crawler.frontier.store import Store
from crawler.web.redirect import redirect_scope

__all__ = ["JoinedScopes"]


class JoinedScopes:
    """The scopes of seeds that redirected, as of the last commit. State: which pages were read again for which seed.

    `outbox`: where another shard is asked to read a page again; None if there is none.
    """

    def __init__(self, store: Store, config: CrawlConfig, outbox: Outbox | None = None) -> None:
        self._store = store
        self._outbox = outbox
        self._scope = redirect_scope(config.scope, config.include, config.exclude, None)
        self._follows_links = config.scope != "page"
        self._tried: set[tuple[bytes, int]] = set()

    def may_let_in(self, outcomes: Collection[str]) -> bool:
        """Whether something may come in when a scope grows, by how URLs have ended as yet (`Counters.outcomes`)."""
        if self._outbox is not None:
            return True  # what was left out may be in another shard
        if "skipped: scope" not in outcomes:
            return False
        return self._follows_links or any(outcome.startswith("fetched: sitemap") for outcome in outcomes)

    def wanted(self) -> dict[bytes, UrlRow]:
        """Return the pages by their keys that other shards want to have read again, and take them as done."""
        found: dict[bytes, UrlRow] = {}
        for key, seed in self._store.rereads.all():
            if key in found:
                continue  # for this seed with the next look
            self._store.rereads.done(key, seed)
            (value,) = self._store.urls.values([key])
            if value is not None and value[:1] != QUEUED and self._leads_on(page := self._store.urls.row(value)):
                found[key] = structs.replace(page, seed=seed)
        return found

    def pages(self, skipped: Iterable[UrlRow], found: dict[bytes, UrlRow]) -> bool:
        """Add the pages to be read again, each with the seed that it is read for, of URLs out of scope.

        True if another shard was asked for one.
        """
        by_place: dict[str, list[SeedContext]] = {}
        for seed in self._store.seeds(foreign=True):
            if len(seed.anchors) > 1:
                for place in {self._scope.place(anchor) for anchor in seed.anchors}:
                    by_place.setdefault(place, []).append(seed)
        asked = False
        for row in skipped if by_place else ():
            seeds = by_place.get(self._scope.place(row.url), ())
            covering = [seed for seed in seeds if self._lets_in(row, seed)]
            if covering:
                asked |= self._add(row, covering, found)
        return asked

    def _lets_in(self, row: UrlRow, seed: SeedContext) -> bool:
        # Filters are for pages. Costly ones are for parsers: the page is read again, and what it leads to judged there.
        if row.is_sitemap or self._scope.is_costly:
            return self._scope.covers(row.url, seed.anchors)
        return not self._scope.verdict(row.url, seed.anchors, 0)

    def _leads_on(self, page: UrlRow) -> bool:
        return self._follows_links or page.is_sitemap or page.outcome == "redirected"

    def _add(self, row: UrlRow, seeds: list[SeedContext], found: dict[bytes, UrlRow]) -> bool:
        """Add what led to a URL, if one of the seeds has that in its scope, too. True if another shard was asked."""
        key = self._store.keys.url(row.redirected_from[-1], row.kind) if row.redirected_from else row.parent
        (value,) = self._store.urls.values([key])
        if value is None or key in found:
            url = row.redirected_from[-1] if row.redirected_from else row.parent_url
            return value is None and url is not None and self._ask(key, url, seeds)
        page = self._store.urls.row(value)
        if not self._leads_on(page):
            return False
        for seed in seeds:
            if self._is_new(key, page.url, seed):
                found[key] = structs.replace(page, seed=seed.number)
                return False
        return False

    def _ask(self, key: bytes, url: str, seeds: list[SeedContext]) -> bool:
        """Ask the shard that owns a URL to read it again for those seeds that have it in their scope."""
        if self._outbox is None or self._outbox.elsewhere.owns(url):
            return False
        wanted = [seed for seed in seeds if self._is_new(key, url, seed)]
        for seed in wanted:
            self._outbox.want_again(key, url, seed.number)
        return bool(wanted)

    def _is_new(self, key: bytes, url: str, seed: SeedContext) -> bool:
        """Whether a seed has a URL in its scope that was not read again for it."""
        if (key, seed.number) in self._tried or not self._scope.covers(url, seed.anchors):
            return False
        self._tried.add((key, seed.number))
        return True
