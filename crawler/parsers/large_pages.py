"""Large pages: parsed one at a time over all parsers, since a tree takes many times the memory of its page."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Protocol

from msgspec import structs

from crawler.core.errors import CrawlerError
from crawler.core.threads import settle_from_thread
from crawler.parsers.batch import Item
from crawler.parsers.costs import Costs
from crawler.parsers.reading.whole_body import LARGE_PAGE_BYTES
from crawler.parsers.waiting import Waiting

__all__ = ["Held", "Keep", "LargePages"]


class Held(Protocol):
    """Bytes that count somewhere as long as they are held."""

    def release(self) -> None:
        """Count them no more."""


Keep = Callable[[int, str], Held]
"""What counts so many bytes of a host."""


class LargePages:
    """Gives each large page its turn. `put(item)` admits a page, and `keep` counts those that parsers give back.

    Of a plain page its size is known when it comes; who brings it waits for its turn, and for its end. An encoded one
    shows to be large in a parser, which gives it back: it waits here.

    State: whose turn it is, and the pages given back, of the event loop's thread; under the lock of the pool, the page
    under way with who waits for its end.
    """

    def __init__(
        self,
        lock: threading.Lock,
        costs: Costs,
        waiting: Waiting,
        put: Callable[[Item], Awaitable[None]],
        keep: Keep | None,
    ) -> None:
        self._lock = lock
        self._costs = costs
        self._waiting = waiting
        self._put = put
        self._keep = keep
        self._one = asyncio.Lock()
        self._under_way: tuple[bytes, asyncio.Future[None]] | None = None
        self._given_back: set[asyncio.Task[None]] = set()

    # The event loop's thread.

    @asynccontextmanager
    async def turn(self, host: str) -> AsyncIterator[None]:
        """Wait for the turn of a page of a host, and have it until the end."""
        with self._lock:
            self._waiting.large += 1
            self._costs.entered(host)
        try:
            await self._one.acquire()
        finally:
            with self._lock:
                self._waiting.large -= 1
                self._costs.left(host)
        try:
            yield
        finally:
            self._one.release()

    async def parse(self, item: Item) -> None:
        """Have the page parsed whose turn it is; returns at its end."""
        ended = asyncio.get_running_loop().create_future()
        with self._lock:
            self._under_way = (item.key, ended)
        try:
            await self._put(item)
            await ended
        finally:
            with self._lock:
                self._under_way = None
            if not ended.cancel() and not ended.cancelled():
                ended.exception()  # known, even if nobody came to wait for it

    def take_back(self, items: Iterable[Item]) -> None:
        """Take pages that parsers have given back; they are still pending."""
        for item in items:
            known = structs.replace(item, is_large=True, body_bytes=max(item.body_bytes, LARGE_PAGE_BYTES))
            task = asyncio.get_running_loop().create_task(self._parse_later(known))
            self._given_back.add(task)
            task.add_done_callback(self._given_back.discard)

    async def _parse_later(self, item: Item) -> None:
        held = None if self._keep is None else self._keep(item.size, item.host)
        try:
            with suppress(CrawlerError):  # whoever waits for the pool is told
                async with self.turn(item.host):
                    await self.parse(item)
        finally:
            if held is not None:
                held.release()

    # With the lock held, in any thread.

    @property
    def awaited(self) -> "list[asyncio.Future[None]]":
        """Who waits for the end of the page under way."""
        return [] if self._under_way is None else [self._under_way[1]]

    def note_ended(self, keys: Iterable[bytes]) -> None:
        """Let go on who waits for the page under way, if it is among those that have ended."""
        if self._under_way is not None and self._under_way[0] in keys:
            settle_from_thread(self._under_way[1])
