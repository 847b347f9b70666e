"""The robots.txt of each origin: getting it, getting it again, and what it allows (RFC 9309 §2.3)."""

import asyncio
import random
import time
from collections.abc import Mapping

import msgspec

from crawler.core.config import CrawlConfig
from crawler.core.model import Again, Failure, Result, Task
from crawler.fetcher import retry
from crawler.fetcher.host import Host, OriginRobots
from crawler.fetcher.hosts import Hosts
from crawler.fetcher.transport.base import FetchRequest, FetchResult, Transport, is_redirect
from crawler.fetcher.verdict import skipped
from crawler.web.robots import MAX_ROBOTS_BYTES, RobotsAnswer, RobotsRules, lifetime_s, rules_for
from crawler.web.urls import authority, resolve, robots_url

__all__ = ["Robots"]

_MAX_REDIRECTS = 5
"""RFC 9309 §2.3.1.2: at least five are followed."""
_QUICKLY_READ_BYTES = 32 << 10
"""A larger robots.txt is read in a thread: it may take a tenth of a second."""


class Robots:
    """Asks hosts for the robots.txt of their origins, and judges tasks by them.

    One that cannot be had closes its origin. It is asked for again after a while, as often as a page is retried, and
    the origin's URLs wait: a server that restarts must not cost them all.

    State: `robots`, `attempts` and `unreachable` of each `Host`, written here alone and in the event loop's thread.
    """

    def __init__(self, config: CrawlConfig, transport: Transport, hosts: Hosts, rng: random.Random) -> None:
        self._user_agent = config.user_agent
        self._timeout_s = config.timeout_s
        self._retries = config.retries
        self._transport = transport
        self._hosts = hosts
        self._rng = rng
        self._loop = asyncio.get_running_loop()

    def known(self, host: Host, origin: str, now: float) -> OriginRobots | None:
        """Return what is known of an origin's robots.txt and has not expired; `now` is on the loop's clock."""
        robots = host.robots.get(origin)
        return None if robots is None or robots.expires < now else robots

    def refusal(self, host: Host, robots: OriginRobots, task: Task, now: float) -> Result | Failure | None:
        """Return why a task may not be fetched, or not now; None if it may. `now` is on the loop's clock."""
        if robots.barred is not None:
            return robots.barred
        if robots.unreachable:
            again = host.unreachable <= self._retries and task.attempts < self._retries
            # A bit later, so that robots.txt has expired by any clock.
            until = time.time() + robots.expires - now + 0.1
            reason = "robots-unreachable"
            return Again(task.key, until, reason) if again else skipped(task, reason)
        return None if robots.rules.allows(task.url, self._user_agent) else skipped(task, "robots")

    async def ask(self, host: Host, origin: str) -> float:
        """Get an origin's robots.txt. Return when the host's tasks may go on, on the loop's clock.

        They may have to ask again then: `known` says so.
        """
        host.attempts += 1
        result = await self._hosts.ask(host, _fetched(self._transport, origin, self._timeout_s))
        now = time.time()
        decision = retry.decide(result, attempts_made=host.attempts, retries=self._retries, now=now, rng=self._rng)
        if decision.retry_at is not None:
            return self._loop.time() + decision.retry_at - now
        host.attempts = 0
        answer = _as_kept(result, time.time())
        # No connection, no name, no permission: the pages cannot be had either, and for that very reason.
        barred = result if isinstance(result, Failure) else None
        slow = len(answer.body) > _QUICKLY_READ_BYTES
        rules = await asyncio.to_thread(self._read, answer) if slow else self._read(answer)
        if barred is None:
            answer = self._revisited(host, answer, rules)
        self._learn(host, origin, answer, rules, barred)
        self._hosts.save(host)
        return self._loop.time()

    def recall(self, host: Host, answers: Mapping[str, RobotsAnswer]) -> None:
        """Take over what an earlier visit learned, by origin, as far as it has not expired."""
        now = time.time()
        for origin, answer in answers.items():
            # An unreachable robots.txt is asked for again: that answer was the last visit's misfortune.
            rules = self._read(answer) if answer.expires_at > now else RobotsRules.DISALLOW_ALL
            if rules is not RobotsRules.DISALLOW_ALL:
                self._learn(host, origin, answer, rules)

    def _read(self, answer: RobotsAnswer) -> RobotsRules:
        """Read what an answer says to this crawler; asking once makes later questions quick."""
        rules = rules_for(answer)
        rules.crawl_delay_s(self._user_agent)
        return rules

    def _revisited(self, host: Host, answer: RobotsAnswer, rules: RobotsRules) -> RobotsAnswer:
        """Count a round; return `answer`, due again soon if robots.txt was unreachable and may be asked for again."""
        if rules is not RobotsRules.DISALLOW_ALL:
            host.unreachable = 0
            return answer
        host.unreachable += 1
        if host.unreachable > self._retries:
            return answer
        return msgspec.structs.replace(answer, expires_at=time.time() + retry.revisit_s(host.unreachable))

    def _learn(
        self, host: Host, origin: str, answer: RobotsAnswer, rules: RobotsRules, barred: Failure | None = None
    ) -> None:
        expires = self._loop.time() + answer.expires_at - time.time()
        host.robots[origin] = OriginRobots(answer, rules, expires, barred)
        delay_s = rules.crawl_delay_s(self._user_agent)
        if delay_s is not None:
            self._hosts.set_crawl_delay(host, delay_s)


async def _fetched(transport: Transport, origin: str, timeout_s: float) -> FetchResult | Failure:
    """Ask `origin` for its robots.txt, following five redirects, to other hosts too, all within `timeout_s`.

    The answer applies to `origin` wherever it came from. More redirects come back as the last redirect's answer; a
    failure of another host counts as "cannot say" (RFC 9309 §2.3.1.4), whatever it was. Nothing confidential is sent.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + timeout_s
    url = robots_url(origin)
    for _ in range(_MAX_REDIRECTS + 1):
        left_s = until - loop.time()
        if left_s <= 0:
            result: FetchResult | Failure = Failure("timeout", f"redirected for {timeout_s:g} s", retryable=True)
            break
        result = await transport.fetch(FetchRequest(url, (), left_s, MAX_ROBOTS_BYTES))
        if isinstance(result, Failure) or not is_redirect(result.status, result.headers):
            break
        target = resolve(url, result.header("location") or "", strip_session=False)
        if target is None:
            break
        url = target
    if authority(url) == authority(origin):
        return result
    # What another host is like says nothing about this one: not its address, and not why it failed.
    if isinstance(result, Failure):
        return FetchResult(url, 503)
    return msgspec.structs.replace(result, address=None)


def _as_kept(result: FetchResult | Failure, now: float) -> RobotsAnswer:
    """What an attempt came to, as it is kept: status 0 when there was no answer. `now` is unix time."""
    status, body = (0, b"") if isinstance(result, Failure) else (result.status, result.body)
    return RobotsAnswer(status, body if 200 <= status < 300 else b"", now + lifetime_s(status))
