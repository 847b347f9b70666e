"""The holder's side of a lease: until when it may ask servers and offer checkpoints."""

import math
import time
from collections.abc import Callable

from crawler.shards.messages import Orders

__all__ = ["Lease", "boot_time"]

_GIVEN_UP = 3
"""After so many leases without an answer the process ends."""


def boot_time() -> float:
    """Return seconds since some moment, the time counted in which the machine slept or the process was stopped."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


class Lease:
    """A lease of one epoch. Any thread may ask it; one renews it.

    State: until when it lasts by `clock`, and since when nobody has renewed it. It counts from the moment a report was
    sent, the coordinator from the moment of its answer. So it ends here first, however long the two took.
    """

    def __init__(self, lease_s: float, clock: Callable[[], float] = boot_time) -> None:
        """Have no lease yet. `lease_s` is how long one lasts."""
        self._clock = clock
        self._lease_s = lease_s
        self._until = -math.inf
        self._heard = clock()
        self._over = False
        self._given_back = False

    def sending(self) -> float:
        """Return the moment at which a report is sent. Call it right before."""
        return self._clock()

    def renew(self, sent: float, orders: Orders) -> None:
        """Take the answer to a report that was sent at `sent`. Answers may come late, twice and in any order."""
        if orders.do == "end":
            self._over = True
            return
        self._heard = max(self._heard, sent)
        if orders.lease_s > 0:
            self._until = max(self._until, sent + orders.lease_s)

    def give_back(self) -> None:
        """Ask nobody from now on. Call it before the coordinator is told so."""
        self._given_back = True

    def may_ask(self) -> bool:
        """Whether a request may be started now."""
        return not (self._over or self._given_back) and self._clock() < self._until

    @property
    def left_s(self) -> float:
        """In how many seconds it ends; 0 if it has ended."""
        return max(0.0, self._until - self._clock()) if self.may_ask() else 0.0

    @property
    def is_lost(self) -> bool:
        """Whether the shard is another's, or must be taken for that: then the process ends."""
        return self._over or self._clock() > self._heard + _GIVEN_UP * self._lease_s
