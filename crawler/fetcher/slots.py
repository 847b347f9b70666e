"""The places for requests under way: how many hosts of each grade may hold, and which request gives way to others."""

import asyncio
from collections.abc import Awaitable, Sequence
from heapq import heappop, heappush
from typing import Final, TypeVar

from crawler.core.model import Failure
from crawler.fetcher.pace import Grade

__all__ = ["GAVE_WAY", "Slot", "Slots"]

GAVE_WAY: Final = Failure("gave-way", "it had no answer yet, and others waited", retryable=True)
"""What a request comes to that gives its place to others. It says little of its host, and nothing of its URL."""

_PEAK_S: Final = 2.0
"""What a grade has held in the last two to four seconds is what it needs."""
_GRADES: Final = len(Grade)
_T = TypeVar("_T")


class Slot:
    """The place of one request among those under way.

    `patience_s`: how long it may last before it is to give way. State, written by `Slots` and by the request: its
    grade, which becomes `SILENT` when it lasts longer; whether the request `is_over`, and whether it `gave_way`.
    """

    __slots__ = ("_is_left", "_slots", "_task", "gave_way", "grade", "is_over", "patience_s")

    def __init__(self, slots: "Slots", grade: Grade, patience_s: float) -> None:
        self._slots = slots
        self._task: asyncio.Task[object] | None = None
        self.grade = grade
        self.patience_s = patience_s
        self.gave_way = False
        self.is_over = False
        self._is_left = False

    async def until_over(self, request: Awaitable[_T]) -> _T | None:
        """Await the request that holds this place; None if it had to give way.

        As `asyncio.timeout` would, without what that does for each request, of which few ever give way.
        """
        self._task = asyncio.current_task()
        try:
            return await request
        except asyncio.CancelledError:
            # Somebody else may have cancelled it, too: then that counts.
            if self._task is None or not self.gave_way or self._task.uncancel():
                raise
            return None
        finally:
            self._task = None
            self.is_over = True  # what it brought may wait for a parser, which is not its host's fault

    def leave(self) -> None:
        """Give the place back, once: nothing is left to do with what the request brought, or that waits elsewhere."""
        if not self._is_left:
            self._is_left = self.is_over = True
            self._slots.left(self)

    def give_way(self) -> None:
        """End the request, which has begun."""
        if self._task is not None:
            self.gave_way = True
            self._task.cancel()


class Slots:
    """Shares `most` places out among hosts by their `Grade`, so that those who do not answer leave room for others.

    Each grade may hold, together with those below it, what the grades above leave. Hosts that are heard are kept what
    they held in the last seconds and as much again, up to half of all places; hosts that nobody knows as many as there
    are of them, up to three quarters of the rest, since each needs one only once. So a crawl in which nobody better
    waits may use all places for any grade, hosts that answer find a place at once beside any number of others, and no
    grade is left without any.

    A request that lasts longer than its `patience_s` counts as `SILENT`, whatever its host. When others wait and that
    grade holds more than its part, such requests give way: the youngest first, since one that has lasted long may be
    about to end.

    State, written here alone and in the event loop's thread: how many places each grade holds, and all together,
    and held of late; who
    is to end when; who lasts too long.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = [0] * _GRADES
        self._all_held = 0
        self._leaving = 0
        self._peaks = [0] * _GRADES
        self._peaks_before = [0] * _GRADES
        self._peaks_end_at = 0.0
        self._line: list[tuple[float, int, Slot]] = []
        self._taken = 0
        self._overdue: dict[Slot, None] = {}

    @property
    def unanswered(self) -> int:
        """Places held at hosts of which nobody knows whether they answer, or that do not."""
        return self._held[Grade.UNHEARD] + self._held[Grade.SILENT]

    def take(self, grade: Grade, patience_s: float, now: float) -> Slot:
        """Take a place for a request that starts now; `has_room` allowed it."""
        slot = Slot(self, grade, patience_s)
        self._all_held += 1
        self._hold(grade)
        self._taken += 1
        heappush(self._line, (now + patience_s, self._taken, slot))
        return slot

    def left(self, slot: Slot) -> None:
        """Learn that a place is free."""
        self._held[slot.grade] -= 1
        self._all_held -= 1
        self._leaving -= slot.gave_way
        if self._overdue:
            self._overdue.pop(slot, None)

    def look(self, now: float) -> None:
        """Learn what time it is: who lasts too long counts as silent from now on."""
        while self._line and self._line[0][0] <= now:
            slot = heappop(self._line)[2]
            if not slot.is_over:
                self._held[slot.grade] -= 1
                slot.grade = Grade.SILENT
                self._hold(Grade.SILENT)
                self._overdue[slot] = None
        if now >= self._peaks_end_at:
            self._peaks_end_at = now + _PEAK_S
            self._peaks_before, self._peaks = self._peaks, list(self._held)

    @property
    def next_at(self) -> float | None:
        """When somebody will have lasted too long."""
        return self._line[0][0] if self._line else None

    def has_room_anyway(self, grade: Grade) -> bool:
        """Whether a host of this grade may start a request, whatever the better ones need."""
        return self._all_held < self._most >> 2 * grade

    def has_room(self, grade: Grade, waiting: Sequence[int]) -> bool:
        """Whether a host of this grade may start a request; `waiting` counts the hosts of each grade that wait."""
        if self.has_room_anyway(grade):
            return True
        held, part = self._all_held, self._most
        for better in range(grade):
            if held >= part:
                return False
            held -= self._held[better]
            part -= self._kept(better, part, waiting)
        return held < part

    def make_room(self, waiting: Sequence[int]) -> None:
        """Have requests that last too long give way to the hosts that wait, as far as their grade holds too much."""
        part = self._most
        for better in range(Grade.SILENT):
            part -= self._kept(better, part, waiting)
        excess = self._held[Grade.SILENT] - self._leaving - part
        if excess > 0:
            overdue = [slot for slot in reversed(self._overdue) if not slot.is_over]
            for slot in overdue[:excess]:
                del self._overdue[slot]
                slot.give_way()
                self._leaving += slot.gave_way

    def _hold(self, grade: Grade) -> None:
        self._held[grade] += 1
        self._peaks[grade] = max(self._peaks[grade], self._held[grade])

    def _kept(self, grade: int, part: int, waiting: Sequence[int]) -> int:
        """Return how many of the places that are left for a grade and those below it are kept for it alone."""
        if grade == Grade.UNHEARD:
            return min(self._held[grade] + waiting[grade], part * 3 // 4)
        peak = max(self._peaks[grade], self._peaks_before[grade])
        return min(2 * (peak + min(waiting[grade], 1)), part // 2)
