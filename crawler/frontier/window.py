"""Which due URLs are handed out now: a window over the store's queue, host by host. Knows nothing of how they end.

Every URL that is due stands in the store's queue until it ends. Memory holds only a *window* of the queue: the tasks
handed out and not back yet, for a bounded number of hosts.

    add ─► store queue ─► window (tasks handed out) ─► remove: out of the window and of the queue
                ▲                    │
                └───── postpone ─────┘

Fairness: a host in the window gets its next URLs as it finishes some. When more hosts have work than the window
holds, a host gives up its place after a turn of `TURN` URLs, and a cursor over the queue picks the next host, so
that each host's turn comes however many URLs another has.

Order: within a host by place in the queue, that is by level (depth, as a rule), then by discovery. Level by level, a
host's next level starts only when the one before has ended.
"""

from collections.abc import Callable
from itertools import islice

from crawler.core.model import Task
from crawler.frontier.backlog import Backlog
from crawler.frontier.gate import Gate
from crawler.frontier.handed import Handed
from crawler.frontier.queue import UrlQueue
from crawler.frontier.row import UrlRow, is_late
from crawler.frontier.sleepers import Sleepers
from crawler.frontier.waiting_hosts import WaitingHosts
from crawler.frontier.window_host import WindowHost

__all__ = ["Window"]

WINDOW_TASKS = 32_768
"""Tasks handed out at once, over all hosts (about 1 KB each)."""
WINDOW_BYTES = 32 << 20
"""Bytes of URLs in them: five times what they have as a rule. A URL may have 8 KB, and its parent as many."""
WINDOW_HOSTS = 16_384
"""Hosts in the window at once: with a delay of 10 s they allow 1,600 requests/s, about what one event loop can do."""
HOST_TASKS = 1_024
"""Most tasks of one host in the window: enough for a fast host between two commits."""
TURN = 64
"""URLs a host may have handed out before it makes room for a waiting host."""
HOST_AHEAD = 32
"""Most entries of a host that are read from the queue at once: to find the first costs more than to read them all."""
WINDOW_AHEAD = 131_072
"""Entries read ahead over all hosts (about 400 bytes each)."""
AHEAD_BYTES = 64 << 20
"""Bytes of these entries."""
_LEAST_SHARE = 2
_ADMITTED_PER_REFILL = 256
_SEEKS_PER_REFILL = 2_048
"""Hosts looked at for them: some 20 ms, if all of these sleep."""


class Window:
    """The window over the queue of one job. Owned by the frontier; nobody else touches the queue.

    `read(place, key, row)` builds the task of a URL in the queue; `gate` says whether it may be handed out.
    """

    def __init__(
        self,
        queue: UrlQueue,
        read: Callable[[bytes, bytes, UrlRow], Handed],
        gate: Gate,
        sleepers: Sleepers,
        *,
        level_by_level: bool,
    ) -> None:
        self._queue = queue
        self._read = read
        self._gate = gate
        self._level_by_level = level_by_level
        # State: the tasks and hosts in the window, and how many tasks it may hold; hosts to be given more; hosts with
        # entries that scans cannot see before the commit, with the first of them, and entries that were handed out
        # before it; what the next refill returns; hosts that sleep, and those outside that wait.
        self._limit, self._bytes = WINDOW_TASKS, 0
        self._handed: dict[bytes, Handed] = {}
        self._hosts: dict[bytes, WindowHost] = {}
        self._hungry: set[bytes] = set()
        self._uncommitted_hosts: dict[bytes, bytes] = {}
        self._unseen: set[bytes] = set()
        self._due: list[Task] = []
        self._entered: list[tuple[bytes, str]] = []
        self._asleep = sleepers
        self._waiting = WaitingHosts(queue, (self._hosts, sleepers))
        self.backlog = Backlog(self._hosts, sleepers)

    # What is due

    def add(self, key: bytes, place: bytes, row: UrlRow) -> None:
        """Make the URL `key` due at `place`: handed out some time after the next commit."""
        self._queue.add(place, key, row)
        host_key = place[:8]
        first = self._uncommitted_hosts.get(host_key)
        if first is None or place < first:
            self._uncommitted_hosts[host_key] = place
        if (host := self._hosts.get(host_key)) is not None:
            host.put_back(place)

    def offer(self, key: bytes, place: bytes, row: UrlRow) -> None:
        """Make a URL due that stands behind all others of its host: handed out at once if it is next anyway."""
        host_key = place[:8]
        host = self._hosts.get(host_key)
        if host is None and len(self._hosts) < WINDOW_HOSTS and host_key not in self._asleep and not self._waiting:
            host = self._activate(host_key, backlog=host_key in self._uncommitted_hosts)
        if (
            host is None
            or host.backlog
            or self._level_by_level
            or _share(self._gate, host, self._limit, len(self._hosts)) <= 0
            or self._room <= 0
            or self._gate.verdict(host_key, place, row)
        ):
            self.add(key, place, row)
            return
        self._queue.add(place, key, row)
        self._unseen.add(place)
        self._hand_out(host, self._read(place, key, row))
        host.floor = max(host.floor, place)

    def move(self, key: bytes, place: bytes, better: bytes, row: UrlRow) -> None:
        """Give a URL that is not handed out a better place in the queue."""
        self._queue.remove(place)
        self.add(key, better, row)
        if (host := self._hosts.get(place[:8])) is not None:
            host.ahead.clear()

    def _to_be_seen(self, *places: bytes) -> None:
        for place in places:
            self._uncommitted_hosts[place[:8]] = min(place, self._uncommitted_hosts.get(place[:8], place))

    # What is handed out

    def find(self, key: bytes) -> Handed | None:
        """The task of the URL `key` if it is handed out."""
        return self._handed.get(key)

    def remove(self, key: bytes) -> Handed | None:
        """Take a task out of the window, and out of the queue with the next commit. None if it is not handed out."""
        handed = self._handed.pop(key, None)
        if handed is not None:
            self._queue.remove(handed.place)
            self._release(handed)
        return handed

    def postpone(self, key: bytes, until: float) -> None:
        """Take a task back that stays due: its host makes room for others until it may be asked again."""
        handed = self._handed.pop(key, None)
        if handed is None:
            return
        host = self._hosts[handed.host]
        host.put_back(handed.place)
        host.ahead.clear()
        if handed.place in self._unseen:
            self._to_be_seen(handed.place)
        self._asleep.put(host.key, until)
        self._release(handed)

    def allow(self, tasks: int | None) -> None:
        """Hand out at most so many tasks at once from now on, None: as many as it holds. What is handed out stays."""
        before, self._limit = self._limit, WINDOW_TASKS if tasks is None else min(WINDOW_TASKS, tasks)
        if self._limit > before:  # hosts that had their share may have more
            self._hungry.update(key for key, host in self._hosts.items() if host.backlog and key not in self._asleep)

    def committed(self) -> None:
        """Learn that the open batch was committed: what it added can be seen by scans now."""
        for key, first in self._uncommitted_hosts.items():
            host = self._hosts.get(key)
            if key in self._asleep.held:  # it may have this
                self.rouse(key)
            if host is None:
                if key not in self._asleep:
                    self._waiting.came(key)
                continue
            host.floor = min(host.floor, first)
            if host.ahead and first < host.ahead[-1][0]:
                host.ahead.clear()
            if key not in self._asleep:
                self._hungry.add(key)
            elif host.handed == 0:
                self._dismiss(host)
        self._uncommitted_hosts.clear()
        self._unseen.clear()

    def refill(self, now: float) -> tuple[list[Task], list[tuple[bytes, str]]]:
        """Hand out what is due: the tasks, and key and first URL of each host that entered the window with them."""
        for key in (*self._asleep.wake(now), *filter(self._asleep.rouse, self._gate.freed())):
            self._welcome(key)
        self._admit_hosts()
        while self._hungry and self._room > 0:
            self._load(self._hosts[self._hungry.pop()])
        due, entered, self._due, self._entered = self._due, self._entered, [], []
        return due, entered

    def rouse(self, key: bytes) -> None:
        """Wake a host that sleeps: it may be asked."""
        if self._asleep.rouse(key):
            self._welcome(key)

    @property
    def stranded(self) -> bool:
        """Whether all that is due belongs to hosts that sleep for good, or may have no more."""
        return not (self._hosts or self._waiting or self._uncommitted_hosts) and self._asleep.none_wakes

    @property
    def has_leftovers(self) -> bool:
        """Whether what is due is so, as far as its hosts answer, for want of what they may have."""
        return bool(self._asleep.held) and self.stranded

    def is_idle(self, host: bytes) -> bool:
        """Whether no URL of a host is due, but for those that stand back."""
        known = self._hosts.get(host)
        if host in self._uncommitted_hosts or host in self._asleep or (known and known.handed > known.late):
            return False
        place, _ = next(self._queue.scan(known.floor if known else host, host + b"\xff" * 9), (None, b""))
        return place is None or is_late(place)

    @property
    def hosts_given_up(self) -> int:
        """Hosts that sleep for good."""
        return self._asleep.for_good

    @property
    def starved(self) -> bool:
        """True if a commit would give a host something to do that has nothing handed out."""
        if self._room <= 0:
            return False
        full = len(self._hosts) >= WINDOW_HOSTS  # then hosts outside have to wait in any case
        return any(
            (not full if (host := self._hosts.get(key)) is None else host.handed == 0) and key not in self._asleep
            for key in self._uncommitted_hosts
        )

    @property
    def handed_out(self) -> int:
        """Tasks handed out and not back."""
        return len(self._handed)

    @property
    def active_hosts(self) -> int:
        """Hosts in the window."""
        return len(self._hosts)

    @property
    def _room(self) -> int:
        """How many more tasks may be handed out."""
        return self._limit - len(self._handed) if self._bytes < WINDOW_BYTES else 0

    # Hosts come and go

    def _admit_hosts(self) -> None:
        """Take hosts that wait into the window, as far as it has room."""
        admitted = 0
        for _ in range(_SEEKS_PER_REFILL):
            full = len(self._hosts) >= WINDOW_HOSTS or self._room <= 0
            if not self._waiting or full or admitted >= _ADMITTED_PER_REFILL:
                return
            key = self._waiting.next()
            if key is not None:
                self._load(self._activate(key, backlog=True))
                admitted += 1

    def _welcome(self, key: bytes) -> None:
        """Let a host that has slept go on."""
        take = self._hungry.add if key in self._hosts else self._waiting.came
        take(key)

    def _activate(self, key: bytes, *, backlog: bool) -> WindowHost:
        host = self._hosts[key] = WindowHost(key, backlog=backlog)
        return host

    def _dismiss(self, host: WindowHost) -> None:
        del self._hosts[host.key]
        self._hungry.discard(host.key)
        if host.backlog and host.key not in self._asleep:
            self._waiting.left(host.key)

    # Tasks come and go

    def _load(self, host: WindowHost) -> None:
        """Hand out the host's next URLs from the committed queue, as far as the window has room."""
        limit = min(_share(self._gate, host, self._limit, len(self._hosts)), self._room)
        if limit <= 0 or (self._level_by_level and host.key in self._uncommitted_hosts):
            return  # asked again when something ends, or after the commit that shows the whole level
        hosts = len(self._hosts)
        most_ahead = max(2, min(HOST_AHEAD, WINDOW_AHEAD // hosts)), AHEAD_BYTES // hosts
        due = host.next_due(self._queue, self._handed, self._gate, most_ahead, level_by_level=self._level_by_level)
        for place, key, row in islice(due, limit):
            self._hand_out(host, self._read(place, key, row))
            if self._bytes >= WINDOW_BYTES or _has_its_bytes(host, hosts):
                break
        self._to_be_seen(*host.took_put_off())
        host.backlog |= host.key in self._uncommitted_hosts
        if host.handed == 0 and host.key not in self._uncommitted_hosts and (host.held or not host.backlog):
            if host.held:
                self._asleep.hold(host.key)
            self._dismiss(host)

    def _hand_out(self, host: WindowHost, handed: Handed) -> None:
        self._handed[handed.task.key] = handed
        self._gate.hand_out(handed)
        if not host.served:
            self._entered.append((host.key, handed.task.url))
        self._bytes += host.took(handed, level_by_level=self._level_by_level)
        self._due.append(handed.task)

    def _release(self, handed: Handed) -> None:
        """Free the task's place in the window; let its host go when it has nothing left to do here."""
        self._gate.take_back(handed)
        host = self._hosts[handed.host]
        self._bytes -= host.gave_back(handed, level_by_level=self._level_by_level)
        full = bool(self._waiting) and len(self._hosts) >= WINDOW_HOSTS
        if host.backlog and not (full and host.served >= TURN) and host.key not in self._asleep:
            if host.handed <= _share(self._gate, host, self._limit, len(self._hosts)):  # it has half of it, or less
                self._hungry.add(host.key)
        elif host.handed == 0 and host.key not in self._uncommitted_hosts:
            self._dismiss(host)


def _share(gate: Gate, host: WindowHost, limit: int, hosts: int) -> int:
    """How many more tasks a host may have handed out; all together fill half the window, so that hosts can enter.

    None, but for two, if it has its share of the bytes.
    """
    if _has_its_bytes(host, hosts):
        return 0
    return gate.most_at_once(host.key, max(_LEAST_SHARE, min(HOST_TASKS, limit // 2 // max(1, hosts)))) - host.handed


def _has_its_bytes(host: WindowHost, hosts: int) -> bool:
    """Whether the tasks of a host that are handed out have its share of the bytes."""
    return host.handed >= _LEAST_SHARE and host.bytes >= WINDOW_BYTES // 2 // max(1, hosts)
