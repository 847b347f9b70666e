"""When a shard makes checkpoints, and how each comes to count: cut, brought to the place, offered, published."""

import asyncio
import logging
import time
from typing import Final

import msgspec

from crawler.cluster.errands import Errands
from crawler.cluster.task import COORDINATOR, Call
from crawler.cluster.workplace import Workplace
from crawler.core.errors import LeaseLostError
from crawler.core.stats import Ended
from crawler.ledger.cut import Cut
from crawler.ledger.exchange import Exchange
from crawler.shards.lease import Lease
from crawler.shards.messages import Answer, Offer, Start

__all__ = ["Checkpoints"]

_log = logging.getLogger(__name__)

_LOOK_S: Final = 0.25
_BETWEEN_S: Final = 1.0
"""Between two checkpoints."""
_EACH_S: Final = 60.0
_EACH_BYTES: Final = 256 << 20
_SIZES_S: Final = 5.0
_AGAIN_S: Final = 0.5


class Checkpoints:
    """The checkpoints of one shard under one lease; `told` is called when one has become public.

    State, of the event loop's thread: the number of the last one whose parts are public. One at a time is under way.
    """

    def __init__(self, start: Start, lease: Lease, work: Workplace, errands: Errands, call: Call) -> None:
        self._start = start
        self._lease = lease
        self._work = work
        self._errands = errands
        self._call = call
        self._one_at_a_time = asyncio.Lock()
        self.published = start.checkpoint.number if start.checkpoint is not None else 0
        self.news = asyncio.Event()

    async def keep(self, exchange: Exchange) -> None:
        """Make one each minute or 256 MB, and when nothing is left to do here: others wait for it then."""
        last = looked = time.monotonic()
        size = before = await asyncio.to_thread(self._work.size)
        while True:
            await asyncio.sleep(_LOOK_S)
            now = time.monotonic()
            standing = exchange.standing
            if not standing.unsafe or now < last + _BETWEEN_S or not self._lease.may_ask():
                continue
            if now > looked + _SIZES_S:
                looked, size = now, await asyncio.to_thread(self._work.size)
            if standing.resting or now > last + _EACH_S or size > before + _EACH_BYTES:
                async with self._one_at_a_time:
                    await self._errands.cut()
                    await self._offer(
                        exchange, await asyncio.wrap_future(exchange.checkpoint(self._work.safe.cut_folder))
                    )
                last, before = time.monotonic(), await asyncio.to_thread(self._work.size)

    async def end(self, exchange: Exchange, why: Ended) -> None:
        """Have the ring drain, and make the last one of what it leaves."""
        async with self._one_at_a_time:
            await self._errands.cut()
            cut = await asyncio.wrap_future(exchange.end(why, self._work.safe.cut_folder))
            if cut is not None:
                await self._offer(exchange, cut)

    async def _offer(self, exchange: Exchange, cut: Cut) -> None:
        """Bring a cut to the place, and offer it until it counts. Raises `LeaseLostError` if the shard is another's."""
        at = time.time()
        checkpoint = await asyncio.to_thread(self._work.safe.upload, cut)
        offer = msgspec.msgpack.encode(Offer(self._start.shard, self._start.epoch, checkpoint, at))
        accepted = 0
        while accepted < checkpoint.number:
            if self._lease.is_lost:
                raise LeaseLostError(f"shard {self._start.shard} is another's")
            try:
                raw = await self._call(COORDINATOR, "offer", offer)
            except ConnectionError as error:
                _log.info("%s", error)
                await asyncio.sleep(_AGAIN_S)
                continue
            answer = msgspec.msgpack.decode(raw, type=Answer)
            if answer.lost:
                raise LeaseLostError(f"shard {self._start.shard} is another's")
            accepted = answer.accepted
        exchange.safe(cut.marks)
        self.published = await asyncio.to_thread(self._work.safe.accept)
        await self._errands.safe()
        self.news.set()
