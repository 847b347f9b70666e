"""The promises of a coordinator, over random worlds in which everything fails that can (`support/shards_world.py`)."""

import random

import pytest

from crawler.shards.state import new_state, opened
from tests.support.shards_world import Machine, World


def check(seed: int, *, torn: bool = False) -> World:
    """One job, from its first run to its end, with failures for five minutes of its time."""
    rng = random.Random(~seed)
    shards = rng.choice([1, 2, 3, 4, 7])
    pages = rng.choice([1, 20, 60, 150])
    limit = rng.choice([None, None, 1, 10, 50, 1_000])
    state = opened(new_state("job", shards, seed, {}), max_pages=limit, max_time_s=None)
    world = World(seed, state, pages=pages, calm_at=rng.choice([0.0, 60.0, 300.0]), torn=torn)
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


def checked(seeds: range, *, torn: bool = False) -> None:
    for seed in seeds:
        try:
            check(seed, torn=torn)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}, torn={torn}: {error}") from error


def test_whatever_fails_a_shard_has_one_holder_and_the_crawl_ends_whole_and_within_its_limit():
    checked(range(15))


def test_machines_that_are_cut_off_and_coordinators_that_sleep_give_no_shard_two_holders():
    checked(range(10), torn=True)


@pytest.mark.thorough
@pytest.mark.parametrize("torn", [False, True])
def test_the_same_in_more_worlds(torn: bool):
    checked(range(1_000, 1_080), torn=torn)


def test_a_job_goes_on_another_day_with_other_machines_more_seeds_and_more_pages():
    """Each page of each run is public once, and what one run has brought the next one does not bring again."""
    for seed in range(5):
        limit = 5
        state = opened(new_state("job", 3, seed, {}), max_pages=limit, max_time_s=None)
        world = World(seed, state, pages=40, calm_at=60.0)
        before: set[int] = set()
        for more_pages, more_seeds in ((limit, 0), (25, 3), (None, 5), (None, 0)):
            world.machines = [m for m in world.machines if world.rng.random() < 0.5] or [Machine(f"again-{seed}")]
            world.machines.append(Machine(f"new-{len(world.hosts)}", 2))
            world.web.seeds |= {world.rng.randrange(40) for _ in range(more_seeds)}
            world.open_again(opened(state, max_pages=more_pages, max_time_s=None))
            state = world.run(until=world.now + 3_000)
            public, all_pages = world.public(), world.web.reachable()
            assert public >= before
            if more_pages is not None and more_pages <= len(all_pages):
                assert len(public) == more_pages
            elif more_pages is None:
                assert public >= all_pages
                assert state.ended == "done"
            before = public
        assert state.run == 5
