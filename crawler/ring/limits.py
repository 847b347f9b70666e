"""Adds up what limits a crawl, second by second, and keeps the verdict still."""

import asyncio
import random
import time
from collections.abc import Callable
from typing import Final

from crawler.core.rate import History
from crawler.core.stats import CrawlStats
from crawler.ring.bottleneck import NOTHING, Bottleneck, bottleneck

__all__ = ["LimitMeter"]

_TICK_S: Final = 0.25
_JUDGED_S: Final = 1.0
_TURNS: Final = 4
"""A timer that comes with answers would be served after these have ended, and before the next requests start, each time
on a busy machine. So many turns of the loop later they have."""
_WINDOW_S: Final = 6.0
"""What limits a crawl is judged over the last seconds: long enough for several commits and a slow host's answers."""
_CONVINCED: Final = 2
"""So often in a row another verdict must come before it counts."""
_AT_ONCE: Final = ("starting", "paused", "nothing left")
"""What is so from the first moment on, and over as soon as it is not."""


class LimitMeter:
    """Looks at what holds hosts four times a second, and judges once a second what limits the crawl.

    `held()` counts hosts by what holds them now, `now()` gives the crawl's counters. Runs as a task of the event loop.

    State, written by that task; others read it: `held_s`, seconds by what held hosts, shared out among what held some
    at the same time; `limited_s`, seconds by the stage that limited the crawl; the `verdict`; the last counters, and
    which other verdict has come how often.
    """

    def __init__(self, held: Callable[[], dict[str, int]], now: Callable[[], CrawlStats]) -> None:
        self._held = held
        self._now = now
        self.held_s: dict[str, float] = {}
        self.limited_s: dict[str, float] = {}
        self.verdict = Bottleneck("starting", "too early to tell")
        self._history = History(_WINDOW_S)
        self._rng = random.Random()
        self._other = ""
        self._seen = 0

    async def run(self) -> None:
        """Look until cancelled."""
        looked_at = judged_at = time.monotonic()
        while True:
            # At odd times: a host that is asked each 0.1 s must not be met in the same state each time.
            await asyncio.sleep(_TICK_S * self._rng.uniform(0.5, 1.5))
            for _ in range(_TURNS):
                await asyncio.sleep(0)
            now = time.monotonic()
            self._look(now - looked_at)
            looked_at = now
            if now - judged_at >= _JUDGED_S:
                self._judge(now - judged_at)
                judged_at = now

    def _look(self, span_s: float) -> None:
        held = self._held()
        in_all = sum(held.values())
        for name, number in held.items():
            self.held_s[name] = self.held_s.get(name, 0.0) + span_s * number / in_all
        if not in_all:
            self.held_s[NOTHING] = self.held_s.get(NOTHING, 0.0) + span_s

    def _judge(self, span_s: float) -> None:
        stats = self._now()
        self._history.add(stats)
        found = bottleneck(self._history.before(_WINDOW_S), stats)
        is_new = found.stage != self.verdict.stage
        self._seen = self._seen + 1 if is_new and found.stage == self._other else int(is_new)
        self._other = found.stage
        if not is_new or self._seen >= _CONVINCED or found.stage in _AT_ONCE or self.verdict.stage in _AT_ONCE:
            self.verdict = found
            self._seen = 0
        stage = self.verdict.stage
        self.limited_s[stage] = self.limited_s.get(stage, 0.0) + span_s
