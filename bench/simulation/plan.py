"""What a simulated cluster is like, and what befalls it: all of it drawn from one seed."""

import random
from typing import Literal, NamedTuple

__all__ = ["Blow", "Plan"]

BlowKind = Literal[
    "kill shard",
    "kill in commit",
    "kill coordinator",
    "second coordinator",
    "lose node",
    "lose node and disk",
    "stop shard",
    "stop coordinator",
    "suspend node",
    "cut off node",
    "clock jumps",
    "add node",
    "drain node",
]
"""What may happen.

`kill` is kill -9. A node that is lost ends with all its processes, and comes back later, with its disk or an empty
one. `stop` is SIGSTOP for a while, `suspend` the same for a whole node, whose monotonic clock stands still. `cut off`:
a node reaches no other node and no coordinator, but the web. `second coordinator`: one is started beside the first.
"""
KINDS: tuple[BlowKind, ...] = BlowKind.__args__  # type: ignore[attr-defined]


class Blow(NamedTuple):
    """One thing that happens: when, to which of those that it may happen to (a fraction), for how long."""

    at: float
    kind: BlowKind
    whom: float
    lasts_s: float


class Plan:
    """What a seed stands for. With `calm` nothing befalls it, and all messages arrive."""

    def __init__(self, seed: int, *, calm: bool = False) -> None:
        rng = random.Random(f"plan {seed}")
        self.seed = seed
        self.shards = rng.choice((2, 2, 3, 4, 5, 8))
        self.nodes = rng.choice((1, 2, 3, 4))
        self.domains = rng.choice((3, 6, 10, 16))
        self.pages = rng.choice((30, 80, 150, 250))
        self.cross = rng.choice((0.0, 0.1, 0.3, 0.7))
        self.shared_disk = self.nodes == 1 or rng.random() < 0.3
        self.max_pages = rng.choice((None, None, None, 10, 60))
        self.checkpoint_s = rng.choice((3.0, 10.0, 30.0))
        self.delay_s = rng.choice((0.2, 0.5))
        self.drift = 0.0 if calm else rng.choice((0.0, 0.01))
        self.loss = 0.0 if calm else rng.choice((0.0, 0.0, 0.02, 0.1))
        self.twice = 0.0 if calm else rng.choice((0.0, 0.05))
        self.commit_s = rng.choice((0.25, 1.0))
        self.outbox_bytes = rng.choice((2_000, 20_000, 1 << 20))
        number = 0 if calm else rng.choice((0, 1, 2, 4, 8))
        self.blows = sorted(
            Blow(rng.uniform(0.5, 90.0), rng.choice(KINDS), rng.random(), rng.choice((1.0, 8.0, 25.0, 45.0)))
            for _ in range(number)
        )
