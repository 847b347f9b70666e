"""How late the event loop runs: the measure of whether anything blocks it."""

import asyncio
from collections import deque

__all__ = ["LagMeter"]

_PERIOD_S = 0.05
_SAMPLES = 2_400


class LagMeter:
    """Samples the event loop's lateness every 50 ms. Runs as a task of the loop.

    State, written by that task: the samples of the last two minutes, and `late_s`, all lateness together.
    """

    def __init__(self) -> None:
        self._samples: deque[float] = deque(maxlen=_SAMPLES)
        self.late_s = 0.0

    async def run(self) -> None:
        """Sample until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _PERIOD_S
            await asyncio.sleep(_PERIOD_S)
            late_s = max(0.0, loop.time() - due)
            self._samples.append(late_s)
            self.late_s += late_s

    @property
    def p99_s(self) -> float:
        """99th percentile of lateness in seconds, 0 before the first sample."""
        ordered = sorted(self._samples)
        return ordered[int(len(ordered) * 0.99)] if ordered else 0.0
