"""The process of the coordinator: the host that a real cluster has, with a simulated engine to start processes."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

import msgspec

from bench.simulation.network import Network
from bench.simulation.world import Process, keep
from crawler.cluster.host import Host, Watch
from crawler.core.errors import ReplacedError
from crawler.shards.effects import EndShard, StartShard
from crawler.shards.lease import boot_time
from crawler.shards.messages import Start
from crawler.shards.overview import Wish
from crawler.shards.place import Place
from crawler.shards.placing import Node
from crawler.shards.state import ClusterState
from crawler.shards.timing import Timing

__all__ = ["COORDINATOR", "Coordinating", "Engine", "watched"]

COORDINATOR = "coordinator"
_LOOK_S = 0.5
_NODES_EVERY_S = 2.0


class Engine(Protocol):
    """What starts and ends processes, as Ray does."""

    def start_shard(self, node: str, start: Start) -> None: ...
    def end_shard(self, shard: int, epoch: int) -> None: ...
    def nodes(self) -> Sequence[Node]: ...
    def ended(self) -> Sequence[tuple[int, int]]: ...
    def saved(self, state: ClusterState) -> None: ...


class Coordinating(Host):
    """A host in a simulated process, which ends when it is replaced. State: that process."""

    def __init__(self, process: Process, network: Network, place: Place, engine: Engine, timing: Timing) -> None:
        super().__init__(place, start=self._started, end=self._ended, timing=timing)
        self._process = process
        self._network = network
        self._engine = engine
        keep(asyncio.ensure_future(self._live()))

    def _started(self, effect: StartShard) -> None:
        self._engine.start_shard(effect.node, effect.start)

    def _ended(self, effect: EndShard) -> None:
        self._engine.end_shard(effect.shard, effect.epoch)

    async def _save(self, state: ClusterState) -> None:
        await super()._save(state)
        self._engine.saved(state)

    async def _live(self) -> None:
        await self.begin()
        self._network.listen(COORDINATOR, self._process, self._serve)
        keep(asyncio.ensure_future(self._look()))
        try:
            await self.run()
        except ReplacedError:
            self._leave()

    async def _look(self) -> None:
        """Learn which machines there are, and whose process has ended."""
        next_nodes = 0.0
        try:
            while True:
                if boot_time() >= next_nodes:
                    next_nodes = boot_time() + _NODES_EVERY_S
                    await self.nodes(self._engine.nodes())
                for shard, epoch in self._engine.ended():
                    await self.died(shard, epoch)
                await asyncio.sleep(_LOOK_S)
        except ReplacedError:
            self._leave()

    async def _serve(self, method: str, given: bytes) -> bytes:
        serve = {"report": self.report, "offer": self.offer, "watch": self.watch}[method]
        try:
            return await serve(given)
        except ReplacedError:
            self._leave()
            await asyncio.Event().wait()
            raise

    def _leave(self) -> None:
        self._process.world.tell(f"{self._process.name} was replaced")
        self._process.die()


def watched() -> bytes:
    """What a driver that wishes nothing says once a second."""
    return msgspec.msgpack.encode(Watch("driver", Wish()))
