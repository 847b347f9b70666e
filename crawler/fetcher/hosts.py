"""What the fetcher knows of a host, and of the origins on it, while it visits them."""

from collections import deque

import msgspec
from msgspec import Struct

from crawler.core.model import Failure, Task
from crawler.fetcher import retry
from crawler.web.robots import RobotsAnswer, RobotsRules

__all__ = ["Host", "Site"]


class Site(Struct, frozen=True):
    """What robots.txt says at one origin.

    `expires` is on the loop's clock. `barred`: why there is none to be had, if no connection, name or permission is.
    """

    answer: RobotsAnswer
    rules: RobotsRules
    expires: float
    barred: Failure | None

    @property
    def unreachable(self) -> bool:
        """Whether the server could not say what its robots.txt holds: nothing may be asked for."""
        return self.rules is RobotsRules.DISALLOW_ALL


class Host:
    """A host with its tasks. `scheduled`: it stands in the fetcher's heap; `asking`: its tasks wait for an answer
    about the host itself, its address or its robots.txt, which was asked for `attempts` times in this round; it could
    not be had in the last `unreachable` rounds.

    State of the fetcher, which alone changes it.
    """

    __slots__ = ("asking", "attempts", "located", "name", "scheduled", "sites", "tasks", "unreachable")

    def __init__(self, name: str) -> None:
        self.name = name
        self.tasks: deque[Task] = deque()
        self.sites: dict[str, Site] = {}
        self.scheduled = False
        self.asking = False
        self.located = False
        self.attempts = 0
        self.unreachable = 0

    def revisited(self, answer: RobotsAnswer, rules: RobotsRules, retries: int, now: float) -> RobotsAnswer:
        """Count a round; return `answer`, due again soon if robots.txt was unreachable in at most `retries` rounds.

        The host's URLs wait for that: a server that restarts must not cost them all. `now` is unix time.
        """
        if rules is not RobotsRules.DISALLOW_ALL:
            self.unreachable = 0
            return answer
        self.unreachable += 1
        if self.unreachable > retries:
            return answer
        return msgspec.structs.replace(answer, expires_at=now + retry.revisit_s(self.unreachable))
