"""Tasks that may not be fetched: what robots.txt forbids, and what has no time left."""

from collections.abc import Callable

from crawler.core.config import CrawlConfig
from crawler.core.model import Failure, Result, Task
from crawler.fetcher.attempts import Attempts
from crawler.fetcher.host import Host
from crawler.fetcher.hosts import Hosts
from crawler.fetcher.robots import Robots

__all__ = ["Refusals"]

_REFUSALS_A_TURN = 64


class Refusals:
    """Ends such tasks without a request; `tell(result)` takes how each one ends. Has no state."""

    def __init__(
        self, config: CrawlConfig, robots: Robots, hosts: Hosts, attempts: Attempts, tell: Callable[[Result], None]
    ) -> None:
        self._timeout_s = config.timeout_s
        self._robots = robots
        self._hosts = hosts
        self._attempts = attempts
        self._tell = tell

    def first_task(self, host: Host, now: float) -> Task | None:
        """Return the first task that may be fetched, after ending those before it that may not; None if there is none.

        After many of them the host comes back for the rest, but not in this turn of the loop, which others wait for.
        """
        refusals = 0
        while host.tasks:
            task = host.tasks[0]
            end = self._end(host, task, now)
            if end is None:
                return task
            host.tasks.popleft()
            self._tell(end)
            refusals += 1
            if refusals == _REFUSALS_A_TURN and host.tasks:
                self._hosts.schedule(host, now + 1e-6)
                return None
        return None

    def _end(self, host: Host, task: Task, now: float) -> Result | None:
        """The outcome of a task that is not to be fetched, None if it may be (or nobody knows yet)."""
        if task.spent_s >= self._timeout_s:
            return self._attempts.end(task, Failure("timeout", "its redirects took all of its time", retryable=False))
        refusal = self._robots.refusal(host, task, now)
        return self._attempts.end(task, refusal) if isinstance(refusal, Failure) else refusal
