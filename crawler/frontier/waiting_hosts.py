"""Hosts outside the window that have work: which one comes next."""

from collections import deque
from collections.abc import Container
from typing import Final

from crawler.frontier.host_cursor import HostCursor
from crawler.frontier.queue import UrlQueue

__all__ = ["WaitingHosts"]

_LINE_HOSTS: Final = 16_384
"""More than that are found by the cursor."""


class WaitingHosts:
    """A line of hosts that are known to have work since a short time, and a cursor that finds all others in the queue.

    They take turns, so that nobody waits for ever. The cursor meets each host that sleeps, too: so a host that is new,
    or has slept, does not wait for it. Who is in one of `others` waits no more: in the window, or asleep.

    State: the line, and whose turn it is. `waiting` and the rest is the cursor's.
    """

    def __init__(self, queue: UrlQueue, others: tuple[Container[bytes], ...]) -> None:
        self._others = others
        self._cursor = HostCursor(queue)
        self._line: deque[bytes] = deque()
        self._cursor_is_next = False

    def __bool__(self) -> bool:
        return bool(self._line) or self._cursor.waiting

    def came(self, host: bytes) -> None:
        """Learn that a host is new, or has slept, and has work."""
        if len(self._line) < _LINE_HOSTS:
            self._line.append(host)
        else:
            self._cursor.look_round()

    def left(self, host: bytes) -> None:
        """Learn that a host has left the window and has work still: all others come first."""
        if self._cursor.waiting:
            self._cursor.look_round()
        else:
            self.came(host)

    def next(self) -> bytes | None:
        """Return a host that has work; None if none was found in this place."""
        while self._line and not self._waits(self._line[0]):
            self._line.popleft()
        by_cursor = self._cursor.waiting and (self._cursor_is_next or not self._line)
        self._cursor_is_next = not by_cursor
        if not by_cursor:
            return self._line.popleft() if self._line else None
        host = self._cursor.next()
        if host is None or not self._waits(host):
            return None
        self._cursor.found()
        return host

    def _waits(self, host: bytes) -> bool:
        return not any(host in other for other in self._others)
