"""Which URLs are known, and how each one ended. Decides from its state and `now`; asks nobody.

Every known URL has a row in the store. Every URL that is due is in the hands of the window (`crawler.window`), which
says when each one's turn comes, until it ends or waits for a retry.

    seeds, links ─► known? ─► row: queued ─► window ─► row: ended ─► links of it
                                  ▲             │
                                  └── retry ◄───┘

With a depth limit, a URL's depth decides whether its links are followed. So the window goes level by level, a shorter
way to a URL moves it up, and depths are the shortest distances. All sitemaps stand at level 0 with the seeds, since
the pages that they list have depth 0.
"""

from collections.abc import Iterable, Sequence

import msgspec

from crawler.config import CrawlConfig
from crawler.counters import Counters
from crawler.duplicates import Duplicates, Repeat
from crawler.model import Done, Finished, Kind, Link, Seed, SeedContext, Task
from crawler.store import ENDED, QUEUED, REOPENABLE, Store, UrlRow, queue_key
from crawler.urls import host_key, robots_url, task_key
from crawler.window import Handed, Window

__all__ = ["Frontier"]

_SEED_CACHE = 4_096
_RETRIES_PER_COMMIT = 1_024
"""Most retries whose time has come that one batch puts back into the queue."""
_REOPENED_BY_LINK = frozenset({"scope", "depth", "nofollow", "filter", "trap"})


class Frontier:
    """The frontier of one job. Owned by the ledger's thread, like the store it works on."""

    def __init__(self, store: Store, config: CrawlConfig) -> None:
        self._store = store
        self._level_by_level = config.depth is not None
        self._max_pages = config.max_pages
        self._sitemaps = config.sitemaps
        self.counters = _counters(store)
        # State: the counters; what is due; seeds that were read lately, and those that the open batch holds.
        self._window = Window(store, self._read, level_by_level=self._level_by_level)
        self._duplicates = Duplicates(store, config.skip_duplicates)
        self._seeds: dict[int, SeedContext] = {}
        self._uncommitted_seeds: dict[int, SeedContext] = {}
        self._next_retry_at = store.next_due_at()
        self._limit_window()

    # What the ledger tells

    def add_seed(self, number: int, seed: Seed) -> bool:
        """Make a seed known and due, at depth 0. False if its URL was known already.

        With `config.sitemaps`, the robots.txt of a page's origin becomes known as a sitemap beside it; what it names
        counts as coming from this seed.
        """
        if not self._add(number, seed.url, seed.kind):
            return False
        extra = msgspec.json.encode(seed.extra) if seed.extra else b"null"
        self._store.put_seed(SeedContext(number, (seed.url,), extra))
        if self._sitemaps and seed.kind == "page":
            self._add(number, robots_url(seed.url), "sitemap")
        return True

    def take_links(self, done: Done, links: Sequence[Link], now: float) -> None:
        """Make known some of the links of a task that is still to be finished: for a result with very many of them.

        They may be committed before the task ends: should it be read again after a crash, they are known.
        """
        handed = self._window.find(done.key)
        if handed is not None:
            self._discover([(link, handed, done) for link in links], now)

    def finish(self, results: Iterable[Done], now: float) -> list[Finished]:
        """Take back ended (or retried) tasks with the links they lead to; return those that ended, for the sinks.

        A result for a task that is not handed out is ignored: each URL ends once. `now` is unix time.
        """
        ended: list[tuple[Handed, Done]] = []
        for done in results:
            if done.postponed:
                self._window.postpone(done.key, done.retry_at or 0.0)
                continue
            handed = self._window.remove(done.key)
            if handed is None:
                continue
            if done.retry_at is None:
                ended.append((handed, done))
            else:
                self._defer(handed, done, now)
        finished = []
        found: list[tuple[Link, Handed, Done]] = []
        repeats = self._duplicates.take([done for _, done in ended])
        for (handed, done), repeat in zip(ended, repeats, strict=True):
            finished.append(self._end(handed, done, repeat, done.fetched_at or now))
            found.extend((link, handed, done) for link in done.links)
        if found:
            self._discover(found, now)
        return finished

    def committed(self) -> None:
        """Learn that the open batch was committed: what it added can be seen by scans now."""
        self._window.committed()
        self._duplicates.committed()
        self._uncommitted_seeds.clear()
        self._next_retry_at = self._store.next_due_at()

    def forget(self) -> None:
        """Learn that the open batch was dropped and the run is over: the counters are those of the last commit."""
        self.counters = _counters(self._store)

    # What the ledger asks

    def refill(self, now: float) -> tuple[list[Task], list[bytes]]:
        """Hand out what is due: the tasks, and the keys of hosts that entered the window with them."""
        if self._next_retry_at is not None and self._next_retry_at <= now:
            self._revive(now)
        return self._window.refill(now)

    @property
    def starved(self) -> bool:
        """True if a host of the window has nothing handed out while the open batch holds work for it."""
        return self._window.starved

    @property
    def next_retry_at(self) -> float | None:
        """Unix time at which the next waiting retry is due."""
        return self._next_retry_at

    @property
    def handed_out(self) -> int:
        """Tasks handed out and not back."""
        return self._window.handed_out

    @property
    def active_hosts(self) -> int:
        """Hosts in the window."""
        return self._window.active_hosts

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

    # Ending, or trying again

    def _end(self, handed: Handed, done: Done, repeat: Repeat | None, now: float) -> Finished:
        """End a task. If it repeats a page and such pages are skipped, it ends without a record."""
        task, counters = handed.task, self.counters
        if done.records is not None:
            counters.bytes += done.body_bytes
        if repeat is not None:
            counters.duplicates += not repeat.near
            counters.near_duplicates += repeat.near
            if self._duplicates.skip:
                reason = "near-duplicate" if repeat.near else "duplicate"
                done = msgspec.structs.replace(done, reason=reason, records=None)
        self._put(handed, ENDED, now, task.attempts + 1, done)
        counters.queued -= 1
        self._count(done.outcome, done.reason, +1)
        if done.records is not None:
            counters.pages += 1
            self._limit_window()
            counters.statuses[done.status] = counters.statuses.get(done.status, 0) + 1
        return Finished(task, done, now, None if repeat is None else self._duplicates.page(repeat))

    def _defer(self, handed: Handed, done: Done, now: float) -> None:
        at = max(now, done.retry_at or 0.0)
        self._store.defer(at, handed.task.key)
        self._put(handed, QUEUED, now, handed.task.attempts + 1, done)
        self.counters.retrying += 1

    def _put(self, handed: Handed, state: bytes, now: float, attempts: int, done: Done) -> None:
        task = handed.task
        outcome = "" if state == QUEUED else done.outcome
        self._store.put_url(
            task.key,
            state,
            UrlRow(
                task.url, task.depth, handed.parent, task.seed.number, task.redirected_from,
                attempts, handed.seq, now, outcome, done.reason, done.status,
                task.kind == "sitemap", task.chain, round(task.spent_s * 1000), task.lastmod,
            ),
        )  # fmt: skip

    def _limit_window(self) -> None:
        """Hand out no more tasks than `max_pages` leaves room for: each of them may become a record."""
        if self._max_pages is not None:
            self._window.allow(self._max_pages - self.counters.pages)

    def _count(self, outcome: str, reason: str, change: int) -> None:
        name = f"{outcome}: {reason}" if reason else outcome
        left = self.counters.outcomes.get(name, 0) + change
        if left:
            self.counters.outcomes[name] = left
        else:
            self.counters.outcomes.pop(name, None)

    def _revive(self, now: float) -> None:
        """Put retries whose time has come back into the queue; scans see them after the next commit."""
        for url in self._store.take_due(now, _RETRIES_PER_COMMIT):
            value = self._store.url_values([url])[0]
            if value is None:
                continue
            row = self._store.row(value)
            self._window.add(url, _place(host_key(row.url), row))
            self.counters.retrying -= 1
        self._next_retry_at = None  # until the commit: what was taken is still there for a scan

    # Discovery

    def _add(self, number: int, url: str, kind: Kind) -> bool:
        """Make a start of seed `number` known and due. False if it was known."""
        key = task_key(url, kind)
        if self._store.url_values([key])[0] is not None:
            return False
        row = UrlRow(url, 0, b"", number, (), 0, self._next_seq(), 0.0, is_sitemap=kind == "sitemap")
        self._store.put_url(key, QUEUED, row)
        self._window.add(key, _place(host_key(url), row))
        self.counters.known += 1
        self.counters.queued += 1
        return True

    def _discover(self, found: list[tuple[Link, Handed, Done]], now: float) -> None:
        """Test and set in one step: unknown URLs become due or skipped; a better link reopens or moves a known one."""
        known = self._store.url_values([link.key for link, _, _ in found])
        for (link, handed, done), before in zip(found, known, strict=True):
            value = self._store.pending_value(link.key) or before  # another link of this call may have put it
            task = handed.task
            redirect = done.outcome == "redirected"
            hops = (*task.redirected_from, task.url) if redirect else ()
            if redirect and not link.skip and hops[0] == task.seed.anchors[0]:
                self._anchor(task.seed, link.url)
            if value is None:
                self.counters.known += 1
                if link.skip:
                    self._skip(link, handed, hops, now)
                else:
                    self._queue_new(link, handed, hops, now)
            elif not link.skip:
                if value[:1] == REOPENABLE:
                    old = self._store.row(value)
                    self._count(old.outcome, old.reason, -1)
                    self._queue_new(link, handed, hops, now)
                elif self._level_by_level and value[:1] == QUEUED:
                    self._move_up(link, value, self._row(link, handed, hops, now))

    def _skip(self, link: Link, source: Handed, hops: tuple[str, ...], now: float) -> None:
        state = REOPENABLE if link.skip in _REOPENED_BY_LINK else ENDED
        self._store.put_url(link.key, state, self._row(link, source, hops, now, outcome="skipped", reason=link.skip))
        self._count("skipped", link.skip, +1)

    def _queue_new(self, link: Link, source: Handed, hops: tuple[str, ...], now: float) -> None:
        row = self._row(link, source, hops, now, seq=self._next_seq())
        self._store.put_url(link.key, QUEUED, row)
        self.counters.queued += 1
        parent_url = source.task.parent if hops else source.task.url
        task = self._task(link.key, row, parent_url)
        self._window.offer(Handed(task, link.host, row.parent, row.seq, _place(link.host, row)))

    def _move_up(self, link: Link, value: bytes, better: UrlRow) -> None:
        """A shorter way to a URL that has not been handed out: queue it at the smaller depth."""
        old = self._store.row(value)
        if better.depth >= old.depth or old.attempts or self._window.find(link.key) is not None:
            return
        row = msgspec.structs.replace(better, seq=old.seq)
        self._store.put_url(link.key, QUEUED, row)
        self._window.move(link.key, _place(link.host, old), _place(link.host, row))

    def _anchor(self, seed: SeedContext, url: str) -> None:
        """The target of a redirected seed counts as in scope from now on."""
        seed = self._seed(seed.number)
        if url not in seed.anchors:
            seed = msgspec.structs.replace(seed, anchors=(*seed.anchors, url))
            self._seeds[seed.number] = self._uncommitted_seeds[seed.number] = seed
            self._store.put_seed(seed)

    # Rows and tasks

    def _row(
        self,
        link: Link,
        source: Handed,
        hops: tuple[str, ...],
        now: float,
        *,
        seq: int = 0,
        outcome: str = "",
        reason: str = "",
    ) -> UrlRow:
        """The row of what a task leads to; `hops` are the redirects from it to there."""
        task = source.task
        return UrlRow(
            link.url, _depth(link, task, redirect=bool(hops)), source.parent if hops else task.key, task.seed.number,
            hops, 0, seq, now, outcome, reason, 0, link.kind == "sitemap", link.chain, round(link.spent_s * 1000),
            link.lastmod,
        )  # fmt: skip

    def _task(self, key: bytes, row: UrlRow, parent_url: str | None) -> Task:
        return Task(
            key, row.url, row.depth, parent_url, row.redirected_from, row.attempts, self._seed(row.seed),
            row.kind, row.chain, row.spent_s, row.lastmod,
        )  # fmt: skip

    def _read(self, entries: list[tuple[bytes, bytes]]) -> list[Handed]:
        """Build the tasks of queue entries: their rows, their parents' URLs, their seeds."""
        values = self._store.url_values([url for _, url in entries])
        rows = [self._store.row(value) for value in values if value is not None]
        wanted = [row.parent for row in rows if row.parent]
        parents = dict(zip(wanted, self._store.url_values(wanted), strict=True))
        tasks = []
        for (place, url), row in zip(entries, rows, strict=True):
            value = parents.get(row.parent)
            parent = None if value is None else self._store.row(value).url
            tasks.append(Handed(self._task(url, row, parent), place[:8], row.parent, row.seq, place))
        return tasks

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


def _counters(store: Store) -> Counters:
    saved = store.meta("counters")
    return msgspec.convert(saved, Counters) if saved else Counters()


def _depth(link: Link, source: Task, *, redirect: bool) -> int:
    """Depth of what `source` leads to: a page that a sitemap lists counts as a seed."""
    if redirect:
        return source.depth
    return 0 if source.kind == "sitemap" and link.kind == "page" else source.depth + 1


def _place(host: bytes, row: UrlRow) -> bytes:
    """The queue key of a URL: at its depth, sitemaps at 0."""
    return queue_key(host, 0 if row.is_sitemap else row.depth, row.seq)
