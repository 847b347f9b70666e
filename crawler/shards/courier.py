"""Carries what one shard has found for others: in order, again from where the receiver is, until it is safe there."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from crawler.core.errors import RingEndedError
from crawler.core.shard import START, Parcel, Receipt, Shard
from crawler.core.threads import call_in
from crawler.ledger.exchange import Exchange

__all__ = ["Courier", "taken_in"]

_AT_ONCE: Final = 8
"""Parcels on the way to one shard: of 1,000 links each they are about 2 MB."""
_ASKS_EVERY_S: Final = 1.0
"""How often a receiver is asked whether what it took is safe."""
_PAUSE_S: Final = 0.25
"""Before a receiver that had no room, or was not there, is tried again; longer each time that it is not there."""
_LONGEST_PAUSE_S: Final = 5.0


class Courier:
    """Carries the parcels of one shard. Runs in the event loop, until it is cancelled or the ring of its shard ends.

    `deliver(destination, parcels)` brings some to another shard and returns its receipt; `ask(destination)` only asks
    for that. Both raise OSError, as ConnectionError and TimeoutError are, when the other one cannot be reached.

    State: for each destination, whether there may be news for it.
    """

    def __init__(
        self,
        exchange: Exchange,
        shard: Shard,
        *,
        deliver: Callable[[int, Sequence[Parcel]], Awaitable[Receipt]],
        ask: Callable[[int], Awaitable[Receipt]],
    ) -> None:
        self._exchange = exchange
        self._deliver = deliver
        self._ask = ask
        self._rng = random.Random()
        self._news = {number: asyncio.Event() for number in range(shard.of) if number != shard.number}
        exchange.on_news = lambda destinations: call_in(loop, self._tell, destinations)
        loop = asyncio.get_running_loop()

    async def run(self) -> None:
        """Carry until the end of the ring."""
        try:
            async with asyncio.TaskGroup() as group:
                for destination in self._news:
                    group.create_task(self._carry(destination))
        except* RingEndedError:
            pass  # what was not carried stays in the outbox, for the next run

    def _tell(self, destinations: frozenset[int]) -> None:
        for destination in destinations:
            self._news[destination].set()

    async def _carry(self, destination: int) -> None:
        """Bring one shard what is for it: `sent` is how far it is, as far as it has told."""
        news, sent, safe, pause_s = self._news[destination], START, START, _PAUSE_S
        while True:
            news.clear()
            parcels = await asyncio.wrap_future(self._exchange.waiting(destination, sent, _AT_ONCE))
            if not parcels and safe >= sent:
                await news.wait()
                continue
            try:
                receipt = await (self._deliver(destination, parcels) if parcels else self._ask(destination))
            except OSError:
                await asyncio.sleep(pause_s * self._rng.uniform(0.5, 1.5))
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                continue
            pause_s = _PAUSE_S
            self._exchange.receipt(destination, receipt)
            is_behind = bool(parcels) and receipt.taken < parcels[-1].mark
            # It may have fallen back, to its last checkpoint: what came after that is sent again.
            sent, safe = receipt.taken, receipt.safe
            if is_behind:
                await asyncio.sleep(_PAUSE_S * self._rng.uniform(0.5, 1.5))
            elif not parcels:
                await _within(_ASKS_EVERY_S, news)


async def taken_in(exchange: Exchange, parcels: Sequence[Parcel]) -> Receipt:
    """Give a shard what another one has sent, in its order; return the receipt for all of it.

    Raises `RingEndedError` when its ring has ended.
    """
    receipts = await asyncio.gather(*(asyncio.wrap_future(exchange.post(parcel)) for parcel in parcels))
    return max(receipts, key=lambda receipt: receipt.taken)


async def _within(patience_s: float, event: asyncio.Event) -> None:
    """Wait for an event, but no longer than so many seconds."""
    try:
        async with asyncio.timeout(patience_s):
            await event.wait()
    except TimeoutError:
        return
