"""Downloads what is due, host by host: robots.txt first, never faster than a host's clock allows.

One synchronous function, `_pump_once`, decides what starts now; it runs whenever something changed. Everything here
happens in the event loop's thread.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final

from crawler.core.config import CrawlConfig
from crawler.core.host_rows import Begun, Remembered
from crawler.core.model import Download, Failure, Result, Task
from crawler.core.run_clock import RunClock
from crawler.core.steered import Steered
from crawler.fetcher.asking import Asking
from crawler.fetcher.attempts import Attempts
from crawler.fetcher.groundwork import Groundwork
from crawler.fetcher.host import Errand, Host
from crawler.fetcher.host_memory import Recall, Remember
from crawler.fetcher.hosts import Hosts
from crawler.fetcher.parked import Parked
from crawler.fetcher.parser_line import Load, NoLoad
from crawler.fetcher.pump import Pump
from crawler.fetcher.refusals import Refusals
from crawler.fetcher.reins import Reins
from crawler.fetcher.robots import Robots, Search
from crawler.fetcher.silences import Silences
from crawler.fetcher.slots import Slot
from crawler.fetcher.transport.base import Transport
from crawler.fetcher.transport.budget import ByteBudget
from crawler.fetcher.under_way import UnderWay
from crawler.web.host_state import decoded
from crawler.web.urls import origin as origin_of

__all__ = ["Fetcher"]

_log = logging.getLogger(__name__)


_LEASE_LOOK_S: Final = 0.1
"""How often is looked whether a lease that had run out was renewed."""


def _always() -> bool:
    """Say that requests may start: a crawl that is no shard needs no lease."""
    return True


def _ignored(*_: Any) -> None:
    """Do nothing: what `crawler try` does about what it need not keep."""


class Fetcher:
    """The fetching stage of one crawl. Bodies count in `budget` until a parser's queue has taken them.

    `submit(download)` hands a download on and may wait (back-pressure); `report(results)` takes outcomes that need no
    parser; `remember` and `recall` keep and return what is known of hosts; `wake(names)` brings back hosts that were to
    come later; `fail(error)` is told of what no server can cause; `load` says for whose pages the parsers have room.
    Without `recall` all hosts stay in memory. Of a shard, `may_ask()` says whether its lease allows a request, and
    `begun` how it began.

    State, written here alone and in the event loop's thread: results not yet reported, and whether the crawl ends. What
    is known of hosts belongs to `Hosts`, `Robots` and `Silences`, requests to `UnderWay`.
    """

    def __init__(
        self,
        config: CrawlConfig,
        transport: Transport,
        budget: ByteBudget,
        *,
        submit: Callable[[Download], Awaitable[None]],
        report: Callable[[list[Result]], None],
        remember: Remember,
        fail: Callable[[BaseException], None],
        recall: Recall | None = None,
        wake: Callable[[Iterable[str]], None] = _ignored,
        load: Load | None = None,
        may_ask: Callable[[], bool] = _always,
        begun: Begun | None = None,
    ) -> None:
        self._asks_robots = config.robots == "obey"
        self._budget = budget
        self._submit = submit
        self._report = report
        self._fail = fail
        self._rng = random.Random()
        self._loop = asyncio.get_running_loop()
        self._results: list[Result] = []
        clock = RunClock()
        self._attempts = Attempts(config.retries, clock, self._rng)
        self._load = load or NoLoad()
        self._hosts = Hosts(config, remember, clock, recall, self._load, begun=begun)
        self._may_ask = may_ask
        self._silences = Silences(
            config, self._hosts, self._rng, attempts=self._attempts, tell=self._results.append, wake=wake
        )
        self._asking = Asking(config, transport, self._hosts, self._silences, self._attempts)
        self._robots = Robots(config, transport, self._hosts, self._silences, self._rng)
        self._refusals = Refusals(config, self._robots, self._hosts, self._attempts, self._results.append)
        self._reins = Reins(self._hosts, self._silences, tell=self._results.append, wake=wake)
        self._pump = Pump(self._pump_once)
        self._under_way = UnderWay(config.concurrency, ended=self._pump.soon, fail=fail)
        self._groundwork = Groundwork(
            transport, self._hosts, self._robots, self._silences, under_way=self._under_way, tell=self._results.append
        )
        self.oldest, self.hosts = self._under_way.oldest, self._hosts.list
        self.hosts_held_by: Callable[[], dict[str, int]] = lambda: self._hosts.held_by
        self.unanswered: Callable[[], int] = lambda: self._hosts.turns.unanswered
        self._parked = Parked(budget, config.concurrency // 32, self._hosts.schedule)
        self._stopping = False

    # What others call

    def feed(self, tasks: list[Task], entered: list[Remembered]) -> None:
        """Take tasks that are due, and what is remembered of those of their hosts that had none before."""
        if self._stopping:
            return
        for one in entered:
            self._hosts.memory.learn(self._hosts.named(one.host), decoded(one.rows))
        self._hosts.add(tasks)
        self._pump.soon()

    def charge(self, waits: Mapping[str, float]) -> None:
        """Learn which hosts are to wait, each so many seconds, for what their pages cost; or that there is room."""
        self._hosts.parser_line.charge(waits, self._loop.time())
        self._pump.soon()

    def steer(self, steered: Steered) -> None:
        """Put in force what a person wants of the crawl now."""
        if not self._stopping:
            self._reins.take(steered)
            self._pump.soon()

    def stop(self) -> None:
        """Start nothing new. Tasks not started stay due in the store."""
        self._stopping = True
        self._silences.close()
        self._hosts.drop_tasks()

    async def drain(self) -> None:
        """Wait until every request under way has ended and its result was handed on."""
        await self._under_way.wait()
        self._flush()

    async def abort(self) -> None:
        """Cancel what is under way; its URLs stay due in the store."""
        self.stop()
        self._pump.at(None)
        await self._under_way.cancel()

    @property
    def in_flight(self) -> int:
        """Requests under way, and pages that wait for a parser."""
        return self._under_way.count + self._under_way.aside

    @property
    def waiting_hosts(self) -> int:
        """Hosts that have tasks but may not be asked yet."""
        return self._hosts.waiting

    @property
    def silences(self) -> Silences:
        """The hosts that do not answer."""
        return self._silences

    # Taking a URL that is due

    def _pump_once(self) -> None:
        """Start whatever may start now; see to being called again when something else may."""
        try:
            if not self._stopping:
                self._start_what_may()
            self._flush()
        except Exception as error:  # noqa: BLE001 - the loop would only log it, and the crawl would wait for ever
            self._fail(error)

    def _start_what_may(self) -> None:
        now = self._loop.time()
        turns, under_way = self._hosts.turns, self._under_way
        # Bodies that wait for parsers fill the budget: nothing starts. (`Parked` says more of each host; bodies under
        # way that fill it are no reason.) No host answers: one request at a time asks whether one does.
        held_up = self._budget.kept > 0 and self._budget.is_full
        offline = self._silences.offline
        leased = self._may_ask()
        may_not = held_up or self._reins.paused or not leased
        under_way.begin_turn(0 if may_not else 1 if offline else None)
        turns.look(now)
        while under_way.has_room and (called := self._hosts.called(now)):
            for host in called:
                if under_way.has_room and turns.has_room(host, now):
                    self._serve(host, now)
                else:
                    self._hosts.schedule(host, now)
        while under_way.has_room and (due := turns.next(now)) is not None:
            self._serve(due, now)
        have_come = under_way.has_room and self._parked.call(now)
        if have_come or under_way.turn_is_over:
            self._pump.soon()
        elif not (may_not or offline):
            turns.make_room(now)
        times = (turns.next_at(now), self._hosts.parser_line.next_at, None if leased else now + _LEASE_LOOK_S)
        self._pump.at(min((at for at in times if at is not None), default=None))

    def _serve(self, host: Host, now: float) -> None:
        """Start at most one request of the host, after ending the tasks that may not be fetched."""
        silence = host.silence
        if self._hosts.blocked and self._reins.holds(host):
            self._reins.turn_away(host)
        elif silence is not None and silence.is_asleep(now):
            self._silences.turn_away(host, silence)
        elif not host.recalled:
            if not host.asking and (host.errands or host.has_work):
                self._groundwork.load(host, origin_of(_next_url(host)))
        elif (host.errands or not host.asking) and self._may_start(host, now):
            if not host.errands:
                self._serve_tasks(host, now)
            elif host.located:
                errand = host.errands.pop(0)
                slot = self._hosts.turns.take(host, now)
                self._under_way.start(errand.go(slot), errand.url, slot)
                self._hosts.started(host, now)
            elif not host.asking:
                self._groundwork.locate(host, host.errands[0].url, now)

    def _serve_tasks(self, host: Host, now: float) -> None:
        """Start what comes next: what must be known first, or the first task."""
        silence = host.silence
        task = self._refusals.first_task(host, now)
        if task is not None:
            subject = task.url
        elif silence is not None and silence.suspects and not host.tasks:
            subject = silence.suspects[0].task.url  # nothing else is left to ask for
        else:
            self._robots.used(host)
            self._hosts.rest(host, now)
            return
        origin = origin_of(subject)
        robots = self._robots.known(host, origin, now) if self._asks_robots else None
        asks_robots = self._asks_robots and robots is None
        if robots is not None and not self._robots.is_at_hand(host, origin, robots):
            self._groundwork.load(host, origin)
        elif not host.located:
            self._groundwork.locate(host, subject, now, then=Search.of(host, origin) if asks_robots else None)
        else:
            self._start(host, task, origin, now, asks_robots=asks_robots)

    def _start(self, host: Host, task: Task | None, origin: str, now: float, *, asks_robots: bool) -> None:
        """Start the request whose turn it is: for a robots.txt, or for the first task."""
        silence = host.silence
        if asks_robots:
            self._groundwork.search(Search.of(host, origin), now)
        elif silence is not None and (task is None or self._silences.wants_opinion(silence, now)):
            self._groundwork.search(Search.of(host, origin, sounds=not self._asks_robots), now)
        elif task is not None:
            host.tasks.popleft()
            self._robots.used(host)
            if silence is not None:
                self._hosts.hold(host)
            slot = self._hosts.turns.take(host, now)
            self._hosts.started(host, now)
            self._under_way.start(self._fetch(host, task, slot, alone=silence is not None), task.url, slot)

    def _may_start(self, host: Host, now: float) -> bool:
        """Say whether a request to a host may start now; if not, see to the host being served again when it may."""
        at = self._hosts.ready_at(host, now)
        if at is None:
            return False  # asked again when one of its requests ends, or its address has room
        if host.silence is not None:
            at = max(at, self._silences.not_before(host.silence))
        if at > now:
            self._results += self._hosts.wait(host, at, now)
            return False
        return not (self._parked.stops(host) or self._hosts.parser_line.stops(host))

    # Downloading, judging, handing on

    async def _fetch(self, host: Host, task: Task, slot: Slot, *, alone: bool = False, fresh: bool = False) -> None:
        """The way of one URL: what comes of it is a page for the parsers, or an outcome.

        `alone`: the host's other tasks wait until its answer has come. A kept connection that had ended says nothing of
        the server: the URL is asked for once more, on a `fresh` one.
        """
        end = await self._asking.ask(host, task, slot, fresh=fresh)
        if alone:
            self._results += self._hosts.release(host, self._loop.time())
        if isinstance(end, Download):
            handing_on = self._hand_on(host, end, slot)
            del end  # a large body is let go of by all but the pool
            await handing_on
        elif isinstance(end, Failure):
            again = partial(self._fetch, host, task, fresh=True)
            self._hosts.send(Errand(task.url, again, partial(self._hosts.due_again, (task,))))
        elif end is not None:
            self._results.append(end)

    async def _hand_on(self, host: Host, download: Download, slot: Slot) -> None:
        """Wait until the parsers have room for the download; its body counts in the budget as long."""
        size = len(download.answer.body)
        if not self._load.is_quick(host.name, size):
            self._under_way.stand_aside()  # for how long, nobody knows; hosts like this one are held meanwhile
            slot.leave()
        kept = self._budget.keep(size, host.name)
        submitting = self._submit(download)
        del download
        try:
            await submitting
        finally:
            kept.release()

    def _flush(self) -> None:
        if self._results:
            results = list(self._results)
            self._results.clear()
            self._report(results)


def _next_url(host: Host) -> str:
    """Return the URL that a host with something to do is asked for next."""
    if host.errands:
        return host.errands[0].url
    if host.tasks:
        return host.tasks[0].url
    return host.silence.suspects[0].task.url if host.silence is not None else ""
