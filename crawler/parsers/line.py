"""Pages that wait for room in the pool, host by host."""

import asyncio
from collections import OrderedDict, deque

__all__ = ["Line"]


class Line:
    """Who waits, by host: each host has one turn after the other.

    State, under the lock of the pool: what waits, and how much that is; how many were called and are still to come.
    """

    def __init__(self) -> None:
        self._hosts: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        self._waiting = 0
        self._coming = 0

    @property
    def is_awaited(self) -> bool:
        """Whether somebody waits, or is about to come."""
        return self._waiting + self._coming > 0

    def __len__(self) -> int:
        return self._waiting

    def join(self, host: str, waiter: "asyncio.Future[None]", *, first: bool) -> None:
        """Let a page of a host wait; `first`: it had been called, and keeps its place."""
        place = self._hosts.get(host)
        if place is None:
            place = self._hosts[host] = deque()
        if first:
            place.appendleft(waiter)
            self._hosts.move_to_end(host, last=False)
        else:
            place.append(waiter)
        self._waiting += 1

    def leave(self, host: str, waiter: "asyncio.Future[None]") -> None:
        """Forget one that does not wait any more, or does not come though it was called."""
        place = self._hosts.get(host)
        if place is None or waiter not in place:
            self._coming -= 1
            return
        place.remove(waiter)
        self._waiting -= 1
        if not place:
            del self._hosts[host]

    def came(self) -> None:
        """Learn that one has come that was called."""
        self._coming -= 1

    def call(self) -> "asyncio.Future[None]":
        """Take out the first of the first host, whose turn comes again after the others'. Somebody waits."""
        host, place = self._hosts.popitem(last=False)
        waiter = place.popleft()
        if place:
            self._hosts[host] = place
        self._waiting -= 1
        self._coming += 1
        return waiter

    def take_all(self) -> "list[asyncio.Future[None]]":
        """Take all out of the line."""
        waiters = [waiter for place in self._hosts.values() for waiter in place]
        self._hosts.clear()
        self._coming += self._waiting
        self._waiting = 0
        return waiters
