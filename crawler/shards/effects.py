"""What the coordinator wants done: whoever drives it does these in order, each whole before the next."""

from msgspec import Struct

from crawler.shards.messages import Start
from crawler.shards.state import ClusterState

__all__ = ["Confirm", "Effect", "EndShard", "Save", "StartShard", "Tell"]


class Save(Struct, frozen=True):
    """Make `state` durable as number `state.number`, which must not be there.

    If it is there, this coordinator has been replaced: it ends at once, and answers nobody.
    """

    state: ClusterState


class Confirm(Struct, frozen=True):
    """See that no state above `number` is there. If one is, this coordinator has been replaced, as for `Save`."""

    number: int


class StartShard(Struct, frozen=True):
    """Start a process on the node `node` that holds a shard. One that fails, or comes late, does no harm."""

    node: str
    start: Start


class EndShard(Struct, frozen=True):
    """End, by force, what was started for `shard` with `epoch` or an earlier one, and is there still."""

    shard: int
    epoch: int


class Tell(Struct, frozen=True):
    """Write a line to the log."""

    text: str


Effect = Save | Confirm | StartShard | EndShard | Tell
