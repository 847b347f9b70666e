"""A host while it is visited, and what is remembered of it between visits and between runs."""

from collections import deque
from collections.abc import Awaitable, Callable

from msgspec import Struct

from crawler.core.model import Again, Failure, Task
from crawler.fetcher.clock import HostClock
from crawler.web.robots import RobotsAnswer, RobotsRules

__all__ = ["Errand", "Host", "HostState", "OriginRobots"]


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


class Errand(Struct, frozen=True):
    """A request that waits for its host's turn, before the host's tasks: the second half of what has begun already.

    A robots.txt to which that of another origin redirects, or a URL whose kept connection had ended. `go()` makes the
    request and sees to what follows; before, it holds no place among the requests under way. When the host must not be
    asked for long, `put_off(wait_s)` is called instead, with the seconds, and returns what is due again then.
    """

    url: str
    go: Callable[[], Awaitable[None]]
    put_off: Callable[[float], list[Again]]


class Host:
    """A host (name and port) with its tasks, and the robots.txt of its origins.

    State in three parts, each with one writer. `tasks` and `errands`: `Hosts` puts them in and gives them back,
    `Fetcher` takes them out. `Hosts` writes `recalled`: its remembered state was asked for; `scheduled`: it stands in
    the line of those that may be asked by time; `asking`: its tasks wait for an answer about the host itself;
    `located`: its address was asked for. `Robots` writes `robots`, by origin; `attempts`: so often was a robots.txt
    asked for in this round; `unreachable`: in so many rounds it could not be had.
    """

    __slots__ = (
        "asking",
        "attempts",
        "errands",
        "located",
        "name",
        "recalled",
        "robots",
        "scheduled",
        "tasks",
        "unreachable",
    )

    def __init__(self, name: str) -> None:
        self.name = name
        self.tasks: deque[Task] = deque()
        self.errands: deque[Errand] = deque()
        self.recalled = False
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
