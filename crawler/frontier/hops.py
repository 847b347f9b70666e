"""With which statuses the URLs redirected that led to a page: their own rows say it."""

from collections.abc import Sequence

from crawler.core.config import CrawlConfig
from crawler.core.model import Sent, TaskKind
from crawler.core.page_fields import page_fields
from crawler.frontier.row import QUEUED
from crawler.frontier.store import Store

__all__ = ["Hops"]


class Hops:
    """Looks the statuses of redirects up, if a record may ask for them: that of a spider may.

    Those of other shards' URLs are kept apart as these tell them. State: those that the open batch is to hold.
    """

    def __init__(self, store: Store, config: CrawlConfig) -> None:
        self._store = store
        self._told: dict[bytes, int] = {}
        self._wanted = config.spider is not None or "redirects" in page_fields(config)

    def statuses(self, hops: Sequence[str], kind: TaskKind = "page") -> tuple[int, ...]:
        """Return the HTTP status of each of these URLs, 0 of one that is due again; empty if nobody asks."""
        if not hops or not self._wanted:
            return ()
        urls = self._store.urls
        keys = [self._store.keys.url(hop, kind) for hop in hops]
        statuses = [
            self._elsewhere(key) if value is None else 0 if value[:1] == QUEUED else urls.row(value).status
            for key, value in zip(keys, urls.values(keys), strict=True)
        ]
        return tuple(statuses)

    def learn(self, sent: Sent) -> None:
        """Keep what another shard tells of the redirects to what it has sent."""
        for hop, status in zip(sent.hops, sent.statuses, strict=False):
            if status:
                key = self._store.keys.url(hop, sent.links[0].kind)
                self._told[key] = status
                self._store.redirects.put_status(key, status)

    def committed(self) -> None:
        """Learn that the open batch was committed."""
        self._told.clear()

    def _elsewhere(self, key: bytes) -> int:
        return self._told.get(key) or self._store.redirects.status(key)
