"""One host's clock: when its next request may start, and how long its requests may follow each other. Pure."""

from typing import Final, Literal

from msgspec.structs import replace

from crawler.web.host_state import HostClock

__all__ = ["MAX_DELAY_S", "Clock", "Ending", "first_delay_s"]

Ending = Literal["answered", "slow_down", "unanswered", "broken"]
"""How a request ended, as far as its host's clock is concerned.

- `answered`: any status but those below.
- `slow_down`: 429 or 503: the host is there but wants fewer requests.
- `unanswered`: no answer in time: the host may be overwhelmed.
- `broken`: no answer and no waiting for one: reset, refused connection, failed TLS or name look-up, nonsense. It says
  nothing about how fast the host may be asked, so the delay stays as it is.
"""

MAX_DELAY_S: Final = 60.0
"""Longest delay that back-off leads to. Crawl-delay and Retry-After may ask for more."""

_MIN_AUTO_DELAY_S: Final = 0.1
_MAX_AUTO_DELAY_S: Final = 10.0
# What a host may bring with an adaptive delay, so that one of large pages leaves the parsers to others too.
_BYTES_PER_S: Final = 5_000_000
_LATENCY_WEIGHT: Final = 0.25  # of the newest sample in the smoothed latency
_FIRST_BACKED_OFF_DELAY_S: Final = 1.0  # twice a delay of 0.1 s would not help a host that is overwhelmed
_BACKOFF_KEPT: Final = 0.75  # of the back-off, per good answer
_MIN_BACKOFF_S: Final = 0.01  # less is none
_SLOW_DELAY_S: Final = 1.0  # a start takes about as long


class Clock:
    """When a host may be asked, by `now` (monotonic seconds). `fixed_delay_s` None is adaptive: see `Politeness`.

    Back-off: when a host says "slow down" or does not answer in time, its delay doubles (to at least 1 s and at most
    `MAX_DELAY_S`) and it is held for that long; each good answer takes a quarter off what was added. What comes in
    while the host is held belongs to requests that started before, so it changes the delay no further: a burst that
    fails together counts once.

    Cost: a page that has taken parsers from others holds its host too (`charge`), for at most `MAX_DELAY_S`.

    State, changed by its methods alone: when the last request started, the delay of now and what it is made of, and
    until when the host is held, by itself and for what its pages cost.
    """

    __slots__ = (
        "_backoff_s",
        "_crawl_delay_s",
        "_fixed_delay_s",
        "_held_until",
        "_last_start",
        "_latency_s",
        "_parsers_until",
        "delay_s",
    )

    def __init__(self, fixed_delay_s: float | None) -> None:
        self._fixed_delay_s = fixed_delay_s
        self._last_start = float("-inf")
        self._held_until = float("-inf")  # Retry-After and back-off
        self._parsers_until = float("-inf")  # what its pages have cost
        self.delay_s = first_delay_s(fixed_delay_s)  # kept up to date whenever a part of it changes
        self._backoff_s = 0.0
        self._crawl_delay_s = 0.0
        self._latency_s: float | None = None

    def ready(self) -> float:
        """Return when the next request may start; that may have passed."""
        return max(self._last_start + self.delay_s, self._held_until, self._parsers_until)

    def held_by(self, now: float) -> str:
        """Say what the wait until `ready` is for."""
        if self._parsers_until > max(now, self._held_until):
            return "parsers"
        if self._held_until > now or self._backoff_s:
            return "Retry-After or back-off"
        return "Crawl-delay" if self._crawl_delay_s >= self.delay_s else "delay"

    def started(self, now: float) -> None:
        """Learn that a request starts."""
        self._last_start = now

    def finished(self, now: float, latency_s: float, ending: Ending, wait_s: float | None, body_bytes: int) -> None:
        """Learn how a request ended; see `Politeness.finished`."""
        held = now < self._held_until
        if ending == "answered":
            took_s = max(latency_s, body_bytes / _BYTES_PER_S)
            old = self._latency_s
            self._latency_s = took_s if old is None else old + _LATENCY_WEIGHT * (took_s - old)
            if not held and self._backoff_s:
                kept = self._backoff_s * _BACKOFF_KEPT
                self._backoff_s = kept if kept >= _MIN_BACKOFF_S else 0.0
            self._update_delay()
        elif ending != "broken" and not held:
            doubled = min(max(2 * self.delay_s, _FIRST_BACKED_OFF_DELAY_S), MAX_DELAY_S)
            self._backoff_s = max(self._backoff_s, doubled - self._base_delay_s())
            self._update_delay()
            self._held_until = now + self.delay_s
        if wait_s is not None:
            self._held_until = max(self._held_until, now + wait_s)

    def charge(self, now: float, wait_s: float) -> None:
        """Learn that a page has cost the parsers so much that the host is to wait for so long, after earlier costs."""
        self._parsers_until = min(max(self._parsers_until, now) + wait_s, max(self._parsers_until, now + MAX_DELAY_S))

    def set_crawl_delay(self, delay_s: float) -> None:
        """Apply a Crawl-delay; the largest of all told and of the other delays wins."""
        self._crawl_delay_s = max(self._crawl_delay_s, delay_s)
        self._update_delay()

    def set_fixed_delay(self, delay_s: float | None) -> None:
        """Go by another delay from now on; None is adaptive. What back-off has added stays added."""
        self._fixed_delay_s = delay_s
        self._update_delay()

    def snapshot(self, now: float) -> HostClock | None:
        """Return what is worth remembering; None if that is nothing: no back-off, and no wait but a short one."""
        if not self._backoff_s and max(self._held_until, self._parsers_until) <= now and not self.is_slow:
            return None
        clock = HostClock(self.delay_s, max(0.0, self.ready() - now), self._crawl_delay_s)
        if self._fixed_delay_s is None:
            return clock
        held_s = max(0.0, max(self._held_until, self._parsers_until) - now)
        return replace(clock, backoff_s=self._backoff_s, held_s=held_s, asked_s=now - self._last_start)

    @property
    def is_slow(self) -> bool:
        """Whether the time between two requests is long enough to be remembered beyond a run."""
        return self.delay_s >= _SLOW_DELAY_S

    def restore(self, clock: HostClock, now: float) -> None:
        """Apply a `snapshot`; `clock.wait_s` counts from `now`. What is known already and is stricter stays."""
        self._crawl_delay_s = max(self._crawl_delay_s, clock.crawl_delay_s)
        backoff_s, held_s = clock.backoff_s, clock.held_s
        if backoff_s is None:
            backoff_s, held_s = min(clock.delay_s, MAX_DELAY_S) - self._base_delay_s(), clock.wait_s
        else:
            self._last_start = max(self._last_start, now - clock.asked_s)
        self._held_until = max(self._held_until, now + held_s)
        self._backoff_s = max(self._backoff_s, backoff_s)
        self._update_delay()

    def _base_delay_s(self) -> float:
        base = self._fixed_delay_s
        if base is None:
            base = min(max(self._latency_s or 0.0, _MIN_AUTO_DELAY_S), _MAX_AUTO_DELAY_S)
        return max(base, self._crawl_delay_s)

    def _update_delay(self) -> None:
        base = self._base_delay_s()
        self.delay_s = max(base, min(base + self._backoff_s, MAX_DELAY_S))


def first_delay_s(fixed_delay_s: float | None) -> float:
    """Return the delay of a host that nothing is known of."""
    return _MIN_AUTO_DELAY_S if fixed_delay_s is None else fixed_delay_s
