"""Which shard of a crawl owns a URL: the one that its registrable domain hashes to, for good.

A domain is what scope and budgets mean by it (`web.domains`): all of its hosts, ports and schemes have one owner. So
what is kept by host or by domain (politeness, robots.txt, budgets, depth) is in one hand.
"""

from xxhash import xxh3_64_intdigest

from crawler.web.domains import Domains
from crawler.web.urls import authority

__all__ = ["Owners", "owner"]

_KEPT = 65_536
_LONGEST_KEPT = 260
"""Characters of a host that is kept: no name that DNS can hold is longer, with its port."""


def owner(url: str, of: int) -> int:
    """Return which of so many shards owns a URL in normal form."""
    return Owners(of).owner(url)


class Owners:
    """The owners of URLs. State: those of hosts that were asked for lately, of 65,536 at most."""

    def __init__(self, of: int) -> None:
        self._of = of
        self._domains = Domains()
        self._kept: dict[str, int] = {}

    def owner(self, url: str) -> int:
        """Return the number of the shard that owns a URL in normal form."""
        host = authority(url)
        number = self._kept.get(host)
        if number is None:
            number = xxh3_64_intdigest(self._domains.of(url).encode()) % self._of
            if len(self._kept) >= _KEPT:
                self._kept.clear()
            if len(host) <= _LONGEST_KEPT:
                self._kept[host] = number
        return number
