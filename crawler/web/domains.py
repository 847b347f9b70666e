"""Registrable domains of URLs."""

from crawler.web.suffixes import suffix_list
from crawler.web.urls import authority

__all__ = ["Domains"]

_MAX_MEMO = 10_000
# The longest name that DNS can hold (RFC 1035 §2.3.4) with a port. Longer ones are not worth the memory.
_MAX_MEMO_HOST = 253 + len(":65535")


class Domains:
    """Registrable domains of URLs. Its only state is the memo: authority -> domain."""

    def __init__(self) -> None:
        self._extract = suffix_list(private=False)
        self._memo: dict[str, str] = {}

    def of(self, url: str) -> str:
        """Return the registrable domain of a URL in normal form, or its host name if it has none."""
        host = authority(url)
        domain = self._memo.get(host)
        if domain is None:
            domain = self._registrable(host)
            if len(self._memo) >= _MAX_MEMO:
                self._memo.clear()
            if len(host) <= _MAX_MEMO_HOST:
                self._memo[host] = domain
        return domain

    def _registrable(self, host: str) -> str:
        if host.startswith("["):
            return host.rpartition(":")[0] if host[-1] != "]" else host
        name = host.partition(":")[0].removesuffix(".")
        labels = name.split(".")
        # In normal form a name whose last label is a number is an IPv4 address (WHATWG "ends in a number checker").
        if len(labels) == 1 or labels[-1].isdigit():
            return name
        found = self._extract.extract_str(name)
        if not found.suffix:
            return ".".join(labels[-2:])
        return found.top_domain_under_public_suffix or name
