"""A crawl has ended only if all shards were idle at one moment, whenever each of them was looked at."""

from crawler.shards.messages import Report
from crawler.shards.rounds import Rounds


def idle(shard: int, rounds: Rounds, *, taken: int = 0, epoch: int = 1) -> Report:
    return Report(
        shard=shard, epoch=epoch, incarnation=1, node="a", idle=True, why="done", taken=taken, round=rounds.number
    )


BUSY = Report(shard=0, epoch=1, incarnation=1, node="a")


def test_nothing_is_under_way_when_all_look_the_same_twice():
    rounds = Rounds(2)
    assert [rounds.take(idle(shard, rounds)) for shard in (0, 1, 1, 0)] == [False, False, False, True]


def test_one_shard_is_looked_at_twice_as_well():
    rounds = Rounds(1)
    assert not rounds.take(idle(0, rounds))
    assert rounds.take(idle(0, rounds))


def test_what_was_taken_between_two_looks_shows():
    rounds = Rounds(2)
    for shard in (0, 1, 0):
        assert not rounds.take(idle(shard, rounds))
    assert not rounds.take(idle(1, rounds, taken=1))
    assert not rounds.take(idle(0, rounds))
    assert rounds.take(idle(1, rounds, taken=1))


def test_a_look_from_before_the_round_counts_for_nothing():
    rounds = Rounds(2)
    late = idle(1, rounds)
    assert not rounds.take(idle(0, rounds))
    assert not rounds.take(late)
    for _ in range(3):
        assert not rounds.take(late)  # twice, and it is of the first round still
        assert not rounds.take(idle(0, rounds))


def test_a_shard_that_works_begins_it_all_anew_and_so_does_another_holder():
    rounds = Rounds(2)
    for report in (idle(0, rounds), idle(1, rounds), BUSY):
        assert not rounds.take(report)
    assert [rounds.take(idle(shard, rounds)) for shard in (0, 1, 0)] == [False, False, False]
    assert not rounds.take(idle(1, rounds, epoch=2))
    assert not rounds.take(idle(0, rounds))
    assert rounds.take(idle(1, rounds, epoch=2))
