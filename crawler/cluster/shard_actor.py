"""The actor that holds a shard: one process, with the ring of the shard in a thread of its own."""

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Final, TypeVar

from crawler.cluster.keeper import Keeper
from crawler.cluster.nodes import scratch
from crawler.cluster.peers import Peers
from crawler.cluster.task import Task
from crawler.core.event_loop import loop_factory
from crawler.core.extras import needed
from crawler.shards.messages import Start
from crawler.shards.place import Place

__all__ = ["ShardActor"]

T = TypeVar("T")

_PATIENCE_S: Final = 5.0
"""Ray ends a process within a moment."""


class ShardActor:
    """Runs a `Keeper` in a thread, with an event loop of its own, and gives it what other actors send.

    The process ends when the keeper does: when the shard was given back, or is another's, or cannot be held. Has no
    state of its own.
    """

    def __init__(self, task: Task, start: Start, node: str) -> None:
        self._shard = start.shard
        self._ray = needed("ray", "cluster", "--cluster")
        peers = Peers(self._ray, task.namespace, patience_s=task.timing.lease_s)
        self._keeper = Keeper(task, start, node, _folder(task, start.shard), peers.call)
        self._runner = asyncio.Runner(loop_factory=loop_factory())
        self._loop = self._runner.get_loop()
        threading.Thread(target=self._main, name="shard", daemon=True).start()

    async def take(self, raw: bytes) -> bytes:
        """Take parcels of another shard: see `Keeper.take`."""
        return await self._in_thread(self._keeper.take(raw))

    async def ask(self, raw: bytes) -> bytes:
        """Return the receipt for another shard: see `Keeper.ask`."""
        return await self._in_thread(self._keeper.ask(raw))

    async def live(self) -> None:
        """Return never: whoever waits for it learns that the process has ended."""
        await asyncio.Event().wait()

    async def process(self) -> int:
        """Return the number of the process."""
        return os.getpid()

    async def _in_thread(self, work: Coroutine[Any, Any, T]) -> T:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    def _main(self) -> None:
        try:
            with self._runner:
                self._runner.run(self._keeper.run())
        finally:
            # The actor's own thread waits for calls for ever. All that is to be kept is on the disk. Ray tells each
            # program that uses it of a process that ends in another way.
            with contextlib.suppress(Exception):
                self._ray.kill(self._ray.get_runtime_context().current_actor)
                time.sleep(_PATIENCE_S)
            os._exit(0)


def _folder(task: Task, shard: int) -> Path:
    """Return the working folder of a shard: in the job if that is a folder, else on a disk of this machine."""
    place = Place(task.place)
    if place.path is not None and "://" not in task.place:
        return place.path / "shards" / f"{shard:03}"
    return scratch() / task.job / f"{shard:03}"
