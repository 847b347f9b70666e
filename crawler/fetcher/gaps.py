"""Times for which this process did not run: stopped by Ctrl-Z, or without a processor."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

__all__ = ["Gaps"]

_log = logging.getLogger(__name__)

_BEAT_S: Final = 0.5
_LEAST_S: Final = 1.0
"""A beat that comes this late means that nothing ran meanwhile, answers included."""


class Gaps:
    """Notices that the event loop stood still. What ran out of time then says nothing about a server.

    `learn(gap_s)` is told of each gap before anything else is seen to: the beat was due before whatever ended in the
    gap. State, of the event loop's thread: when the next beat is due, and when the last gap ended.
    """

    def __init__(self, learn: Callable[[float], None]) -> None:
        self._learn = learn
        self._loop = asyncio.get_running_loop()
        self._ended_at = float("-inf")
        self._due_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._wind_up()

    def covers(self, started: float) -> bool:
        """Whether what started at `started` (the loop's clock) was under way in a gap."""
        return started < self._ended_at

    def close(self) -> None:
        """Notice no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _wind_up(self) -> None:
        self._due_at = self._loop.time() + _BEAT_S
        self._timer = self._loop.call_at(self._due_at, self._beat)

    def _beat(self) -> None:
        now = self._loop.time()
        gap_s = now - self._due_at
        if gap_s >= _LEAST_S:
            self._ended_at = now
            _log.info("this process stood still for %.1f s: what ran out of time meanwhile is asked for again", gap_s)
            self._learn(gap_s)
        self._wind_up()
