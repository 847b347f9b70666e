"""Downloads what is due, host by host: robots.txt first, never faster than a host's clock allows.

One synchronous function, `_pump`, decides what starts now; it runs whenever something changed. Everything here happens
in the event loop's thread.
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from heapq import heappop, heappush

import msgspec

from crawler.core.config import CrawlConfig
from crawler.core.model import Done, Download, Failure, Task
from crawler.core.printable import printable
from crawler.fetcher import retry, verdict
from crawler.fetcher.host_state import HostState
from crawler.fetcher.hosts import Host, Site
from crawler.fetcher.politeness import Answer, Politeness
from crawler.fetcher.request import Requests
from crawler.fetcher.robots_fetch import fetch_robots, robots_answer
from crawler.fetcher.transport.base import FetchResult, Transport, is_redirect
from crawler.fetcher.transport.budget import ByteBudget
from crawler.web.redirect import redirect_scope
from crawler.web.robots import RobotsAnswer, RobotsRules, rules_for
from crawler.web.urls import authority, origin

__all__ = ["Fetcher"]

_log = logging.getLogger(__name__)

_LONG_WAIT_S = 5.0
"""A host that has to wait longer is remembered in the store, so that a later run waits too."""
_VERY_LONG_WAIT_S = 30.0
"""A host that has to wait longer gives its tasks back, and its place in the window to another."""
_KEPT_HOSTS = 512
"""Idle hosts whose robots.txt and clock stay in memory; the store remembers the others."""
_REFUSALS_A_TURN = 64
_STARTS_A_TURN = 16
"""Requests that start in one turn of the loop. What starts together comes back together when the machine is the limit,
and all that comes back is seen to in one turn: so this bounds how long a turn takes, whatever the concurrency.
"""
_QUICKLY_READ_BYTES = 32 << 10
"""A larger robots.txt is read in a thread: it may take a tenth of a second."""


class Fetcher:
    """The fetching stage of one crawl. Bodies count in `budget` until a parser's queue has taken them.

    `submit(download)` hands a download on and may wait (back-pressure); `report(results)` takes outcomes that need no
    parser; `remember(host, state)` keeps a host's state; `fail(error)` is told of what no server can cause.
    """

    def __init__(
        self,
        config: CrawlConfig,
        transport: Transport,
        budget: ByteBudget,
        *,
        submit: Callable[[Download], Awaitable[None]],
        report: Callable[[list[Done]], None],
        remember: Callable[[str, bytes], None],
        fail: Callable[[BaseException], None],
    ) -> None:
        self._config = config
        self._transport = transport
        self._budget = budget
        self._submit = submit
        self._report = report
        self._remember = remember
        self._fail = fail
        self._requests = Requests(config)
        self._scope = redirect_scope(config.scope, config.include, config.exclude, config.depth)
        self._politeness = Politeness(config.per_host, max(config.per_address, config.per_host), config.delay_s)
        self._rng = random.Random()
        self._loop = asyncio.get_running_loop()
        self.concurrency = config.concurrency
        # State: hosts with work or worth remembering, those that may be ready by time, and what is under way.
        self._hosts: dict[str, Host] = {}
        self._heap: list[tuple[float, int, Host]] = []
        self._pushes = 0
        self._running: set[asyncio.Future[None]] = set()
        self.in_flight = 0
        self._starts_left = 0
        self._unparsed = 0
        self._results: list[Done] = []
        self._pump_due = False
        self._timer: asyncio.TimerHandle | None = None
        self._stopping = False

    # What others call

    def feed(self, tasks: list[Task], states: list[bytes]) -> None:
        """Take tasks that are due, and the remembered state of hosts among them."""
        if self._stopping:
            return
        for state in states:
            self._recall(msgspec.msgpack.decode(state, type=HostState))
        for task in tasks:
            name = authority(task.url)
            host = self._hosts.get(name)
            if host is None:
                host = self._hosts[name] = Host(name)
            host.tasks.append(task)
            self._schedule(host, 0.0)
        self._pump_soon()

    def stop(self) -> None:
        """Start nothing new. Tasks not started stay due in the store."""
        self._stopping = True
        for host in self._hosts.values():
            host.tasks.clear()

    async def drain(self) -> None:
        """Wait until every request under way has ended and its result was handed on."""
        while self._running:
            await asyncio.wait(self._running)
        self._flush()

    async def abort(self) -> None:
        """Cancel what is under way; its URLs stay due in the store."""
        self.stop()
        if self._timer is not None:
            self._timer.cancel()
        for request in self._running:
            request.cancel()
        if self._running:
            await asyncio.wait(self._running)

    @property
    def waiting_hosts(self) -> int:
        """Hosts that have tasks but may not be asked yet."""
        return sum(1 for host in self._hosts.values() if host.tasks and not self._politeness.in_flight(host.name))

    # Deciding what starts

    def _schedule(self, host: Host, at: float) -> None:
        if not host.scheduled and not host.asking and host.tasks:
            host.scheduled = True
            self._pushes += 1
            heappush(self._heap, (at, self._pushes, host))

    def _pump_soon(self) -> None:
        if not self._pump_due:
            self._pump_due = True
            self._loop.call_soon(self._pump)

    def _pump(self) -> None:
        """Start whatever may start now; see to being called again when something else may."""
        self._pump_due = False
        try:
            if not self._stopping:
                self._start_what_may()
            self._flush()
        except Exception as error:  # noqa: BLE001 - the loop would only log it, and the crawl would wait for ever
            self._fail(error)

    def _has_room(self) -> bool:
        """Whether one more request may start in this turn.

        Not while bodies fill the budget because parsers are behind. Bodies under way that fill it are no reason: their
        servers may take their time, and small pages of other hosts find room all the same.
        """
        room = self._starts_left > 0 and self.in_flight < self.concurrency
        return room and not (self._unparsed and self._budget.is_full)

    def _start_what_may(self) -> None:
        now = self._loop.time()
        self._starts_left = _STARTS_A_TURN
        while self._has_room() and (called := self._politeness.called(now)):
            for name in called:
                host = self._hosts.get(name)
                if host is None or host.asking:
                    continue
                if self._has_room():
                    self._serve(host, now)
                else:
                    self._schedule(host, now)
        while self._heap and self._has_room() and self._heap[0][0] <= now:
            host = heappop(self._heap)[2]
            host.scheduled = False
            self._serve(host, now)
        self._set_timer()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._starts_left == 0:
            self._pump_soon()
        elif self._heap and self._has_room():
            self._timer = self._loop.call_at(self._heap[0][0], self._pump_soon)

    def _serve(self, host: Host, now: float) -> None:
        """Start at most one request of the host, after ending the tasks that may not be fetched."""
        refusals = 0
        while host.tasks:
            task = host.tasks[0]
            name = origin(task.url)
            site = host.sites.get(name)
            if site is not None and site.expires < now:
                site = None
            end = self._refusal(host, site, task, now)
            if end is not None:
                host.tasks.popleft()
                self._results.append(end)
                refusals += 1
                if refusals == _REFUSALS_A_TURN:
                    self._schedule(host, now + 1e-6)  # not in this turn of the loop, which others wait for
                    return
                continue
            at = self._politeness.ready_at(host.name, now)
            if at is None:
                return  # asked again when one of its requests ends, or its address has room
            if at > now:
                self._wait(host, at, now)
            elif not host.located:
                host.asking = True
                self._start(self._locate(host, task.url))
            elif site is None and self._config.robots == "obey":
                host.asking = True
                self._politeness.started(host.name, now)
                self._start(self._ask_robots(host, name))
            else:
                host.tasks.popleft()
                self._politeness.started(host.name, now)
                self._start(self._fetch(host, task))
                self._schedule(host, now)
            return
        self._retire()

    def _wait(self, host: Host, at: float, now: float) -> None:
        """Come back to the host at `at`; if that is far away, give its tasks back until then."""
        if at > now + _VERY_LONG_WAIT_S:
            until = time.time() + at - now
            self._results += [verdict.postponed(task, until) for task in host.tasks]
            host.tasks.clear()
        self._schedule(host, at)

    def _refusal(self, host: Host, site: Site | None, task: Task, now: float) -> Done | None:
        """The outcome of a task that is not to be fetched (now), None if it may be (or nobody knows yet)."""
        if self._politeness.is_down(host.name):
            return self._failed(task, Failure("host-down", "it left its last requests unanswered", retryable=False))
        if task.spent_s >= self._config.timeout_s:
            return self._failed(task, Failure("timeout", "its redirects took all of its time", retryable=False))
        if site is None:
            return None
        if site.barred is not None:
            return self._failed(task, site.barred)
        if site.unreachable:
            again = host.unreachable <= self._config.retries and task.attempts < self._config.retries
            # A bit later, so that robots.txt has expired by any clock.
            until = time.time() + site.expires - now + 0.1 if again else None
            return verdict.skipped(task, "robots-unreachable", until)
        return None if site.rules.allows(task.url, self._config.user_agent) else verdict.skipped(task, "robots")

    def _start(self, work: Awaitable[None]) -> None:
        self.in_flight += 1
        self._starts_left -= 1
        request = asyncio.ensure_future(work)
        self._running.add(request)
        request.add_done_callback(self._ended)

    def _ended(self, request: "asyncio.Future[None]") -> None:
        self.in_flight -= 1
        self._running.discard(request)
        error = None if request.cancelled() else request.exception()
        if error is not None:
            self._fail(error)
        self._pump_soon()

    def _flush(self) -> None:
        if self._results:
            results, self._results = self._results, []
            self._report(results)

    # One request

    async def _fetch(self, host: Host, task: Task) -> None:
        """The way of one URL: what comes of it is a page for the parsers, or an outcome."""
        end = await self._asked_for(host, task)
        if isinstance(end, Done):
            self._results.append(end)
            return
        handing_on = self._hand_on(end)
        del end  # a large body is let go of by all but the pool
        await handing_on

    async def _asked_for(self, host: Host, task: Task) -> Download | Done:
        """Ask, tell the host's clock, then judge: another attempt, a failure, a redirect or a page."""
        started = self._loop.time()
        request = self._requests.of(task, time.time())
        result = await self._ask(host, self._transport.fetch(request))
        spent_s = task.spent_s + self._loop.time() - started
        if isinstance(result, FetchResult):
            self._requests.answered(result, time.time())
        retry_at, reason = self._retry(result, task.attempts + 1)
        if retry_at is not None and not self._politeness.is_down(host.name):
            return Done(task.key, "failed", reason, retry_at=retry_at)
        if isinstance(result, Failure):
            return self._failed(task, result)
        now = time.time()
        exchange = self._requests.exchange(request, result)
        if is_redirect(result.status, result.headers):
            end: Done | None = verdict.redirected(task, result, spent_s, self._scope)
        else:
            end = verdict.unusable(task, result)
        if end is not None:
            return verdict.archived(end, result, now, exchange)
        return verdict.downloaded(task, result, now, spent_s, exchange)

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

    def _retry(self, result: FetchResult | Failure, attempts_made: int) -> tuple[float | None, str]:
        """When (unix time) to try again, None for not at all, and what went wrong."""
        now = time.time()
        wait_s = None if isinstance(result, Failure) else _retry_after_s(result, now)
        decision = retry.decide(
            result if isinstance(result, Failure) else result.status,
            attempts_made=attempts_made,
            retries=self._config.retries,
            wait_s=wait_s,
            now=now,
            rng=self._rng,
        )
        return decision.retry_at, decision.reason

    async def _ask(self, host: Host, request: Awaitable[FetchResult | Failure]) -> FetchResult | Failure:
        """Send one request that the host's clock has started, and tell the clock how it ended."""
        answer: Answer = "broken"
        latency_s, wait_s, body_bytes = 0.0, None, 0
        try:
            result = await request
            if isinstance(result, Failure):
                answer = "unanswered" if result.kind == "timeout" else "broken"
            else:
                answer = "slow_down" if result.status in {429, 503} else "answered"
                latency_s, body_bytes = result.latency_s, result.body_bytes
                wait_s = _retry_after_s(result, time.time())
                if result.address is not None:
                    self._politeness.set_address(host.name, result.address)
        finally:
            now = self._loop.time()
            self._politeness.finished(host.name, now, latency_s, answer, wait_s, body_bytes=body_bytes)
            self._schedule(host, now)
        if wait_s is not None and wait_s > _LONG_WAIT_S:
            self._save(host)
        return result

    # What must be known of a host first

    async def _locate(self, host: Host, url: str) -> None:
        """Find out the host's address, so that the limit per address holds from its first request on."""
        address = await self._transport.address(url)
        if address is not None:
            self._politeness.set_address(host.name, address)
        host.located = True
        self._answered(host, self._loop.time())

    async def _ask_robots(self, host: Host, site: str) -> None:
        """Get one origin's robots.txt; the host's tasks wait for it, other hosts do not."""
        host.attempts += 1
        result = await self._ask(host, fetch_robots(self._transport, site, self._config.timeout_s))
        retry_at, _ = self._retry(result, host.attempts)
        if retry_at is not None:
            self._answered(host, self._loop.time() + retry_at - time.time())
            return
        host.attempts = 0
        answer = robots_answer(result, time.time())
        # No connection, no name, no permission: the pages cannot be had either, and for that very reason.
        barred = result if isinstance(result, Failure) else None
        slow = len(answer.body) > _QUICKLY_READ_BYTES
        rules = await asyncio.to_thread(self._rules, answer) if slow else self._rules(answer)
        if barred is None:
            answer = host.revisited(answer, rules, self._config.retries, time.time())
        self._learn(host, site, answer, rules, barred)
        self._save(host)
        self._answered(host, self._loop.time())

    def _answered(self, host: Host, at: float) -> None:
        host.asking = False
        self._wait(host, at, self._loop.time())

    def _rules(self, answer: RobotsAnswer) -> RobotsRules:
        """Read what an answer says to this crawler; asking once makes later questions quick."""
        rules = rules_for(answer)
        rules.crawl_delay_s(self._config.user_agent)
        return rules

    def _learn(
        self, host: Host, name: str, answer: RobotsAnswer, rules: RobotsRules, barred: Failure | None = None
    ) -> None:
        expires = self._loop.time() + answer.expires_at - time.time()
        host.sites[name] = Site(answer, rules, expires, barred)
        delay_s = rules.crawl_delay_s(self._config.user_agent)
        if delay_s is not None:
            self._politeness.set_crawl_delay(host.name, delay_s)

    # Memory of hosts

    def _save(self, host: Host) -> None:
        clock = self._politeness.snapshot(host.name, self._loop.time())
        robots = {name: site.answer for name, site in host.sites.items()}
        self._remember(host.name, msgspec.msgpack.encode(HostState(host.name, time.time(), robots, clock)))

    def _recall(self, state: HostState) -> None:
        """Take over what an earlier visit learned, as far as it has not expired."""
        if state.host in self._hosts:
            return
        host = self._hosts[state.host] = Host(state.host)
        now = time.time()
        if state.clock is not None:
            clock = state.clock.aged(now - state.saved_at)
            self._politeness.restore(host.name, clock, self._loop.time())
        for site, answer in state.robots.items():
            # An unreachable robots.txt is asked for again: that answer was the last visit's misfortune.
            rules = self._rules(answer) if answer.expires_at > now else RobotsRules.DISALLOW_ALL
            if rules is not RobotsRules.DISALLOW_ALL:
                self._learn(host, site, answer, rules)

    def _retire(self) -> None:
        """When many hosts are known, look at the few longest unseen ones and forget those that are idle."""
        for _ in range(min(16, len(self._hosts) - _KEPT_HOSTS)):
            name, host = next(iter(self._hosts.items()))
            del self._hosts[name]
            if host.tasks or host.asking or not self._politeness.forget(name, self._loop.time()):
                self._hosts[name] = host


def _retry_after_s(result: FetchResult, now: float) -> float | None:
    """Retry-After counts on 429 and 503 only (RFC 9110 §10.2.3 knows it on redirects too, for other purposes)."""
    return retry.retry_after_s(result.header("retry-after"), now) if result.status in {429, 503} else None
