"""A clock for what waits within a run."""

import time

__all__ = ["RunClock"]


class RunClock:
    """Unix time that goes on evenly from when it is made, whatever is done to the machine's clock meanwhile.

    What waits goes by it: a clock that is set back by an hour must not make a retry wait for an hour. Call it for the
    time in seconds, from any thread. Has no state but its start.
    """

    __slots__ = ("_ahead_s",)

    def __init__(self) -> None:
        self._ahead_s = time.time() - time.monotonic()

    def __call__(self) -> float:
        """Return unix time as it would be, had nobody set the clock."""
        return time.monotonic() + self._ahead_s
