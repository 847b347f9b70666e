"""Asking for one URL: the request, and what follows from what came."""

import time
from asyncio import get_running_loop

from msgspec import structs

from crawler.core.config import CrawlConfig
from crawler.core.ip_address import packed_address
from crawler.core.model import Attempt, Done, Download, Exchange, Failure, Result, Task
from crawler.fetcher import verdict
from crawler.fetcher.attempts import Attempts
from crawler.fetcher.host import Host
from crawler.fetcher.hosts import Hosts
from crawler.fetcher.request import Requests
from crawler.fetcher.retry import SLOW_DOWN_STATUSES
from crawler.fetcher.silences import Silences
from crawler.fetcher.slots import GAVE_WAY, Slot
from crawler.fetcher.transport.base import FetchResult, Transport, is_redirect
from crawler.fetcher.yielding import Yielding
from crawler.web.redirect import redirect_scope

__all__ = ["Asking"]


class Asking:
    """Makes the request of a task, tells its host's clock, and judges what came.

    Has no state of its own but the cookies of `Requests`, and `Yielding`. Runs in the event loop's thread.
    """

    def __init__(
        self, config: CrawlConfig, transport: Transport, hosts: Hosts, silences: Silences, attempts: Attempts
    ) -> None:
        self._has_spider = config.spider is not None
        self._last_depth = 0 if config.scope == "page" else config.depth
        self._transport = transport
        self._hosts = hosts
        self._silences = silences
        self._attempts = attempts
        self._requests = Requests(config)
        self._yielding = Yielding()
        self._loop = get_running_loop()
        self._scope = redirect_scope(config.scope, config.include, config.exclude, config.depth)

    async def ask(self, host: Host, task: Task, slot: Slot, *, fresh: bool) -> Download | Result | Failure | None:
        """Ask for a URL; None if it is not over yet, a `Failure` if a kept connection had ended before an answer."""
        started, at = self._loop.time(), time.time()
        patient = self._yielding.is_patient(task.key)
        last = not host.tasks and self._leads_nowhere(task)
        request = self._requests.of(task, at, fresh=fresh, patient=patient, last=last)
        result = await self._hosts.ask(host, slot, self._transport.fetch(request))
        if isinstance(result, Failure) and result.stale:
            return result
        if result is GAVE_WAY:
            self._put_back(host, task)
            self._silences.gave_way(host, started, slot.patience_s)
            return None
        if isinstance(result, Failure) and result.gave_way:
            self._gave_way(host, task, started)
            return None
        self._yielding.ended(task.key)
        elapsed_s = self._loop.time() - started
        what = result.kind if isinstance(result, Failure) else ""
        attempt = Attempt(at, round(elapsed_s * 1000), what, packed_address(result.address))
        if isinstance(result, Failure):
            return self._broken(host, task, result, started, attempt)
        spent_s = task.spent_s + elapsed_s
        now = time.time()
        self._requests.answered(result, now)
        if result.status not in SLOW_DOWN_STATUSES:
            self._silences.heard(host, started, is_page=True)
        elif self._silences.refused(host, result.status, started):
            self._put_back(host, task)  # it sleeps: its turn is to give all of them back
            return None
        again = self._attempts.again(task, result, attempt)
        exchange = self._requests.exchange(request, result)
        return again or self._judged(task, result, spent_s, now, exchange=exchange, attempt=attempt)

    def _leads_nowhere(self, task: Task) -> bool:
        """Whether no URL can become known through a task, its redirects apart."""
        return self._last_depth is not None and task.depth >= self._last_depth and task.kind == "page"

    def _broken(self, host: Host, task: Task, failure: Failure, started: float, attempt: Attempt) -> Result | None:
        """Return what follows from a fetch without a usable answer."""
        if self._silences.excuses(failure, started):
            self._put_back(host, task)
            return None
        if failure.is_silence:
            self._silences.unanswered(host, task, failure, started, attempt)
            return None
        if failure.answered:
            self._silences.heard(host, started, is_page=True)
        else:
            self._silences.settled(host)
        return self._attempts.failed(task, failure, attempt)

    def _gave_way(self, host: Host, task: Task, started: float) -> None:
        """Ask again later, after all that the host has besides; its clock takes it for one that did not answer."""
        self._yielding.gave_way(task.key)
        self._silences.heard(host, started, is_page=True)
        host.tasks.append(task)
        self._hosts.schedule(host, self._loop.time())

    def _put_back(self, host: Host, task: Task) -> None:
        host.tasks.appendleft(task)
        self._hosts.schedule(host, self._loop.time())

    def _judged(
        self,
        task: Task,
        result: FetchResult,
        spent_s: float,
        now: float,
        *,
        exchange: Exchange | None,
        attempt: Attempt,
    ) -> Download | Done:
        """Return what follows from an answer that counts: a redirect, nothing, or a page."""
        if is_redirect(result.status, result.headers):
            if self._scope.is_costly:  # a parser judges where it leads
                return verdict.downloaded(task, result, now, spent_s, exchange, attempt=attempt)
            end: Done | None = verdict.redirected(task, result, spent_s, self._scope)
        else:
            end = verdict.unusable(task, result)
        if end is not None:
            return verdict.archived(structs.replace(end, attempt=attempt), result, now, exchange)
        return verdict.downloaded(task, result, now, spent_s, exchange, attempt=attempt, whole=self._has_spider)
