"""With which statuses the URLs redirected that led to a page: their own rows say it."""

from collections.abc import Sequence

from crawler.core.config import CrawlConfig
from crawler.core.model import TaskKind
from crawler.core.page_fields import page_fields
from crawler.frontier.row import QUEUED
from crawler.frontier.store import Store

__all__ = ["Hops"]


class Hops:
    """Looks the statuses of redirects up, if a record may ask for them: that of a spider may. Has no state."""

    def __init__(self, store: Store, config: CrawlConfig) -> None:
        self._store = store
        self._wanted = config.spider is not None or "redirects" in page_fields(config)

    def statuses(self, hops: Sequence[str], kind: TaskKind = "page") -> tuple[int, ...]:
        """Return the HTTP status of each of these URLs, 0 of one that is due again; empty if nobody asks."""
        if not hops or not self._wanted:
            return ()
        urls = self._store.urls
        values = urls.values([self._store.keys.url(hop, kind) for hop in hops])
        return tuple([0 if value is None or value[:1] == QUEUED else urls.row(value).status for value in values])
