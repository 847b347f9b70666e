"""Hosts that must not be asked before a time."""

import math

__all__ = ["Sleepers"]


class Sleepers:
    """Host keys with the unix time at which each wakes. State: these, and the first of the times."""

    def __init__(self) -> None:
        self._until: dict[bytes, float] = {}
        self._first_at = math.inf

    def __contains__(self, host: bytes) -> bool:
        return host in self._until

    def put(self, host: bytes, until: float) -> None:
        """Let a host sleep until a time."""
        self._until[host] = until
        self._first_at = min(self._first_at, until)

    def wake(self, now: float) -> list[bytes]:
        """Remove and return the hosts whose time has come."""
        if self._first_at > now:
            return []
        woken = [host for host, at in self._until.items() if at <= now]
        for host in woken:
            del self._until[host]
        self._first_at = min(self._until.values(), default=math.inf)
        return woken
