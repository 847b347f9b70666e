"""Which URLs are known, which are due, host by host. Decides from its state and `now`; asks nobody.

Every known URL has a row in the store; every URL that is due stands in the store's queue until it ends. Memory
holds only a *window* of the queue: the tasks handed out and not back yet, for a bounded number of hosts.

    discovered ─► store queue ─► window (tasks handed out) ─► ended: out of the queue, row marked

Fairness: a host in the window gets its next URLs as it finishes some. When more hosts have work than the window
holds, a host gives up its place after a turn of `TURN` URLs, and a cursor over the queue picks the next host, so
that each host's turn comes however many URLs another has.

Order: within a host by depth, then by discovery. With a depth limit, a URL's depth decides whether its links are
followed, so a host's next depth starts only when the one before has ended and depths are the shortest distances.
"""

import math
from collections import Counter
from collections.abc import Iterable

import msgspec
from msgspec import Struct

from crawler.config import CrawlConfig
from crawler.counters import Counters
from crawler.model import Done, Link, Seed, SeedContext, Task
from crawler.store import ENDED, QUEUED, REOPENABLE, Store, UrlRow, queue_key
from crawler.urls import host_key, url_key

__all__ = ["Frontier"]

WINDOW_TASKS = 32_768
"""Tasks handed out at once, over all hosts (about 1 KB each)."""
WINDOW_HOSTS = 4_096
"""Hosts in the window at once."""
HOST_TASKS = 1_024
"""Most tasks of one host in the window: enough for a fast host between two commits."""
TURN = 64
"""URLs a host may have handed out before it makes room for a waiting host."""
_SEEKS_PER_REFILL = 256
_SEED_CACHE = 4_096
_REOPENED_BY_LINK = frozenset({"scope", "depth", "nofollow", "filter"})


class _Handed(Struct):
    """A task in the window, with what the store needs when it ends."""

    task: Task
    host: bytes
    parent: bytes
    seq: int


class _Host:
    """A host in the window. `floor`: every queue entry below it is handed out or ended."""

    __slots__ = ("backlog", "depths", "floor", "handed", "key", "served")

    def __init__(self, key: bytes, floor: bytes, *, backlog: bool) -> None:
        self.key = key
        self.floor = floor
        self.backlog = backlog
        self.handed = 0
        self.served = 0
        self.depths: Counter[int] = Counter()


class Frontier:
    """The frontier of one job. Owned by the ledger's thread, like the store it works on."""

    def __init__(self, store: Store, config: CrawlConfig) -> None:
        self._store = store
        self._level_by_level = config.depth is not None
        self._max_pages = config.max_pages
        saved = store.meta("counters")
        self.counters = msgspec.convert(saved, Counters) if saved else Counters()
        # State: the window; hosts with entries that scans cannot see before the commit, with the first of them; hosts
        # that must not be asked before a time; the cursor over hosts that wait for a place in the window.
        self._handed: dict[bytes, _Handed] = {}
        self._hosts: dict[bytes, _Host] = {}
        self._hungry: set[bytes] = set()
        self._uncommitted_hosts: dict[bytes, bytes] = {}
        self._asleep: dict[bytes, float] = {}
        self._wake_at = math.inf
        self._due: list[Task] = []
        self._woken: list[bytes] = []
        self._seeds: dict[int, SeedContext] = {}
        self._uncommitted_seeds: dict[int, SeedContext] = {}
        self._cursor = bytes(8)
        self._wrapped = False
        self._waiting = self.counters.queued > 0
        self._next_retry_at = store.next_due_at()

    # What the ledger tells

    def add_seed(self, number: int, seed: Seed) -> bool:
        """Make a seed known and due, at depth 0. False if its URL was known already."""
        key = url_key(seed.url)
        if self._store.url_values([key])[0] is not None:
            return False
        extra = msgspec.json.encode(seed.extra) if seed.extra else b"null"
        self._store.put_seed(SeedContext(number, (seed.url,), extra))
        seq = self._next_seq()
        host = host_key(seed.url)
        self._store.put_url(key, QUEUED, UrlRow(seed.url, 0, b"", number, (), 0, seq, 0.0))
        self._store.enqueue(queue_key(host, 0, seq), key)
        self._uncommitted_hosts.setdefault(host, queue_key(host, 0, seq))
        self.counters.known += 1
        self.counters.queued += 1
        return True

    def finish(self, results: Iterable[Done], now: float) -> list[bytes]:
        """Take back ended (or retried) tasks with the links they lead to; return the records to write.

        A result for a task that is not handed out is ignored: each URL ends once. `now` is unix time.
        """
        records = []
        found: list[tuple[Link, _Handed, Done]] = []
        for done in results:
            handed = self._handed.pop(done.key, None)
            if handed is None:
                continue
            if done.postponed:
                self._put_to_sleep(handed, done)
                continue
            self._release(handed)
            if done.retry_at is not None:
                self._defer(handed, done, now)
                continue
            self._end(handed, done, now)
            if done.record is not None:
                records.append(done.record)
            found.extend((link, handed, done) for link in done.links)
        if found:
            self._discover(found, now)
        return records

    def committed(self) -> None:
        """Learn that the open batch was committed: what it added can be seen by scans now."""
        for key, first in self._uncommitted_hosts.items():
            host = self._hosts.get(key)
            if host is None:
                self._look_round()
                continue
            host.floor = min(host.floor, first)
            if key not in self._asleep:
                self._hungry.add(key)
            elif host.handed == 0:
                self._dismiss(host)
        self._uncommitted_hosts.clear()
        self._uncommitted_seeds.clear()
        self._next_retry_at = self._store.next_due_at()

    # What the ledger asks

    def refill(self, now: float) -> tuple[list[Task], list[bytes]]:
        """Hand out what is due: the tasks, and the keys of hosts that entered the window with them."""
        if self._next_retry_at is not None and self._next_retry_at <= now:
            self._revive(now)
        if self._wake_at <= now:
            self._wake(now)
        if self._waiting:
            self._admit_hosts()
        while self._hungry and self._room() > 0:
            self._load(self._hosts[self._hungry.pop()])
        if not self._due:
            return [], []  # hosts that entered are named together with their first tasks
        due, woken = self._due, self._woken
        self._due, self._woken = [], []
        return due, woken

    @property
    def starved(self) -> bool:
        """True if a host of the window has nothing handed out while the open batch holds work for it."""
        full = len(self._hosts) >= WINDOW_HOSTS  # then hosts outside have to wait in any case
        return any(
            not full if host is None else host.handed == 0 for host in map(self._hosts.get, self._uncommitted_hosts)
        )

    @property
    def next_retry_at(self) -> float | None:
        """Unix time at which the next waiting retry is due."""
        return self._next_retry_at

    @property
    def handed_out(self) -> int:
        """Tasks handed out and not back."""
        return len(self._handed)

    @property
    def active_hosts(self) -> int:
        """Hosts in the window."""
        return len(self._hosts)

    @property
    def exhausted(self) -> bool:
        """True when no known URL is left that has not ended."""
        return self.counters.queued == 0

    @property
    def budget_spent(self) -> bool:
        """True when `max_pages` records exist."""
        return self._max_pages is not None and self.counters.pages >= self._max_pages

    def save(self) -> None:
        """Put the counters into the open batch."""
        self._store.put_meta("counters", msgspec.to_builtins(self.counters))

    # Ending

    def _release(self, handed: _Handed) -> None:
        """Free the task's place in the window; let its host go when it has nothing left to do here."""
        host = self._hosts[handed.host]
        host.handed -= 1
        if self._level_by_level:
            host.depths[handed.task.depth] -= 1
        if host.backlog and host.key not in self._asleep and not self._turn_over(host):
            if host.handed <= self._host_limit() // 2:
                self._hungry.add(host.key)
        elif host.handed == 0 and host.key not in self._uncommitted_hosts:
            self._dismiss(host)

    def _put_to_sleep(self, handed: _Handed, done: Done) -> None:
        """Take back a task that was not asked for: its host makes room for others until it may be asked again."""
        host = self._hosts[handed.host]
        host.backlog = True
        host.floor = min(host.floor, queue_key(handed.host, handed.task.depth, handed.seq))
        self._asleep[host.key] = done.retry_at or 0.0
        self._wake_at = min(self._wake_at, self._asleep[host.key])
        self._release(handed)

    def _wake(self, now: float) -> None:
        self._hungry.update(key for key, at in self._asleep.items() if at <= now and key in self._hosts)
        self._asleep = {key: at for key, at in self._asleep.items() if at > now}
        self._wake_at = min(self._asleep.values(), default=math.inf)
        self._look_round()

    def _dismiss(self, host: _Host) -> None:
        del self._hosts[host.key]
        self._hungry.discard(host.key)
        if host.backlog:
            self._look_round()

    def _look_round(self) -> None:
        """A host outside the window has work: let the cursor go all the way round to find it."""
        self._waiting, self._wrapped = True, False

    def _turn_over(self, host: _Host) -> bool:
        return self._waiting and host.served >= TURN and len(self._hosts) >= WINDOW_HOSTS

    def _end(self, handed: _Handed, done: Done, now: float) -> None:
        task, counters = handed.task, self.counters
        self._store.dequeue(queue_key(handed.host, task.depth, handed.seq))
        self._put(handed, ENDED, now, task.attempts + 1, done)
        counters.queued -= 1
        self._count(done.outcome, done.reason, +1)
        if done.record is not None:
            counters.pages += 1
            counters.bytes += done.body_bytes
            counters.statuses[done.status] = counters.statuses.get(done.status, 0) + 1

    def _defer(self, handed: _Handed, done: Done, now: float) -> None:
        at = max(now, done.retry_at or 0.0)
        self._store.dequeue(queue_key(handed.host, handed.task.depth, handed.seq))
        self._store.defer(at, handed.task.key)
        self._put(handed, QUEUED, now, handed.task.attempts + 1, done)
        self.counters.retrying += 1

    def _put(self, handed: _Handed, state: bytes, now: float, attempts: int, done: Done) -> None:
        task = handed.task
        outcome = "" if state == QUEUED else done.outcome
        self._store.put_url(
            task.key,
            state,
            UrlRow(
                task.url, task.depth, handed.parent, task.seed.number, task.redirected_from,
                attempts, handed.seq, now, outcome, done.reason, done.status,
            ),
        )  # fmt: skip

    def _count(self, outcome: str, reason: str, change: int) -> None:
        name = f"{outcome}: {reason}" if reason else outcome
        left = self.counters.outcomes.get(name, 0) + change
        if left:
            self.counters.outcomes[name] = left
        else:
            self.counters.outcomes.pop(name, None)

    # Discovery

    def _discover(self, found: list[tuple[Link, _Handed, Done]], now: float) -> None:
        """Test and set in one step: unknown URLs become due or skipped; a better link reopens or moves a known one."""
        known = self._store.url_values([link.key for link, _, _ in found])
        added: set[bytes] = set()
        for (link, handed, done), value in zip(found, known, strict=True):
            if link.key in added:
                value = self._store.url_values([link.key])[0]  # noqa: PLW2901 - another page of this call added it
            added.add(link.key)
            redirect = done.outcome == "redirected"
            depth = handed.task.depth + (0 if redirect else 1)
            chain = (*handed.task.redirected_from, handed.task.url) if redirect else ()
            if redirect and depth == 0 and not link.skip:
                self._anchor(handed.task.seed, link.url)
            parent = handed.parent if redirect else handed.task.key
            row = UrlRow(link.url, depth, parent, handed.task.seed.number, chain, 0, 0, now)
            if value is None:
                self.counters.known += 1
                if link.skip:
                    self._skip(link, row)
                else:
                    self._queue_new(link, row, handed)
            elif not link.skip:
                if value[:1] == REOPENABLE:
                    old = self._store.row(value)
                    self._count(old.outcome, old.reason, -1)
                    self._queue_new(link, row, handed)
                elif self._level_by_level and value[:1] == QUEUED:
                    self._move_up(link, value, row)

    def _skip(self, link: Link, row: UrlRow) -> None:
        state = REOPENABLE if link.skip in _REOPENED_BY_LINK else ENDED
        self._store.put_url(link.key, state, msgspec.structs.replace(row, outcome="skipped", reason=link.skip))
        self._count("skipped", link.skip, +1)

    def _queue_new(self, link: Link, row: UrlRow, source: _Handed) -> None:
        row = msgspec.structs.replace(row, seq=self._next_seq())
        self._store.put_url(link.key, QUEUED, row)
        self.counters.queued += 1
        redirect = bool(row.redirected_from)
        parent_url = source.task.parent if redirect else source.task.url
        task = Task(link.key, link.url, row.depth, parent_url, row.redirected_from, 0, self._seed(row.seed))
        self._offer(_Handed(task, link.host, row.parent, row.seq))

    def _move_up(self, link: Link, value: bytes, better: UrlRow) -> None:
        """A shorter way to a URL that has not been handed out: queue it at the smaller depth."""
        old = self._store.row(value)
        if better.depth >= old.depth or link.key in self._handed or old.attempts:
            return
        self._store.dequeue(queue_key(link.host, old.depth, old.seq))
        row = msgspec.structs.replace(better, seq=old.seq)
        self._store.put_url(link.key, QUEUED, row)
        self._enqueue(link.host, queue_key(link.host, row.depth, row.seq), link.key)

    def _anchor(self, seed: SeedContext, url: str) -> None:
        """The target of a redirected seed counts as in scope from now on."""
        seed = self._seed(seed.number)
        if url not in seed.anchors:
            seed = msgspec.structs.replace(seed, anchors=(*seed.anchors, url))
            self._seeds[seed.number] = self._uncommitted_seeds[seed.number] = seed
            self._store.put_seed(seed)

    def _offer(self, handed: _Handed) -> None:
        """Put a due URL into the queue, and into the window at once if it is next there anyway."""
        key = queue_key(handed.host, handed.task.depth, handed.seq)
        host = self._hosts.get(handed.host)
        free = len(self._hosts) < WINDOW_HOSTS and not self._waiting and handed.host not in self._asleep
        if host is None and free:
            host = self._activate(handed.host, backlog=handed.host in self._uncommitted_hosts)
        direct = (
            host is not None
            and not host.backlog
            and not self._level_by_level
            and host.handed < self._host_limit()
            and self._room() > 0
        )
        if direct and host is not None:
            self._store.enqueue(key, handed.task.key)
            self._hand_out(host, handed)
            host.floor = max(host.floor, key)
        else:
            self._enqueue(handed.host, key, handed.task.key)

    def _enqueue(self, host_key_: bytes, key: bytes, url_key_: bytes) -> None:
        self._store.enqueue(key, url_key_)
        self._uncommitted_hosts[host_key_] = min(key, self._uncommitted_hosts.get(host_key_, key))
        host = self._hosts.get(host_key_)
        if host is not None:
            host.backlog = True
            host.floor = min(host.floor, key)

    # The window

    def _room(self) -> int:
        """How many more tasks may be handed out."""
        room = WINDOW_TASKS - len(self._handed)
        if self._max_pages is not None:
            room = min(room, self._max_pages - self.counters.pages - len(self._handed))
        return room

    def _host_limit(self) -> int:
        """How many tasks one host may have handed out; all together fill half the room, so that hosts can enter."""
        room = WINDOW_TASKS
        if self._max_pages is not None:
            room = min(room, self._max_pages - self.counters.pages)
        return max(4, min(HOST_TASKS, room // 2 // max(1, len(self._hosts))))

    def _activate(self, key: bytes, *, backlog: bool) -> _Host:
        host = self._hosts[key] = _Host(key, key + bytes(8), backlog=backlog)
        self._woken.append(key)
        return host

    def _hand_out(self, host: _Host, handed: _Handed) -> None:
        self._handed[handed.task.key] = handed
        host.handed += 1
        host.served += 1
        if self._level_by_level:
            host.depths[handed.task.depth] += 1
        self._due.append(handed.task)

    def _load(self, host: _Host) -> None:
        """Hand out the host's next URLs from the committed queue, as far as the window has room."""
        limit = min(self._host_limit() - host.handed, self._room())
        if limit <= 0 or (self._level_by_level and host.key in self._uncommitted_hosts):
            return  # asked again when something ends, or after the commit that shows the whole level
        level = min((depth for depth, count in host.depths.items() if count > 0), default=None)
        entries: list[tuple[bytes, bytes]] = []
        more = False
        for key, url in self._store.scan_queue(host.floor, host.key + b"\xff" * 8):
            if url in self._handed:
                continue
            depth = int.from_bytes(key[8:10], "big")
            if self._level_by_level and level is None:
                level = depth
            more = len(entries) == limit or (level is not None and depth > level)
            if more:
                break
            entries.append((bytes(key), bytes(url)))
        host.backlog = more or host.key in self._uncommitted_hosts
        for key, handed in self._tasks(entries):
            self._hand_out(host, handed)
            host.floor = key
        if host.handed == 0 and not host.backlog:
            self._dismiss(host)

    def _tasks(self, entries: list[tuple[bytes, bytes]]) -> list[tuple[bytes, _Handed]]:
        """Build the tasks of queue entries: their rows, their parents' URLs, their seeds."""
        values = self._store.url_values([url for _, url in entries])
        rows = [self._store.row(value) for value in values if value is not None]
        wanted = [row.parent for row in rows if row.parent]
        parents = dict(zip(wanted, self._store.url_values(wanted), strict=True))
        tasks = []
        for (key, url), row in zip(entries, rows, strict=True):
            value = parents.get(row.parent)
            parent = None if value is None else self._store.row(value).url
            task = Task(url, row.url, row.depth, parent, row.redirected_from, row.attempts, self._seed(row.seed))
            tasks.append((key, _Handed(task, key[:8], row.parent, row.seq)))
        return tasks

    def _admit_hosts(self) -> None:
        """Move the cursor over the queue and take hosts that wait into the window."""
        for _ in range(_SEEKS_PER_REFILL):
            if len(self._hosts) >= WINDOW_HOSTS or self._room() <= 0:
                return
            key = self._store.next_host(self._cursor)
            if key is None:
                self._cursor = bytes(8)
                if self._wrapped:  # once round without finding a host that waits
                    self._wrapped = self._waiting = False
                    return
                self._wrapped = True
                continue
            self._cursor = _after(key)
            if key not in self._hosts and key not in self._asleep:
                self._wrapped = False
                self._load(self._activate(key, backlog=True))

    def _revive(self, now: float) -> None:
        """Put retries whose time has come back into the queue; scans see them after the next commit."""
        for url in self._store.take_due(now, HOST_TASKS):
            value = self._store.url_values([url])[0]
            if value is None:
                continue
            row = self._store.row(value)
            host = host_key(row.url)
            self._enqueue(host, queue_key(host, row.depth, row.seq), url)
            self.counters.retrying -= 1
        self._next_retry_at = None  # until the commit: what was taken is still there for a scan

    def _seed(self, number: int) -> SeedContext:
        context = self._seeds.get(number)
        if context is None:
            if len(self._seeds) >= _SEED_CACHE:
                self._seeds.pop(next(iter(self._seeds)))
            context = self._seeds[number] = self._uncommitted_seeds.get(number) or self._store.seed(number)
        return context

    def _next_seq(self) -> int:
        self.counters.seq += 1
        return self.counters.seq


def _after(host: bytes) -> bytes:
    """The smallest 8 bytes greater than `host`; the last host key stays itself."""
    return min(int.from_bytes(host, "big") + 1, (1 << 64) - 1).to_bytes(8, "big")
