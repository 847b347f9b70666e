"""The actor that coordinates a job. Killed, it is started again and goes on from the last state."""

import asyncio
import contextlib
import logging
import os
from typing import Any, Final

from crawler.cluster.host import Host
from crawler.cluster.nodes import Found, alive, look_at, node_of
from crawler.cluster.shard_actor import ShardActor
from crawler.cluster.task import COORDINATOR, Task, shard_name
from crawler.core.errors import ReplacedError
from crawler.core.extras import needed
from crawler.shards.effects import EndShard, StartShard
from crawler.shards.place import Place
from crawler.shards.state import ClusterState

__all__ = ["MARK", "CoordinatorActor", "start_coordinator"]

_log = logging.getLogger(__name__)

MARK: Final = ".seen"
"""A file that the driver writes to the place, and that each machine must see."""
_LOOK_S: Final = 1.0
_PROCESS_ENDED: Final = ("its worker process has died", "it was killed by `ray.kill`")
"""Ray's words for an actor whose process has surely ended. Where the node has died, it may run on."""


class CoordinatorActor:
    """Runs a `Host` in an actor of Ray, starts actors of shards, and tells it which machines there are.

    State, of the actor's event loop: which machines were looked at, with what they said, and the watched actors.
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        self._ray = needed("ray", "cluster", "--cluster")
        self._place = Place(task.place)
        self._host = Host(self._place, start=self._start, end=self._end, timing=task.timing)
        self._found: dict[str, Found] = {}
        self._watched: set[asyncio.Task[None]] = set()
        self._begun: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()

    async def begin(self) -> None:
        """Begin, once; whoever calls an actor that was restarted does it anew. Raises what makes that impossible."""
        if self._begun is None:
            self._begun = asyncio.create_task(self._run())
        if not self._ready.is_set():
            ready = asyncio.create_task(self._ready.wait())
            await asyncio.wait({ready, self._begun}, return_when=asyncio.FIRST_COMPLETED)
            ready.cancel()
            if self._begun.done():
                self._begun.result()

    async def report(self, raw: bytes) -> bytes:
        """See `Host.report`."""
        await self.begin()
        return await self._host.report(raw)

    async def offer(self, raw: bytes) -> bytes:
        """See `Host.offer`."""
        await self.begin()
        return await self._host.offer(raw)

    async def watch(self, raw: bytes) -> bytes:
        """See `Host.watch`."""
        await self.begin()
        return await self._host.watch(raw)

    async def say(self, raw: bytes) -> bytes:
        """See `Host.say`."""
        return await self._host.say(raw)

    async def process(self) -> int:
        """Return the number of the process."""
        return os.getpid()

    async def _run(self) -> None:
        state = await self._host.begin()
        await self._look()
        self._watch_those_of(state)
        self._ready.set()
        looking = asyncio.create_task(self._keep_looking())
        with contextlib.suppress(ReplacedError):
            await self._host.run()
        looking.cancel()
        # The job is over, or somebody else coordinates it. Ray would start anew what ends in another way.
        self._ray.kill(self._ray.get_runtime_context().current_actor, no_restart=True)

    # Machines

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            try:
                await self._look()
            except ReplacedError:
                return

    async def _look(self) -> None:
        """Tell the coordinator which machines there are that can work on the job."""
        there = await asyncio.to_thread(alive, self._ray)
        new = [identifier for identifier in there if identifier not in self._found]
        for identifier in new:
            self._found[identifier] = found = await self._looked_at(identifier)
            if found.refused:
                self._host.tell(f"machine {found.name} is left out: {found.refused}")
        local = self._place.path is not None and "://" not in self._task.place
        usable = [
            node_of(identifier, cores, found, is_local=local)
            for identifier, cores in there.items()
            if not (found := self._found[identifier]).refused
        ]
        await self._host.nodes(usable)

    async def _looked_at(self, identifier: str) -> Found:
        try:
            found: Found = await look_at(self._ray, identifier, self._task.place, MARK)
        except self._ray.exceptions.RayError as error:
            return Found(identifier[:8], refused=f"it cannot run this program: {' '.join(str(error).split())[:300]}")
        return found

    # Shards

    def _start(self, effect: StartShard) -> None:
        strategy = self._ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(effect.node, soft=False)
        actor = (
            self._ray.remote(ShardActor)
            .options(
                name=shard_name(effect.start.shard, effect.start.epoch),
                namespace=self._task.namespace,
                lifetime="detached",
                max_restarts=0,
                num_cpus=0,
                scheduling_strategy=strategy,
            )
            .remote(self._task, effect.start, effect.node)
        )
        self._keep_watching(actor, effect.start.shard, effect.start.epoch)

    def _end(self, effect: EndShard) -> None:
        name = shard_name(effect.shard, effect.epoch)
        try:
            self._ray.kill(self._ray.get_actor(name, namespace=self._task.namespace))
        except ValueError:
            _log.debug("%s is gone", name)

    def _watch_those_of(self, state: ClusterState) -> None:
        """Watch the actors that an earlier process of the coordinator has started."""
        for number, shard in enumerate(state.shards):
            try:
                actor = self._ray.get_actor(shard_name(number, shard.epoch), namespace=self._task.namespace)
            except ValueError:
                continue  # it never was, or has ended: its lease will tell
            self._keep_watching(actor, number, shard.epoch)

    def _keep_watching(self, actor: Any, shard: int, epoch: int) -> None:
        watching = asyncio.create_task(self._watch(actor, shard, epoch))
        self._watched.add(watching)
        watching.add_done_callback(self._watched.discard)

    async def _watch(self, actor: Any, shard: int, epoch: int) -> None:
        """Tell the coordinator when the process of an actor has surely ended."""
        try:
            await actor.live.remote()
        except self._ray.exceptions.RayError as error:
            if any(words in str(error) for words in _PROCESS_ENDED):
                await self._host.died(shard, epoch)


def start_coordinator(ray: Any, task: Task) -> Any:
    """Start the coordinator of a job as an actor that outlives this program; return its handle."""
    return (
        ray.remote(CoordinatorActor)
        .options(
            name=COORDINATOR,
            namespace=task.namespace,
            lifetime="detached",
            max_restarts=-1,
            num_cpus=0,
        )
        .remote(task)
    )
