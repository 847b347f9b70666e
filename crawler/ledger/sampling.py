"""When a crawl's time series gets its next sample."""

import time
from collections.abc import Callable
from typing import Final

from crawler.core.sample import Sample
from crawler.frontier.samples import Samples

__all__ = ["Look", "Sampling"]

Look = Callable[[int, bool], Sample]
"""Takes a sample of a run by its number; the second argument says whether it is the run's last one."""

_INTERVAL_S: Final = 1.0
_IDLE_INTERVAL_S: Final = 5.0
"""With nothing else to commit: a crawl that only waits must not keep the disk busy."""


class Sampling:
    """Takes a sample with a commit about once a second, and says when a commit is due for it alone.

    State, of the ledger's thread: the number of the run, and when the last sample was taken.
    """

    def __init__(self, samples: Samples, look: Look) -> None:
        self._samples = samples
        self._look = look
        self._run = 0
        self._taken_at = float("-inf")

    @property
    def is_overdue(self) -> bool:
        """Whether the last sample is so old that a commit is due for a new one."""
        return time.monotonic() - self._taken_at >= _IDLE_INTERVAL_S

    def take(self, *, last: bool = False) -> None:
        """Put a sample into the open batch if it is time for one; the last one of a run always."""
        now = time.monotonic()
        if not last and now - self._taken_at < _INTERVAL_S:
            return
        self._taken_at = now
        self._run = self._run or self._samples.begin()
        self._samples.put(self._look(self._run, last))
