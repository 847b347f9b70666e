"""What a shard shows of itself at the place of its job, for those who ask a job from elsewhere: one small file each.

    <job>/glances/003.json     the counters of shard 3, as its holder last put them there

A whole store need not be fetched to say how a crawl stands. Nothing hangs on these files: one that is old, or is not
there, is told of as that.
"""

import re
from typing import Final

import msgspec
from msgspec import Struct

from crawler.core.stats import CrawlStats
from crawler.shards.place import Place

__all__ = ["Glance", "Glances"]

_NAME: Final = re.compile(r"(\d{3,})\.json")


class Glance(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One shard at unix time `at`, as the holder with this `epoch` saw it.

    `memory_bytes` is what its main process has in memory, `parser_memory_bytes` what its parsers have together.
    """

    shard: int
    epoch: int
    at: float
    stats: CrawlStats
    memory_bytes: int = 0
    parser_memory_bytes: int = 0


class Glances:
    """The glances of a job at its place. Has no state. Raises `StorageError` when the place refuses."""

    def __init__(self, place: Place) -> None:
        self._place = place.at("glances")

    def put(self, glance: Glance) -> None:
        """Put a glance in the place of the one before."""
        self._place.write(f"{glance.shard:03}.json", msgspec.json.encode(glance))

    def all(self) -> dict[int, Glance]:
        """Return what is there, by shard. One that cannot be read, since a later version wrote it, is left out."""
        found = {}
        for name in self._place.names():
            match = _NAME.fullmatch(name)
            content = self._place.read(name) if match else None
            if match and content is not None:
                try:
                    found[int(match[1])] = msgspec.json.decode(content, type=Glance)
                except msgspec.MsgspecError:
                    continue
        return found
