"""What an attempt comes to that brought no usable answer: another one later, or the end of the URL."""

import logging
import random
import time

from msgspec import structs

from crawler.core.model import Again, Attempt, Done, Failure, Result, Task
from crawler.core.printable import printable
from crawler.core.run_clock import RunClock
from crawler.fetcher import retry, verdict
from crawler.fetcher.transport.base import FetchResult

__all__ = ["Attempts"]

_log = logging.getLogger(__name__)


class Attempts:
    """Decides as `retry` does, by the clock of the run. Has no state."""

    def __init__(self, retries: int, clock: RunClock, rng: random.Random) -> None:
        self._retries = retries
        self._clock = clock
        self._rng = rng

    def failed(self, task: Task, failure: Failure, attempt: Attempt) -> Result:
        """Return what follows from a failure that counts as an attempt."""
        return self.again(task, failure, attempt) or self.end(task, failure, attempt)

    def again(self, task: Task, result: FetchResult | Failure, attempt: Attempt) -> Again | None:
        """Return when a URL is asked for again; None if what came of the attempt is the end of it."""
        if not isinstance(result, Failure) and result.status not in retry.RETRYABLE_STATUSES:
            return None
        now = time.time()
        again = retry.decide(result, attempts_made=task.attempts + 1, retries=self._retries, now=now, rng=self._rng)
        if again.retry_at is None:
            return None
        attempt = structs.replace(attempt, what=again.reason)
        return Again(task.key, self._clock() + again.retry_at - now, again.reason, attempt)

    def end(self, task: Task, failure: Failure, attempt: Attempt | None = None) -> Done:
        """Return the end of a URL without an answer, and tell the log. Without an `attempt` it was not asked for."""
        if _log.isEnabledFor(logging.DEBUG):
            _log.debug("failed %s: %s: %s", failure.kind, task.url, printable(failure.detail))
        return verdict.failed(task, failure, attempt)
