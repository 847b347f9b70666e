"""The coordinator's state comes back from its file as it was; a run that is over is told from one cut off."""

import msgspec
import pytest

from crawler.core.errors import JobError, StorageError
from crawler.core.shard import Mark
from crawler.shards.checkpoint import Checkpoint, OutputTotal
from crawler.shards.state import ClusterState, ShardState, decode, encode, new_state, opened

CHECKPOINT = Checkpoint(
    number=3,
    epoch=2,
    incarnation=1,
    listing="00000002-00000003-listing.json",
    bytes=10,
    outputs=(OutputTotal(".jsonl", 2, 20, 2_000),),
    marks={1: Mark(1, 7)},
    pages=20,
)


def test_a_state_comes_back_as_it_was():
    state = ClusterState(
        job="a", shards=(ShardState(epoch=2, checkpoint=CHECKPOINT), ShardState()), hash_seed=2**64 - 1, run=3
    )
    assert decode(encode(state)) == state


def test_a_state_of_a_later_version_or_a_damaged_one_is_refused():
    state = msgspec.json.decode(encode(new_state("a", 2, 1, {})))
    with pytest.raises(JobError, match="later version"):
        decode(msgspec.json.encode(state | {"version": 2, "shards": "else"}))
    for damaged in (b"", b"{", b"[]", b"\xff", msgspec.json.encode(state | {"shards": 1})):
        with pytest.raises(StorageError, match="cannot be read"):
            decode(damaged)


def test_a_new_run_knows_what_was_given_back_and_asks_about_the_rest():
    shards = (
        ShardState(epoch=4, closed=True, credit=50, granted=50, grant=3, checkpoint=CHECKPOINT),
        ShardState(epoch=4, credit=50, granted=50, grant=3, checkpoint=CHECKPOINT),
        ShardState(credit=0),
    )
    before = ClusterState(job="a", shards=shards, hash_seed=1, run=1, ended="max-pages", spent_s=5.0, begun=True)
    state = opened(before, max_pages=200, max_time_s=None)
    assert [shard.credit for shard in state.shards] == [20, None, 0]
    assert [shard.grant for shard in state.shards] == [4, 4, 1]
    assert (state.run, state.spent_s, state.ended, state.begun, state.calm) == (2, 0.0, "running", False, True)
    assert not opened(state, max_pages=200, max_time_s=None).calm  # the run was cut off: leases may be out
