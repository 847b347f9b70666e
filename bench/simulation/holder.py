"""The process of a shard: its ring, lease, checkpoints and letters, driven as an actor of a cluster drives them."""

import asyncio
import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec

from bench.simulation.coordinating import COORDINATOR
from bench.simulation.network import Network, UnreachableError
from bench.simulation.ring import Ring
from bench.simulation.world import Process, keep
from crawler.core.errors import RingEndedError
from crawler.core.shard import Parcel, Receipt, Shard
from crawler.shards.checkpoint import Checkpoint
from crawler.shards.courier import Courier, taken_in
from crawler.shards.lease import Lease
from crawler.shards.messages import Answer, Offer, Orders, Report, Start
from crawler.shards.place import Place
from crawler.shards.safe import Safe

__all__ = ["Holder", "Yard", "shard_name"]

_REPORT_S = 4.0


class Yard(Protocol):
    """What a shard's process finds on its node, and who watches it."""

    network: Network
    place: Place
    checkpoint_s: float

    def folder(self, process: Process, shard: int) -> Path: ...
    def lock(self, process: Process, folder: Path) -> bool: ...
    def unlock(self, folder: Path) -> None: ...
    def incarnation(self, folder: Path) -> int: ...
    def safe(self, start: Start, folder: Path) -> Safe: ...
    def ring(self, holder: "Holder", folder: Path) -> Ring: ...
    def watch(self, holder: "Holder") -> None: ...


def shard_name(shard: int, epoch: int) -> str:
    """Under which name a holder listens."""
    return f"shard-{shard:03}-{epoch}"


class Holder:
    """One holder of a shard. State: its lease, what it was ordered last, its ring once its folder is open, its end."""

    def __init__(self, process: Process, yard: Yard, start: Start) -> None:
        self.process = process
        self.yard = yard
        self.start = start
        self.name = shard_name(start.shard, start.epoch)
        self.lease = Lease(start.lease_s)
        self.ring: Ring | None = None
        self.could_not = ""
        self.released = False
        self.published = 0 if start.checkpoint is None else start.checkpoint.number
        self.orders = Orders(do="run")
        self._round = 0
        self._safe: Safe | None = None
        self._news = asyncio.Event()
        self._cutting = asyncio.Lock()
        self._ending = False
        self._folder = yard.folder(process, start.shard)
        keep(asyncio.ensure_future(self._report()))
        keep(asyncio.ensure_future(self._begin()))
        yard.watch(self)

    # The folder, and the ring in it

    async def _begin(self) -> None:
        start, yard, folder = self.start, self.yard, self._folder
        loop = asyncio.get_running_loop()
        if not yard.lock(self.process, folder):
            self.could_not = "locked"
        elif start.own and yard.incarnation(folder) != start.incarnation:
            self.could_not = "lost"
        if self.could_not:
            self._news.set()
            return
        safe = yard.safe(start, folder)
        if not start.own:
            await loop.run_in_executor(None, safe.restore)
        await loop.run_in_executor(None, safe.begin)
        self._safe = safe
        self.ring = yard.ring(self, folder)
        shard = Shard(start.shard, start.of)
        courier = Courier(self.ring.exchange, shard, deliver=self._deliver, ask=lambda of: self._deliver(of, ()))
        courier._rng.seed(self.process.world.rng.random())  # noqa: SLF001 - its dice fall as the seed says
        self.yard.network.listen(self.name, self.process, self._serve)
        keep(asyncio.ensure_future(courier.run()))
        keep(asyncio.ensure_future(self._checkpoints()))
        self._news.set()

    # The lease, and what is ordered

    async def _report(self) -> None:
        while True:
            sent = self.lease.sending()
            report = self._look()
            try:
                raw = await self._ask(COORDINATOR, "report", report)
            except UnreachableError:
                raw = None
            if raw is not None:
                orders = msgspec.msgpack.decode(raw, type=Orders)
                self.lease.renew(sent, orders)
                self._obey(orders)
                if report.could_not or report.released:
                    self.process.die()
                    return
            if self.lease.is_lost:
                self._lose()
                return
            self._news.clear()
            wait_s = self.orders.next_s
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), wait_s)

    def _look(self) -> Report:
        start = self.start
        told: dict[str, Any] = {}
        if self.ring is not None:
            one = self.ring.exchange.standing
            told = {
                "opened": True, "idle": one.idle, "why": one.why, "pages": one.pages,
                "credit": one.credit, "grant": one.credit_number, "sent": one.sent, "taken": one.taken,
                "wants_look": one.wants_look, "looks": one.looks,
            }  # fmt: skip
        return Report(
            shard=start.shard, epoch=start.epoch, incarnation=start.incarnation, node=self.process.node.name,
            could_not=self.could_not, released=self.released, published=self.published, round=self._round, **told,
        )  # fmt: skip

    def _obey(self, orders: Orders) -> None:
        self.orders, self._round = orders, orders.round
        if orders.do == "end":
            self._lose()
        if self.ring is None:
            return
        if orders.grant and orders.credit is not None:
            self.ring.exchange.allow(orders.credit, orders.grant)
        if orders.look:
            self.ring.exchange.look(orders.look)
        if orders.do == "release" and not self._ending:
            self._ending = True
            keep(asyncio.ensure_future(self._release(orders)))

    def _lose(self) -> None:
        """The lease is lost: nothing of what is done here counts any more."""
        if self.ring is not None:
            self.ring.exchange.lose()
        self.process.die()

    async def _release(self, orders: Orders) -> None:
        assert self.ring is not None
        assert self._safe is not None
        async with self._cutting:
            cut = await asyncio.wrap_future(self.ring.exchange.end(orders.why, self._safe.cut_folder))
            assert cut is not None
            await self._bring(cut)
        self.ring.close()
        self.yard.unlock(self._folder)
        self.lease.give_back()
        self.released = True
        self._news.set()

    # Checkpoints

    async def _checkpoints(self) -> None:
        assert self.ring is not None
        assert self._safe is not None
        loop = asyncio.get_running_loop()
        last_at = loop.time()
        was_idle = False
        while not self._ending:
            await asyncio.sleep(0.5)
            one = self.ring.exchange.standing
            if one.idle and not was_idle:
                self._news.set()
            was_idle = one.idle
            age_s = loop.time() - last_at
            if self._ending or not (age_s >= self.yard.checkpoint_s or (one.resting and one.unsafe and age_s >= 1.0)):
                continue
            async with self._cutting:
                if self._ending:
                    return
                cut = await asyncio.wrap_future(self.ring.exchange.checkpoint(self._safe.cut_folder))
                await self._bring(cut)
            last_at = loop.time()
            self._news.set()

    async def _bring(self, cut: Any) -> None:
        """Bring a cut to the place, offer it until the coordinator says something, and make it public."""
        assert self._safe is not None
        assert self.ring is not None
        loop = asyncio.get_running_loop()
        checkpoint: Checkpoint = await loop.run_in_executor(None, self._safe.upload, cut)
        while True:
            if not self.lease.may_ask():
                await asyncio.sleep(0.5)
                continue
            try:
                offer = Offer(self.start.shard, self.start.epoch, checkpoint)
                answer = msgspec.msgpack.decode(await self._ask(COORDINATOR, "offer", offer), type=Answer)
            except UnreachableError:
                continue
            if answer.lost:
                self._lose()
                await asyncio.Event().wait()
            if answer.accepted >= checkpoint.number:
                break
            await asyncio.sleep(0.5)
        self.ring.exchange.safe(checkpoint.marks)
        self.published = await loop.run_in_executor(None, self._safe.accept)

    # Letters

    async def _deliver(self, destination: int, parcels: Sequence[Parcel]) -> Receipt:
        """Send parcels to the holder of a shard, or just ask for its receipt."""
        epoch = self.orders.epochs[destination] if destination < len(self.orders.epochs) else 0
        if not epoch:
            raise UnreachableError("nobody holds it")
        given = msgspec.msgpack.encode((self.start.shard, parcels))
        raw = await self.yard.network.call(self.process, shard_name(destination, epoch), "take", given)
        receipt = msgspec.msgpack.decode(raw, type=Receipt)
        if receipt.epoch != epoch:
            raise UnreachableError("another holds it")
        return receipt

    async def _serve(self, _method: str, given: bytes) -> bytes:
        assert self.ring is not None
        sender, parcels = msgspec.msgpack.decode(given, type=tuple[int, list[Parcel]])
        exchange = self.ring.exchange
        try:
            receipt = await (taken_in(exchange, parcels) if parcels else asyncio.wrap_future(exchange.ask(sender)))
        except RingEndedError:
            await asyncio.Event().wait()  # nobody answers any more
        return msgspec.msgpack.encode(receipt)

    async def _ask(self, name: str, method: str, message: Any) -> bytes:
        raw = msgspec.msgpack.encode(message)
        return await self.yard.network.call(self.process, name, method, raw, _REPORT_S)
