"""When a shard may take a look: not when nothing is left to do in it, but when nothing is in any of them.

What a look decides (`frontier.second_look`, `frontier.leftovers`) follows from what is known by then. In one ring that
is all that can be known. So shards take their looks together: looks have numbers, and somebody who knows of all shards
says when the next one is to be taken. A letter says how many its sender had taken, and nobody takes letters of a later
look than its own: so each shard looks at what was known when the look was called.
"""

from typing import Final

from crawler.frontier.store import Store

__all__ = ["Looks"]

_NAME: Final = "looks"


class Looks:
    """The looks of one shard. State: how many were taken (also in the store), and up to which one may be."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.taken: int = store.meta(_NAME) or 0
        self._called = self._saved = self.taken

    @property
    def is_called(self) -> bool:
        """Whether a look is to be taken."""
        return self._called > self.taken

    def call(self, number: int) -> None:
        """Learn that all shards are to take a look; of one that was taken nothing comes."""
        self._called = max(self._called, number)

    def take(self) -> None:
        """Count the look as taken, before anything is written that comes of it."""
        self.taken = self._called

    def save(self) -> None:
        """Put what was counted into the open batch."""
        if self.taken != self._saved:
            self._saved = self.taken
            self._store.put_meta(_NAME, self.taken)
