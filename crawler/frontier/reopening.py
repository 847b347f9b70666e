"""Making URLs due again that have failed."""

from collections.abc import Collection, Iterator

from msgspec.structs import replace

from crawler.core.counters import Counters
from crawler.core.model import RETRIED_KINDS
from crawler.frontier.discovery import Discovery
from crawler.frontier.row import UrlRow
from crawler.frontier.store import Store

__all__ = ["Reopening"]


class Reopening:
    """Puts rows that ended without an answer back into the queue. Part of the frontier, whose counters it writes."""

    def __init__(self, store: Store, discovery: Discovery, counters: Counters) -> None:
        self._urls = store.urls
        self._discovery = discovery
        self._counters = counters

    def reopen(self, kinds: Collection[str]) -> Iterator[str]:
        """Make each URL due that failed with one of `kinds`, and give it; what was given may be committed meanwhile.

        It begins anew: no attempt is used up, and its redirects have taken no time.
        """
        for key, _, row in self._urls.ended():
            if _kind(row) in kinds:
                self._counters.stale -= bool(row.stale)
                self._discovery.open(key, replace(row, spent_ms=0, status=0, stale=0))
                yield row.url


def _kind(row: UrlRow) -> str:
    """Return with which of `RETRIED_KINDS` a URL failed, empty if with none."""
    kind = row.reason.partition(":")[0]
    if row.outcome == "failed":
        return kind if kind in RETRIED_KINDS else ""
    return kind if row.outcome == "skipped" and kind == "robots-unreachable" else ""
