"""The hosts that a crawl knows now: what each has to do, when it may be asked, and what is remembered of it."""

import time
from asyncio import get_running_loop
from collections import Counter
from collections.abc import Awaitable, Iterable
from typing import Final

from crawler.core.config import CrawlConfig
from crawler.core.host_rows import Begun
from crawler.core.model import Again, Failure, Task
from crawler.core.run_clock import RunClock
from crawler.fetcher import retry
from crawler.fetcher.clock import Ending
from crawler.fetcher.host import Errand, Host
from crawler.fetcher.host_list import HostList
from crawler.fetcher.host_memory import HostMemory, Recall, Remember
from crawler.fetcher.introduction import Introduction
from crawler.fetcher.known_hosts import KnownHosts
from crawler.fetcher.pace import Grade
from crawler.fetcher.paces import Paces
from crawler.fetcher.parser_line import Load, NoLoad, ParserLine
from crawler.fetcher.politeness import Politeness
from crawler.fetcher.silence import Silence
from crawler.fetcher.slots import GAVE_WAY, Slot, Slots
from crawler.fetcher.transport.base import FetchResult
from crawler.fetcher.turns import Turns
from crawler.web.urls import authority

__all__ = ["Hosts"]

_HELD_UP: Final = {
    Grade.ANSWERING: "concurrency",
    Grade.UNHEARD: "hosts that have not answered yet",
    Grade.SLOW: "hosts that answer slowly",
    Grade.SILENT: "hosts that have not answered yet",
}
"""What keeps a host of each grade from a place among the requests under way: those of its grade, and below."""

_VERY_LONG_WAIT_S = 30.0
"""A host that has to wait longer gives its tasks back, and its place in the window to another."""
_COUNTED = 128
"""Of more hosts than about so many a part is counted, evenly spread, and the rest is taken to be alike."""


class Hosts:
    """Hosts with tasks or worth remembering, their clocks, and the lines of those that may be asked by time (`turns`).

    A host that has to wait for its own requests, for its address, or for the parsers (`load`), stands in none: it comes
    back when a request ends, or is called. `remember` and `recall` keep and return what is known beyond this run, or
    while a host is not in memory. Times called `now` and `at` are on the loop's clock.

    State, written here alone and in the event loop's thread: the known hosts; all clocks; and of each `Host` what its
    docstring says; the names of hosts that are `blocked`, which `Reins` writes. `silent` are the hosts that do not
    answer, written by `Silences`: a host that comes back after it was forgotten is as silent as before.
    """

    def __init__(
        self,
        config: CrawlConfig,
        remember: Remember,
        clock: RunClock,
        recall: Recall | None = None,
        load: Load | None = None,
        *,
        begun: Begun | None = None,
    ) -> None:
        self._clock = clock
        self.silent: dict[str, Silence] = {}
        self.blocked: frozenset[str] = frozenset()
        self._loop = get_running_loop()
        self._politeness = Politeness(config.per_host, max(config.per_address, config.per_host), config.delay_s)
        delay = "auto" if config.delay_s is None else f"{config.delay_s:g}"
        self._introduction = Introduction(config)
        self._options = {
            "per-host": f"--per-host {config.per_host}",
            "per-address": f"--per-address {max(config.per_address, config.per_host)}",
            "delay": f"--delay {delay}",
            "concurrency": f"--concurrency {config.concurrency}",
        }
        self.memory = HostMemory(self._politeness, remember, recall, begun)
        self.known = KnownHosts(self.memory.let_go, self.silent, recalls=recall is not None)
        self.named, self.rest = self.known.named, self.known.rest
        self._paces = Paces(self._politeness.in_flight, config.per_host)
        self.turns = Turns(self._paces, Slots(config.concurrency))
        self.parser_line = ParserLine(load or NoLoad(), self._politeness, self.known)
        self.list = HostList(self.known, self._politeness, self.parser_line, self._options)

    # What there is to do

    def add(self, tasks: Iterable[Task]) -> None:
        """Give tasks that are due to their hosts."""
        for task in tasks:
            host = self.named(authority(task.url))
            host.tasks.append(task)
            self.schedule(host, 0.0)

    def send(self, errand: Errand) -> None:
        """Have an errand wait for the turn of the host that it leads to."""
        host = self.named(authority(errand.url))
        host.errands.append(errand)
        self.schedule(host, 0.0)

    def drop_tasks(self) -> None:
        """Forget all that has not been taken: it stays due in the store."""
        for host in self.known.all:
            host.tasks.clear()
            host.errands.clear()

    @property
    def waiting(self) -> int:
        """Hosts that have tasks but may not be asked yet."""
        some, of_each = self._some
        return of_each * sum(1 for host in some if host.tasks and not self._politeness.in_flight(host.name))

    @property
    def held_by(self) -> dict[str, int]:
        """Count the hosts that have tasks and may not be asked now, by the option, or the word, that holds them."""
        now = self._loop.time()
        held: Counter[str] = Counter()
        some, of_each = self._some
        for host in some:
            if host.tasks and not host.asking:
                by = "parsers" if host in self.parser_line else self._politeness.held_by(host.name, now) or host.held_by
                if by:
                    held[self._options.get(by, by)] += of_each
        for grade, number in self.turns.held_up(now).items():
            held[self._options.get(word := _HELD_UP[grade], word)] += number
        return dict(held.most_common())

    @property
    def _some(self) -> tuple[list[Host], int]:
        """Return hosts to be counted, and for how many each of them stands: the ring asks four times a second."""
        of_each = max(1, len(self.known.all) // _COUNTED)
        return list(self.known.all)[::of_each], of_each

    # Whose turn it is

    def schedule(self, host: Host, at: float) -> None:
        """Have the host come back at `at`, if it has something to do and does not come back already."""
        if not host.scheduled and (host.errands or (host.has_work and not host.asking)):
            self.turns.put(host, at)

    def called(self, now: float) -> list[Host]:
        """Return hosts that waited for the parsers, or their address, and may be served at once; none if none may."""
        if hosts := [host for host in self.parser_line.called(now) if host.errands or not host.asking]:
            return hosts
        while names := self._politeness.called(now):
            known = [host for name in names if (host := self.known.get(name)) is not None]
            if hosts := [host for host in known if host.errands or not host.asking]:
                return hosts
        return []

    def wait(self, host: Host, at: float, now: float) -> list[Again]:
        """Have the host come back at `at`; if that is far away, return its tasks: they are due again then."""
        given_back: list[Again] = []
        if at > now + _VERY_LONG_WAIT_S:
            given_back = self.due_again(host.tasks, at - now)
            host.tasks.clear()
            given_back += self.put_off(host, at - now)
        self.schedule(host, at)
        self.rest(host, now)
        return given_back

    def due_again(self, tasks: Iterable[Task], wait_s: float) -> list[Again]:
        """Return tasks as due again in so many seconds, with no attempt used up."""
        until = self._clock() + wait_s
        return [Again(task.key, until, None) for task in tasks]

    def put_off(self, host: Host, wait_s: float) -> list[Again]:
        """Give up the errands to a host that must not be asked for so many seconds; return what is due again then."""
        errands = tuple(host.errands)
        host.errands.clear()
        return [again for errand in errands for again in errand.put_off(wait_s)]

    # Requests to a host

    def ready_at(self, host: Host, now: float) -> float | None:
        """When a request may start, `now` at the earliest; None: once one of its requests ends, or it is called."""
        return self._politeness.ready_at(host.name, now)

    def started(self, host: Host, now: float) -> None:
        """Learn that a request starts now, and have the host come back for the next one."""
        host.prepared = False
        if self._politeness.started(host.name, now):
            self.memory.save(host)  # a run that is killed now must not make the next one ask too soon
        self.schedule(host, now)

    def hold(self, host: Host) -> None:
        """Let the host's tasks wait for an answer about the host itself."""
        host.asking = True

    def release(self, host: Host, at: float) -> list[Again]:
        """Let the host's tasks go on at `at`; return those that are due again later instead, as `wait` does."""
        host.asking = False
        host.prepared = host.silence is None
        return self.wait(host, at, self._loop.time())

    async def ask(self, host: Host, slot: Slot, request: Awaitable[FetchResult | Failure]) -> FetchResult | Failure:
        """Await a request that has started, tell the host's clock how it ended, and have the host come back."""
        ending: Ending = "broken"
        latency_s, wait_s, body_bytes = 0.0, None, 0
        began = self._loop.time()
        try:
            result = await slot.until_over(request) or GAVE_WAY
            self._paces.learn(host, result, self._loop.time() - began)
            if isinstance(result, Failure):
                ending = "unanswered" if result.kind == "timeout" else "broken"
            else:
                ending = "answered"
                latency_s, body_bytes = result.latency_s, result.body_bytes
                if result.status in retry.SLOW_DOWN_STATUSES:
                    ending, wait_s = "slow_down", retry.asked_wait_s(result, time.time())
                self.locate(host, result.address)
                if not self._introduction.is_settled:
                    self._introduction.met(result.address)
        finally:
            now = self._loop.time()
            self._politeness.finished(host.name, now, latency_s, ending, wait_s, body_bytes=body_bytes)
            self.schedule(host, now)
            if not host.tasks:
                self.rest(host, now)
        if ending in {"slow_down", "unanswered"}:
            self.memory.save(host)
        return result

    def locate(self, host: Host, address: str | None) -> None:
        """Learn at which IP address a host is, so that the limit per address holds for it; None if nobody can tell."""
        host.located = True
        if address is not None:
            self._politeness.set_address(host.name, address)

    def set_crawl_delay(self, host: Host, delay_s: float) -> None:
        """Apply what a robots.txt asks for, in seconds."""
        self._politeness.set_crawl_delay(host.name, delay_s)

    def set_delay(self, name: str, delay_s: float | None) -> None:
        """Give a host a delay of its own, None: that of all; one that waits is asked as soon as that allows."""
        self._politeness.set_delay(name, delay_s)
        host = self.known.get(name)
        if host is not None and host.scheduled:
            self.turns.advance(host, self._loop.time())
