"""What a shard does at the place of its job besides checkpoints: it takes orders there, and shows how it is."""

import asyncio
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from crawler.core.errors import StorageError
from crawler.core.memory import resident_bytes
from crawler.core.stats import CrawlStats
from crawler.ledger.inbox import Inbox
from crawler.shards.glance import Glance, Glances
from crawler.shards.messages import Start
from crawler.shards.orders import OrderBox, TakenOver
from crawler.shards.place import Place

__all__ = ["Errands"]

_log = logging.getLogger(__name__)

_LOOK_S: Final = 1.0
_LOOK_FAR_S: Final = 3.0
"""Object storage takes money for each look."""
_SHOWN_S: Final = 60.0


class Errands:
    """The errands of one shard. Nothing hangs on one that fails: it is tried again.

    State: when the shard was last shown. One errand at a time is run.
    """

    def __init__(self, place: Place, start: Start, folder: Path, stats: Callable[[], CrawlStats | None]) -> None:
        self._start = start
        self._stats = stats
        self._pause_s = _LOOK_FAR_S if place.path is None else _LOOK_S
        self._taken_over = TakenOver(OrderBox(place, start.shard), Inbox(folder))
        self._glances = Glances(place)
        self._shown_at = float("-inf")
        self._one_at_a_time = asyncio.Lock()

    async def run(self) -> None:
        """Run errands until cancelled."""
        while True:
            await self._do(self._taken_over.look)
            if time.monotonic() >= self._shown_at + _SHOWN_S:
                await self._do(self._show)
            await asyncio.sleep(self._pause_s)

    async def cut(self) -> None:
        """Learn that a checkpoint is about to be cut: it holds the orders that were taken by now."""
        await self._do(self._taken_over.cut)

    async def safe(self) -> None:
        """Learn that the last checkpoint counts."""
        await self._do(self._taken_over.safe)
        await self._do(self._show)

    async def _do(self, errand: Callable[[], None]) -> None:
        async with self._one_at_a_time:
            try:
                await asyncio.to_thread(errand)
            except (StorageError, OSError) as error:
                _log.warning("an errand has to wait: %s", error)

    def _show(self) -> None:
        stats = self._stats()
        if stats is not None:
            shard, epoch = self._start.shard, self._start.epoch
            self._glances.put(
                Glance(shard=shard, epoch=epoch, at=time.time(), stats=stats, memory_bytes=resident_bytes())
            )
            self._shown_at = time.monotonic()
