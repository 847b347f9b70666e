"""The process of a shard: the keeper that a real cluster has, with a simulated ring under it."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol, cast
from unittest import mock

import crawler.cluster.checkpoints
import crawler.cluster.keeper
from bench.simulation.network import Network
from bench.simulation.ring import Ring
from bench.simulation.world import Loop, Process, keep
from crawler.cluster.keeper import Keeper
from crawler.cluster.task import Task, shard_name
from crawler.cluster.workplace import Workplace
from crawler.core.config import CrawlConfig
from crawler.core.errors import JobRunningError, LeaseLostError
from crawler.ledger.exchange import Exchange
from crawler.ring.member import Member
from crawler.shards.courier import Courier
from crawler.shards.messages import Start
from crawler.shards.place import Place

__all__ = ["Holder", "Yard", "kept_by_simulation"]

_PATIENCE_S = 4.0


class Yard(Protocol):
    """What a shard's process finds on its node, and who watches it."""

    network: Network
    place: Place
    config: CrawlConfig

    def folder(self, process: Process, shard: int) -> Path: ...
    def lock(self, process: Process, folder: Path) -> bool: ...
    def unlock(self, folder: Path) -> None: ...
    def ring(self, holder: "Holder", folder: Path, may_ask: Callable[[], bool]) -> Ring: ...
    def watch(self, holder: "Holder") -> None: ...


class Holder(Keeper):
    """A keeper in a simulated process. State: that process, and the ring once it stands."""

    def __init__(self, process: Process, yard: Yard, start: Start) -> None:
        self.process = process
        self.yard = yard
        self.start = start
        self.ring: Ring | None = None
        self.folder = yard.folder(process, start.shard)
        process.holder = self
        task = Task(job="simulation", place=str(yard.place.path), config=yard.config)
        super().__init__(task, start, process.node.name, self.folder, self._reach)
        yard.network.listen(shard_name(start.shard, start.epoch), process, self._serve)
        keep(asyncio.ensure_future(self._live()))
        yard.watch(self)

    async def _live(self) -> None:
        await self.run()
        self.process.die()

    async def _reach(self, name: str, method: str, raw: bytes) -> bytes:
        return await self.yard.network.call(self.process, name, method, raw, _PATIENCE_S)

    async def _serve(self, method: str, raw: bytes) -> bytes:
        return await {"take": self.take, "ask": self.ask}[method](raw)

    def _courier(self, exchange: Exchange) -> Courier:
        courier = super()._courier(exchange)
        courier._rng.seed(self.process.world.rng.random())  # noqa: SLF001 - its dice fall as the seed says
        return courier


class _Workplace(Workplace):
    """A working folder whose lock a simulated process holds."""

    def prepare(self) -> bool:
        holder = _holder()
        if not holder.yard.lock(holder.process, holder.folder):
            raise JobRunningError("another process has the folder")
        return super().prepare()


class _Errands:
    """No errands: nobody gives orders, or looks on."""

    def __init__(self, *_: Any) -> None:
        pass

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def cut(self) -> None:
        pass

    safe = cut


class _Crawler:
    """A crawler whose ring is simulated."""

    def __init__(self, _config: CrawlConfig, _seeds: Any, *, member: Member, **_: Any) -> None:
        self._member = member

    async def run(self) -> None:
        """Crawl until the ring has drained. Raises `LeaseLostError`."""
        holder = _holder()
        ring = holder.ring = holder.yard.ring(holder, holder.folder, self._member.may_ask)
        assert ring.exchange is not None
        self._member.joined(ring.exchange)
        await ring.over.wait()
        ring.close()
        holder.yard.unlock(holder.folder)
        if ring.is_lost:
            raise LeaseLostError("the lease is lost")

    def stats(self) -> None:
        """Nobody looks on."""


def _holder() -> Holder:
    return cast("Holder", cast("Loop", asyncio.get_running_loop()).process.holder)


@contextmanager
def kept_by_simulation(checkpoint_s: float) -> Iterator[None]:
    """Let keepers hold simulated rings, with checkpoints each so many seconds."""
    with ExitStack() as patches:
        for name, made in (("Workplace", _Workplace), ("Errands", _Errands), ("Crawler", _Crawler)):
            patches.enter_context(mock.patch.object(crawler.cluster.keeper, name, made))
        patches.enter_context(mock.patch.object(crawler.cluster.checkpoints, "_EACH_S", checkpoint_s))
        yield
