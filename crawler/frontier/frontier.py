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

from crawler.core.config import CrawlConfig
from crawler.core.model import Again, Done, Finished, Link, Result, Seed, SeedContext, SeedRow, Task
from crawler.frontier.budgets import REPEATS, Budgets
from crawler.frontier.cut_urls import CutUrls
from crawler.frontier.discovery import Discovery
from crawler.frontier.duplicates import Duplicates, Repeat
from crawler.frontier.early_look import EarlyLook
from crawler.frontier.gate import HELD_BACK, Gate
from crawler.frontier.handed import Handed
from crawler.frontier.hops import Hops
from crawler.frontier.joined_scopes import JoinedScopes
from crawler.frontier.keys import Keys
from crawler.frontier.leftovers import Leftovers
from crawler.frontier.page_limits import PageLimits
from crawler.frontier.reach import Limits, Reach
from crawler.frontier.record_numbers import RecordNumbers
from crawler.frontier.reopening import Reopening, Retried
from crawler.frontier.row import ENDED, REOPENABLE
from crawler.frontier.same_pages import SamePages
from crawler.frontier.sampling import Sampling
from crawler.frontier.second_look import SecondLook
from crawler.frontier.seed_contexts import SeedContexts
from crawler.frontier.seed_lines import BadSeed, extra_of
from crawler.frontier.seed_records import SeedRecords
from crawler.frontier.sleepers import Sleepers
from crawler.frontier.source import Source
from crawler.frontier.store import Store
from crawler.frontier.tasks import Tasks
from crawler.frontier.window import Window
from crawler.web.urls import authority, robots_url

__all__ = ["Frontier"]

_RETRIES_PER_COMMIT = 1_024
"""Most retries whose time has come that one batch puts back into the queue."""
_ENDED_AT_ONCE = 1_024
"""Most URLs that end in one step because their hosts may have no more pages."""


class Frontier:
    """The frontier of one job. Owned by the ledger's thread, like the store it works on."""

    def __init__(self, store: Store, config: CrawlConfig) -> None:
        self._store = store
        self._max_pages = config.max_pages
        self._sitemaps = config.sitemaps
        # State: the counters, which the discovery writes too; when the next retry is due.
        self.counters = store.counters
        self._next_retry_at = store.retries.next_due_at()
        self._limits = limits = Limits(config)
        self._seeds = seeds = SeedContexts(store)
        same_pages = SamePages(store, config, self.counters, limits)
        self._gate = gate = Gate(store, PageLimits(store, config), Budgets(store, config), same_pages)
        sleepers, cut_urls, hops = Sleepers(), CutUrls(), Hops(store, config)
        read = Tasks(seeds, limits, gate, hops=hops, rows_for=self._rows_for).read
        self._window = window = Window(store.queue, read, gate, sleepers, level_by_level=limits.by_depth)
        self.backlog, self.host_key = window.backlog, store.keys.authority
        self._leftovers = Leftovers(store.queue, read, gate, sleepers, window)
        self._duplicates = Duplicates(store, config.skip_duplicates)
        self._discovery = discovery = Discovery(
            store, window, seeds, self.counters, limits=limits, cut_urls=cut_urls, same_pages=same_pages
        )
        discovery.sampling = Sampling() if config.sampled else None
        self._second_look = SecondLook(store, discovery, self.counters, limits, JoinedScopes(store, config))
        self._early_look = EarlyLook(
            store, window, discovery, self._second_look, limits=limits, cut_urls=cut_urls, config=config
        )
        self._numbers = numbers = RecordNumbers(store, self.counters.records)
        self._seed_records = SeedRecords(store, config, seeds, self.counters, discovery, numbers=numbers, hops=hops)
        self._limit_window()

    # What the ledger tells

    def add_seed(self, number: int, seed: Seed) -> bool:
        """Make a seed known and due, at depth 0. False if its URL was known already.

        Where each row has a record (`core.page_fields`) it is one of them, as what `add_bad_seed` takes.
        With `config.sitemaps`, the robots.txt of a page's origin becomes known as a sitemap beside it; what it names
        counts as coming from this seed.
        """
        is_new = self._discovery.add(number, seed.url, seed.kind)
        if is_new or self._seed_records.wanted:
            self._seeds.put(SeedContext(number, (seed.url,), extra_of(seed)))
        if is_new and self._sitemaps and seed.kind == "page":
            self._discovery.add(number, robots_url(seed.url), "sitemap")
        if self._seed_records.wanted:
            self._seed_records.add(number, seed.url, seed.kind)
        return is_new

    def add_bad_seed(self, number: int, bad: BadSeed, now: float) -> None:
        """Take a row that is no seed: it is owed a record that says so."""
        self._seed_records.add_bad(number, bad, now)

    def reopen(self, which: Retried, after: bytes = b"") -> tuple[int, bytes | None]:
        """Make URLs due again that have failed or were skipped, one step of many: see `Reopening.reopen`."""
        return Reopening(self._store, self._discovery, self.counters).reopen(which, after)

    def take_links(self, done: Done, links: Sequence[Link], now: float) -> None:
        """Make known some of the links of a task that is still to be finished: for a result with very many of them.

        They may be committed before the task ends: should it be read again after a crash, they are known.
        """
        handed = self._window.find(done.key)
        if handed is not None:
            nearest = self._discovery.nearest(handed, last=False)
            source = Source.of(handed, done, nearest, self._limits)
            self._discovery.take([(link, source) for link in links], now)

    def finish(self, results: Iterable[Result], now: float) -> list[Finished]:
        """Take back tasks that ended, with the links they lead to, or are due again; return the former, for the sinks.

        A result for a task that is not handed out is ignored: each URL ends once. `now` is unix time.
        """
        ended, found = list[tuple[Handed, Done, Reach]](), list[tuple[Link, Source]]()
        for result in results:
            if isinstance(result, Again) and result.reason is None:
                self._window.postpone(result.key, result.at)
                continue
            handed = self._window.remove(result.key)
            if handed is None:
                continue
            nearest = self._discovery.nearest(handed, last=isinstance(result, Done))
            if not isinstance(result, Done):
                self._defer(handed, nearest, result, now)
                continue
            if result.links:
                source = Source.of(handed, result, nearest, self._limits)
                found += [(link, source) for link in result.links]
                for way in self._discovery.ways_on(result.key, source) if source.hops else ():
                    found.append((msgspec.structs.replace(result.links[0], skip=""), way))
            if result.all_links:
                self._store.link_lists.put(result.key, result.all_links)
            if handed.outcome:
                self._second_look.ended(result.key, handed.reach)
            else:
                ended.append((handed, result, nearest))
        finished = []
        repeats = self._duplicates.take([done for _, done, _ in ended])
        for (handed, done, nearest), repeat in zip(ended, repeats, strict=True):
            finished.append(self._end(handed, done, nearest, repeat, done.fetched_at or now))
        if found:
            self._discovery.take(found, now)
        return self._seed_records.told([(handed, done) for handed, done, _ in ended], finished)

    def owed(self, now: float) -> list[Finished]:
        """Return what ends by itself: records that had no place before, URLs that their hosts may not have any more."""
        if not (self._window.has_leftovers and self._idle) or self._second_look.is_due:
            return self._seed_records.owed(now)
        ended = []
        for one, reason in self._leftovers.take(_ENDED_AT_ONCE):
            if one.outcome:  # a page that was to be read again for its links: its host is blocked, and it has ended
                self._second_look.ended(one.task.key, one.reach)
            else:
                ended.append((one, Done(one.task.key, "skipped", reason)))
        finished = [self._end(one, done, self._discovery.nearest(one), None, now) for one, done in ended]
        return self._seed_records.told(ended, finished) + self._seed_records.owed(now)

    def committed(self) -> None:
        """Learn that the open batch was committed: what it added can be seen by scans now."""
        self._window.committed()
        self._duplicates.committed()
        self._seeds.committed()
        self._gate.committed()
        self._next_retry_at = self._store.retries.next_due_at()
        self._early_look.take(self.counters)

    def leave(self, finished: Iterable[Finished], taken: int) -> None:
        """Learn that the open batch was dropped and the run is over; the counters are only read from now on.

        Of the URLs that ended in it, in this order, those count on whose records are among the first `taken`.
        """
        self.counters.leave_out(finished, taken)

    # What the ledger asks

    def refill(self, now: float) -> tuple[list[Task], list[tuple[bytes, str]]]:
        """Hand out what is due: the tasks, and key and first URL of each host that entered the window with them."""
        if self._next_retry_at is not None and self._next_retry_at <= now:
            self._revive(now)
        if self._idle:
            self._second_look.take()
        return self._window.refill(now)

    @property
    def starved(self) -> bool:
        """True if a commit would give a host something to do that has nothing handed out, or allow the second look."""
        return self._window.starved or (self._idle and (self._second_look.is_due or self._window.has_leftovers))

    @property
    def next_retry_at(self) -> float | None:
        """Unix time at which the next waiting retry is due."""
        return self._next_retry_at

    def rouse(self, hosts: Iterable[bytes]) -> None:
        """Wake hosts (by their keys) that were to come later."""
        for host in hosts:
            self._window.rouse(host)

    def block(self, hosts: Iterable[bytes]) -> None:
        """Hand out nothing of these hosts (by their keys) from now on, and of those again that were blocked before.

        What is due of them stays so, and ends as skipped when nothing else is left.
        """
        before, self._gate.blocked = self._gate.blocked, frozenset(hosts)
        self.rouse(before - self._gate.blocked)

    @property
    def stranded(self) -> bool:
        """True when all known URLs that have not ended belong to hosts that are given up for this run."""
        idle = self.counters.queued > 0 and self._idle and not self._second_look.is_due
        return idle and not self._window.has_leftovers

    @property
    def hosts_given_up(self) -> int:
        """Hosts that are given up for this run."""
        return self._window.hosts_given_up

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
        """True when no known URL is left that has not ended, and no record is owed."""
        return self.counters.queued == 0 and self.counters.owed == 0 and not self._second_look.is_due

    @property
    def budget_spent(self) -> bool:
        """True when `max_pages` records exist."""
        return self._max_pages is not None and self.counters.pages >= self._max_pages

    def save(self) -> None:
        """Put the counters into the open batch."""
        self._discovery.pass_on()
        self._store.put_meta("counters", msgspec.to_builtins(self.counters))
        self._second_look.save()
        self._early_look.save()
        self._gate.save()

    @property
    def _idle(self) -> bool:
        """Whether no URL is due, but for those of hosts that are given up for this run."""
        return self.counters.queued == 0 or (self.counters.retrying == 0 and self._window.stranded)

    # Ending, or trying again

    def _end(self, handed: Handed, done: Done, nearest: Reach, repeat: Repeat | None, now: float) -> Finished:
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
        first, lines = (-1, 0) if counters.open_rows else self._numbers.take(done.records)
        row = handed.ended_row(done, now, other=_other(self._store.keys, done, repeat), first=first, lines=lines)
        if nearest != handed.reach:
            row = self._limits.at(row, nearest)
            row = msgspec.structs.replace(row, stale=self._limits.stale(row, handed.reach, nearest))
            counters.stale += bool(row.stale)
        self._store.urls.put(task.key, REOPENABLE if done.reason in HELD_BACK else ENDED, row)
        self._gate.ended(handed, done)
        if done.reason == REPEATS:
            counters.count_repeat(authority(task.url), 1)
        if row.chain > 0 and done.outcome == "fetched" and task.kind == "page":
            self._early_look.fetched(handed.host, row.chain)
        counters.queued -= 1
        counters.count(done.outcome, done.reason, +1)
        if done.records is not None:
            counters.pages += 1
            self._limit_window()
            counters.statuses[done.status] = counters.statuses.get(done.status, 0) + 1
        return Finished.of(task, done, now, None if repeat is None else self._duplicates.page(repeat))

    def _defer(self, handed: Handed, nearest: Reach, again: Again, now: float) -> None:
        """Put a task that was tried away until its time comes."""
        self._store.retries.add(again.at, again.key, handed.waiting_row(again, now))
        if not handed.outcome:
            self._store.urls.put_waiting(again.key, b"", nearest)
        self.counters.retrying += 1

    def _rows_for(self, key: bytes, seed: int) -> tuple[SeedRow, ...]:
        return self._seed_records.rows_to_read_for(key, seed)

    def _limit_window(self) -> None:
        """Hand out no more tasks than `max_pages` leaves room for: each of them may become a record."""
        if self._max_pages is not None:
            self._window.allow(self._max_pages - self.counters.pages)

    def _revive(self, now: float) -> None:
        """Put retries whose time has come back into the queue; scans see them after the next commit."""
        for key, row in self._store.retries.take_due(now, _RETRIES_PER_COMMIT):
            self._window.add(key, row.place(self._store.keys.host(row.url)), row)
            self.counters.retrying -= 1
        self._next_retry_at = None  # until the commit: what was taken is still there for a scan


def _other(keys: Keys, done: Done, repeat: Repeat | None) -> bytes:
    """Return the key of the URL that a task redirects to or repeats."""
    if done.outcome == "redirected":
        return keys.links(done.links)[0]
    return b"" if repeat is None else repeat.key
