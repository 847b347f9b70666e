"""Whether this coordinator still is the one of its job: another may have been started in its place, unknown to it."""

from crawler.shards.timing import Timing

__all__ = ["Tenure"]


class Tenure:
    """How sure a coordinator is that nobody has replaced it. State: times of its clock, which it alone writes.

    Two coordinators may run for a while, since one may have slept. The later one has *claimed* the job by a state of
    its own; the earlier one learns that when it next saves a state, or looks for a later one. It gives leases for one
    lease after the beginning of its last such proof, and these last for one lease more. So a new one gives away nothing
    for two leases after its claim.

    What a coordinator wants done is done before it is called again: so each call proves what the one before wanted.
    """

    def __init__(self, timing: Timing) -> None:
        self._timing = timing
        self._asked: float | None = None
        self._proved: float | None = None

    def begin(self) -> bool:
        """Begin a call. Return True if the one before it was the claim, which is durable now."""
        first = self._proved is None and self._asked is not None
        if self._asked is not None:
            self._proved, self._asked = self._asked, None
        return first

    def ask(self, now: float) -> None:
        """A proof is among the effects of the call that began at `now`."""
        self._asked = now

    def is_due(self, now: float) -> bool:
        """Whether it is time for a proof."""
        return self._asked is None and (self._proved is None or now >= self._proved + self._timing.renew_s)

    def may_renew(self, now: float) -> bool:
        """Whether a lease may be given in the answer to the call that began at `now`."""
        if self._asked is not None:
            return True
        return self._proved is not None and now < self._proved + self._timing.lease_s
