"""How long a page takes a parser, without the time in which the machine let the parser wait for a core."""

import os
import time
from contextlib import suppress
from typing import Final

__all__ = ["PageClock"]

_WORTH_S: Final = 0.02
"""Of less nobody asks how it was spent."""


class PageClock:
    """Measures pages, in the thread that made it. On a busy machine a parser waits more than it works.

    Linux counts how long a thread was ready and had no core (`/proc/PID/task/TID/schedstat`, the second number, in ns);
    elsewhere that time counts as the page's.

    State: when the page began, and how long the thread had waited when that was read last: at the begin of a batch, or
    after a page of it that was not quick.
    """

    def __init__(self) -> None:
        self._file = -1
        with suppress(OSError):
            self._file = os.open("/proc/thread-self/schedstat", os.O_RDONLY | os.O_CLOEXEC)
        self._began = 0.0
        self._waited_s = self._waited()

    def begin_batch(self) -> None:
        """Begin to measure the pages of a batch."""
        self._waited_s = self._waited()

    def begin(self) -> float:
        """Begin a page; return when that is, in seconds of `time.monotonic`."""
        self._began = time.monotonic()
        return self._began

    def end(self) -> tuple[float, float]:
        """End it; return the seconds since its begin, and how many of them it took. Quick ones are not looked into."""
        passed_s = time.monotonic() - self._began
        if passed_s < _WORTH_S:
            return passed_s, passed_s
        before_s, self._waited_s = self._waited_s, self._waited()
        return passed_s, max(0.0, passed_s - (self._waited_s - before_s))

    def _waited(self) -> float:
        try:
            return int(os.pread(self._file, 64, 0).split()[1]) / 1e9
        except (OSError, ValueError, IndexError):  # no such file, or a page has closed it
            return 0.0
