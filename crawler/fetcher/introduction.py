"""Whether a crawl says who runs it, where that matters: on hosts of other people."""

import logging
from typing import Final

from crawler.core.config import CrawlConfig
from crawler.core.contact import has_contact
from crawler.fetcher.transport.guard import AddressGuard

__all__ = ["Introduction"]

_log = logging.getLogger(__name__)

_MOST_KEPT: Final = 1_000


class Introduction:
    """Warns once in a run when a public host has answered, and nobody could be reached about the crawl.

    A program that has set up no logging is not warned. State: whether there is anything left to watch for, and
    addresses that were judged to be no public ones: that takes 3 µs each time, in 60 calls.
    """

    def __init__(self, config: CrawlConfig) -> None:
        said = [
            config.identification,
            *(value for name, value in config.headers if name.lower() in ("user-agent", "from")),
        ]
        self._guard = AddressGuard()
        self._private: set[str] = set()
        self.is_settled = any(map(has_contact, said))

    def met(self, address: str | None) -> None:
        """Learn that a host at this address has answered."""
        if self.is_settled or address is None or address in self._private:
            return
        if self._guard.refuses(address) is not None:
            if len(self._private) < _MOST_KEPT:
                self._private.add(address)
            return
        self.is_settled = True
        if _log.hasHandlers():
            _log.warning("the servers are not told whom to ask about this crawl: --contact MAIL or URL says it")
