"""The numbers of seeds that were added to a job apart from the seeds of its command."""

from bisect import bisect_right
from collections.abc import Callable, Iterator
from itertools import count

from crawler.core.counters import Counters
from crawler.frontier.store import Store

__all__ = ["Added", "has_added", "is_added", "own_numbers"]

_NAME = "added"


class Added:
    """Gives numbers to seeds that are added, behind all others, and keeps which they are.

    State: the last number that was used, and the ranges of numbers of added seeds, as the next commit keeps them.
    """

    def __init__(self, store: Store, counters: Counters) -> None:
        self._store = store
        self._ranges: list[list[int]] = store.meta(_NAME) or []
        self._last = max(store.last_seed, counters.rows)
        self._unsaved = False

    def next(self) -> int:
        """Return the number for the next seed, which may turn out not to need it."""
        return self._last + 1

    def use(self) -> None:
        """Learn that it was used."""
        self._last += 1
        if self._ranges and self._ranges[-1][1] == self._last - 1:
            self._ranges[-1][1] = self._last
        else:
            self._ranges.append([self._last, self._last])
        self._unsaved = True

    def save(self) -> None:
        """Put the ranges into the open batch."""
        if self._unsaved:
            self._store.put_meta(_NAME, self._ranges)
            self._unsaved = False


def has_added(store: Store) -> bool:
    """Whether seeds were added to a job."""
    return bool(store.meta(_NAME))


def is_added(store: Store) -> Callable[[int], bool]:
    """Return what says whether a number is that of an added seed."""
    ranges: list[list[int]] = store.meta(_NAME) or []
    firsts = [first for first, _ in ranges]

    def told(number: int) -> bool:
        at = bisect_right(firsts, number) - 1
        return at >= 0 and number <= ranges[at][1]

    return told


def own_numbers(store: Store) -> Iterator[int]:
    """Give, in order, the numbers of the seeds of a job's command: all from 1 on that no added seed has."""
    added = is_added(store)
    return (number for number in count(1) if not added(number))
