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
from crawler.core.model import Again, Done, Finished, Link, Result, Seed, SeedContext, Task
from crawler.core.shard import Mark, Parcel, Shard
from crawler.frontier.handed import Handed
from crawler.frontier.outbox import Outbox
from crawler.frontier.parts import Parts
from crawler.frontier.reach import Reach
from crawler.frontier.reopening import Reopening, Retried
from crawler.frontier.seed_lines import BadSeed, extra_of
from crawler.frontier.source import Source
from crawler.frontier.store import Store
from crawler.web.urls import robots_url

__all__ = ["Frontier"]


class Frontier:
    """The frontier of one job. Owned by the ledger's thread, like the store it works on.

    With a `shard`, the job is a part of a crawl: its URLs are those that the shard owns, all others go into the
    `outbox`, and `receive` takes what others have found. It may have no page before `allow` says how many, if
    `max_pages` of the whole crawl is limited; and when all are `idle`, `look` is called.
    """

    def __init__(self, store: Store, config: CrawlConfig, shard: Shard | None = None) -> None:
        self._store = store
        self._max_pages = config.max_pages if shard is None or config.max_pages is None else 0
        self._sitemaps = config.sitemaps
        # State: the counters, which other parts write too. All else is in the parts.
        parts = Parts(store, config, shard)
        self.counters = parts.counters
        self._limits, self._seeds, self._gate, self._window = parts.limits, parts.seeds, parts.gate, parts.window
        self._duplicates, self._discovery, self._ends = parts.duplicates, parts.discovery, parts.ends
        self._second_look, self._early_look, self._rest = parts.second_look, parts.early_look, parts.rest
        self._seed_records, self._abroad, self._deferred = parts.seed_records, parts.abroad, parts.deferred
        self.backlog, self.host_key = self._window.backlog, store.keys.authority
        self._limit_window()

    # What the ledger tells

    def add_seed(self, number: int, seed: Seed) -> bool:
        """Make a seed known and due, at depth 0. False if its URL was known already.

        Where each row has a record (`core.page_fields`) it is one of them, as what `add_bad_seed` takes.
        With `config.sitemaps`, the robots.txt of a page's origin becomes known as a sitemap beside it; what it names
        counts as coming from this seed.
        """
        if self._abroad is not None and self._abroad.send_seed(number, seed, sitemaps=self._sitemaps):
            return True
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
            source = self._source(handed, done, nearest)
            self._take([(link, source) for link in links], now)

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
                self._deferred.put(handed, nearest, result, now)
                continue
            if result.links:
                source = self._source(handed, result, nearest)
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
            finished.append(self._ends.put(handed, done, nearest, repeat, done.fetched_at or now))
        if ended:
            self._limit_window()
        if found:
            self._take(found, now)
        return self._seed_records.told([(handed, done) for handed, done, _ in ended], finished)

    def owed(self, now: float) -> list[Finished]:
        """Return what ends by itself: records that had no place before, URLs that their hosts may not have any more."""
        left_over = self._rest.left_over()
        if not left_over:
            return self._seed_records.owed(now)
        ended = []
        for one, reason in left_over:
            if one.outcome:  # a page that was to be read again for its links: its host is blocked, and it has ended
                self._second_look.ended(one.task.key, one.reach)
            else:
                ended.append((one, Done(one.task.key, "skipped", reason)))
        finished = [self._ends.put(one, done, self._discovery.nearest(one), None, now) for one, done in ended]
        return self._seed_records.told(ended, finished) + self._seed_records.owed(now)

    def committed(self) -> None:
        """Learn that the open batch was committed: what it added can be seen by scans now."""
        self._window.committed()
        self._duplicates.committed()
        self._seeds.committed()
        self._gate.committed()
        self._deferred.committed()
        self._early_look.take(self.counters)
        if self._abroad is not None:
            self._abroad.committed()

    def leave(self, finished: Iterable[Finished], taken: int) -> None:
        """Learn that the open batch was dropped and the run is over; the counters are only read from now on.

        Of the URLs that ended in it, in this order, those count on whose records are among the first `taken`.
        """
        self.counters.leave_out(finished, taken)

    # What the ledger asks

    def refill(self, now: float) -> tuple[list[Task], list[tuple[bytes, str]]]:
        """Hand out what is due: the tasks, and key and first URL of each host that entered the window with them."""
        self._deferred.revive(now)
        self._rest.look()
        return self._window.refill(now)

    @property
    def starved(self) -> bool:
        """True if a commit would give a host something to do that has nothing handed out, or allow the second look."""
        rest = self._rest
        return self._window.starved or (rest.is_on and rest.may_look and rest.wants_look)

    @property
    def next_retry_at(self) -> float | None:
        """Unix time at which the next waiting retry is due."""
        return self._deferred.next_at

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
        return self._rest.is_stranded

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
        return self._rest.is_over

    @property
    def budget_spent(self) -> bool:
        """True when `max_pages` records exist."""
        return self._max_pages is not None and self.counters.pages >= self._max_pages

    def save(self) -> None:
        """Put the counters into the open batch."""
        self._discovery.pass_on()
        if self._abroad is not None:
            self._abroad.save()
        self._store.put_meta("counters", msgspec.to_builtins(self.counters))
        self._second_look.save()
        self._early_look.save()
        self._gate.save()

    # Other shards

    @property
    def outbox(self) -> Outbox | None:
        """What other shards are told; None without any."""
        return None if self._abroad is None else self._abroad.outbox

    def receive(self, parcel: Parcel, now: float) -> bool:
        """Take what another shard has found, or know that it was taken before.

        False if it is to come again later: one before it is missing, or this shard has yet to take a look before it.
        """
        return self._abroad is not None and self._abroad.intake.take(parcel, now)

    @property
    def marks(self) -> dict[int, Mark]:
        """Up to where what other shards sent was taken, by sender, as of the last commit."""
        return {} if self._abroad is None else self._abroad.intake.marks

    def allow(self, pages: int | None) -> int | None:
        """Bring no more pages in all than so many from now on; None: any number.

        Return how many this may be held to: not fewer than there are, and may come of what is handed out.
        """
        self._max_pages = pages
        self._limit_window()
        return None if pages is None else max(pages, self.counters.pages + self._window.handed_out)

    def look(self, number: int) -> None:
        """Learn that nothing is left to do in any shard: look `number` is to be taken. To say it twice does no harm."""
        if self._abroad is not None:
            self._abroad.looks.call(number)

    @property
    def looks(self) -> int:
        """How many looks were taken."""
        return 0 if self._abroad is None else self._abroad.looks.taken

    @property
    def wants_look(self) -> bool:
        """Whether something may come of a look, once nothing is due."""
        return self._rest.wants_look

    @property
    def rests(self) -> bool:
        """Whether nothing is left to do here but to look, whatever others are still to be told."""
        return self._rest.is_settled

    def _source(self, handed: Handed, done: Done, nearest: Reach) -> Source:
        source = Source.of(handed, done, nearest, self._limits)
        return source if self._abroad is None else self._abroad.source(source)

    def _take(self, found: list[tuple[Link, Source]], now: float) -> None:
        if self._abroad is not None:
            found = self._abroad.outbox.take(found)
        self._discovery.take(found, now)

    def _limit_window(self) -> None:
        """Hand out no more tasks than `max_pages` leaves room for: each of them may become a record."""
        self._window.allow(None if self._max_pages is None else self._max_pages - self.counters.pages)
