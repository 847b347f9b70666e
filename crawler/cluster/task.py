"""What all actors of a job are told, and the names by which they find each other."""

from collections.abc import Awaitable, Callable
from typing import Final

from msgspec import Struct

from crawler.core.config import CrawlConfig
from crawler.shards.timing import Timing

__all__ = ["COORDINATOR", "Call", "Task", "shard_name"]

COORDINATOR: Final = "coordinator"
"""The coordinator, among those who can be called."""

Call = Callable[[str, str, bytes], Awaitable[bytes]]
"""Calls a method of an actor by the actor's name, with bytes; ConnectionError if it is gone or does not answer."""


class Task(Struct, frozen=True, kw_only=True):
    """One run of a job.

    `job` is its name, in a namespace of which the actors have theirs. `place` is where it lies, as `Place` takes it.
    `config` has the settings as the user gave them, `spider` the packed spider, empty without one.
    """

    job: str
    place: str
    config: CrawlConfig
    spider: bytes = b""
    timing: Timing = Timing()

    @property
    def namespace(self) -> str:
        """Names of actors are of one job within this."""
        return f"crawler-{self.job}"


def shard_name(shard: int, epoch: int) -> str:
    """Return the name of the actor that holds a shard. One that was stopped may have an older name still."""
    return f"shard-{shard:03}-{epoch}"
