"""Hosts that must not be asked before a time."""

import math
import tracemalloc

from crawler.frontier.sleepers import Sleepers

A, B = b"host  a.", b"host  b."


def test_each_wakes_when_its_time_has_come_and_the_last_time_counts():
    asleep = Sleepers()
    asleep.put(A, 10.0)
    asleep.put(B, 5.0)
    asleep.put(A, 20.0)
    assert asleep.wake(4.9) == []
    assert asleep.wake(12.0) == [B]
    assert A in asleep
    assert asleep.wake(20.0) == [A]
    assert len(asleep) == 0


def test_one_without_end_sleeps_until_it_is_woken():
    asleep = Sleepers()
    asleep.put(A, math.inf)
    asleep.put(A, math.inf)
    asleep.put(B, math.inf)
    assert (asleep.wake(1e12), asleep.for_good, len(asleep)) == ([], 2, 2)
    assert asleep.rouse(A)
    assert not asleep.rouse(A)
    assert (asleep.for_good, len(asleep)) == (1, 1)
    asleep.put(B, 3.0)
    assert (asleep.for_good, asleep.wake(3.0)) == (0, [B])


def test_one_takes_less_than_100_bytes():
    """Its key and its place in a table, and no time of its own."""
    number = 87_000  # the table is nearly full
    tracemalloc.start()
    try:
        asleep = Sleepers()
        for host in range(number):
            asleep.put(host.to_bytes(8, "big"), 1e9 + host / 1_000)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken / number < 100
    assert len(asleep.wake(1e9 + 50)) >= 49_000
    assert len(asleep) == number - 50_001
