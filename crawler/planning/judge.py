"""What other settings say to a URL that a job has met: asked for, left out by a rule, or admitted where it was not."""

from typing import Final

from crawler.core.config import CrawlConfig
from crawler.core.errors import ConfigError
from crawler.frontier.gate import HELD_BACK
from crawler.frontier.row import UrlRow
from crawler.frontier.store import Store
from crawler.planning.by_depth import Judged
from crawler.web.redirect import redirect_scope
from crawler.web.scope import Scope

__all__ = ["ADMITTED", "ASKED", "LEFT_OUT", "PAGE", "Judge"]

PAGE, ASKED, LEFT_OUT, ADMITTED = range(4)
"""A page that the job has; another URL that was asked for or is due; one of these that a rule leaves out; a URL that
was left out then, and is not now.
"""
_LIFTED: Final = frozenset({"scope", "filter", "depth"})
_BY_ROBOTS: Final = frozenset({"robots", "robots-unreachable", "nofollow"})
_KEPT_SEEDS: Final = 65_536


class Judge:
    """Judges rows of a store by other settings. State: the anchors of the seeds that were asked for last."""

    def __init__(self, config: CrawlConfig, store: Store) -> None:
        """Raise `ConfigError` for a pattern that only a parser process may judge, since it may take for ever."""
        limits = config.include, config.exclude
        self._scope = Scope(config.scope, *limits)
        if self._scope.is_costly:
            name = "exclude" if config.exclude else "include"
            raise ConfigError(
                f"{name}: a pattern that looks ahead, looks behind or refers back may take for ever, and only a crawl "
                "can end it: write it without"
            )
        self._listed = Scope("any" if config.scope == "page" else config.scope, *limits)
        self._redirected = redirect_scope(config.scope, *limits, None)
        self._depth = config.depth
        self._ignores = config.robots == "ignore"
        self._per_host = config.max_pages_per_host
        self._store = store
        self._anchors: dict[int, tuple[str, ...]] = {}

    def judged(self, key: bytes, row: UrlRow) -> Judged | None:
        """Return what is thought of a URL; None for one that is no page's, or is left out then and now."""
        if row.is_sitemap:
            return None
        is_skipped = row.outcome == "skipped" and row.reason not in HELD_BACK
        rule = self._rule(row)
        if is_skipped:
            lifted = row.reason in _LIFTED or (self._ignores and row.reason in _BY_ROBOTS)
            if rule or not lifted:
                return None
            kind, rule = ADMITTED, row.reason
        elif rule:
            kind = LEFT_OUT
        else:
            kind = PAGE if row.outcome == "fetched" else ASKED
        hop = self._store.keys.url(row.redirected_from[-1], "page") if row.redirected_from else b""
        return Judged(key, row.parent, hop, self._store.keys.host(row.url), kind, rule)

    def _rule(self, row: UrlRow) -> str:
        """Return the rule that leaves a URL out, empty if none does. Seeds are asked for whatever rules say."""
        if not row.parent and not row.redirected_from:
            return ""
        anchors = self._anchors_of(row.seed)
        if row.url in anchors:
            return ""
        scope = self._redirected if row.redirected_from else self._listed if not row.depth else self._scope
        verdict = scope.verdict(row.url, anchors, 0)
        return verdict or ("depth" if self._depth is not None and row.depth > self._depth else "")

    def _anchors_of(self, number: int) -> tuple[str, ...]:
        anchors = self._anchors.get(number)
        if anchors is None:
            if len(self._anchors) >= _KEPT_SEEDS:
                self._anchors.clear()
            anchors = self._anchors[number] = self._store.seed(number).anchors
        return anchors
