"""Whose turn it is among the hosts that have something to do: by time, and by grade where places are scarce."""

from collections import Counter
from heapq import heapify, heappop, heappush
from typing import Final

from crawler.fetcher.host import Host
from crawler.fetcher.pace import Grade
from crawler.fetcher.paces import Paces
from crawler.fetcher.slots import Slot, Slots

__all__ = ["Turns"]

_COUNTED: Final = 256
_FIRST: Final = -1.0
_NEXT: Final = tuple(
    (*(Grade((last + step) % Grade.SILENT) for step in range(1, Grade.SILENT + 1)), Grade.SILENT) for last in Grade
)
"""In which order grades are looked at after each: the next one first, those that do not answer last."""
_GRADES: Final = tuple(Grade)


class Turns:
    """The lines of those that may be asked by time, one for each grade. A host stands in one of them, once at most.

    `paces` says in which; that is asked again when it is a host's turn. `slots` are the places among the requests under
    way. Times are on the loop's clock. A host that is `prepared` comes first in its line once its time has come: the
    rules of its robots.txt are in memory now, and may not be when all others have had their turn.

    State, written here alone and in the event loop's thread: the lines, those that are prepared and wait for their
    time, and `scheduled` of each `Host` in them.
    """

    def __init__(self, paces: Paces, slots: Slots) -> None:
        self._paces = paces
        self._slots = slots
        self._lines: list[list[tuple[float, int, Host]]] = [[] for _ in Grade]
        self._prepared: list[tuple[float, int, Host]] = []
        self._lined_up = 0
        self._last = Grade.SILENT

    @property
    def unanswered(self) -> int:
        """Requests under way at hosts of which nobody knows whether they answer, or that do not."""
        return self._slots.unanswered

    def put(self, host: Host, at: float) -> None:
        """Have a host come back at `at`, unless it does already."""
        if not host.scheduled:
            host.scheduled = True
            self._lined_up += 1
            line = self._prepared if host.prepared else self._lines[self._paces.grade(host)]
            heappush(line, (at, self._lined_up, host))

    def advance(self, host: Host, at: float) -> None:
        """Have a host that stands in line come back at `at` already. Looks at all: for what happens seldom."""
        for line in (*self._lines, self._prepared):
            for place, (known, number, one) in enumerate(line):
                if one is host and known > at:
                    line[place] = (at, number, host)
                    heapify(line)
                    return

    def look(self, now: float) -> None:
        """Learn what time it is."""
        while self._prepared and self._prepared[0][0] <= now:
            _, number, host = heappop(self._prepared)
            heappush(self._lines[self._paces.grade(host)], (_FIRST, number, host))
        self._slots.look(now)

    def has_room(self, host: Host, now: float) -> bool:
        """Whether there is a place for a request to this host."""
        return self._has_room(self._paces.grade(host), now)

    def take(self, host: Host, now: float) -> Slot:
        """Take a place for a request to this host, which starts now."""
        return self._slots.take(self._paces.grade(host), self._paces.patience_s(host), now)

    def next(self, now: float) -> Host | None:
        """Take the next host whose time has come, and for whose grade there is a place, out of its line.

        Grades take turns, so that a host that answers waits for one that is new, and not for all; in each, the next one
        is that which has waited longest. Hosts that do not answer come after all others.
        """
        while (grade := self._next_grade(now)) is not None:
            at, number, host = heappop(self._lines[grade])
            grade_now = self._paces.grade(host)
            if grade_now != grade:
                heappush(self._lines[grade_now], (at, number, host))
                continue
            host.scheduled = False
            self._last = grade
            return host
        return None

    def _next_grade(self, now: float) -> Grade | None:
        for grade in _NEXT[self._last]:
            line = self._lines[grade]
            if line and line[0][0] <= now and self._has_room(grade, now):
                return grade
        return None

    def _has_room(self, grade: Grade, now: float) -> bool:
        return self._slots.has_room_anyway(grade) or self._slots.has_room(grade, self._waiting(now))

    def make_room(self, now: float) -> None:
        """Have requests that last too long give way, if hosts that may be better wait for a place."""
        waiting = self._waiting(now)
        if any(waiting[: Grade.SILENT]):
            self._slots.make_room(waiting)

    def next_at(self, now: float) -> float | None:
        """When to look again: when the next host's time comes, or, if some wait for a place, a request is overdue."""
        lines = [*self._lines, self._prepared]
        times = [line[0][0] for line in lines if line and line[0][0] > now]
        overdue_at = self._slots.next_at
        if overdue_at is not None and any(self._waiting(now)[: Grade.SILENT]):
            times.append(overdue_at)
        return min(times, default=None)

    def _waiting(self, now: float) -> list[int]:
        """Count by grade the hosts that stand in line; 0 where the first one's time has not come."""
        return [len(line) if line and line[0][0] <= now else 0 for line in self._lines]

    def held_up(self, now: float) -> Counter[Grade]:
        """Count by grade the hosts whose time has come, about, and for which there is no place; from any thread."""
        held: Counter[Grade] = Counter()
        for grade, line in zip(_GRADES, self._lines, strict=True):
            if not line or self._has_room(grade, now):
                continue  # those in it have their turn as soon as the loop comes round
            of_each = max(1, len(line) // _COUNTED)
            held[grade] = of_each * sum(at <= now for at, *_ in line[::of_each])
        return +held
