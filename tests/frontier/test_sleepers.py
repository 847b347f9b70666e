"""Hosts that must not be asked before a time."""

import math

from crawler.frontier.sleepers import Sleepers


def test_each_wakes_when_its_time_has_come_and_the_last_time_counts():
    asleep = Sleepers()
    asleep.put(b"a", 10.0)
    asleep.put(b"b", 5.0)
    asleep.put(b"a", 20.0)
    assert asleep.wake(4.9) == []
    assert asleep.wake(12.0) == [b"b"]
    assert b"a" in asleep
    assert asleep.wake(20.0) == [b"a"]
    assert len(asleep) == 0


def test_one_without_end_sleeps_until_it_is_woken():
    asleep = Sleepers()
    asleep.put(b"a", math.inf)
    asleep.put(b"a", math.inf)
    asleep.put(b"b", math.inf)
    assert (asleep.wake(1e12), asleep.for_good, len(asleep)) == ([], 2, 2)
    assert asleep.rouse(b"a")
    assert not asleep.rouse(b"a")
    assert (asleep.for_good, len(asleep)) == (1, 1)
    asleep.put(b"b", 3.0)
    assert (asleep.for_good, asleep.wake(3.0)) == (0, [b"b"])
