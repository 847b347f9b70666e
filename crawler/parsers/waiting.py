"""Pages that wait for room in the pool: those of quick hosts as they come, the others host by host."""

import asyncio
import time
from collections import deque
from typing import Final

from crawler.parsers.costs import Costs
from crawler.parsers.dispatch import Dispatch
from crawler.parsers.line import Line

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
        self._line = Line(costs)
        self._adapted_at = float("-inf")
        self._holds_some = False

    def __bool__(self) -> bool:
        return bool(self._quick or self._line)

    @property
    def has_line(self) -> bool:
        """Whether pages wait whose hosts are not known to be quick."""
        return bool(self._line)

    def join(self, host: str, waiter: "asyncio.Future[None]", *, quick: bool, called: bool) -> None:
        """Let a page of a host wait. One that was `called`, and had no room again, keeps its place."""
        if not quick:
            self._line.join(host, waiter, first=called)
        elif called:
            self._quick.appendleft(waiter)
        else:
            self._quick.append(waiter)
            self.adapt()

    def leave(self, host: str, waiter: "asyncio.Future[None]") -> None:
        """Forget one that waits no more; nothing happens if it was called."""
        self._line.leave(host, waiter)
        if waiter in self._quick:
            self._quick.remove(waiter)

    def call(self) -> "list[asyncio.Future[None]]":
        """Take out who can go on: one for each lane at a time.

        Hundreds may wait, and each wakes the next if there is room left.
        """
        called: list[asyncio.Future[None]] = []
        dispatch = self._dispatch
        if self._quick and dispatch.has_room(dispatch.quick):
            called.append(self._quick.popleft())
        if self._line and dispatch.has_room(dispatch.others) and (waiter := self._line.call()) is not None:
            called.append(waiter)
        return called

    def take_all(self) -> "list[asyncio.Future[None]]":
        """Take out all."""
        waiters = [*self._quick, *self._line.take_all()]
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
        costs, line = self._costs, self._line
        if costs.is_quick(host):
            return False
        if not costs.has_its_share(host):
            waiting = line.doubtful + self.large if costs.is_doubtful(host) else line.clean
            if waiting < self._most:
                return False
        self._holds_some = True
        return True

    def was_held(self) -> bool:
        """Whether a host was held since this was asked last."""
        held, self._holds_some = self._holds_some, False
        return held
