"""A host while it is visited, and what is remembered of it between visits and between runs."""

from collections import deque

from msgspec import Struct

from crawler.core.model import Failure, Task
from crawler.fetcher.clock import HostClock
from crawler.web.robots import RobotsAnswer, RobotsRules

__all__ = ["Host", "HostState", "OriginRobots"]


class OriginRobots(Struct, frozen=True):
    """What robots.txt says at one origin of a host.

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
    """A host (name and port) with its tasks, and the robots.txt of its origins.

    State in three parts, each with one writer. `tasks`: `Hosts` puts them in and gives them back, `Fetcher` takes them
    out. `Hosts` writes `scheduled`: it stands in the line of those that may be asked by time; `asking`: its tasks wait
    for an answer about the host itself; `located`: its address was asked for. `Robots` writes `robots`, by origin;
    `attempts`: so often was a robots.txt asked for in this round; `unreachable`: in so many rounds it could not be had.
    """

    __slots__ = ("asking", "attempts", "located", "name", "robots", "scheduled", "tasks", "unreachable")

    def __init__(self, name: str) -> None:
        self.name = name
        self.tasks: deque[Task] = deque()
        self.scheduled = False
        self.asking = False
        self.located = False
        self.robots: dict[str, OriginRobots] = {}
        self.attempts = 0
        self.unreachable = 0


class HostState(Struct, frozen=True, array_like=True):
    """A host's robots.txt, by origin, and its clock, as the store keeps them.

    `host` is an authority (`example.com`, `example.com:8080`), `saved_at` unix time. `clock` is None when
    there is nothing but the ordinary delay to remember.
    """

    host: str
    saved_at: float
    robots: dict[str, RobotsAnswer]
    clock: HostClock | None
