"""The coordinator at work: what it decides is done here, in order, before anybody is answered. Knows nothing of Ray."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from crawler.cluster.job_errands import JobErrands
from crawler.core.errors import JobError, ReplacedError, StorageError
from crawler.core.stats import CrawlStats
from crawler.shards.coordinator import Coordinator
from crawler.shards.effects import Confirm, Effect, EndShard, Save, StartShard, Tell
from crawler.shards.lease import boot_time
from crawler.shards.messages import Answer, Offer, Orders, Report
from crawler.shards.overview import Overview, Wish
from crawler.shards.place import Place
from crawler.shards.placing import Node
from crawler.shards.state import ClusterState, decode, encode
from crawler.shards.states import States
from crawler.shards.timing import Timing

__all__ = ["Host", "Watch", "Watched"]

T = TypeVar("T")

_TICKS: Final = 20
"""In the length of a lease."""
_LINES: Final = 1_000
_DRIVER_S: Final = 5.0
"""A driver that is not heard for so long may be replaced by another one."""
_BUSY_S: Final = 2.0
_ERRANDS_S: Final = 2.0
_AGAIN_S: Final = 1.0


class Watch(Struct, frozen=True):
    """What a driver asks about once a second: who it is, what it wants, which lines of the log it has, and whether it
    waits with the end until the manifest is written.
    """

    driver: str
    wish: Wish
    lines: int = 0
    waits: bool = True


class Watched(Struct, frozen=True):
    """The answer: how the job stands (None if the coordinator is at something that takes long), the lines after those
    that the driver has, and how many there are in all. `stats` are the last counters of each shard, also of those that
    nobody holds now. `other`: another driver watches the job.
    """

    overview: Overview | None
    stats: dict[int, CrawlStats] = {}
    lines: tuple[str, ...] = ()
    number: int = 0
    other: bool = False


class Host:
    """Gives the coordinator of the job at `place` what it hears, and does what it wants.

    `start` and `end` start and end processes of shards; they return at once. `run` goes on until the job has ended.

    State, of the event loop's thread: the coordinator, the last lines for the log, the last counters of each shard,
    whether the manifest tells of the end, and the driver that was heard last. One call at a time is made, with all that
    comes of it (`_turn`).
    """

    def __init__(
        self,
        place: Place,
        *,
        start: Callable[[StartShard], None],
        end: Callable[[EndShard], None],
        timing: Timing,
    ) -> None:
        self._place = place
        self._states = States(place.at("states"))
        self._start = start
        self._end = end
        self._timing = timing
        self._coordinator: Coordinator | None = None
        self._turn = asyncio.Lock()
        self._replaced = False
        self._is_shown = False
        self._lines: deque[str] = deque(maxlen=_LINES)
        self._said = 0
        self._stats: dict[int, CrawlStats] = {}
        self._driver = ""
        self._driver_at = boot_time() - _DRIVER_S

    async def begin(self) -> ClusterState:
        """Read the state and go on from it. Raises `JobError` if there is none."""
        latest = await asyncio.to_thread(self._states.latest)
        if latest is None:
            raise JobError(f"{self._place.shown} is no job of many shards: it has no state")
        state = decode(latest[1])
        self._coordinator = Coordinator(state, self._timing)
        return state

    async def run(self) -> None:
        """Let the coordinator look at its clock, until the job is over and no driver has asked for a while.

        Raises `ReplacedError` when another coordinator has taken the job over.
        """
        errands = asyncio.create_task(self._run_errands())
        try:
            while not self._is_left():
                await self._do(lambda coordinator, now: (None, coordinator.tick(now)))
                await asyncio.sleep(self._timing.lease_s / _TICKS)
        finally:
            errands.cancel()

    async def _run_errands(self) -> None:
        """Take orders to the whole crawl, and say what is public. A place that refuses this is asked again."""
        errands = JobErrands(self._place)
        while True:
            try:
                if await asyncio.to_thread(errands.is_told_to_stop):
                    await self._do(lambda coordinator, now: coordinator.wish(Wish(stop=True), now))
                state = await self._do(lambda coordinator, _: (coordinator.state, ()))
                await asyncio.to_thread(errands.show, state)
                self._is_shown = state.is_over
            except ReplacedError:
                return
            except StorageError as error:
                self.tell(f"orders and the manifest have to wait: {error}")
            await asyncio.sleep(_ERRANDS_S)

    def _is_left(self) -> bool:
        """Whether nobody needs it any more."""
        if self._coordinator is None or not self._coordinator.state.is_over:
            return False
        return boot_time() > self._driver_at + self._timing.driver_s

    # What is heard

    async def report(self, raw: bytes) -> bytes:
        """Take a shard's report; return its orders."""
        report = msgspec.msgpack.decode(raw, type=Report)
        if report.stats is not None:
            self._stats[report.shard] = report.stats
        orders: Orders = await self._do(lambda coordinator, now: coordinator.report(report, now))
        return msgspec.msgpack.encode(orders)

    async def offer(self, raw: bytes) -> bytes:
        """Take a checkpoint that a shard offers; return which one counts."""
        offer = msgspec.msgpack.decode(raw, type=Offer)
        answer: Answer = await self._do(lambda coordinator, now: coordinator.offer(offer, now))
        return msgspec.msgpack.encode(answer)

    async def watch(self, raw: bytes) -> bytes:
        """Take what the driver wants; return how the job stands."""
        watch = msgspec.msgpack.decode(raw, type=Watch)
        now = boot_time()
        if watch.driver != self._driver and now < self._driver_at + _DRIVER_S:
            return msgspec.msgpack.encode(Watched(None, other=True))
        self._driver, self._driver_at = watch.driver, now
        told = asyncio.ensure_future(self._do(lambda coordinator, now: coordinator.wish(watch.wish, now)))
        done, _ = await asyncio.wait({told}, timeout=_BUSY_S)
        overview = told.result() if done else None
        if overview is not None and overview.ended != "running" and not self._is_shown and watch.waits:
            overview = None  # it would end this process before all that is public is in the manifest
        # A driver that has more lines than there are has those of a coordinator before this one.
        new = min(self._said - watch.lines if watch.lines <= self._said else self._said, len(self._lines))
        lines = tuple(self._lines)[len(self._lines) - new :]
        return msgspec.msgpack.encode(Watched(overview, self._stats, lines, self._said))

    async def say(self, raw: bytes) -> bytes:
        """Take lines of a shard's log for whoever watches."""
        for line in msgspec.msgpack.decode(raw, type=list[str]):
            self.tell(line)
        return b""

    def tell(self, line: str) -> None:
        """Have a line for whoever watches."""
        self._lines.append(line)
        self._said += 1

    async def nodes(self, nodes: Sequence[Node]) -> None:
        """Learn which machines there are."""
        await self._do(lambda coordinator, now: (None, coordinator.nodes(nodes, now)))

    async def died(self, shard: int, epoch: int) -> None:
        """Learn that the process of a shard has surely ended."""
        await self._do(lambda coordinator, now: (None, coordinator.died(shard, epoch, now)))

    # What comes of it

    async def _do(self, call: Callable[[Coordinator, float], tuple[T, Sequence[Effect]]]) -> T:
        """Make one call and do what it wants, whole and in order, before the next one and before anybody is answered.

        Raises `ReplacedError` from the moment on at which another coordinator has taken the job over.
        """
        async with self._turn:
            if self._coordinator is None or self._replaced:
                raise ReplacedError("this coordinator has been replaced")
            result, effects = call(self._coordinator, boot_time())
            try:
                for effect in effects:
                    await self._carry_out(effect)
            except BaseException:
                # What was decided and not done cannot be made good: another process goes on from the last state.
                self._replaced = True
                raise
            return result

    async def _carry_out(self, effect: Effect) -> None:
        match effect:
            case Save(state):
                await self._save(replace(state, saved_at=time.time()))
            case Confirm(number):
                await self._again(lambda: self._confirm(number))
            case StartShard():
                self._start(effect)
            case EndShard():
                self._end(effect)
            case Tell(text):
                self.tell(text)

    async def _save(self, state: ClusterState) -> None:
        raw = encode(state)
        await self._again(lambda: self._states.put(state.number, raw))

    def _confirm(self, number: int) -> None:
        latest = self._states.latest()
        if latest is not None and latest[0] > number:
            raise ReplacedError(f"{self._place.shown}: another process has written state {latest[0]}")

    async def _again(self, work: Callable[[], None]) -> None:
        """Do what the storage may refuse until it does not: nothing may be answered before.

        Meanwhile leases run out, and nobody asks a server for anything. That is as it should be.
        """
        refused = 0
        while True:
            try:
                await asyncio.to_thread(work)
            except ReplacedError:
                raise
            except StorageError as error:
                refused += 1
                if refused & (refused - 1) == 0:  # the 1st, 2nd, 4th … time
                    self.tell(f"the coordinator waits for the storage: {error}")
                await asyncio.sleep(_AGAIN_S)
            else:
                return
