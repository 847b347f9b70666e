"""How many pages a host and a registrable domain may have: plain limits, that nothing moves."""

from collections.abc import Iterator

from crawler.core.config import CrawlConfig
from crawler.core.model import Done
from crawler.frontier.handed import Handed
from crawler.frontier.out import Out
from crawler.frontier.row import UrlRow
from crawler.frontier.store import Store
from crawler.web.domains import Domains

__all__ = ["DOMAIN_LIMIT", "HOST_LIMIT", "PageLimits"]

HOST_LIMIT, DOMAIN_LIMIT = "host-limit", "domain-limit"
"""Reasons of outcome `skipped`: what `max_pages_per_host` and `max_pages_per_domain` leave no room for."""
_HOST, _DOMAIN = b"p", b"q"
"""Stand behind the key of a host, or of a domain, where its pages are counted."""
_NUMBER_BYTES = 8
_SAMPLED_AT_ONCE = 4
_KEPT = 65_536


class PageLimits:
    """Counts the pages of hosts and domains, as far as there is a limit. Part of the frontier.

    `tasks_at_once` is how many tasks of a host a sample may hand out: what is found meanwhile may come before the rest.
    None without such a limit.

    State: how many pages each has had (also in the store), which of these numbers the open batch is to hold, and how
    many more may come of what is handed out. Of very many, those are kept that change.
    """

    def __init__(self, store: Store, config: CrawlConfig) -> None:
        self._store = store
        self._per_host = config.max_pages_per_host
        self._per_domain = config.max_pages_per_domain
        self.tasks_at_once = max(_SAMPLED_AT_ONCE, 2 * config.per_host) if config.sampled else None
        self._domains = None if self._per_domain is None else Domains()
        self._pages: dict[bytes, int] = {}
        self._out = Out()
        self._unsaved: set[bytes] = set()

    @property
    def apply(self) -> bool:
        """Whether there is a limit at all."""
        return self._per_host is not None or self._per_domain is not None

    def reason(self, host: bytes, row: UrlRow) -> str:
        """Return why a URL of a host cannot be handed out now; empty if it can. What brings no page always can."""
        if row.is_sitemap or row.outcome:
            return ""
        for key, reason, most in self._limits(host, row.url):
            if self._had(key) + self._out.count(key) >= most:
                return reason
        return ""

    def hand_out(self, handed: Handed) -> None:
        """Learn that a task is handed out."""
        if _brings_page(handed):
            self._out.add(handed.task.key, *(key for key, _, _ in self._limits(handed.host, handed.task.url)))

    def take_back(self, handed: Handed) -> None:
        """Learn that a task is handed out no more."""
        self._out.remove(handed.task.key)

    def ended(self, handed: Handed, done: Done) -> None:
        """Learn how a task has ended: it may have been a page."""
        if self.apply and done.outcome == "fetched" and _brings_page(handed):
            for key, _, _ in self._limits(handed.host, handed.task.url):
                self._pages[key] = self._had(key) + 1
                self._unsaved.add(key)

    def save(self) -> None:
        """Put what was counted into the open batch."""
        for key in self._unsaved:
            self._store.put_host(key, self._pages[key].to_bytes(_NUMBER_BYTES, "big"))
        self._unsaved.clear()

    def committed(self) -> None:
        """Learn that the open batch was committed."""
        if len(self._pages) > _KEPT:
            self._pages.clear()

    def _limits(self, host: bytes, url: str) -> Iterator[tuple[bytes, str, int]]:
        """Give for each limit that there is: the key under which pages are counted, the reason, the limit."""
        if self._per_host is not None:
            yield host + _HOST, HOST_LIMIT, self._per_host
        if self._domains is not None and self._per_domain is not None:
            domain = self._store.keys.authority(self._domains.of(url))
            yield domain + _DOMAIN, DOMAIN_LIMIT, self._per_domain

    def _had(self, key: bytes) -> int:
        pages = self._pages.get(key)
        if pages is None:
            pages = self._pages[key] = int.from_bytes(self._store.host(key) or b"", "big")
        return pages


def _brings_page(handed: Handed) -> bool:
    return handed.task.kind == "page" and not handed.outcome
