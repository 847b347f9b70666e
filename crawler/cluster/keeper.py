"""One shard under one lease: its ring, what it tells the coordinator, its checkpoints. Knows nothing of Ray."""

import asyncio
import contextlib
import logging
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from crawler.cluster.checkpoints import Checkpoints
from crawler.cluster.errands import Errands
from crawler.cluster.shard_log import ShardLog
from crawler.cluster.task import COORDINATOR, Call, Task, shard_name
from crawler.cluster.workplace import Workplace
from crawler.core.errors import CrawlerError, JobRunningError, LeaseLostError, RingEndedError
from crawler.core.shard import Parcel, Receipt, Shard
from crawler.ledger.exchange import Exchange
from crawler.parsers.spiders.spider import unpack_spider
from crawler.ring.crawler import Crawler
from crawler.ring.member import Member
from crawler.shards.courier import Courier, taken_in
from crawler.shards.lease import Lease
from crawler.shards.messages import LOCKED, LOST, Orders, Report, Start
from crawler.shards.place import Place

__all__ = ["Keeper"]

_log = logging.getLogger(__name__)

_AGAIN_S: Final = 0.5


class Keeper:
    """Holds one shard from `Start` on, in `folder`; `run` returns when the process may end.

    `call` reaches the coordinator and the other shards, who reach this one by `take` and `ask`.

    State, of the event loop's thread: the lease; the last orders; the exchange of the ring, once that stands; what is
    told by the next report (what could not be done, whether all is given back).
    """

    def __init__(self, task: Task, start: Start, node: str, folder: Path, call: Call) -> None:
        self._task = task
        self._start = start
        self._node = node
        self._call = call
        self._lease = Lease(start.lease_s)
        self._work = Workplace(task, start, folder, lambda: not self._lease.is_lost)
        self._log = ShardLog(start.shard)
        self._orders = Orders()
        self._told = asyncio.Event()
        self._stood = asyncio.Event()
        self._lost = asyncio.Event()
        self._exchange: Exchange | None = None
        self._crawler: Crawler | None = None
        self._could_not = ""
        self._released = False
        place = Place(task.place)
        self._errands = Errands(place, start, folder, lambda: None if self._crawler is None else self._crawler.stats())
        self._checkpoints = Checkpoints(start, self._lease, self._work, self._errands, call)
        self._news = self._checkpoints.news

    async def run(self) -> None:
        """Hold the shard until it is given back, or is another's, or cannot be held."""
        logging.getLogger("crawler").addHandler(self._log)
        reports = asyncio.create_task(self._report_until_the_end())
        try:
            await self._hold()
        except JobRunningError:
            self._could_not = LOCKED
        except LeaseLostError:
            self._lost.set()
        except CrawlerError as error:
            self._could_not = str(error) or type(error).__name__
        except Exception as error:  # noqa: BLE001 - whoever looks on is to know, wherever the log of this process is
            _log.exception("shard %d breaks off", self._start.shard)
            self._could_not = f"shard {self._start.shard} broke off: {error!r}"
        finally:
            self._lease.give_back()
            self._news.set()
            await reports
            logging.getLogger("crawler").removeHandler(self._log)

    # What others send

    async def take(self, raw: bytes) -> bytes:
        """Take parcels of another shard, in order; return the receipt for them."""
        parcels = msgspec.msgpack.decode(raw, type=list[Parcel])
        return msgspec.msgpack.encode(await taken_in(self._open_exchange(), parcels))

    async def ask(self, raw: bytes) -> bytes:
        """Return the receipt as of now for another shard, whose number that is."""
        receipt = await asyncio.wrap_future(self._open_exchange().ask(msgspec.msgpack.decode(raw, type=int)))
        return msgspec.msgpack.encode(receipt)

    def _open_exchange(self) -> Exchange:
        if self._exchange is None:
            raise RingEndedError(f"shard {self._start.shard} has not begun")
        return self._exchange

    # The ring

    async def _hold(self) -> None:
        if not await asyncio.to_thread(self._work.prepare):
            self._could_not = LOST
            return
        start = self._start
        member = Member(
            shard=Shard(start.shard, start.of),
            hash_seed=start.hash_seed,
            incarnation=start.incarnation,
            epoch=start.epoch,
            may_ask=self._lease.may_ask,
            joined=self._joined,
            credit=start.credit,
            credit_number=start.grant,
            safe={} if start.checkpoint is None else start.checkpoint.marks,
        )
        self._crawler = crawler = Crawler(
            self._work.config,
            self._work.seeds,
            member=member,
            spider=unpack_spider(self._task.spider) if self._task.spider else None,
            on_bad_seed=lambda bad: self._log.say(f"{bad} (skipped)"),
        )
        ring = asyncio.create_task(crawler.run())
        parts: list[asyncio.Task[None]] = []
        try:
            await _first(ring, self._stood.wait(), self._lost.wait())
            if not ring.done() and not self._lost.is_set():
                exchange = self._open_exchange()
                back, *others = (
                    asyncio.create_task(one)
                    for one in (
                        self._give_back(exchange),
                        self._courier(exchange).run(),
                        self._checkpoints.keep(exchange),
                        self._errands.run(),
                    )
                )
                parts = [back, *others]
                self._news.set()
                await _first(ring, self._lost.wait(), *parts)
                if self._orders.do == "release":  # the ring has ended, and its last checkpoint may be under way
                    await _first(back, self._lost.wait())
                _raise_of(parts)
            if self._lost.is_set():
                if self._exchange is None:
                    raise LeaseLostError(f"shard {start.shard} is another's")
                self._exchange.lose()
            await ring
        finally:
            for task in (ring, *parts):
                task.cancel()
            await asyncio.wait({ring, *parts})
        self._released = not self._lost.is_set()

    def _joined(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._stood.set()

    def _courier(self, exchange: Exchange) -> Courier:
        shard = Shard(self._start.shard, self._start.of)
        return Courier(exchange, shard, deliver=self._deliver, ask=self._ask)

    async def _deliver(self, destination: int, parcels: Sequence[Parcel]) -> Receipt:
        raw = await self._call(self._peer(destination), "take", msgspec.msgpack.encode(parcels))
        return msgspec.msgpack.decode(raw, type=Receipt)

    async def _ask(self, destination: int) -> Receipt:
        raw = await self._call(self._peer(destination), "ask", msgspec.msgpack.encode(self._start.shard))
        return msgspec.msgpack.decode(raw, type=Receipt)

    def _peer(self, destination: int) -> str:
        epochs = self._orders.epochs
        if destination >= len(epochs) or not epochs[destination]:
            raise ConnectionError(f"nobody holds shard {destination} now")
        return shard_name(destination, epochs[destination])

    # Reports and orders

    async def _report_until_the_end(self) -> None:
        """Tell the coordinator how the shard is, and do what it says, until that is the end of it."""
        while True:
            self._news.clear()
            report = self._report()
            sent = self._lease.sending()
            try:
                raw = await self._call(COORDINATOR, "report", msgspec.msgpack.encode(report))
                if lines := self._log.taken():
                    await self._call(COORDINATOR, "say", msgspec.msgpack.encode(lines))
            except ConnectionError as error:
                _log.info("%s", error)
                answered = False
            else:
                answered = True
                self._obey(sent, msgspec.msgpack.decode(raw, type=Orders))
            if self._lease.is_lost:
                self._lost.set()
            if self._lost.is_set() or (answered and (report.released or report.could_not)):
                return
            await _within(self._news.wait(), self._orders.next_s if answered else _AGAIN_S)

    def _report(self) -> Report:
        start = self._start
        report = Report(
            shard=start.shard,
            epoch=start.epoch,
            incarnation=start.incarnation,
            node=self._node,
            could_not=self._could_not,
            released=self._released,
            published=self._checkpoints.published,
            round=self._orders.round,
            stats=None if self._crawler is None else self._crawler.stats(),
        )
        if self._exchange is None:
            return report
        standing = self._exchange.standing
        return msgspec.structs.replace(
            report,
            opened=True,
            idle=standing.idle,
            why=standing.why,
            pages=standing.pages,
            credit=standing.credit,
            grant=standing.credit_number,
            sent=standing.sent,
            taken=standing.taken,
            wants_look=standing.wants_look,
            looks=standing.looks,
        )

    def _obey(self, sent: float, orders: Orders) -> None:
        self._lease.renew(sent, orders)
        self._orders = orders
        self._told.set()
        if self._exchange is None or orders.do != "run":
            return
        standing = self._exchange.standing
        if orders.grant > standing.credit_number and orders.credit is not None:
            self._exchange.allow(orders.credit, orders.grant)
        if orders.look > standing.looks:
            self._exchange.look(orders.look)

    async def _give_back(self, exchange: Exchange) -> None:
        """Wait for the order to give the shard back; drain, and make the last checkpoint."""
        while self._orders.do != "release":
            self._told.clear()
            await self._told.wait()
        await self._checkpoints.end(exchange, self._orders.why)


async def _first(*waits: "asyncio.Task[Any] | Coroutine[Any, Any, Any]") -> None:
    """Wait until one of these ends. What was begun for that alone, a coroutine, is cancelled then."""
    tasks = [wait if isinstance(wait, asyncio.Task) else asyncio.create_task(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task, wait in zip(tasks, waits, strict=True):
            if task is not wait and task.done():
                task.result()
    finally:
        for task, wait in zip(tasks, waits, strict=True):
            if task is not wait:
                task.cancel()


def _raise_of(tasks: Sequence["asyncio.Task[None]"]) -> None:
    """Raise what broke one of these, but for those who were told that the ring has ended."""
    for task in tasks:
        if task.done() and (error := task.exception()) is not None and not isinstance(error, RingEndedError):
            raise error


async def _within(wait: Coroutine[Any, Any, Any], seconds: float) -> None:
    """Wait for something, but no longer than this."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(wait, seconds)
