"""What the store is told of a host, for later visits and later runs."""

import time
from asyncio import get_running_loop
from collections.abc import Callable

import msgspec

from crawler.fetcher.host import Host, HostState
from crawler.fetcher.politeness import Politeness
from crawler.web.robots import RobotsAnswer

__all__ = ["HostMemory"]


class HostMemory:
    """Writes down what is known of hosts, and reads it. Has no state.

    `remember(host, state)` keeps a `HostState`, `note_clock(host, state)` one without any robots.txt.
    """

    def __init__(
        self,
        politeness: Politeness,
        remember: Callable[[str, bytes], None],
        note_clock: Callable[[str, bytes], None],
    ) -> None:
        self._politeness = politeness
        self._remember = remember
        self._note_clock = note_clock
        self._loop = get_running_loop()

    def save(self, host: Host) -> None:
        """Remember the host's robots.txt and clock."""
        robots = {origin: robots.answer for origin, robots in host.robots.items()}
        self._remember(host.name, self._state(host, robots))

    def save_clock(self, host: Host) -> None:
        """Remember the host's clock alone: it changes with each request, and a robots.txt may be large."""
        self._note_clock(host.name, self._state(host, {}))

    def recall(self, host: Host, state: HostState) -> None:
        """Give a host what was remembered of it, but for its robots.txt."""
        host.proven = state.proven
        if state.clock is not None:
            clock = state.clock.aged(time.time() - state.saved_at)
            self._politeness.restore(host.name, clock, self._loop.time())

    def _state(self, host: Host, robots: dict[str, RobotsAnswer]) -> bytes:
        clock = self._politeness.snapshot(host.name, self._loop.time())
        return msgspec.msgpack.encode(HostState(host.name, time.time(), robots, clock, host.proven))
