"""A host while it is visited, and what is remembered of it between visits and between runs."""

from collections import deque
from collections.abc import Awaitable, Callable, Iterable

from msgspec import Struct, msgpack

from crawler.core.model import Again, Failure, Task
from crawler.fetcher.clock import HostClock
from crawler.fetcher.silence import Silence
from crawler.web.robots import RobotsAnswer, RobotsRules

__all__ = ["Errand", "Host", "HostState", "OriginRobots", "decoded"]


class OriginRobots(Struct, frozen=True):
    """What robots.txt says at one origin of a host.

    `expires` is on the loop's clock. `barred`: why there is none to be had for good, such as a name that is unknown.
    """

    answer: RobotsAnswer
    rules: RobotsRules
    expires: float
    barred: Failure | None


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

    State in four parts, each with one writer. `tasks` and `errands`: `Hosts` puts them in and gives them back,
    `Fetcher` takes them out. `Hosts` writes `recalled`: its remembered state was asked for; `scheduled`: it stands in
    the line of those that may be asked by time; `asking`: its tasks wait for an answer about the host itself;
    `located`: its address was asked for. `Robots` writes `robots`, by origin, and `attempts`: so often was a robots.txt
    asked for that could not be read. `Silences` writes `silence`, None as long as the host answers; `heard_at`, on the
    loop's clock; `proven`: it has answered in this job.
    """

    __slots__ = (
        "asking",
        "attempts",
        "errands",
        "heard_at",
        "located",
        "name",
        "proven",
        "recalled",
        "robots",
        "scheduled",
        "silence",
        "tasks",
    )

    def __init__(self, name: str, silence: Silence | None = None) -> None:
        self.name = name
        self.tasks: deque[Task] = deque()
        self.errands: deque[Errand] = deque()
        self.recalled = False
        self.scheduled = False
        self.asking = False
        self.located = False
        self.robots: dict[str, OriginRobots] = {}
        self.attempts = 0
        self.silence = silence
        self.heard_at = float("-inf")
        self.proven = False

    @property
    def has_work(self) -> bool:
        """Whether it has tasks, or some whose last request had no answer."""
        return bool(self.tasks) or (self.silence is not None and bool(self.silence.suspects))

    def take_tasks(self) -> list[Task]:
        """Take all that it has to do from it, and what was put aside because it had no answer."""
        tasks = list(self.tasks)
        self.tasks.clear()
        if self.silence is not None:
            tasks += [suspect.task for suspect in self.silence.suspects]
            self.silence.suspects = []
        return tasks


class HostState(Struct, frozen=True, array_like=True):
    """A host's robots.txt, by origin, and its clock, as the store keeps them.

    `host` is an authority (`example.com`, `example.com:8080`), `saved_at` unix time. `clock` is None when
    there is nothing but the ordinary delay to remember. `proven`: the host has answered in this job. A clock changes
    more often than the rest, so it is also kept by itself, without any robots.txt.
    """

    host: str
    saved_at: float
    robots: dict[str, RobotsAnswer]
    clock: HostClock | None
    proven: bool = True

    def merged(self, other: "HostState") -> "HostState":
        """Return what both say together: the clock is that of the later one."""
        later = max(self, other, key=lambda state: state.saved_at)
        clock = later.clock
        return HostState(self.host, later.saved_at, self.robots | other.robots, clock, self.proven or other.proven)


def decoded(states: Iterable[bytes]) -> Iterable[HostState]:
    """Return what is remembered of each host: its state, and its clock by itself if that is newer."""
    known: dict[str, HostState] = {}
    for packed in states:
        state = msgpack.decode(packed, type=HostState)
        known[state.host] = known[state.host].merged(state) if state.host in known else state
    return known.values()
