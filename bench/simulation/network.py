"""The network between the processes of a cluster: what it carries is late, lost, doubled, cut off, or out of order."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial

from bench.simulation.world import Process, World, keep
from crawler.core.errors import CrawlerError

__all__ = ["Network", "UnreachableError"]

Serve = Callable[[str, bytes], Awaitable[bytes]]
"""What a process does with a call: its method and what it is given, both ways as bytes."""


class UnreachableError(ConnectionError):
    """Nobody knows what came of a call."""


class Network:
    """Carries calls. State: who listens under which name, which nodes are cut off from which, and what went over it."""

    def __init__(self, world: World, rng: random.Random, *, loss: float = 0.0, twice: float = 0.0) -> None:
        self.world = world
        self.rng = rng
        self.loss = loss
        self.twice = twice
        self.slow_s = 0.002
        self.listening: dict[str, tuple[Process, Serve]] = {}
        self.cut: set[str] = set()
        self.calls = 0
        self.bytes_by: Counter[str] = Counter()

    def listen(self, name: str, process: Process, serve: Serve) -> None:
        """Let a process answer to a name; who did before does no more."""
        self.listening[name] = process, serve

    def reaches(self, one: Process, other: Process) -> bool:
        """Whether a message goes from one process to another. Nodes that are cut off reach nobody but themselves."""
        return one.node is other.node or not ({one.node.name, other.node.name} & self.cut)

    async def call(self, caller: Process, name: str, method: str, given: bytes, timeout_s: float = 5.0) -> bytes:
        """Call another process and return what it answers. Raises `UnreachableError` if no answer comes in time."""
        answered: asyncio.Future[bytes] = caller.loop.create_future()
        self.calls += 1
        self.bytes_by[method] += len(given)
        for _ in range(2 if self.rng.random() < self.twice else 1):
            if self.rng.random() >= self.loss:
                self._later(lambda: self._arrive(caller, name, method, given, answered))
        try:
            return await asyncio.wait_for(answered, timeout_s)
        except TimeoutError:
            raise UnreachableError(f"{name} does not answer {method}") from None

    def _later(self, what: Callable[[], None]) -> None:
        wait_s = self.rng.expovariate(1.0) * self.slow_s
        if self.rng.random() < 0.01:
            wait_s += self.rng.uniform(0.0, 3.0)
        self.world.after(wait_s, what)

    def _arrive(self, caller: Process, name: str, method: str, given: bytes, answered: "asyncio.Future[bytes]") -> None:
        process, serve = self.listening.get(name, (None, None))
        if process is None or serve is None or not process.is_alive or not self.reaches(caller, process):
            return

        async def answer() -> None:
            try:
                result = await serve(method, given)
            except CrawlerError as refusal:
                self._later(partial(self._fail, process, caller, answered, str(refusal)))
                return
            self.bytes_by[method] += len(result)
            if self.rng.random() >= self.loss:
                self._later(lambda: self._come_back(process, caller, answered, result))

        process.call(lambda: keep(asyncio.ensure_future(answer())))

    def _fail(self, process: Process, caller: Process, answered: "asyncio.Future[bytes]", why: str) -> None:
        if self.reaches(caller, process):
            caller.call(lambda: None if answered.done() else answered.set_exception(UnreachableError(why)))

    def _come_back(self, process: Process, caller: Process, answered: "asyncio.Future[bytes]", result: bytes) -> None:
        if self.reaches(caller, process):
            caller.call(lambda: None if answered.done() else answered.set_result(result))
