"""The process of the coordinator: the real state machine and its states, with a simulated engine to start processes."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from bench.simulation.network import Network
from bench.simulation.world import Process, keep
from crawler.core.errors import ReplacedError
from crawler.shards.coordinator import Coordinator
from crawler.shards.effects import Confirm, EndShard, Save, StartShard
from crawler.shards.lease import boot_time
from crawler.shards.messages import Offer, Report, Start
from crawler.shards.overview import Wish
from crawler.shards.place import Place
from crawler.shards.placing import Node
from crawler.shards.state import ClusterState, decode, encode
from crawler.shards.states import States
from crawler.shards.timing import Timing

__all__ = ["COORDINATOR", "Engine", "Host"]

COORDINATOR = "coordinator"
_TICK_S = 0.5
_NODES_EVERY_S = 2.0


class Engine(Protocol):
    """What starts and ends processes, as Ray does."""

    def start_shard(self, node: str, start: Start) -> None: ...
    def end_shard(self, shard: int, epoch: int) -> None: ...
    def nodes(self) -> Sequence[Node]: ...
    def ended(self) -> Sequence[tuple[int, int]]: ...
    def saved(self, state: ClusterState) -> None: ...


class Host:
    """Drives the coordinator: each call and its effects, one at a time. State: that machine, and its lock."""

    def __init__(self, process: Process, network: Network, place: Place, engine: Engine, timing: Timing) -> None:
        self.process = process
        self._network = network
        self._engine = engine
        self._states = States(place.at("states"))
        self._timing = timing
        self._lock = asyncio.Lock()
        self.coordinator: Coordinator | None = None
        keep(asyncio.ensure_future(self._run()))

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        latest = await loop.run_in_executor(None, self._states.latest)
        assert latest is not None
        self.coordinator = coordinator = Coordinator(decode(latest[1]), self._timing)
        self._network.listen(COORDINATOR, self.process, self._serve)
        next_nodes = 0.0
        while True:
            if boot_time() >= next_nodes:
                next_nodes = boot_time() + _NODES_EVERY_S
                await self._do(coordinator.nodes, self._engine.nodes())
            for shard, epoch in self._engine.ended():
                await self._do(coordinator.died, shard, epoch)
            await self._do(coordinator.tick)
            await asyncio.sleep(_TICK_S)

    async def _serve(self, method: str, given: bytes) -> bytes:
        coordinator = self.coordinator
        assert coordinator is not None
        kind: Any = {"report": Report, "offer": Offer, "wish": Wish}[method]
        told = msgspec.msgpack.decode(given, type=kind)
        return msgspec.msgpack.encode(await self._do(getattr(coordinator, method), told))

    async def _do(self, call: Any, *told: Any) -> Any:
        """Call the machine, do what it wants, and return its answer, if it gives one."""
        async with self._lock:
            said = call(*told, boot_time())
            answer, effects = said if isinstance(said, tuple) else (None, said)
            for effect in effects:
                if not await self._is_done(effect):
                    self.process.world.tell(f"{self.process.name} was replaced")
                    self.process.die()
                    await asyncio.Event().wait()
            return answer

    async def _is_done(self, effect: Any) -> bool:
        """Do what is wanted; False if this coordinator has been replaced."""
        loop = asyncio.get_running_loop()
        match effect:
            case Save():
                state = msgspec.structs.replace(effect.state, saved_at=time.time())
                try:
                    await loop.run_in_executor(None, self._states.put, state.number, encode(state))
                except ReplacedError:
                    return False
                self._engine.saved(state)
            case Confirm():
                latest = await loop.run_in_executor(None, self._states.latest)
                return latest is None or latest[0] <= effect.number
            case StartShard():
                self._engine.start_shard(effect.node, effect.start)
            case EndShard():
                self._engine.end_shard(effect.shard, effect.epoch)
        return True
