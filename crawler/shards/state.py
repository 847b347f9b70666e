"""What is durable of a job of many shards, apart from the shards themselves: the coordinator's state."""

from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from crawler.core.errors import JobError, StorageError
from crawler.core.stats import Ended
from crawler.shards.checkpoint import Checkpoint, OutputTotal

__all__ = ["VERSION", "ClusterState", "ShardState", "decode", "encode", "new_state", "opened"]

VERSION: Final = 1
"""Of the form of a state. One of a later version is refused."""


class ShardState(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One shard, as the coordinator knows it.

    `epoch` is that of its last holder, 0 if it never had one; `node` where that was started, `node_name` what people
    call it, and `home` the disk that its folder lies on, None if it has none. `incarnation` counts how often it began
    from a checkpoint, or from nothing, instead of that folder. `closed`: it was given back, so nobody holds it and its
    last checkpoint is all there is of it.

    It may bring at most `credit` pages in all, and was told of `granted`, which is less while some is asked back; that
    has the number `grant`. `credit` is None if nobody knows: there was no limit, or its last holder was lost.

    `checkpoint` is the last one accepted, at the unix time `checkpoint_at`. The parts of the first `published` ones
    are public: `public` sums them up.
    """

    epoch: int = 0
    incarnation: int = 0
    node: str = ""
    node_name: str = ""
    home: str | None = None
    closed: bool = False
    credit: int | None = None
    granted: int = 0
    grant: int = 0
    checkpoint: Checkpoint | None = None
    checkpoint_at: float = 0.0
    published: int = 0
    public: tuple[OutputTotal, ...] = ()

    @property
    def kept_pages(self) -> int:
        """Pages that no loss of a disk takes away."""
        return self.checkpoint.pages if self.checkpoint is not None else 0

    @property
    def is_public(self) -> bool:
        """Whether all that is accepted has its public name."""
        return self.checkpoint is None or self.published >= self.checkpoint.number


class ClusterState(Struct, frozen=True, kw_only=True):
    """A job of many shards.

    `number` is that of the state, and of its file. `job` names the job. `config` is what the driver keeps with it.
    `hash_seed` is the number that the keys of all shards hold.

    `run` counts the runs. `spent_s` is how long this one has lasted, of `max_time_s`. `ending` says why it drains, and
    `ended` why it is over: both "running" until then. `error` is for people, with "interrupted". `begun`: a coordinator
    has begun with this run. `calm`: nobody can have held a lease when this run was opened. `saved_at` is the unix time
    at which the state was written, set by whoever writes it.
    """

    version: int = VERSION
    number: int = 0
    job: str
    shards: tuple[ShardState, ...]
    hash_seed: int
    max_pages: int | None = None
    max_time_s: float | None = None
    run: int = 0
    spent_s: float = 0.0
    ending: Ended = "running"
    ended: Ended = "running"
    error: str = ""
    begun: bool = False
    calm: bool = True
    saved_at: float = 0.0
    config: dict[str, Any] = {}

    @property
    def is_over(self) -> bool:
        """Whether its last run has come to its end. Otherwise it runs, or its coordinator was killed."""
        return self.ended != "running"


def new_state(job: str, shards: int, hash_seed: int, config: dict[str, Any]) -> ClusterState:
    """Return the state of a job that nobody has run: to be `opened`."""
    return ClusterState(
        job=job, shards=(ShardState(credit=0),) * shards, hash_seed=hash_seed, config=config, ended="interrupted"
    )


def opened(state: ClusterState, *, max_pages: int | None, max_time_s: float | None) -> ClusterState:
    """Return the state with which the next run begins, the first one too.

    What a shard has used of its credit is known if it was given back. If not, its holder will tell.
    """
    shards = [
        replace(
            shard,
            credit=shard.kept_pages if shard.closed or not shard.epoch else None,
            granted=shard.kept_pages,
            grant=shard.grant + 1,
        )
        for shard in state.shards
    ]
    return replace(
        state,
        shards=tuple(shards),
        max_pages=max_pages,
        max_time_s=max_time_s,
        run=state.run + 1,
        spent_s=0.0,
        ending="running",
        ended="running",
        error="",
        begun=False,
        calm=state.is_over,
    )


def encode(state: ClusterState) -> bytes:
    """Return a state as JSON."""
    return msgspec.json.encode(state)


def decode(raw: bytes | str) -> ClusterState:
    """Read a state from JSON. Raise JobError for one of a later version, StorageError for what is none."""
    try:
        version = msgspec.json.decode(raw, type=_Version).version
        if version > VERSION:
            raise JobError(
                f"the job was made by a later version of this program (state {version}, known is {VERSION}): "
                "install that one"
            )
        return msgspec.json.decode(raw, type=ClusterState)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StorageError(f"the job's state cannot be read ({error}): take the one before it") from error


class _Version(Struct):
    version: int
