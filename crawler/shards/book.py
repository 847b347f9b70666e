"""The coordinator's state while it decides: what has changed since it was saved."""

from typing import Any

from msgspec.structs import replace

from crawler.shards.state import ClusterState, ShardState

__all__ = ["Book"]


class Book:
    """The state of a job in the hands of its coordinator, which alone writes it.

    State: the `ClusterState`, whether it has to be saved (`is_changed`), and whether it has something new that may wait
    (`is_noted`).
    """

    def __init__(self, state: ClusterState) -> None:
        self.state = state
        self.is_changed = self.is_noted = False

    def __getitem__(self, shard: int) -> ShardState:
        """Return how a shard is."""
        return self.state.shards[shard]

    def __len__(self) -> int:
        """Return the number of shards."""
        return len(self.state.shards)

    def change(self, shard: int, **fields: Any) -> ShardState:
        """Change fields of a shard, which are to be saved, and return how it is now."""
        self.is_changed = True
        return self.note(shard, **fields)

    def note(self, shard: int, **fields: Any) -> ShardState:
        """Change fields of a shard that may wait for the next save."""
        shards = list(self.state.shards)
        shards[shard] = replace(shards[shard], **fields)
        self.state = replace(self.state, shards=tuple(shards))
        self.is_noted = True
        return shards[shard]

    def change_job(self, **fields: Any) -> None:
        """Change fields of the job, which are to be saved."""
        self.state = replace(self.state, **fields)
        self.is_changed = True

    def spend(self, seconds: float) -> None:
        """Count time of the run, which may wait for the next save."""
        self.state = replace(self.state, spent_s=self.state.spent_s + seconds)
        self.is_noted |= self.state.max_time_s is not None

    def next(self) -> ClusterState:
        """Return the state to be saved, with a number of its own."""
        self.state = replace(self.state, number=self.state.number + 1)
        self.is_changed = self.is_noted = False
        return self.state
