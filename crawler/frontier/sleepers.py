"""Hosts that must not be asked before a time."""

import math
from heapq import heappop, heappush
from typing import Final

__all__ = ["Sleepers"]

_KEY_BYTES: Final = 8
_PER_S: Final = 4
"""Hosts that wake within so many parts of a second wake together, at its end: nobody looks more often."""


class Sleepers:
    """Host keys (8 bytes) with the unix time at which each wakes; one without end sleeps until it is woken.

    `for_good` counts those without end because they do not answer. Others, `held`, have used up what they may have
    (`frontier.gate`). There may be millions: one takes 80 to 130 bytes.

    State: when each wakes; the hosts that wake together, key after key, and a line of these times. A host that was put
    to sleep again stands there several times.
    """

    def __init__(self) -> None:
        self.held: set[bytes] = set()
        self._until: dict[bytes, float] = {}
        self._together: dict[float, tuple[float, bytearray]] = {}
        self._line: list[float] = []
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
        """Let a host sleep until a time, or up to a quarter of a second longer."""
        before = self._until.get(host)
        at = until if until == math.inf else math.ceil(until * _PER_S) / _PER_S
        if before == at:
            return
        self.for_good += (at == math.inf) - (before == math.inf)
        if at < math.inf:
            if at not in self._together:
                self._together[at] = at, bytearray()
                heappush(self._line, at)
            at, hosts = self._together[at]  # one number for all of them
            hosts += host
        self._until[host] = at

    def hold(self, host: bytes) -> None:
        """Let a host sleep until it is woken, since it may have no more as yet."""
        self._until[host] = math.inf
        self.held.add(host)

    def wake(self, now: float) -> list[bytes]:
        """Remove and return the hosts whose time has come."""
        woken = []
        while self._line and self._line[0] <= now:
            at, hosts = self._together.pop(heappop(self._line))
            for start in range(0, len(hosts), _KEY_BYTES):
                host = bytes(hosts[start : start + _KEY_BYTES])
                if self._until.get(host) == at:
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
