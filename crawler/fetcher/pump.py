"""Calling a function of the event loop soon, or at a time, once however often that is asked for."""

import asyncio
from collections.abc import Callable

__all__ = ["Pump"]


class Pump:
    """Calls `stroke` when it was asked to: `soon`, in the next turn of the loop, or `at` a time of the loop's clock.

    State, written here alone and in the event loop's thread: whether a call is due, and the timer.
    """

    def __init__(self, stroke: Callable[[], None]) -> None:
        self._stroke = stroke
        self._loop = asyncio.get_running_loop()
        self._due = False
        self._timer: asyncio.TimerHandle | None = None

    def soon(self) -> None:
        """Have it called in the next turn."""
        if not self._due:
            self._due = True
            self._loop.call_soon(self._run)

    def at(self, when: float | None) -> None:
        """Have it called at `when`, and not at the time that was named before; None: at no time."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if when is not None:
            self._timer = self._loop.call_at(when, self.soon)

    def _run(self) -> None:
        self._due = False
        self._stroke()
