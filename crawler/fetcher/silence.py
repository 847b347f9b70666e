"""The silence of one host: since when it brings nothing, how long it is let alone, and whose fault that is. Pure.

A host that answers comes in doubt when a request of its has no answer. Then it answers another one, or it sleeps. After
each sleep one request probes it, until it answers or is given up for this run.
"""

import math
import random
from typing import Final, NamedTuple

from msgspec import Struct

from crawler.core.model import Attempt, Failure, Task

__all__ = ["PATIENCE", "Patience", "Silence", "Suspect"]


class Patience(Struct, frozen=True):
    """How long a host is waited for, in seconds.

    `doubt_s`: from its first unanswered request until it counts as silent. `first_sleep_s`: its first sleep; each
    further one is twice as long, up to `longest_sleep_s`. `refusing_s`: after so long of nothing but 429, 503 and
    timeouts it sleeps as if it were silent. `stranger_s`: a host that has never answered in this job is given up
    after this, if not sooner. `offline_sleep_s`: longest sleep while no host at all answers.
    """

    doubt_s: float = 1.0
    first_sleep_s: float = 10.0
    longest_sleep_s: float = 600.0
    refusing_s: float = 300.0
    stranger_s: float = 120.0
    offline_sleep_s: float = 30.0


PATIENCE: Final = Patience()

_SHORTEST_REST_S: Final = 1.0
_SOON_S: Final = 0.05
"""The store wakes a host by another clock: it may be this much too early."""
_IDLE_S: Final = 120.0
"""A host in trouble that nobody has asked for so long begins anew: that it was not asked says nothing about it."""


class Suspect(NamedTuple):
    """A URL whose request had no answer, with what it came to, and when. The next request says whose fault it was.

    If it was the URL's, that was an `attempt`.
    """

    task: Task
    failure: Failure
    at: float
    attempt: Attempt


class Silence:
    """What is known of a host from the first request that brought nothing to the first one that does.

    Times are on the loop's clock. State, changed by its methods alone: `since`, nothing came that was asked for;
    `shut_since`, nothing at all came, or no robots.txt, None while the host answers; `why`, in a few words; `tried_at`,
    when that was seen last; `sleeps`, how often it slept; `until`, when it wakes, -inf while it is awake, inf when it
    is given up; `slept`: it has slept since it answered last; `suspects`; `listened_s`, how long a
    request waited at most that gave way to others; and from when on nobody had reason to ask it.
    """

    __slots__ = (
        "_idle_from",
        "listened_s",
        "shut_since",
        "since",
        "sleeps",
        "slept",
        "suspects",
        "tried_at",
        "until",
        "why",
    )

    def __init__(self, since: float) -> None:
        self.since = since
        self.shut_since: float | None = None
        self.why = ""
        self.sleeps = 0
        self.until = -math.inf
        self.slept = False
        self.suspects: list[Suspect] = []
        self.tried_at = since
        self.listened_s = 0.0
        self._idle_from = since

    @property
    def given_up(self) -> bool:
        """Whether the host is not asked again in this run."""
        return self.until == math.inf

    def is_asleep(self, now: float) -> bool:
        """Whether the host is not to be asked now."""
        return self.until > now + _SOON_S

    def shut(self, why: str, since: float, now: float) -> None:
        """Learn that a request had no answer; the host was heard, or not asked, until `since`."""
        self._begin_anew_if_idle(since)
        self.why = why
        self._idle_from = self.tried_at = now
        if self.shut_since is None:
            self.shut_since = since

    def refused(self, why: str, now: float, ready: float) -> None:
        """Learn that the host wants fewer requests, and none before `ready`."""
        self._begin_anew_if_idle(now)
        self.why = why
        self._idle_from = max(now, ready)

    def heard(self, started: float, now: float) -> list[Suspect]:
        """Learn that a request that began at `started` was answered; return the suspects whose fault is proven so.

        Those that failed while it was under way wait for the next one.
        """
        proven = [suspect for suspect in self.suspects if suspect.at <= started]
        self.suspects = [suspect for suspect in self.suspects if suspect.at > started]
        self.shut_since = now if self.suspects else None
        self.slept = False
        self._idle_from = now
        return proven

    def sleep(self, now: float, limit_s: float | None, patience: Patience, rng: random.Random) -> None:
        """Let the host alone for a while, or for the rest of the run once `limit_s` has passed since it was heard.

        The last probe comes when that time has passed, not before.
        """
        self.slept = True
        if limit_s is not None and now - self.since >= limit_s:
            self.until = math.inf
            return
        step_s = min(patience.first_sleep_s * 2.0 ** min(self.sleeps, 20), patience.longest_sleep_s)
        step_s *= rng.uniform(0.75, 1.25)
        if limit_s is not None:
            step_s = min(step_s, max(self.since + limit_s - now, patience.doubt_s))
        self.sleeps += 1
        self.until = self._idle_from = now + step_s

    def rest(self, now: float, listened_s: float, rng: random.Random) -> None:
        """Let the host alone since others wait that may answer sooner, for twice as long as it was listened to.

        It is never given up for that.
        """
        self.slept = True
        self.listened_s = max(self.listened_s, listened_s)
        self.until = self._idle_from = now + max(_SHORTEST_REST_S, 2 * listened_s) * rng.uniform(0.75, 1.25)

    def is_long(self, now: float, doubt_s: float) -> bool:
        """Whether the host has been shut for so long that one more unanswered request settles it."""
        return self.shut_since is not None and (self.slept or now - self.shut_since >= doubt_s)

    def wants_opinion(self, now: float, doubt_s: float) -> bool:
        """Whether its robots.txt is to be asked for before another URL is tried.

        After a sleep every other probe is a URL: a server may never answer for its robots.txt.
        """
        if self.shut_since is None:
            return False
        return self.sleeps % 2 == 1 if self.slept else now - self.shut_since >= doubt_s

    def begin_anew(self, now: float) -> None:
        """Forget how long it has been, and wake: the silence was not the host's."""
        self.since = self._idle_from = now
        self.shut_since = None if self.shut_since is None else now
        self.sleeps = 0
        self.until = -math.inf

    def put_off(self, gap_s: float) -> None:
        """Leave a time out in which nothing could be heard."""
        self.since += gap_s
        self._idle_from += gap_s
        if self.shut_since is not None:
            self.shut_since += gap_s

    def _begin_anew_if_idle(self, at: float) -> None:
        if self.shut_since is None and at - self._idle_from > _IDLE_S:
            self.since = at
            self.sleeps = 0
