"""A cluster of simulated machines on which a crawl runs, and what befalls it."""

import asyncio
import contextlib
import random
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from bench.simulation.coordinating import COORDINATOR, Coordinating, watched
from bench.simulation.holder import Holder
from bench.simulation.network import Network, UnreachableError
from bench.simulation.plan import Plan
from bench.simulation.promises import Moves
from bench.simulation.ring import Ring
from bench.simulation.servers import Servers
from bench.simulation.world import Node, Process, World, keep
from crawler.core.config import CrawlConfig
from crawler.core.model import Seed
from crawler.ledger.sinks.outputs import part_endings, part_sinks
from crawler.shards.messages import Start
from crawler.shards.outputs import output_places
from crawler.shards.place import Place
from crawler.shards.placing import Node as NodeSeen
from crawler.shards.safe import Safe
from crawler.shards.state import ClusterState
from crawler.shards.timing import Timing

__all__ = ["Cluster"]

_COMMITTED_S = 0.3
"""So much later than it is due may a commit be."""


class Cluster:
    """The machines of a crawl, as an engine of processes and as what a shard finds on its node.

    State: nodes, processes, who holds the lock of a folder; what the coordinator has ordered (`moves`), how often each
    thing happened.
    """

    def __init__(self, plan: Plan, world: World, servers: Servers, config: CrawlConfig, folder: Path) -> None:
        self.plan, self.world, self.servers, self.config = plan, world, servers, config
        self.rng = random.Random(f"cluster {plan.seed}")
        self.network = Network(world, self.rng, loss=plan.loss, twice=plan.twice)
        self.base = folder
        self.seeds: list[Seed] = []
        self.page_s = 0.001
        self.place = Place(folder / "place")
        self.timing = Timing()
        self.machines: dict[str, Node] = {}
        self.leaving: set[str] = set()
        self.unseen: set[str] = set()
        self.moves: list[Moves] = []
        self.checkpointed: dict[tuple[int, int], float] = {}
        self.most_outbox = 0
        self.is_over = False
        self.ends: dict[str, float] = {}
        self.state: ClusterState | None = None
        self.happened: list[str] = []
        self.shard_processes: list[Process] = []
        self.rings: list[Ring] = []
        self._locks: dict[Path, Process] = {}
        self._holders: dict[tuple[int, int], Holder] = {}
        self._dead: list[tuple[int, int]] = []
        self.coordinators: list[Process] = []
        self.hosts: list[Coordinating] = []
        for number in range(plan.nodes):
            self.add_node(f"n{number}")
        self.driver = Process(Node(world, "driver"), "driver", lambda _: keep(asyncio.ensure_future(self._watch())))

    # Nodes and processes

    def add_node(self, name: str) -> None:
        """Add a machine, with a clock of its own."""
        drift = self.plan.drift
        self.machines[name] = Node(
            self.world, name, self.rng.uniform(1 - drift, 1 + drift), self.rng.uniform(-0.02, 0.02)
        )

    def start_coordinator(self) -> None:
        """Start a coordinator on a node that is up; later, if there is none."""
        up = [node for node in self.machines.values() if node.is_up and node.name not in self.network.cut]
        if not up:
            self.world.after(2.0, self.start_coordinator)
            return
        name = f"coordinator-{len(self.coordinators)}"
        process = Process(
            up[0],
            name,
            lambda process: self.hosts.append(Coordinating(process, self.network, self.place, self, self.timing)),
        )
        process.on_end = lambda: self._coordinator_ended(process)
        self.coordinators.append(process)
        self.world.tell(f"{name} starts on {up[0].name}")

    def _coordinator_ended(self, process: Process) -> None:
        self.world.tell(f"{process.name} has ended")
        if self.coordinators[-1] is process:
            self.world.after(1.5, self.start_coordinator)

    def start_shard(self, node: str, start: Start) -> None:
        """Start a process for a shard, which takes a while."""
        knows = self.world.now
        if not start.own:
            number = 0 if start.checkpoint is None else start.checkpoint.number
            knows = self.checkpointed.get((start.shard, number), -1.0)
        self.moves.append(Moves(self.world.now, start.shard, start.epoch, knows))
        self.world.tell(f"shard {start.shard} epoch {start.epoch} is to start on {node} (own: {start.own})")
        self.world.after(self.rng.uniform(0.3, 1.5), partial(self._start_shard, node, start))

    def _start_shard(self, name: str, start: Start) -> None:
        node = self.machines.get(name)
        if node is None or not node.is_up:
            return

        def begin(process: Process) -> None:
            self._holders[start.shard, start.epoch] = Holder(process, self, start)

        process = Process(node, f"shard-{start.shard}-{start.epoch}", begin)
        process.on_end = lambda: self._shard_ended(process, start.shard, start.epoch)
        self.shard_processes.append(process)

    def _shard_ended(self, process: Process, shard: int, epoch: int) -> None:
        self.world.tell(f"{process.name} has ended")
        self.ends[process.name] = self.world.now
        self._locks = {folder: by for folder, by in self._locks.items() if by is not process}
        if process.node.is_up and process.node.name not in self.network.cut:
            self.world.after(self.rng.uniform(0.1, 1.0), lambda: self._dead.append((shard, epoch)))

    def end_shard(self, shard: int, epoch: int) -> None:
        """Kill a process if it can be reached."""
        self.world.after(0.2, partial(self._end_shard, shard, epoch))

    def _end_shard(self, shard: int, epoch: int) -> None:
        holder = self._holders.get((shard, epoch))
        if holder is not None and holder.process.node.name not in self.network.cut:
            holder.process.kill()

    def nodes(self) -> Sequence[NodeSeen]:
        """The nodes as the engine sees them."""
        return tuple(
            NodeSeen(id=name, cores=2.0, disk="" if self.plan.shared_disk else name, leaving=name in self.leaving)
            for name, node in self.machines.items()
            if node.is_up and name not in self.unseen
        )

    def ended(self) -> Sequence[tuple[int, int]]:
        """The processes that have surely ended since this was asked last."""
        dead, self._dead = self._dead, []
        return dead

    def saved(self, state: ClusterState) -> None:
        """Note which checkpoints are accepted, and whether the crawl says that it has ended."""
        self.is_over = state.is_over
        self.state = state
        for shard, one in enumerate(state.shards):
            if one.checkpoint is not None:
                self.checkpointed.setdefault((shard, one.checkpoint.number), self.world.now)

    # What a shard finds on its node

    def folder(self, process: Process, shard: int) -> Path:
        """The working folder of a shard on a node."""
        on = "shared" if self.plan.shared_disk else process.node.name
        return self.base / "disks" / on / f"{shard:03}"

    def lock(self, process: Process, folder: Path) -> bool:
        """Lock a folder for a process; False if another one that lives has it."""
        by = self._locks.get(folder)
        if by is not None and by.is_alive and by is not process:
            return False
        self._locks[folder] = process
        return True

    def unlock(self, folder: Path) -> None:
        """Let go of a folder."""
        self._locks.pop(folder, None)

    def safe(self, start: Start, folder: Path) -> Safe:
        """What keeps the checkpoints of a shard."""
        return Safe(
            folder,
            self.place.at(f"checkpoints/{start.shard:03}"),
            output_places(self.config, self.place),
            shard=start.shard,
            epoch=start.epoch,
            incarnation=start.incarnation,
            endings=part_endings(self.config),
            accepted=start.checkpoint,
        )

    def ring(self, holder: Holder, folder: Path, may_ask: Callable[[], bool]) -> Ring:
        """Make the ring of a shard."""
        ring = Ring(
            holder.process,
            self.servers,
            self.config,
            folder,
            sinks=part_sinks(self.config, folder),
            seeds=self.seeds,
            page_s=self.page_s,
            start=holder.start,
            may_ask=may_ask,
        )
        self.rings.append(ring)
        return ring

    def watch(self, holder: Holder) -> None:
        """Know a holder."""
        self.world.tell(f"{holder.process.name} starts on {holder.process.node.name}")

    # The driver

    async def _watch(self) -> None:
        while True:
            with contextlib.suppress(UnreachableError):
                await self.network.call(self.driver, COORDINATOR, "watch", watched())
            await asyncio.sleep(1.0)

    def look(self) -> None:
        """See how full the outboxes are, once in a while."""
        for holder in self.living():
            if holder.ring is not None and holder.ring.frontier.outbox is not None:
                self.most_outbox = max(self.most_outbox, holder.ring.frontier.outbox.size_bytes)
        self.world.after(1.0, self.look)

    def unheard(self, process: str, at: float) -> bool:
        """Whether a process of a shard ended before a commit could hold what it heard until then."""
        return self.ends.get(process, self.world.now) < at + self.plan.commit_s + _COMMITTED_S

    def living(self) -> list[Holder]:
        """The holders whose process lives, in the order of shards."""
        return [holder for _, holder in sorted(self._holders.items()) if holder.process.is_alive]

    def close(self) -> None:
        """End all processes."""
        for process in [self.driver, *self.coordinators, *(holder.process for holder in self.living())]:
            process.on_end = None
            process.kill()
