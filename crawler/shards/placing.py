"""On which machine a shard goes: pure functions over the machines that are there and the shards that they hold."""

import math
from collections.abc import Mapping, Sequence

from msgspec import Struct

__all__ = ["Node", "move", "place"]

_LEAST_CORES = 0.01


class Node(Struct, frozen=True):
    """A machine, or a part of one, that can hold shards.

    `id` names it for whoever starts processes, `name` for people. `disk` names the disk on which working folders lie
    there: a shard can go on from its own folder on any node with the same. `leaving`: it goes soon, and gets nothing.
    """

    id: str
    cores: float
    disk: str
    name: str = ""
    leaving: bool = False

    def load(self, shards: int) -> float:
        """Return how much work a core has there, with so many shards."""
        return shards / max(self.cores, _LEAST_CORES)


def place(
    nodes: Sequence[Node], held: Mapping[str, int], shards: int, home: str | None, *, avoid: str | None = None
) -> Node | None:
    """Return the node for one of `shards` shards that nobody holds; None if there is none.

    One that leaves is taken only if all do: a crawl with nowhere else to go works on until they have gone.
    `held` counts, by node, the shards there: the one with the least load is taken. `home` is the disk that the shard's
    folder lies on: nodes with that come first, as long as they have no more than their part. `avoid` is a disk where
    it could not start: only if there is no other.
    """
    staying = [node for node in nodes if not node.leaving] or list(nodes)
    cores = sum(node.cores for node in staying)

    def has_room(node: Node) -> bool:
        return held.get(node.id, 0) < math.ceil(shards * node.cores / max(cores, _LEAST_CORES))

    others = [node for node in staying if node.disk != avoid] if avoid is not None else []
    at_home = [node for node in staying if node.disk == home and has_room(node)] if avoid is None else []
    return min(
        at_home or others or staying,
        key=lambda node: (node.load(held.get(node.id, 0) + 1), node.id),
        default=None,
    )


def move(nodes: Sequence[Node], held: Mapping[str, Sequence[int]], settled: frozenset[str]) -> int | None:
    """Return a shard that is better moved to another machine, None if all is well.

    `held` has the shards of each node. Only a node in `settled` is worth a move. A shard moves if the load of the node
    where it goes is then less than that of its own was, so that no shard goes to and fro. From a leaving node all go.
    """
    staying = [node for node in nodes if not node.leaving]
    if not staying:
        return None
    for node in nodes:
        if node.leaving and (shards := held.get(node.id)):
            return min(shards)
    most = max(staying, key=lambda node: (node.load(len(held.get(node.id, ()))), node.id))
    worth = [node for node in staying if node.id in settled and node is not most]
    if not worth:
        return None
    least = min(worth, key=lambda node: (node.load(len(held.get(node.id, ())) + 1), node.id))
    if least.load(len(held.get(least.id, ())) + 1) < most.load(len(held.get(most.id, ()))):
        return max(held[most.id])
    return None
