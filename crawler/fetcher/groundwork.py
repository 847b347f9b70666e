"""What must be known of a host before its tasks may go on. They wait for that, other hosts do not."""

import asyncio
from collections.abc import Callable, Iterable
from functools import partial

from crawler.core.model import Result
from crawler.fetcher.host import Errand, Host
from crawler.fetcher.hosts import Hosts
from crawler.fetcher.robots import Robots, Search
from crawler.fetcher.silences import Silences
from crawler.fetcher.slots import Slot
from crawler.fetcher.transport.base import Transport
from crawler.fetcher.under_way import UnderWay

__all__ = ["Groundwork"]


class Groundwork:
    """Finds out a host's address, what the store remembers of it, and its robots.txt.

    `tell(result)` takes what is due again later instead. Has no state. Runs in the event loop's thread.
    """

    def __init__(
        self,
        transport: Transport,
        hosts: Hosts,
        robots: Robots,
        silences: Silences,
        *,
        under_way: UnderWay,
        tell: Callable[[Result], None],
    ) -> None:
        self._transport = transport
        self._hosts = hosts
        self._robots = robots
        self._silences = silences
        self._under_way = under_way
        self._tell = tell
        self._loop = asyncio.get_running_loop()

    def locate(self, host: Host, url: str, now: float, *, then: Search | None = None) -> None:
        """Find out the host's address, so that the limit per address holds from its first request on.

        `then`: go on with the search for a robots.txt at once, if the host may be asked.
        """
        self._hosts.hold(host)
        slot = self._hosts.turns.take(host, now)
        self._under_way.start(self._located(host, url, slot, then), url, slot)

    def load(self, host: Host, origin: str) -> None:
        """Ask the store what it remembers of a host, and for the robots.txt of one of its origins."""
        self._hosts.hold(host)
        self._under_way.start(self._loaded(host, origin), f"{origin}/")

    def search(self, search: Search, now: float) -> None:
        """Ask for a robots.txt, which may be done now."""
        self._hosts.hold(search.host)
        slot = self._hosts.turns.take(search.host, now)
        self._hosts.started(search.host, now)
        self._under_way.start(self._searched(search, slot), search.url, slot)

    async def _located(self, host: Host, url: str, slot: Slot, then: Search | None) -> None:
        began = self._loop.time()
        address = await slot.until_over(self._transport.address(url))
        now = self._loop.time()
        if slot.gave_way:
            self._silences.gave_way(host, began, slot.patience_s)
        else:
            self._hosts.locate(host, address)
            # A host that was told to stop has no tasks any more.
            goes_on = then is not None and host.tasks and host.silence is None and not self._under_way.is_held
            if then is not None and goes_on and self._hosts.ready_at(host, now) == now:
                slot.leave()
                slot = self._hosts.turns.take(host, now)
                self._hosts.started(host, now)
                try:
                    await self._searched(then, slot)
                finally:
                    slot.leave()
                return
        self._tell_all(self._hosts.release(host, now))

    async def _loaded(self, host: Host, origin: str) -> None:
        self._tell_all(await self._robots.load(host, origin))

    async def _searched(self, search: Search, slot: Slot) -> None:
        """Make one request for a robots.txt. If it leads on, the next one waits for the turn of its host."""
        then = await self._robots.ask(search, slot)
        if isinstance(then, Search):
            self._hosts.send(Errand(then.url, partial(self._searched, then), partial(self._robots.put_off, then)))
        else:
            self._tell_all(self._hosts.release(search.host, then))

    def _tell_all(self, results: Iterable[Result]) -> None:
        for result in results:
            self._tell(result)
