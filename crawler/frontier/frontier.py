"""Which URLs are known, and how each one ended. Decides from its state and `now`; asks nobody.

Every known URL has a row in the store. Every URL that is due is in the hands of the window (`frontier.window`), which
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
from msgspec import Struct

from crawler.core.config import CrawlConfig
from crawler.core.counters import Counters
from crawler.core.model import Again, Done, Finished, Kind, Link, Result, Seed, SeedContext, Task
from crawler.frontier.duplicates import Duplicates, Repeat
from crawler.frontier.store import ENDED, QUEUED, REOPENABLE, Store, UrlRow, queue_key, queue_place
from crawler.frontier.window import Handed, Window
from crawler.web.urls import host_key, robots_url, task_key

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
            source = _Source.of(handed, done)
            self._discover([(link, source) for link in links], now)

    def finish(self, results: Iterable[Result], now: float) -> list[Finished]:
        """Take back tasks that ended, with the links they lead to, or are due again; return the former, for the sinks.

        A result for a task that is not handed out is ignored: each URL ends once. `now` is unix time.
        """
        ended: list[tuple[Handed, Done]] = []
        for result in results:
            if isinstance(result, Again) and result.reason is None:
                self._window.postpone(result.key, result.at)
                continue
            handed = self._window.remove(result.key)
            if handed is None:
                continue
            if isinstance(result, Done):
                ended.append((handed, result))
            else:
                self._defer(handed, max(now, result.at), result.reason or "", now)
        finished = []
        found: list[tuple[Link, _Source]] = []
        repeats = self._duplicates.take([done for _, done in ended])
        for (handed, done), repeat in zip(ended, repeats, strict=True):
            finished.append(self._end(handed, done, repeat, done.fetched_at or now))
            if done.links:
                source = _Source.of(handed, done)
                found += [(link, source) for link in done.links]
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
        row = _row(handed, now, outcome=done.outcome, reason=done.reason, status=done.status)
        self._store.put_url(task.key, ENDED, row)
        counters.queued -= 1
        self._count(done.outcome, done.reason, +1)
        if done.records is not None:
            counters.pages += 1
            self._limit_window()
            counters.statuses[done.status] = counters.statuses.get(done.status, 0) + 1
        return Finished.of(task, done, now, None if repeat is None else self._duplicates.page(repeat))

    def _defer(self, handed: Handed, until: float, reason: str, now: float) -> None:
        """Put a task that was tried away until its time comes."""
        task = handed.task
        self._store.defer(until, task.key, _row(handed, now, reason=reason, parent_url=task.parent))
        self._store.put_waiting(task.key)
        self.counters.retrying += 1

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
        for key, row in self._store.take_due(now, _RETRIES_PER_COMMIT):
            self._window.add(key, _place(host_key(row.url), row), row)
            self.counters.retrying -= 1
        self._next_retry_at = None  # until the commit: what was taken is still there for a scan

    # Discovery

    def _add(self, number: int, url: str, kind: Kind) -> bool:
        """Make a start of seed `number` known and due. False if it was known."""
        key = task_key(url, kind)
        if self._store.url_values([key])[0] is not None:
            return False
        row = UrlRow(
            url=url,
            depth=0,
            parent=b"",
            seed=number,
            redirected_from=(),
            attempts=0,
            seq=self._next_seq(),
            at=0.0,
            is_sitemap=kind == "sitemap",
        )
        place = _place(host_key(url), row)
        self._store.put_waiting(key, place)
        self._window.add(key, place, row)
        self.counters.known += 1
        self.counters.queued += 1
        return True

    def _discover(self, found: list[tuple[Link, "_Source"]], now: float) -> None:
        """Test and set in one step: unknown URLs become due or skipped; a better link reopens or moves a known one."""
        known = self._store.url_values([link.key for link, _ in found])
        for (link, source), before in zip(found, known, strict=True):
            value = self._store.pending_value(link.key) or before  # another link of this call may have put it
            if source.hops and not link.skip and source.hops[0] == source.seed.anchors[0]:
                self._anchor(source.seed, link.url)
            if value is None:
                self.counters.known += 1
                if link.skip:
                    self._skip(link, source, now)
                else:
                    self._queue_new(link, source, now)
            elif not link.skip:
                if value[:1] == REOPENABLE:
                    old = self._store.row(value)
                    self._count(old.outcome, old.reason, -1)
                    self._queue_new(link, source, now)
                elif self._level_by_level and value[:1] == QUEUED:
                    self._move_up(link, value[1:], source, now)

    def _skip(self, link: Link, source: "_Source", now: float) -> None:
        state = REOPENABLE if link.skip in _REOPENED_BY_LINK else ENDED
        self._store.put_url(link.key, state, source.row(link, 0, now, outcome="skipped", reason=link.skip))
        self._count("skipped", link.skip, +1)

    def _queue_new(self, link: Link, source: "_Source", now: float) -> None:
        row = source.row(link, self._next_seq(), now, parent_url=source.parent_url)
        place = _place(link.host, row)
        self._store.put_waiting(link.key, place)
        self.counters.queued += 1
        self._window.offer(link.key, place, row)

    def _move_up(self, link: Link, place: bytes, source: "_Source", now: float) -> None:
        """A shorter way to a page that was never handed out: queue it at the smaller depth."""
        if not place or link.kind == "sitemap" or self._window.find(link.key) is not None:
            return
        depth, seq = queue_place(place)
        row = source.row(link, seq, now, parent_url=source.parent_url)
        if row.depth < depth:
            better = _place(link.host, row)
            self._store.put_waiting(link.key, better)
            self._window.move(link.key, place, better, row)

    def _anchor(self, seed: SeedContext, url: str) -> None:
        """The target of a redirected seed counts as in scope from now on."""
        seed = self._seed(seed.number)
        if url not in seed.anchors:
            seed = msgspec.structs.replace(seed, anchors=(*seed.anchors, url))
            self._seeds[seed.number] = self._uncommitted_seeds[seed.number] = seed
            self._store.put_seed(seed)

    # Rows and tasks

    def _read(self, place: bytes, key: bytes, row: UrlRow) -> Handed:
        """Build the task of a URL in the queue."""
        task = Task(
            key=key,
            url=row.url,
            depth=row.depth,
            parent=row.parent_url,
            redirected_from=row.redirected_from,
            attempts=row.attempts,
            seed=self._seed(row.seed),
            kind=row.kind,
            chain=row.chain,
            spent_s=row.spent_s,
            lastmod=row.lastmod,
        )
        return Handed(task, place[:8], row.parent, row.seq, place)

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


class _Source(Struct, frozen=True, gc=False):
    """What a task that ends gives to the URLs that it leads to. `hops`: the redirects from it to there."""

    seed: SeedContext
    depth: int
    pages_depth: int
    parent: bytes
    parent_url: str | None
    hops: tuple[str, ...]

    @classmethod
    def of(cls, handed: Handed, done: Done) -> "_Source":
        """A page that a sitemap lists counts as a seed; the target of a redirect stands where the redirect stood."""
        task = handed.task
        if done.outcome == "redirected":
            hops = (*task.redirected_from, task.url)
            return cls(task.seed, task.depth, task.depth, handed.parent, task.parent, hops)
        depth = task.depth + 1
        return cls(task.seed, depth, 0 if task.kind == "sitemap" else depth, task.key, task.url, ())

    def row(
        self, link: Link, seq: int, now: float, *, outcome: str = "", reason: str = "", parent_url: str | None = None
    ) -> UrlRow:
        """The row of a link."""
        is_sitemap = link.kind == "sitemap"
        return UrlRow(
            url=link.url,
            depth=self.depth if is_sitemap else self.pages_depth,
            parent=self.parent,
            seed=self.seed.number,
            redirected_from=self.hops,
            attempts=0,
            seq=seq,
            at=now,
            outcome=outcome,
            reason=reason,
            is_sitemap=is_sitemap,
            chain=link.chain,
            spent_ms=round(link.spent_s * 1000),
            lastmod=link.lastmod,
            parent_url=parent_url,
        )


def _row(
    handed: Handed, now: float, *, outcome: str = "", reason: str, status: int = 0, parent_url: str | None = None
) -> UrlRow:
    """The row of a task that has been asked for."""
    task = handed.task
    return UrlRow(
        url=task.url,
        depth=task.depth,
        parent=handed.parent,
        seed=task.seed.number,
        redirected_from=task.redirected_from,
        attempts=task.attempts + 1,
        seq=handed.seq,
        at=now,
        outcome=outcome,
        reason=reason,
        status=status,
        is_sitemap=task.kind == "sitemap",
        chain=task.chain,
        spent_ms=round(task.spent_s * 1000),
        lastmod=task.lastmod,
        parent_url=parent_url,
    )


def _place(host: bytes, row: UrlRow) -> bytes:
    """The queue key of a URL: at its depth, sitemaps at 0."""
    return queue_key(host, 0 if row.is_sitemap else row.depth, row.seq)
