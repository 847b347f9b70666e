"""The robots.txt of each origin: getting it, getting it again, and what it allows (RFC 9309 §2.3)."""

import asyncio
import random
import time

import msgspec
from msgspec import Struct

from crawler.core.config import CrawlConfig
from crawler.core.model import Again, Failure, Result, Task
from crawler.fetcher import retry
from crawler.fetcher.host import Host, OriginRobots
from crawler.fetcher.hosts import Hosts
from crawler.fetcher.rules_cache import RulesCache
from crawler.fetcher.silences import Silences, why
from crawler.fetcher.slots import GAVE_WAY, Slot
from crawler.fetcher.transport.base import FetchRequest, FetchResult, Transport, is_redirect
from crawler.fetcher.transport.body import without_coding
from crawler.fetcher.verdict import skipped
from crawler.web.robots import MAX_ROBOTS_BYTES, AgentRules, RobotsAnswer, lifetime_s, rules_for
from crawler.web.urls import authority, resolve, robots_url
from crawler.web.urls import origin as origin_of

__all__ = ["Robots", "Search"]

_MAX_REDIRECTS = 5
"""RFC 9309 §2.3.1.2: at least five are followed."""
_QUICKLY_READ_BYTES = 8 << 10
"""A larger robots.txt is read and compiled in a thread, one at a time: it may take a tenth of a second."""


class Search(Struct, frozen=True):
    """The way to the robots.txt of an origin of `host`: the request that comes next.

    `url` is what it asks for, after so many `redirects`, `spent_s` seconds of requests, and on a `fresh` connection.
    `sounds`: only whether the host answers is of interest.
    """

    host: Host
    origin: str
    url: str
    redirects: int = 0
    spent_s: float = 0.0
    fresh: bool = False
    sounds: bool = False

    @classmethod
    def of(cls, host: Host, origin: str, *, sounds: bool = False) -> "Search":
        """Return the first request."""
        return cls(host, origin, robots_url(origin), sounds=sounds)


class Robots:
    """Asks hosts for the robots.txt of their origins, and judges tasks by them.

    One that cannot be had closes its host (RFC 9309 §2.3.1.4), as if it did not answer: see `Silences`.

    Their rules are in memory as far as `RulesCache` has room. The store has the texts, and `load` reads one again.

    State: the cache; `robots` and `attempts` of each `Host`; all written here alone and in the event loop's thread.
    """

    def __init__(
        self, config: CrawlConfig, transport: Transport, hosts: Hosts, silences: Silences, rng: random.Random
    ) -> None:
        self._user_agent = config.user_agent
        self._timeout_s = config.timeout_s
        self._retries = config.retries
        self._transport = transport
        self._hosts = hosts
        self._silences = silences
        self._rng = rng
        self._loop = asyncio.get_running_loop()
        self._cache = RulesCache()
        self._reading = asyncio.Lock()

    def known(self, host: Host, origin: str, now: float) -> OriginRobots | None:
        """Return what is known of an origin's robots.txt and has not expired; `now` is on the loop's clock."""
        robots = host.robots.get(origin)
        return None if robots is None or robots.expires < now else robots

    def is_at_hand(self, host: Host, origin: str, robots: OriginRobots) -> bool:
        """Whether the rules of an origin, if it has any, are in memory: else `load` them."""
        return not robots.answer.apart or self._rules(host, origin) is not None

    def used(self, host: Host) -> None:
        """Learn that the host has had the turn for which its rules were loaded."""
        host.loaded = None

    def _rules(self, host: Host, origin: str) -> AgentRules | None:
        if host.loaded is not None and host.loaded[0] == origin:
            return host.loaded[1]
        return self._cache.get(origin)

    def refusal(self, host: Host, task: Task, now: float) -> Result | Failure | None:
        """Return why a task may not be fetched; None if it may, or if that is not known, or not at hand."""
        of = origin_of(task.url)
        robots = self.known(host, of, now)
        if robots is None:
            return None
        if robots.barred is not None:
            return robots.barred
        rules = self._rules(host, of) if robots.answer.apart else None
        return None if rules is None or rules.allow(task.url) else skipped(task, "robots")

    async def load(self, host: Host, origin: str) -> list[Again]:
        """Ask the store for what it remembers of a host that tasks wait for, and for the rules of one of its origins.

        Then the tasks go on; return those that are due again later instead.
        """
        state, text = await self._hosts.memory.load(host, origin)
        self._hosts.memory.learn(host, state)
        known = host.robots.get(origin)
        if known is not None and known.answer.apart:
            if text is not None and text.expires_at == known.answer.expires_at:
                rules = await self._read(text)
                self._keep(host, origin, rules)
                # Whatever pushes them out of the cache before: else hosts could load theirs in turns for ever.
                host.loaded = origin, rules
            else:
                del host.robots[origin]  # it is asked for again
        return self._hosts.release(host, self._loop.time())

    async def ask(self, search: Search, slot: Slot) -> float | Search:
        """Make a request for a robots.txt, which has started by the clock of the host that it goes to.

        Return when the tasks of the host that it is for may go on, on the loop's clock. They may have to ask again
        then: `known` says so. Or return the request that comes next, once the host that it goes to may be asked: five
        redirects are followed, to other hosts too, all within one deadline.
        """
        began = self._loop.time()
        left_s = self._timeout_s - search.spent_s
        request = FetchRequest(search.url, (), left_s, MAX_ROBOTS_BYTES, fresh=search.fresh, patient=True)
        asked = self._hosts.named(authority(search.url))
        result = await self._hosts.ask(asked, slot, self._transport.fetch(request))
        if result is GAVE_WAY:
            self._silences.gave_way(asked, began, slot.patience_s)
            return self._loop.time()
        search = msgspec.structs.replace(search, spent_s=search.spent_s + self._loop.time() - began, fresh=False)
        if isinstance(result, Failure) and result.stale:
            return msgspec.structs.replace(search, fresh=True)
        if self._silences.excuses(result, began):
            return self._loop.time()
        if not isinstance(result, Failure) and is_redirect(result.status, result.headers):
            target = resolve(search.url, result.header("location") or "", strip_session=False)
            if target is not None and authority(target) in self._hosts.blocked:
                why = f"robots.txt redirects to {target}, which is blocked"
                result = Failure("robots-unreachable", why, retryable=False, answered=True)
            elif target is not None and search.redirects < _MAX_REDIRECTS:
                if search.spent_s < self._timeout_s:
                    return msgspec.structs.replace(search, url=target, redirects=search.redirects + 1)
                result = Failure("timeout", f"redirected for {self._timeout_s:g} s", retryable=True, answered=True)
        if not isinstance(result, Failure) and 200 <= result.status < 300:
            result = await self._decoded(result)
        if isinstance(result, Failure) and search.redirects:
            result = _redirected(search, result)
        return await self._found(search, result, began)

    def put_off(self, search: Search, wait_s: float) -> list[Again]:
        """Give up the way to a robots.txt, since a host on it must not be asked for so many seconds.

        The host that it is for begins anew then; return its tasks if that is far away.
        """
        return self._hosts.release(search.host, self._loop.time() + wait_s)

    async def _found(self, search: Search, result: FetchResult | Failure, began: float) -> float:
        """Learn what an attempt came to in the end; return when the host's tasks may go on."""
        host = search.host
        if isinstance(result, Failure) and result.is_silence:
            return self._silences.closed(host, why(result), began)
        if search.sounds:
            self._silences.heard(host, began, is_page=False)
            return self._loop.time()
        if isinstance(result, Failure):
            host.attempts += 1
            now = time.time()
            again = retry.decide(result, attempts_made=host.attempts, retries=self._retries, now=now, rng=self._rng)
            if again.retry_at is not None:
                return self._loop.time() + again.retry_at - now
            host.attempts = 0
        answer = _as_kept(result, time.time())
        # No name, no permission, nothing readable: the pages cannot be had either, and for that very reason.
        barred = result if isinstance(result, Failure) else None
        if barred is None and answer.is_unreachable:
            return self._silences.closed(host, f"robots.txt: status {answer.status}", began)
        rules = None if barred is not None else await self._read(answer)
        head = msgspec.structs.replace(answer, body=b"", apart=rules is not None and not rules.allow_all)
        host.robots[search.origin] = OriginRobots(head, self._loop.time() + answer.expires_at - time.time(), barred)
        if rules is not None:
            self._keep(host, search.origin, rules)
        if barred is None or barred.answered:
            self._silences.heard(host, began, is_page=False)
        else:
            self._silences.settled(host)
        self._hosts.memory.save(host, search.origin, answer if head.apart else None)
        return self._loop.time()

    async def _decoded(self, result: FetchResult) -> FetchResult | Failure:
        if result.coding is None or len(result.body) <= _QUICKLY_READ_BYTES:
            return without_coding(result)
        async with self._reading:
            return await asyncio.to_thread(without_coding, result)

    async def _read(self, answer: RobotsAnswer) -> AgentRules:
        """Read what an answer says to this crawler."""
        if len(answer.body) <= _QUICKLY_READ_BYTES:
            return rules_for(answer).of(self._user_agent)
        async with self._reading:  # several threads at once would hold up the loop in turns
            return await asyncio.to_thread(_compiled, answer, self._user_agent)

    def _keep(self, host: Host, origin: str, rules: AgentRules) -> None:
        if not rules.allow_all:
            self._cache.put(origin, rules)
        if rules.delay_s is not None:
            self._hosts.set_crawl_delay(host, rules.delay_s)


def _compiled(answer: RobotsAnswer, user_agent: str) -> AgentRules:
    rules = rules_for(answer).of(user_agent)
    rules.paths.compiled()
    return rules


def _redirected(search: Search, failure: Failure) -> FetchResult | Failure:
    """What a failure behind redirects says of the host that was asked first.

    That host has answered. When it is another one that fails, the first cannot say (RFC 9309 §2.3.1.4): not now, or not
    at all if that is for good, as with an address that may not be asked.
    """
    if authority(search.url) == search.host.name:
        return msgspec.structs.replace(failure, answered=True)
    if failure.retryable:
        return FetchResult(search.url, 503)
    return Failure("robots-unreachable", f"robots.txt redirects to {search.url}: {failure.kind}", retryable=False)


def _as_kept(result: FetchResult | Failure, now: float) -> RobotsAnswer:
    """What an attempt came to, as it is kept: status 0 when there was no answer. `now` is unix time."""
    status, body = (0, b"") if isinstance(result, Failure) else (result.status, result.body)
    return RobotsAnswer(status, body if 200 <= status < 300 else b"", now + lifetime_s(status))
