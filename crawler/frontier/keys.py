"""The keys by which a job's store knows URLs and hosts: hashes with a number of the job's own.

xxh3 is quick and no protection by itself: whoever knows it can find two URLs, hosts or bodies with one hash, and the
second would count as the first. Nobody outside knows the number. Jobs of earlier versions have none, which is 0.
"""

import secrets
from collections.abc import Iterable

from msgspec import Struct

from crawler.core.model import Link, TaskKind
from crawler.web.urls import authority, host_key, task_key, url_key

__all__ = ["HostKeys", "Keys", "new_seed"]

_KEPT = 4_096


def new_seed() -> int:
    """Return the number of a new job: 64 random bits."""
    return secrets.randbits(64)


class Keys(Struct, frozen=True):
    """Makes the keys of one job. `seed` is its number."""

    seed: int = 0

    def url(self, url: str, kind: TaskKind) -> bytes:
        """Return the 16 bytes by which a URL in normal form is known when it is asked for as `kind`."""
        return task_key(url, kind, self.seed)

    def links(self, links: Iterable[Link]) -> list[bytes]:
        """Return the same keys for links."""
        seed = self.seed
        return [
            url_key(link.url, seed) if link.kind == "page" else task_key(link.url, link.kind, seed) for link in links
        ]

    def host(self, url: str) -> bytes:
        """Return the 8 bytes by which the host of a URL in normal form is known."""
        return host_key(url, self.seed)

    def authority(self, host: str) -> bytes:
        """Return the same key for a host by its authority: its name, and its port if that is not usual."""
        return self.host(f"http://{host}/")


class HostKeys:
    """The keys of hosts that were asked for lately. State: these keys, by authority.

    The links of a page lead to few hosts, and to make a key takes three times as long as to look it up.
    """

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._kept: dict[str, bytes] = {}

    def of(self, url: str) -> bytes:
        """Return the key of the host of a URL in normal form."""
        name = authority(url)
        key = self._kept.get(name)
        if key is None:
            if len(self._kept) >= _KEPT:
                self._kept.clear()
            key = self._kept[name] = self._keys.host(url)
        return key
