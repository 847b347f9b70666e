"""What one shard of a job has to know of the others when it is asked about a URL: a value."""

from collections.abc import Callable

from msgspec import Struct

from crawler.core.shard import Shard
from crawler.frontier.store import Store

__all__ = ["AmongShards"]


class AmongShards(Struct, frozen=True):
    """A `shard` of the `job`, as people name it. `is_running`: a crawl runs the job.

    `store_of` returns the store of the shard that owns a URL, None where it is not at hand.
    """

    shard: Shard
    job: str
    is_running: bool
    store_of: Callable[[str], Store | None]
