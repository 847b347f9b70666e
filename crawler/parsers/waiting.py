"""Pages that wait for room in the pool: those of quick hosts as they come, the others host by host."""

import asyncio
import time
from collections import deque
from typing import Final

from crawler.parsers.costs import Costs, Standing
from crawler.parsers.dispatch import Dispatch

__all__ = ["Waiting"]

_MOST: Final = 16
"""Pages for each parser that may wait in a line before hosts of more of that sort are held."""
_MANY: Final = 32
_SHORTEN_S, _RELAX_S = 0.25, 5.0
"""When many pages of quick hosts wait, less counts as quick; when none did for a while, more."""


class Waiting:
    """Who waits for which lane of `dispatch`, for a pool of `parsers`; and whether a host had better not be asked.

    State, under the lock of the pool: who waits, and the large pages that wait for their turn; when what counts as
    quick was changed last; whether a host was held since `was_held` was asked.
    """

    def __init__(self, costs: Costs, dispatch: Dispatch, parsers: int) -> None:
        self.large = 0
        self._costs = costs
        self._dispatch = dispatch
        self._most = _MOST * parsers
        self._quick: deque[asyncio.Future[None]] = deque()
        lanes = dispatch.lanes
        self._lines = {standing: lanes[standing].line for standing in (Standing.UNPROVEN, Standing.DOUBTFUL)}
        self._adapted_at = float("-inf")
        self._holds_some = False

    def __bool__(self) -> bool:
        return bool(self._quick) or any(self._lines.values())

    def has_line(self, standing: Standing) -> bool:
        """Whether pages of hosts of this standing wait, before which no other may go; those of quick ones may."""
        return standing != Standing.QUICK and bool(self._lines[standing])

    def join(self, host: str, waiter: "asyncio.Future[None]", standing: Standing, *, called: bool) -> None:
        """Let a page of a host wait. One that was `called`, and had no room again, keeps its place."""
        if standing != Standing.QUICK:
            self._lines[standing].join(host, waiter, first=called)
        elif called:
            self._quick.appendleft(waiter)
        else:
            self._quick.append(waiter)
            self.adapt()

    def came(self, standing: Standing) -> None:
        """Learn that one has come that was called."""
        if standing != Standing.QUICK:
            self._lines[standing].came()

    def leave(self, host: str, waiter: "asyncio.Future[None]", standing: Standing) -> None:
        """Forget one that waits no more, or does not come though it was called."""
        if standing != Standing.QUICK:
            self._lines[standing].leave(host, waiter)
        elif waiter in self._quick:
            self._quick.remove(waiter)

    def call(self) -> "list[asyncio.Future[None]]":
        """Take out who can go on: one for each lane at a time.

        Hundreds may wait, and each wakes the next if there is room left.
        """
        called: list[asyncio.Future[None]] = []
        dispatch = self._dispatch
        if self._quick and dispatch.has_room(dispatch.lanes[Standing.QUICK]):
            called.append(self._quick.popleft())
        called += [
            line.call()
            for standing, line in self._lines.items()
            if line and dispatch.has_room(dispatch.lanes[standing])
        ]
        return called

    def take_all(self) -> "list[asyncio.Future[None]]":
        """Take out all."""
        waiters = [*self._quick, *(waiter for line in self._lines.values() for waiter in line.take_all())]
        self._quick.clear()
        return waiters

    def adapt(self) -> None:
        """Change what counts as quick, when many of those pages wait, or none did for a while."""
        now = time.monotonic()
        if len(self._quick) >= _MANY and now - self._adapted_at >= _SHORTEN_S:
            self._costs.shorten()
            self._adapted_at = now
        elif not self._quick and now - self._adapted_at >= _RELAX_S:
            self._costs.relax()
            self._adapted_at = now

    def holds(self, host: str) -> bool:
        """Whether so much waits that nothing is to be asked of a host: of its own, or of others like it."""
        standing = self._costs.standing(host)
        if standing == Standing.QUICK:
            return False
        if not self._costs.has_its_share(host):
            waiting = len(self._lines[standing]) + (self.large if standing == Standing.DOUBTFUL else 0)
            if waiting < self._most:
                return False
        self._holds_some = True
        return True

    def was_held(self) -> bool:
        """Whether a host was held since this was asked last."""
        held, self._holds_some = self._holds_some, False
        return held
