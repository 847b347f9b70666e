"""Downloads what is due, host by host: robots.txt first, never faster than a host's clock allows.

One synchronous function, `_pump_once`, decides what starts now; it runs whenever something changed. Everything here
happens in the event loop's thread.
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from functools import partial

import msgspec

from crawler.core.config import CrawlConfig
from crawler.core.model import Again, Done, Download, Exchange, Failure, Result, Task
from crawler.core.printable import printable
from crawler.fetcher import retry, verdict
from crawler.fetcher.host import Errand, Host, HostState, OriginRobots
from crawler.fetcher.hosts import Hosts, due_again
from crawler.fetcher.pump import Pump
from crawler.fetcher.request import Requests
from crawler.fetcher.robots import Robots, Search
from crawler.fetcher.transport.base import FetchResult, Transport, is_redirect
from crawler.fetcher.transport.budget import ByteBudget
from crawler.fetcher.under_way import UnderWay
from crawler.web.redirect import redirect_scope
from crawler.web.urls import origin as origin_of

__all__ = ["Fetcher"]

_log = logging.getLogger(__name__)

_REFUSALS_A_TURN = 64


class Fetcher:
    """The fetching stage of one crawl. Bodies count in `budget` until a parser's queue has taken them.

    `submit(download)` hands a download on and may wait (back-pressure); `report(results)` takes outcomes that need no
    parser; `remember(host, state)` keeps a host's state; `fail(error)` is told of what no server can cause.

    State, written here alone and in the event loop's thread: results not yet reported, how many bodies wait for a
    parser, and whether the crawl ends. What is known of hosts belongs to `Hosts` and `Robots`, requests to `UnderWay`.
    """

    def __init__(
        self,
        config: CrawlConfig,
        transport: Transport,
        budget: ByteBudget,
        *,
        submit: Callable[[Download], Awaitable[None]],
        report: Callable[[list[Result]], None],
        remember: Callable[[str, bytes], None],
        fail: Callable[[BaseException], None],
    ) -> None:
        self._timeout_s = config.timeout_s
        self._retries = config.retries
        self._asks_robots = config.robots == "obey"
        self._has_spider = config.spider is not None
        self._transport = transport
        self._budget = budget
        self._submit = submit
        self._report = report
        self._fail = fail
        self._requests = Requests(config)
        self._scope = redirect_scope(config.scope, config.include, config.exclude, config.depth)
        self._rng = random.Random()
        self._loop = asyncio.get_running_loop()
        self._hosts = Hosts(config, remember)
        self._robots = Robots(config, transport, self._hosts, self._rng)
        self._pump = Pump(self._pump_once)
        self._under_way = UnderWay(config.concurrency, ended=self._pump.soon, fail=fail)
        self.oldest = self._under_way.oldest
        self.hosts_held_by: Callable[[], dict[str, int]] = lambda: self._hosts.held_by
        self._results: list[Result] = []
        self._unparsed = 0
        self._stopping = False

    # What others call

    def feed(self, tasks: list[Task], states: list[bytes]) -> None:
        """Take tasks that are due, and the remembered state of hosts among them."""
        if self._stopping:
            return
        for packed in states:
            state = msgspec.msgpack.decode(packed, type=HostState)
            host = self._hosts.recall(state)
            if host is not None:
                self._robots.recall(host, state.robots)
        self._hosts.add(tasks)
        self._pump.soon()

    def stop(self) -> None:
        """Start nothing new. Tasks not started stay due in the store."""
        self._stopping = True
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
        return self._under_way.count

    @property
    def waiting_hosts(self) -> int:
        """Hosts that have tasks but may not be asked yet."""
        return self._hosts.waiting

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
        self._under_way.begin_turn()
        while self._has_room() and (called := self._hosts.called(now)):
            for host in called:
                if self._has_room():
                    self._serve(host, now)
                else:
                    self._hosts.schedule(host, now)
        while self._has_room() and (due := self._hosts.due(now)) is not None:
            self._serve(due, now)
        self._pump.at(self._hosts.next_at if self._has_room() else None)
        if self._under_way.turn_is_over:
            self._pump.soon()

    def _has_room(self) -> bool:
        """Whether one more request may start in this turn.

        Not while bodies fill the budget because parsers are behind. Bodies under way that fill it are no reason: their
        servers may take their time, and small pages of other hosts find room all the same.
        """
        return self._under_way.has_room and not (self._unparsed and self._budget.is_full)

    def _serve(self, host: Host, now: float) -> None:
        """Start at most one request of the host, after ending the tasks that may not be fetched."""
        if host.errands:
            if self._may_start(host, host.errands[0].url, now):
                errand = host.errands.popleft()
                self._hosts.started(host, now)
                self._under_way.start(errand.go(), errand.url)
            return
        refusals = 0
        while host.tasks and not host.asking:
            task = host.tasks[0]
            origin = origin_of(task.url)
            robots = self._robots.known(host, origin, now)
            end = self._refusal(host, robots, task, now)
            if end is not None:
                host.tasks.popleft()
                self._results.append(end)
                refusals += 1
                if refusals == _REFUSALS_A_TURN:
                    self._hosts.schedule(host, now + 1e-6)  # not in this turn of the loop, which others wait for
                    return
                continue
            if not self._may_start(host, task.url, now):
                return
            if robots is None and self._asks_robots:
                self._hosts.hold(host)
                self._hosts.started(host, now)
                self._under_way.start(self._ask_robots(Search.of(host, origin)), origin)
            else:
                host.tasks.popleft()
                self._hosts.started(host, now)
                self._under_way.start(self._fetch(host, task), task.url)
            return
        self._hosts.retire(now)

    def _may_start(self, host: Host, url: str, now: float) -> bool:
        """Say whether a request for `url` may start now; if not, see to the host being served again when it may."""
        at = self._hosts.ready_at(host, now)
        if at is None:
            return False  # asked again when one of its requests ends, or its address has room
        if at > now:
            self._results += self._hosts.wait(host, at, now)
            return False
        if not host.located and not host.asking:
            self._hosts.hold(host)
            self._under_way.start(self._locate(host, url), url)
        return host.located

    # Asking whether it may go

    def _refusal(self, host: Host, robots: OriginRobots | None, task: Task, now: float) -> Result | None:
        """The outcome of a task that is not to be fetched (now), None if it may be (or nobody knows yet)."""
        if self._hosts.is_down(host):
            return self._failed(task, Failure("host-down", "it left its last requests unanswered", retryable=False))
        if task.spent_s >= self._timeout_s:
            return self._failed(task, Failure("timeout", "its redirects took all of its time", retryable=False))
        if robots is None:
            return None
        refusal = self._robots.refusal(host, robots, task, now)
        return self._failed(task, refusal) if isinstance(refusal, Failure) else refusal

    # What must be known of a host first: its tasks wait for that, other hosts do not.

    async def _locate(self, host: Host, url: str) -> None:
        """Find out the host's address, so that the limit per address holds from its first request on."""
        self._hosts.locate(host, await self._transport.address(url))
        self._results += self._hosts.release(host, self._loop.time())

    async def _ask_robots(self, search: Search) -> None:
        """Make one request for a robots.txt. If it leads on, the next one waits for the turn of its host."""
        then = await self._robots.ask(search)
        if isinstance(then, Search):
            self._hosts.send(Errand(then.url, partial(self._ask_robots, then), partial(self._robots.put_off, then)))
        else:
            self._results += self._hosts.release(search.host, then)

    # Downloading, judging, handing on

    async def _fetch(self, host: Host, task: Task, *, fresh: bool = False) -> None:
        """The way of one URL: what comes of it is a page for the parsers, or an outcome.

        A kept connection that had ended says nothing of the server: the URL is asked for once more, on a `fresh` one.
        """
        end = await self._asked_for(host, task, fresh=fresh)
        if end is None:
            again = partial(self._fetch, host, task, fresh=True)
            self._hosts.send(Errand(task.url, again, lambda wait_s: [due_again(task, wait_s)]))
            return
        if not isinstance(end, Download):
            self._results.append(end)
            return
        handing_on = self._hand_on(end)
        del end  # a large body is let go of by all but the pool
        await handing_on

    async def _asked_for(self, host: Host, task: Task, *, fresh: bool) -> Download | Result | None:
        """Ask for a URL, tell its host's clock, and judge what came; None if the connection had ended before."""
        started = self._loop.time()
        request = self._requests.of(task, time.time(), fresh=fresh)
        result = await self._hosts.ask(host, self._transport.fetch(request))
        if isinstance(result, Failure) and result.stale:
            return None
        spent_s = task.spent_s + self._loop.time() - started
        now = time.time()
        if isinstance(result, FetchResult):
            self._requests.answered(result, now)
        again = retry.decide(result, attempts_made=task.attempts + 1, retries=self._retries, now=now, rng=self._rng)
        if again.retry_at is not None and not self._hosts.is_down(host):
            return Again(task.key, again.retry_at, again.reason)
        if isinstance(result, Failure):
            return self._failed(task, result)
        return self._judged(task, result, spent_s, now, self._requests.exchange(request, result))

    def _judged(
        self, task: Task, result: FetchResult, spent_s: float, now: float, exchange: Exchange | None
    ) -> Download | Done:
        """Return what follows from an answer that counts: a redirect, nothing, or a page."""
        if is_redirect(result.status, result.headers):
            end: Done | None = verdict.redirected(task, result, spent_s, self._scope)
        else:
            end = verdict.unusable(task, result)
        if end is not None:
            return verdict.archived(end, result, now, exchange)
        return verdict.downloaded(task, result, now, spent_s, exchange, whole=self._has_spider)

    async def _hand_on(self, download: Download) -> None:
        """Wait until the parsers have room for the download; its body counts in the budget as long."""
        size = len(download.answer.body)
        self._budget.take(size)
        self._unparsed += 1
        submitting = self._submit(download)
        del download
        try:
            await submitting
        finally:
            self._unparsed -= 1
            self._budget.give_back(size)

    def _failed(self, task: Task, failure: Failure) -> Done:
        if _log.isEnabledFor(logging.DEBUG):
            _log.debug("failed %s: %s: %s", failure.kind, task.url, printable(failure.detail))
        return verdict.failed(task, failure)

    def _flush(self) -> None:
        if self._results:
            results, self._results = self._results, []
            self._report(results)
