"""Pages that wait for room in the pool, whose hosts are not known to be quick: host by host, the doubtful ones last."""

import asyncio
from collections import OrderedDict, deque
from typing import Final

from crawler.parsers.costs import Costs

__all__ = ["Line"]

_DOUBTFUL_TURN: Final = 16
"""Each so many turns one of a doubtful host is next, even while others wait."""

_Hosts = OrderedDict[str, deque["asyncio.Future[None]"]]


class Line:
    """Who waits, by host: each host has one turn after the other, those of which nothing bad is known first.

    State, under the lock of the pool: what waits, in two parts; how many that are; how many turns there were.
    """

    def __init__(self, costs: Costs) -> None:
        self._costs = costs
        self._clean: _Hosts = OrderedDict()
        self._doubtful: _Hosts = OrderedDict()
        self._turns = 0
        self.clean = 0
        self.doubtful = 0

    def __len__(self) -> int:
        return self.clean + self.doubtful

    def join(self, host: str, waiter: "asyncio.Future[None]", *, first: bool) -> None:
        """Let a page of a host wait; `first`: it had been called, and keeps its place."""
        doubtful = host in self._doubtful or (host not in self._clean and self._costs.is_doubtful(host))
        hosts = self._doubtful if doubtful else self._clean
        place = hosts.get(host)
        if place is None:
            place = hosts[host] = deque()
        if first:
            place.appendleft(waiter)
            hosts.move_to_end(host, last=False)
        else:
            place.append(waiter)
        self._count(1, doubtful=doubtful)

    def leave(self, host: str, waiter: "asyncio.Future[None]") -> None:
        """Forget one that does not wait any more; nothing happens if it was called."""
        for hosts in (self._clean, self._doubtful):
            place = hosts.get(host)
            if place is not None and waiter in place:
                place.remove(waiter)
                self._count(-1, doubtful=hosts is self._doubtful)
                if not place:
                    del hosts[host]

    def call(self) -> "asyncio.Future[None] | None":
        """Take the next one out of the line; None if nobody waits."""
        self._turns += 1
        if self._doubtful and self._turns % _DOUBTFUL_TURN == 0:
            return self._take(self._doubtful)
        while self._clean:
            host = next(iter(self._clean))
            if not self._costs.is_doubtful(host):
                return self._take(self._clean)
            place = self._clean.pop(host)  # what is known has changed since it came
            self._doubtful[host] = place
            self.clean -= len(place)
            self.doubtful += len(place)
        return self._take(self._doubtful) if self._doubtful else None

    def take_all(self) -> "list[asyncio.Future[None]]":
        """Take all out of the line."""
        waiters = [waiter for hosts in (self._clean, self._doubtful) for place in hosts.values() for waiter in place]
        self._clean.clear()
        self._doubtful.clear()
        self.clean = self.doubtful = 0
        return waiters

    def _take(self, hosts: _Hosts) -> "asyncio.Future[None]":
        """Take the first of the first host, whose turn comes again after the others'."""
        host = next(iter(hosts))
        place = hosts.pop(host)
        waiter = place.popleft()
        if place:
            hosts[host] = place
        self._count(-1, doubtful=hosts is self._doubtful)
        return waiter

    def _count(self, by: int, *, doubtful: bool) -> None:
        if doubtful:
            self.doubtful += by
        else:
            self.clean += by
