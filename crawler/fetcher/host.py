"""A host while it is visited."""

from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from msgspec import Struct

from crawler.core.model import Again, Failure, Task
from crawler.fetcher.pace import Pace
from crawler.fetcher.silence import Silence
from crawler.fetcher.slots import Slot
from crawler.web.robots import AgentRules, RobotsAnswer

__all__ = ["Errand", "Host", "OriginRobots"]


class OriginRobots(Struct, frozen=True):
    """What is known of the robots.txt at one origin of a host. Its rules are in the `RulesCache`, or in the store.

    `answer` has no body; it is `apart` if there are rules. `expires` is on the loop's clock. `barred`: why there is
    none to be had for good, such as a name that is unknown.
    """

    answer: RobotsAnswer
    expires: float
    barred: Failure | None = None


class Errand(Struct, frozen=True):
    """A request that waits for its host's turn, before the host's tasks: the second half of what has begun already.

    A robots.txt to which that of another origin redirects, or a URL whose kept connection had ended. `go(slot)` makes
    the request, in a place among those under way, and sees to what follows; before, it holds none. When the host must
    not be asked for long, `put_off(wait_s)` is called instead, with the seconds, and returns what is due again then.
    """

    url: str
    go: Callable[[Slot], Coroutine[Any, Any, None]]
    put_off: Callable[[float], list[Again]]


class Host:
    """A host (name and port) with its tasks, and the robots.txt of its origins.

    State in parts, each with one writer. `tasks` and `errands`: `Hosts` puts them in and gives them back, `Fetcher`
    takes them out. `HostMemory` writes `recalled`: what the store remembers of it is known here. `Hosts` writes
    `asking`: its tasks wait for an answer about the host itself; `prepared`: that has come, and no request has started
    since; `located`: its address was asked for. `Turns` writes `scheduled`: it stands in a line of those that may be
    asked by time. `Parked` writes `held_by`: what the host waits for that is not its clock, in a word; `on_trial`: its
    next request may start all the same. `Paces` writes `pace`: how it has answered. `Robots` writes `robots`, by
    origin; `loaded`, the origin and the rules that were read from the store for its next task; and `attempts`: so often
    was a robots.txt asked for that could not be read. `Silences` writes `silence`, None as long as the host answers;
    `heard_at`, on the loop's clock; `proven`: it has answered in this job.
    """

    __slots__ = (
        "asking",
        "attempts",
        "errands",
        "heard_at",
        "held_by",
        "loaded",
        "located",
        "name",
        "on_trial",
        "pace",
        "prepared",
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
        self.errands: list[Errand] = []  # few, and an empty deque takes as much as all the rest
        self.recalled = False
        self.scheduled = False
        self.asking = False
        self.located = False
        self.prepared = False
        self.held_by = ""
        self.on_trial = False
        self.pace = Pace()
        self.robots: dict[str, OriginRobots] = {}
        self.loaded: tuple[str, AgentRules] | None = None
        self.attempts = 0
        self.silence = silence
        self.heard_at = float("-inf")
        self.proven = False

    @property
    def has_work(self) -> bool:
        """Whether it has tasks, or some whose last request had no answer."""
        return bool(self.tasks) or (self.silence is not None and bool(self.silence.suspects))

    @property
    def is_busy(self) -> bool:
        """Whether it has anything to do, or waits for something."""
        return bool(self.tasks or self.errands) or self.asking or self.scheduled or self.has_work

    def take_tasks(self) -> list[Task]:
        """Take all that it has to do from it, and what was put aside because it had no answer."""
        tasks = list(self.tasks)
        self.tasks.clear()
        if self.silence is not None:
            tasks += [suspect.task for suspect in self.silence.suspects]
            self.silence.suspects = []
        return tasks
