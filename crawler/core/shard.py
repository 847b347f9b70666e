"""What shards of one crawl say to each other about the links that they send: which shard, how far, what has come.

A shard is a job of its own, which owns the domains that its number stands for (`web.shards`). What a page of one leads
to and another owns is written into an outbox with the end of the page, in rows, and each row has a *mark*.
"""

from typing import Final, NamedTuple

from msgspec import Struct

__all__ = ["SEED_BITS", "START", "Mark", "Parcel", "Receipt", "Shard"]

SEED_BITS: Final = 40
"""Of the number of a seed: a shard has fewer than 10^12 of them."""


class Shard(Struct, frozen=True):
    """One of the `of` shards of a crawl, by its `number`, from 0."""

    number: int
    of: int

    def abroad(self, seed: int) -> int:
        """Return the number by which all other shards know a seed, from the one by which this shard does."""
        return seed if seed >> SEED_BITS else (self.number + 1) << SEED_BITS | seed

    def at_home(self, seed: int) -> int:
        """Return the number by which this shard knows a seed, from the one by which another shard told of it."""
        return seed & ((1 << SEED_BITS) - 1) if self.home(seed) == self.number else seed

    def home(self, seed: int) -> int:
        """Return the number of the shard that was given a seed."""
        return (seed >> SEED_BITS) - 1 if seed >> SEED_BITS else self.number


class Mark(NamedTuple):
    """Where a row stands among all rows from one shard to another: later ones are greater.

    `incarnation` is how often the sender began anew from a checkpoint, `seq` counts its rows to this receiver.
    """

    incarnation: int = 0
    seq: int = 0


START: Final = Mark()
"""Before the first row."""


class Parcel(Struct, frozen=True, array_like=True, gc=False):
    """A row of an outbox on its way. `after` is the mark of the row before it to the same receiver.

    `links` is for the receiver's frontier alone to read (`frontier.letter`).
    """

    sender: int
    mark: Mark
    after: Mark
    links: bytes


class Receipt(Struct, frozen=True, array_like=True, gc=False):
    """How far a receiver is with what one sender has sent.

    Up to `taken` all is committed there; up to `safe` it is in a checkpoint, which no loss of a disk takes away.
    `epoch` is that of the receiver's lease: a later one may have fallen back.
    """

    taken: Mark
    safe: Mark
    epoch: int
