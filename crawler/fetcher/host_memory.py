"""What the store is told of a host, for later visits and later runs."""

import time
from asyncio import get_running_loop
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

import msgspec

from crawler.core.host_rows import CLOCK, HEAD, WHOLE, Begun
from crawler.fetcher.host import Host, OriginRobots
from crawler.fetcher.politeness import Politeness
from crawler.web.host_state import HostState, decoded, text_of
from crawler.web.robots import RobotsAnswer

__all__ = ["HostMemory", "Recall", "Recalled", "Remember"]

Remember = Callable[[str, bytes, bytes], None]
"""Keeps a row of a host: its name, which row (see `core.host_rows`), and the row."""
Recall = Callable[[str, tuple[bytes, ...]], Awaitable[Sequence[bytes | None]]]
"""Returns rows of a host, in the order in which they were named; None for what is not there."""


class Recalled(NamedTuple):
    """What the store remembers of a host: its state, if any, and the robots.txt of the origin that was asked for."""

    state: HostState | None
    robots: RobotsAnswer | None


class HostMemory:
    """Writes down what is known of hosts, and reads it. `begun` says how far clocks are to be trusted. Has no state."""

    def __init__(
        self, politeness: Politeness, remember: Remember, recall: Recall | None, begun: Begun | None = None
    ) -> None:
        self._begun = begun or Begun()
        self._politeness = politeness
        self._remember = remember
        self._recall = recall
        self._loop = get_running_loop()
        self._decode_answer = msgspec.msgpack.Decoder(RobotsAnswer).decode

    def save(self, host: Host, origin: str | None = None, text: RobotsAnswer | None = None) -> None:
        """Remember what is known of a host. `text` is the robots.txt of an origin, if it has just come.

        A clock changes with each request and a robots.txt may be large: so it is kept apart.
        """
        name, now = host.name, self._loop.time()
        if origin is not None and text is not None:
            self._remember(name, text_of(origin), msgspec.msgpack.encode(text))
        robots = {origin: one.answer for origin, one in host.robots.items()}
        clock = self._politeness.snapshot(name, now)
        state = HostState(name, time.time(), robots, clock, host.proven, self._begun.incarnation)
        self._remember(name, HEAD, msgspec.msgpack.encode(state))

    async def load(self, host: Host, origin: str) -> Recalled:
        """Ask the store for what it remembers of a host, and for the robots.txt of one of its origins."""
        if self._recall is None:
            return Recalled(None, None)
        text, head, whole, clock = await self._recall(host.name, (text_of(origin), HEAD, WHOLE, CLOCK))
        state = decoded(row for row in (head, whole, clock) if row is not None)
        if text is not None:
            return Recalled(state, self._decode_answer(text))
        old = None if whole is None else decoded((whole,))
        return Recalled(state, None if old is None else old.robots.get(origin))

    def learn(self, host: Host, state: HostState | None) -> None:
        """Give a host what the store remembers of it, if anything, as far as that holds still; once."""
        if host.recalled:
            return
        host.recalled = True
        now, begun = time.time(), self._begun
        if begun.exact_from > (0 if state is None else state.incarnation):
            self._politeness.clock(host.name).started(self._loop.time() - max(0.0, now - begun.at))
        if state is None:
            return
        host.proven = host.proven or state.proven
        if state.clock is not None:
            self._politeness.restore(host.name, state.clock.aged(now - state.saved_at), self._loop.time())
        for origin, answer in state.robots.items():
            # One that an older version kept as unreachable is asked for again.
            if answer.expires_at > now and not answer.is_unreachable and origin not in host.robots:
                head = msgspec.structs.replace(answer, body=b"", apart=answer.apart or bool(answer.body))
                host.robots[origin] = OriginRobots(head, self._loop.time() + answer.expires_at - now)

    def let_go(self, host: Host, now: float) -> bool:
        """Forget the clock of an idle host, if it must wait for long once the store has it; say whether that is done.

        `now` is on the loop's clock.
        """
        politeness, name = self._politeness, host.name
        if politeness.forget(name, now):
            return True
        if politeness.in_flight(name) or politeness.snapshot(name, now) is None:
            return False  # an ordinary delay is over soon
        self.save(host)
        return politeness.forget(name, now, kept=True)
