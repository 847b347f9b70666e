"""Hosts that must not be asked before a time."""

import math
from heapq import heappop, heappush

__all__ = ["Sleepers"]


class Sleepers:
    """Host keys with the unix time at which each wakes; one without end sleeps until it is woken.

    `for_good` counts those without end because they do not answer. Others, `held`, have used up what they may have
    (`frontier.gate`).
    State: these times, and a line of them, in which a host that was put to sleep again stands several times.
    """

    def __init__(self) -> None:
        self.held: set[bytes] = set()
        self._until: dict[bytes, float] = {}
        self._line: list[tuple[float, bytes]] = []
        self.for_good = 0

    def __contains__(self, host: object) -> bool:
        return host in self._until

    def __len__(self) -> int:
        return len(self._until)

    @property
    def none_wakes(self) -> bool:
        """Whether there are hosts that sleep, and none of them wakes by itself."""
        return len(self._until) == self.for_good + len(self.held) > 0

    def put(self, host: bytes, until: float) -> None:
        """Let a host sleep until a time."""
        before = self._until.get(host)
        if before == until:
            return
        self.for_good += (until == math.inf) - (before == math.inf)
        self._until[host] = until
        if until < math.inf:
            heappush(self._line, (until, host))

    def hold(self, host: bytes) -> None:
        """Let a host sleep until it is woken, since it may have no more as yet."""
        self._until[host] = math.inf
        self.held.add(host)

    def wake(self, now: float) -> list[bytes]:
        """Remove and return the hosts whose time has come."""
        woken = []
        while self._line and self._line[0][0] <= now:
            until, host = heappop(self._line)
            if self._until.get(host) == until:
                del self._until[host]
                woken.append(host)
        return woken

    def rouse(self, host: bytes) -> bool:
        """Wake a host at once; False if it does not sleep."""
        until = self._until.pop(host, None)
        if host in self.held:
            self.held.discard(host)
        else:
            self.for_good -= until == math.inf
        return until is not None
