"""A look at the chains of one host as soon as nothing is left to do there, whatever other hosts still do.

As long as a chain is short, a second look (`frontier.second_look`) lets it on without asking what it brings, but on
hosts that have very many pages in chains. Where the URLs of a host are all found on it, that can be said when the host
has nothing left to do, as well as when nobody has. So a blog's older entries need not wait for the end of a crawl that
has a large host in it, or one that sleeps. What is in doubt waits for the second look.
"""

from crawler.core.config import CrawlConfig
from crawler.core.counters import Counters
from crawler.frontier.cut_urls import CutUrls
from crawler.frontier.discovery import Discovery
from crawler.frontier.reach import Limits
from crawler.frontier.row import REOPENABLE
from crawler.frontier.second_look import SecondLook
from crawler.frontier.store import Store
from crawler.frontier.window import Window

__all__ = ["EarlyLook"]

_DEEP = b"d"
"""Stands behind a host's key where its pages in long chains are counted."""
_NUMBER_BYTES = 8
_MOST_RETRIES = 4_096


class EarlyLook:
    """Takes looks at single hosts. Part of the frontier; what it does is in the batch that is open.

    State: how many pages of a host stand in chains longer than the first limit (also in the store), and of which hosts
    that is new.
    """

    def __init__(
        self,
        store: Store,
        window: Window,
        discovery: Discovery,
        second_look: SecondLook,
        *,
        limits: Limits,
        cut_urls: CutUrls,
        config: CrawlConfig,
    ) -> None:
        self._store = store
        self._window = window
        self._discovery = discovery
        self._second_look = second_look
        self._limits = limits
        # With the other scopes a link of another host may lead to any page.
        self._hosts_are_apart = config.scope in {"page", "prefix", "host"}
        self._cut_urls = cut_urls
        self._deep: dict[bytes, int] = {}
        self._counted: set[bytes] = set()

    def fetched(self, host: bytes, chain: int) -> None:
        """Learn of a page that ended at this place of a chain."""
        if self._hosts_are_apart and chain > (self._limits.first_chain or 0):
            self._deep[host] = self._deep_pages(host) + 1
            self._counted.add(host)

    def take(self, counters: Counters) -> None:
        """Let chains on, on hosts that have nothing left to do. Call after a commit."""
        # A page that is to be read again for what is nearer may lead to any number of others.
        if not self._hosts_are_apart or counters.joined or (self._limits.by_depth and counters.stale):
            return
        idle = [host for host in self._cut_urls.hosts if self._window.is_idle(host)]
        if not idle or counters.retrying > _MOST_RETRIES:
            return
        retrying = {self._store.keys.host(row.url) for row in self._store.retries.rows()} if counters.retrying else ()
        for host in idle:
            if host not in retrying:
                self._look_at(host)

    def save(self) -> None:
        """Put what was counted into the open batch."""
        for host in self._counted:
            self._store.put_host(host + _DEEP, self._deep[host].to_bytes(_NUMBER_BYTES, "big"))
        self._counted.clear()

    def _look_at(self, host: bytes) -> None:
        keys = self._cut_urls.take(host)
        if not self._second_look.let_on(host, self._deep_pages(host)):
            return
        for key, value in zip(keys, self._store.urls.values(keys), strict=True):
            if value is not None and value[:1] == REOPENABLE:
                row = self._store.urls.row(value)
                reach = self._limits.reach(row)
                if row.reason == "trap" and not self._limits.cut(reach, host, is_sitemap=row.is_sitemap):
                    self._discovery.open(key, row)

    def _deep_pages(self, host: bytes) -> int:
        if host not in self._deep:
            self._deep[host] = int.from_bytes(self._store.host(host + _DEEP) or b"", "big")
        return self._deep[host]
