"""How long the coordinator of a job waits for what: all of it follows from the length of a lease."""

from typing import Final

from msgspec import Struct

__all__ = ["DRIFT", "Timing"]

DRIFT: Final = 0.03
"""How much longer than a lease one waits before another gets the shard: two clocks may each be wrong by 1 %."""


class Timing(Struct, frozen=True):
    """The length of a lease, in seconds, and what follows from it. Tests make it short."""

    lease_s: float = 10.0

    @property
    def sure_s(self) -> float:
        """After this, by any clock, a lease that was given now has run out by the clock of its holder."""
        return self.lease_s * (1 + DRIFT)

    @property
    def renew_s(self) -> float:
        """A holder reports this often."""
        return self.lease_s / 4

    @property
    def idle_s(self) -> float:
        """An idle one reports this often, since it may be the last that the end of the crawl waits for."""
        return self.lease_s / 20

    @property
    def soon_s(self) -> float:
        """The next report is wanted at once: an order has to be told, or all are idle."""
        return self.lease_s / 100

    @property
    def claim_s(self) -> float:
        """So long a new coordinator gives nothing away.

        The one before it may not know that it was replaced for one lease after it last made sure, and gives leases
        until then.
        """
        return 2 * self.sure_s

    @property
    def silent_s(self) -> float:
        """A holder on a machine that is there may be silent for so long before its shard goes to another process."""
        return 2 * self.sure_s

    @property
    def start_s(self) -> float:
        """A process that was started must report within this."""
        return 12 * self.lease_s

    @property
    def driver_s(self) -> float:
        """A driver that is not heard for so long is gone."""
        return 6 * self.lease_s

    @property
    def settled_s(self) -> float:
        """A machine must have been there for so long before shards are moved to it."""
        return self.lease_s

    def pause_s(self, tries: int) -> float:
        """Wait so long before a shard is started again that could not start, or ended, `tries` times in a row."""
        return self.lease_s / 20 * 2 ** min(tries - 2, 7) if tries > 1 else 0.0
