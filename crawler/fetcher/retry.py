"""Whether and when a fetch is tried again. Pure: the clock and the dice are arguments."""

import random
import re
from typing import Final

from msgspec import Struct

from crawler.core.http_date import http_date
from crawler.core.model import Failure
from crawler.fetcher.transport.base import FetchResult

__all__ = [
    "RETRYABLE_STATUSES",
    "SLOW_DOWN_STATUSES",
    "RetryDecision",
    "asked_wait_s",
    "backoff_s",
    "decide",
    "retry_after_s",
]

RETRYABLE_STATUSES: Final = frozenset({408, 429, 500, 502, 503, 504})
"""Answers after which the same request may well succeed later."""

SLOW_DOWN_STATUSES: Final = frozenset({429, 503})
"""Answers by which a host asks for fewer requests."""

_BACKOFF_BASE_S: Final = 0.5
_BACKOFF_MAX_S: Final = 30.0

_SECONDS = re.compile(r"[0-9]+")


def retry_after_s(value: str | None, now: float, cap_s: float = 3600.0) -> float | None:
    """Seconds to wait that a Retry-After value (RFC 9110 §10.2.3) asks for, from 0 to `cap_s`.

    `now` is unix time in seconds. A number of seconds or a date in any of the three forms; a date that has passed is
    0, more than `cap_s` is `cap_s`. None if the value is missing or is neither. Never raises.
    """
    if value is None:
        return None
    text = value.strip(" \t")
    if _SECONDS.fullmatch(text):
        # float, because int refuses thousands of digits.
        return min(float(text), cap_s)
    at = http_date(text, now)
    return None if at is None else min(max(0.0, at - now), cap_s)


def asked_wait_s(result: FetchResult, now: float) -> float | None:
    """Seconds to wait that an answer asks for: `retry_after_s` of a 429 or 503.

    Redirects may have a Retry-After too (RFC 9110 §10.2.3), for other purposes.
    """
    return retry_after_s(result.header("retry-after"), now) if result.status in SLOW_DOWN_STATUSES else None


def backoff_s(attempt: int, rng: random.Random) -> float:
    """Seconds to wait after the `attempt`-th attempt (from 1) failed: exponential with full jitter.

    Evenly between 0 and 0.5, 1, 2, 4 … at most 30 seconds, so that many URLs that failed together do not come back
    together.
    """
    return rng.uniform(0.0, min(_BACKOFF_MAX_S, _BACKOFF_BASE_S * 2.0 ** min(max(attempt - 1, 0), 10)))


class RetryDecision(Struct, frozen=True):
    """What to do after an attempt.

    `retry_at` is the unix time before which the next attempt must not start, None if there is none. `reason` says
    what went wrong: a failure's kind or `status 503`; empty if the answer is simply to be taken.
    """

    retry_at: float | None
    reason: str


def decide(
    result: FetchResult | Failure, *, attempts_made: int, retries: int, now: float, rng: random.Random
) -> RetryDecision:
    """Decide whether a fetch that came to `result` is made again, and when.

    Only a status of `RETRYABLE_STATUSES` or a failure that says `retryable` is, and only while `attempts_made` (at
    least 1: the one just made counts) is at most `retries`. The next attempt starts after the back-off, or after what
    the answer asks for (`asked_wait_s`) if that is longer. `now` is unix time in seconds.
    """
    wait_s = None
    if isinstance(result, Failure):
        reason, again = result.kind, result.retryable
    else:
        again = result.status in RETRYABLE_STATUSES
        reason = f"status {result.status}" if again else ""
        wait_s = asked_wait_s(result, now)
    if not again or attempts_made > retries:
        return RetryDecision(None, reason)
    return RetryDecision(now + max(backoff_s(attempts_made, rng), wait_s or 0.0), reason)
