"""The hosts that do not answer: who is asked again when, who is given up, and whether anybody answers at all."""

import asyncio
import logging
import math
import random
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Final

from crawler.core.config import CrawlConfig
from crawler.core.model import Attempt, Failure, Result, Task
from crawler.core.stats import SilentHost
from crawler.fetcher import verdict
from crawler.fetcher.attempts import Attempts
from crawler.fetcher.gaps import Gaps
from crawler.fetcher.host import Host
from crawler.fetcher.hosts import Hosts
from crawler.fetcher.network import Network
from crawler.fetcher.silence import PATIENCE, Silence, Suspect
from crawler.fetcher.transport.base import FetchResult

__all__ = ["Silences", "why"]

_log = logging.getLogger(__name__)

_NAMED: Final = 3
_TRIES: Final = 8
"""Most requests to a host in doubt before it sleeps."""


class Silences:
    """Decides what becomes of requests without an answer. That is a state of their host, not an outcome of their URLs.

    A URL whose request had no answer is put aside, and its host asked for something else: another URL, or its
    robots.txt. If that is answered, the fault is the URL's, and the attempt counts. If not, the host sleeps: its URLs
    stay due with no attempt used up, and one request probes it now and then. After `give_up_after_s` it is given up for
    the run. A robots.txt that cannot be had (RFC 9309 §2.3.1.4), and minutes of nothing but 429 and 503, end the same
    way.

    `attempts` decides about one that counts; `tell(result)` takes what comes of it; `wake(names)` brings back hosts
    that sleep in the store. State, of the event loop's thread alone: the hosts in trouble by name, those of them that
    sleep, and the network. Of each `Host` it writes `silence`, `heard_at` and `proven`.
    """

    def __init__(
        self,
        config: CrawlConfig,
        hosts: Hosts,
        rng: random.Random,
        *,
        attempts: Attempts,
        tell: Callable[[Result], None],
        wake: Callable[[Iterable[str]], None],
    ) -> None:
        self._patience = PATIENCE
        self._give_up_after_s = config.give_up_after_s
        self._fail = config.fail_unreachable
        self._saves_strangers = config.robots != "obey"  # else they are saved with their robots.txt
        self._hosts = hosts
        self._rng = rng
        self._attempts = attempts
        self._tell = tell
        self._wake = wake
        self._loop = asyncio.get_running_loop()
        self._doubt_s = self._patience.doubt_s
        if self._give_up_after_s is not None:
            self._doubt_s = min(self._doubt_s, self._give_up_after_s)
        self._silent: dict[str, Silence] = hosts.silent
        self._sleeping: dict[str, Silence] = {}
        self._network = Network()
        self._gaps = Gaps(self.put_off)

    def close(self) -> None:
        """Look at no clock any more."""
        self._gaps.close()

    @property
    def offline(self) -> bool:
        """Whether no host answers any more; see `Network`."""
        return self._network.is_down

    @property
    def count(self) -> int:
        """Hosts that do not answer: they sleep, are probed or are given up."""
        return len(self._sleeping)

    @property
    def named(self) -> tuple[SilentHost, ...]:
        """Return those that are silent longest, a few."""
        now = self._loop.time()
        return tuple(
            SilentHost(name, one.why, None if one.given_up else max(0.0, one.until - now))
            for name, one in islice(self._sleeping.items(), _NAMED)
        )

    # What requests came to

    def excuses(self, result: FetchResult | Failure, started: float) -> bool:
        """Whether a request failed while this process did not run: it is made again, and nobody is to blame."""
        return isinstance(result, Failure) and result.retryable and self._gaps.covers(started)

    def unanswered(self, host: Host, task: Task, failure: Failure, started: float, attempt: Attempt) -> None:
        """Learn that a request for a URL had no answer: what the next one comes to decides whose fault that is."""
        now = self._loop.time()
        one = self._shut(host, why(failure), started, now)
        one.suspects.append(Suspect(task, failure, now, attempt))
        if one.until > now:
            self.turn_away(host, one)
        elif one.slept or self._doubt_s == 0:
            self._sleep(host, one, now)
        else:
            self._hosts.schedule(host, now)

    def closed(self, host: Host, reason: str, started: float) -> float:
        """Learn that a host's robots.txt could not be had; return when the host may be asked again."""
        now = self._loop.time()
        one = self._shut(host, reason, started, now)
        if one.is_long(now, self._doubt_s):
            self._sleep(host, one, now)
            return now
        return now + self._rng.uniform(0.5, 1.0) * self._doubt_s

    def gave_way(self, host: Host, started: float, listened_s: float) -> None:
        """Learn that a request gave its place to others after so many seconds without an answer, or the end of one.

        A host that has answered before is only slow. Another one counts as silent, and is asked again soon.
        """
        if host.silence is None and host.heard_at > -math.inf:
            return
        now = self._loop.time()
        one = self._shut(host, f"no answer within {listened_s:.2g} s, while others waited", started, now)
        if one.until <= now:
            one.rest(now, listened_s, self._rng)
        self._sleeping[host.name] = one
        self.turn_away(host, one)

    def refused(self, host: Host, status: int, started: float) -> bool:
        """Learn of a 429 or 503; say whether the host has sent nothing else for so long that it sleeps now."""
        now = self._listened(host)
        one = self._of(host, now)
        self._judge(one, started, now)
        one.refused(f"status {status}", now, self._hosts.ready_at(host, now) or now)
        if now - one.since < self._patience.refusing_s:
            return False
        if one.until <= now:
            self._sleep(host, one, now)
        return True

    def heard(self, host: Host, started: float, *, is_page: bool) -> None:
        """Learn that a host answered; `is_page`: with what it was asked for, and not with its robots.txt alone."""
        now = self._listened(host)
        if not host.proven:
            host.proven = True
            if self._saves_strangers:
                self._hosts.memory.save(host)
        one = host.silence
        if one is not None:
            self._end(host, one, started, now, is_page=is_page)

    def settled(self, host: Host) -> None:
        """Learn that a host cannot be asked for good: its name is unknown, say. That is an outcome of its URLs."""
        one = host.silence
        if one is not None:
            for suspect in one.suspects:
                self._tell(self._attempts.failed(suspect.task, suspect.failure, suspect.attempt))
            self._forget(host)

    # What is done about it

    def turn_away(self, host: Host, one: Silence) -> None:
        """Take all that a host has to do from it: due again when it wakes, or ended if it is given up."""
        tasks = host.take_tasks()
        wait_s = one.until - self._loop.time()
        if one.given_up and self._fail:
            failure = Failure("host-down", f"it does not answer: {one.why}", retryable=False)
            for task in tasks:
                self._tell(verdict.failed(task, failure))
            given_back = self._hosts.put_off(host, 0.0)  # they come back, and end as those
        else:
            given_back = self._hosts.due_again(tasks, wait_s) + self._hosts.put_off(host, wait_s)
        for again in given_back:
            self._tell(again)

    def not_before(self, one: Silence) -> float:
        """Return when a host in doubt may be asked for something else: not at the rate of one that answers."""
        return one.tried_at + self._doubt_s / _TRIES if one.shut_since is not None else one.since

    def wants_opinion(self, one: Silence, now: float) -> bool:
        """Whether robots.txt is to be asked for next; see `Silence.wants_opinion`."""
        return one.wants_opinion(now, self._doubt_s)

    def put_off(self, gap_s: float) -> None:
        """Leave a time out in which nothing could be heard, or was asked for: no host is given up for it."""
        for one in self._silent.values():
            one.put_off(gap_s)

    def _shut(self, host: Host, reason: str, started: float, now: float) -> Silence:
        since = max(host.heard_at, started)
        one = self._of(host, since)
        one.shut(reason, since, now)
        return one

    def _of(self, host: Host, since: float) -> Silence:
        if host.silence is None:
            host.silence = self._silent[host.name] = Silence(since)
        return host.silence

    def _sleep(self, host: Host, one: Silence, now: float) -> None:
        if host.proven and one.shut_since is not None:
            self._network.fell(host.name, one.shut_since, now)
        limit_s, patience = self._give_up_after_s, self._patience
        if limit_s is not None and not host.proven:
            limit_s = min(limit_s, patience.stranger_s)
        one.sleep(now, None if self.offline else limit_s, patience, self._rng)
        if self.offline:
            one.until = min(one.until, now + patience.offline_sleep_s)
        next_s = "not in this run" if one.given_up else f"in {one.until - now:.1f} s"
        _log.debug("%s does not answer (%s): asked again %s", host.name, one.why, next_s)
        self._sleeping[host.name] = one
        self.turn_away(host, one)

    def _listened(self, host: Host) -> float:
        now = host.heard_at = self._loop.time()
        if fallen := self._network.heard(now):
            for one in self._silent.values():
                if not one.given_up:
                    one.begin_anew(now)
            self._sleeping = {name: one for name, one in self._sleeping.items() if one.given_up}
            self._wake(fallen)
        return now

    def _judge(self, one: Silence, started: float, now: float) -> bool:
        """End or repeat the URLs whose fault it was; say whether there were any."""
        proven = one.heard(started, now)
        for suspect in proven:
            self._tell(self._attempts.failed(suspect.task, suspect.failure, suspect.attempt))
        return bool(proven)

    def _end(self, host: Host, one: Silence, started: float, now: float, *, is_page: bool) -> None:
        """A host that was silent answers."""
        proven = self._judge(one, started, now)
        self._sleeping.pop(host.name, None)
        if one.until > now:
            self._wake([host.name])
        one.until = min(one.until, now)
        if not is_page:
            if proven and now - one.since >= self._patience.refusing_s:
                self._sleep(host, one, now)
        elif one.suspects:
            one.begin_anew(now)
        else:
            self._forget(host)

    def _forget(self, host: Host) -> None:
        host.silence = None
        del self._silent[host.name]
        self._sleeping.pop(host.name, None)


def why(failure: Failure) -> str:
    """Return in a few words why there was no answer."""
    return f"{failure.kind}: {failure.detail}" if failure.detail else failure.kind
