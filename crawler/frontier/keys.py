"""The keys by which a job's store knows URLs and hosts: hashes with a number of the job's own.

xxh3 is quick and no protection by itself: whoever knows it can find two URLs, hosts or bodies with one hash, and the
second would count as the first. Nobody outside knows the number. Jobs of earlier versions have none, which is 0.
"""

import secrets

from msgspec import Struct

from crawler.core.model import TaskKind
from crawler.web.urls import host_key, task_key

__all__ = ["Keys", "new_seed"]


def new_seed() -> int:
    """Return the number of a new job: 64 random bits."""
    return secrets.randbits(64)


class Keys(Struct, frozen=True):
    """Makes the keys of one job. `seed` is its number."""

    seed: int = 0

    def url(self, url: str, kind: TaskKind) -> bytes:
        """Return the 16 bytes by which a URL in normal form is known when it is asked for as `kind`."""
        return task_key(url, kind, self.seed)

    def host(self, url: str) -> bytes:
        """Return the 8 bytes by which the host of a URL in normal form is known."""
        return host_key(url, self.seed)

    def authority(self, host: str) -> bytes:
        """Return the same key for a host by its authority: its name, and its port if that is not usual."""
        return self.host(f"http://{host}/")
