"""Hosts that wait for bytes: until parsers have theirs, or until others have found room."""

import time
from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Final

from crawler.fetcher.host import Host
from crawler.fetcher.transport.budget import ByteBudget

__all__ = ["Parked"]

_LOOKED_AT: Final = 16
_TRIAL_S: Final = 2.0


class Parked:
    """Hosts whose requests wait, though their clocks allow them, because of what their bodies take from others.

    One whose bodies hold as much as they may waits for these to end. One that stands back (`transport.holders`) waits
    while others wait for room; but up to `most` such hosts in two seconds are tried, in turn, so that each gets
    its chance. `comes_back(host, at)` has one served again.

    State, of the event loop's thread: the hosts, longest unseen first, and when the last trials began. Of each `Host`
    it writes `held_by` and `on_trial`.
    """

    def __init__(self, budget: ByteBudget, most: int, comes_back: Callable[[Host, float], None]) -> None:
        self._budget = budget
        self._most = max(1, most)
        self._comes_back = comes_back
        self._hosts: dict[Host, None] = {}
        self._trials: deque[float] = deque()

    def has_to_wait(self, host: Host) -> bool:
        """Whether the host may not be asked now."""
        name = host.name
        return self._budget.is_crowded(name) or (not host.on_trial and self._budget.stands_back(name))

    def stops(self, host: Host) -> bool:
        """Whether the host has to wait: then it comes back by `call`."""
        if not self._budget.is_scarce or not self.has_to_wait(host):
            host.on_trial = False
            return False
        host.held_by = "bytes"
        self._hosts[host] = None
        return True

    def call(self, now: float) -> bool:
        """Look at a few hosts, and have those come back at `now` that may be asked again; say whether there are any."""
        found = False
        for host in tuple(islice(self._hosts, _LOOKED_AT)):
            del self._hosts[host]
            if self._may_go(host):
                host.held_by = ""
                self._comes_back(host, now)
                found = True
            else:
                self._hosts[host] = None
        return found

    def _may_go(self, host: Host) -> bool:
        if self._budget.is_crowded(host.name):
            return False
        if not self._budget.stands_back(host.name):
            return True
        now = time.monotonic()
        while self._trials and now - self._trials[0] > _TRIAL_S:
            self._trials.popleft()
        if len(self._trials) >= self._most:
            return False
        self._trials.append(now)
        host.on_trial = True
        return True
