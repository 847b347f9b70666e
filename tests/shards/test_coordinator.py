"""The promises of a coordinator, over random worlds in which everything fails that can (`support/shards_world.py`)."""

import random

import pytest

from crawler.shards.state import new_state, opened
from tests.support.shards_world import World


def check(seed: int) -> World:
    """One job, from its first run to its end, with failures for five minutes of its time."""
    rng = random.Random(~seed)
    shards = rng.choice([1, 2, 3, 4, 7])
    pages = rng.choice([1, 20, 60, 150])
    limit = rng.choice([None, None, 1, 10, 50, 1_000])
    state = opened(new_state("job", shards, seed, {}), max_pages=limit, max_time_s=None)
    world = World(seed, state, pages=pages, calm_at=rng.choice([0.0, 60.0, 300.0]))
    state = world.run(until=world.calm_at + 3_000)
    while state.ended == "interrupted":  # the driver could not reach the coordinator for a minute
        assert not state.error
        world.open_again(opened(state, max_pages=limit, max_time_s=None))
        state = world.run(until=world.now + world.calm_at + 3_000)
    all_pages = world.web.reachable()
    public = world.public()
    if limit is None or limit > len(all_pages) + len(world.web.hidden):
        assert state.ended == "done", state.error
        assert public >= all_pages, "\n".join(world.lines)
        assert not any(world.kept[s.checkpoint.listing].outbox for s in state.shards if s.checkpoint is not None)
    elif limit <= len(all_pages):
        assert state.ended in ("max-pages", "done")
        assert len(public) == limit, "\n".join(world.lines)
    assert all(shard.closed and shard.is_public for shard in state.shards)
    return world


@pytest.mark.parametrize("part", range(5))
def test_whatever_fails_a_shard_has_one_holder_and_the_crawl_ends_whole_and_within_its_limit(part: int):
    for seed in range(part * 10, part * 10 + 10):
        try:
            check(seed)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
