"""Event loops whose clocks are the test's own.

One jumps to what comes next: minutes of waiting take no time, and each run is the same. The other one stands still
when the process does, and goes slowly when it has no processor.
"""

import asyncio
import functools
import selectors
import time
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

__all__ = ["in_steady_time", "in_virtual_time", "run", "stand_still"]

T = TypeVar("T")
P = ParamSpec("P")

_TURN_S = 0.02


class _Clock(selectors.DefaultSelector):
    """Waits for nothing but its own time: nothing else may happen in such a loop."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "nothing is left that could happen"
            self.now += max(timeout, 0.0)
        return ready


class _SteadyClock(selectors.DefaultSelector):
    """Counts what was waited for and no more, and of each turn of the loop at most `_TURN_S`."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self._woken_at = time.monotonic()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        asleep_at = time.monotonic()
        ready = super().select(timeout)
        worked_s, self._woken_at = asleep_at - self._woken_at, time.monotonic()
        waited_s = self._woken_at - asleep_at
        self.now += min(worked_s, _TURN_S) + (waited_s if timeout is None else min(waited_s, max(timeout, 0.0)))
        return ready


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self, clock: _Clock | _SteadyClock) -> None:
        self.clock = clock
        super().__init__(clock)

    def time(self) -> float:
        return self.clock.now


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that waits for nothing but time, in an event loop of its own."""
    with asyncio.Runner(loop_factory=lambda: _Loop(_Clock())) as runner:
        return runner.run(work)


def in_virtual_time(test: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, T]:
    """Run a test that waits for nothing but time in such a loop: no machine is too slow for it."""

    @functools.wraps(test)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
        return run(test(*args, **kwargs))

    return wrapped


def in_steady_time(test: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, T]:
    """Run a test that waits for threads and files, too, in a loop whose time passes only while it runs."""

    @functools.wraps(test)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
        with asyncio.Runner(loop_factory=lambda: _Loop(_SteadyClock())) as runner:
            return runner.run(test(*args, **kwargs))

    return wrapped


def stand_still(seconds: float) -> None:
    """Let the running loop's time pass as if this process had not run meanwhile."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, _Loop)
    loop.clock.now += seconds
