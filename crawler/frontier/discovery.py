"""How URLs become known: seeds, and the links of tasks that end. Test and set are one step."""

from msgspec import structs

from crawler.core.counters import Counters
from crawler.core.model import Link, TaskKind
from crawler.frontier.budgets import REPEATS
from crawler.frontier.cut_urls import CutUrls
from crawler.frontier.handed import Handed
from crawler.frontier.keys import HostKeys
from crawler.frontier.known import waiting
from crawler.frontier.reach import NOT_REACHED, SEED_STALE, Limits, Reach
from crawler.frontier.row import ENDED, QUEUED, REOPENABLE, UrlRow, queue_place
from crawler.frontier.same_pages import SAME_PAGE, SamePages, is_same_page
from crawler.frontier.sampling import Sampling
from crawler.frontier.seed_contexts import SeedContexts
from crawler.frontier.source import Source
from crawler.frontier.store import Store
from crawler.frontier.window import Window
from crawler.web.urls import authority

__all__ = ["Discovery", "rank_of"]

_REASONS = ("filter", "trap", "nofollow", "scope")
"""Which reason a URL keeps that links leave out for several: the one that comes last."""
_SEED_REACH = Reach(0, 0)
_NEARER_KEPT = 65_536


class Discovery:
    """Makes URLs known and gives those that are due to the window. Part of the frontier, whose counters it writes.

    State: the reach of URLs to which a shorter way was found in this run while they were due, as far as they are not
    too many; the order of discovery at the start of what that does not cover; which seeds redirected in this run to
    URLs that were due. `sampling`, which the frontier sets, places URLs in a sample.
    """

    def __init__(
        self,
        store: Store,
        window: Window,
        seeds: SeedContexts,
        counters: Counters,
        *,
        limits: Limits,
        cut_urls: CutUrls,
        same_pages: SamePages,
    ) -> None:
        self._store = store
        self._urls = store.urls
        self._keys = store.keys
        self._host_keys = HostKeys(store.keys)
        self._window = window
        self._seeds = seeds
        self._counters = counters
        self._limits = limits
        self._cut_urls = cut_urls
        self.same_pages = same_pages
        self.sampling: Sampling | None = None
        self._nearer: dict[bytes, Reach] = {}
        self._told_up_to = counters.seq
        self._met: dict[bytes, dict[int, tuple[str, ...]]] = {}
        self._met_before = counters.joined > 0

    def add(self, number: int, url: str, kind: TaskKind) -> bool:
        """Make a start of seed `number` known and due. False if it was known as one that is due or has ended."""
        key = self._keys.url(url, kind)
        (value,) = self._urls.values([key])
        skipped = None
        if value is None:
            self._counters.known += 1
        elif value[:1] == REOPENABLE:
            skipped = self._urls.row(value)
            self._uncount(skipped)
        else:
            if value[:1] == QUEUED:
                self._note(key, waiting(value)[0], _SEED_REACH)
            else:
                self.improve(key, self._urls.row(value), _SEED_REACH)
            return False
        row = UrlRow(
            url=url,
            depth=0,
            parent=b"",
            seed=number,
            redirected_from=(),
            attempts=0,
            seq=self._counters.next_seq(),
            at=0.0,
            is_sitemap=kind == "sitemap",
        )
        if skipped is not None:
            row = row.after(skipped)
        place = row.place(self._keys.host(url))
        self._urls.put_waiting(key, place, _SEED_REACH)
        self._window.add(key, place, row)
        self._counters.queued += 1
        return True

    def ask_again(self, key: bytes, seed: int, hops: tuple[str, ...]) -> None:
        """Make a URL due that has ended, now as one that seed `seed` leads to by the redirects `hops`."""
        value = self._urls.values([key])[0]
        if value is None or value[:1] == QUEUED:
            return
        old = self._urls.row(value)
        self._uncount(old)
        self._counters.stale -= bool(old.stale)
        due = structs.replace(
            old.due_again(self._counters.next_seq()), depth=0, parent=b"", seed=seed, redirected_from=hops, spent_ms=0
        )
        place = due.place(self._keys.host(due.url))
        self._urls.put_waiting(key, place, self._limits.reach(due))
        self._window.add(key, place, due)
        self._counters.queued += 1

    def take(self, found: list[tuple[Link, Source]], now: float) -> None:
        """Test and set in one step: unknown URLs become due or skipped; a better way opens or moves a known one."""
        keys = self._keys.links([link for link, _ in found])
        known = self._urls.committed(keys)
        pending = self._urls.pending
        for (link, source), key, before in zip(found, keys, known, strict=True):
            value = pending(key) or before  # the open batch may hold it, since another link of this call too
            if source.lands(link):
                self._land(key, link, source, value)
            way = source.reach(link)
            if value is None:
                self._counters.known += 1
                self._put(key, link, source, way, now)
            elif value[:1] == QUEUED:
                self._come_nearer(key, link, value, source, way, now=now)
            elif value[:1] == REOPENABLE:
                row = self._urls.row(value)
                if is_same_page(row.reason):
                    self._reach_left_out(key, link, row, source, now)
                else:
                    self._judge_again(key, link, row, source, way, now=now)
            elif not link.skip:
                self.improve(key, self._urls.row(self._urls.pending(key) or value), way)

    def ways_on(self, key: bytes, source: Source) -> list[Source]:
        """Return as what else a URL redirects that is found to: for seeds that redirected to it while it was due."""
        met = dict(self._store.redirects.meetings(key)) if self._met_before else {}
        met |= self._met.pop(key, {})
        return [source.for_seed(self._seeds.get(number), hops) for number, hops in met.items()]

    def _land(self, key: bytes, link: Link, source: Source, value: bytes | None) -> None:
        """Take the target of a seed's redirect into the seed's scope, and what that redirects to in turn."""
        number = source.seed.number
        if not self._seeds.anchor(number, link.url) and not source.is_received:
            return
        self._counters.joined += source.is_received or self._counters.known > len(source.hops)
        if value is None or value[:1] == REOPENABLE:
            return
        if value[:1] == ENDED:
            row = self._urls.row(value)
            if row.outcome != "redirected":
                return
            self._counters.stale += not row.stale
            self._urls.put(key, ENDED, structs.replace(row, stale=row.stale | SEED_STALE))
        self._store.redirects.put_meeting(key, number, source.hops)
        self._met.setdefault(key, {})[number] = source.hops

    def nearest(self, handed: Handed, *, last: bool = True) -> Reach:
        """Return the best that is known of how far a task's URL is; `last` says that it will not be asked for again."""
        key, reach = handed.task.key, handed.reach
        if handed.seq > self._told_up_to and not handed.outcome:
            # What was found in this run is at hand: to ask the store for each page would cost as much as all else here.
            known = self._nearer.pop(key, reach) if last else self._nearer.get(key, reach)
        else:
            (value,) = self._urls.values([key])
            if value is None:
                return reach
            known = waiting(value)[1] if value[:1] == QUEUED else self._limits.reach(self._urls.row(value))
        return reach if known == reach else reach.nearer(known)

    def improve(self, key: bytes, row: UrlRow, way: Reach) -> None:
        """Learn of a way to a URL that has ended. If it is nearer, what was read has to be judged again some time."""
        before = self._limits.reach(row)
        reach = before.nearer(way)
        if reach != before:
            improved = self._limits.at(row, reach)
            stale = row.stale | self._limits.stale(improved, before, reach)
            self._counters.stale += bool(stale) - bool(row.stale)
            self._urls.put(key, ENDED, structs.replace(improved, stale=stale))

    def pass_on(self) -> None:
        """Take the ways to URLs that were left out as ways to the pages that stand for them."""
        for key, way in self.same_pages.ways():
            (value,) = self._urls.values([key])
            if value is not None and value[:1] == ENDED:
                self.improve(key, self._urls.row(value), way)
            elif value is not None and value[:1] == QUEUED:  # a person asks for it again
                self._note(key, waiting(value)[0], waiting(value)[1].nearer(way))

    def open(self, key: bytes, row: UrlRow) -> None:
        """Make a URL due that has ended: the limit that cut it off has moved, or it is to be tried again."""
        self._uncount(row)
        due = structs.replace(self._due_again(row), outcome="", reason="", status=0, detail="", other=b"")
        self._queue(key, self._keys.host(row.url), due, self._limits.reach(row))

    def read_again(self, key: bytes, row: UrlRow) -> None:
        """Make a page due that has ended, for its links alone. It stays known as one that has ended. No URL is due."""
        again = self._due_again(row)
        self._counters.queued += 1
        self._window.offer(key, again.place(self._keys.host(row.url)), again)

    def _due_again(self, row: UrlRow) -> UrlRow:
        """Return a row with what a task needs that a row of a URL which has ended leaves out.

        Where it was found is not told as long as that page is due itself: it was read in part before a crash.
        """
        if row.parent_url is not None:  # it has no row in this shard
            return structs.replace(row, seq=self._counters.next_seq(), attempts=0)
        parent = self._urls.values([row.parent])[0] if row.parent else None
        parent_url = None if parent is None or parent[:1] == QUEUED else self._urls.row(parent).url
        return structs.replace(row, seq=self._counters.next_seq(), attempts=0, parent_url=parent_url)

    def _put(
        self, key: bytes, link: Link, source: Source, reach: Reach, now: float, *, before: UrlRow | None = None
    ) -> None:
        """Put down what follows from all that is known of a URL that is not due yet; `before` is its row, if any."""
        host = self._host_keys.of(link.url)
        reason = link.skip or self._limits.cut(reach, host, is_sitemap=link.kind == "sitemap")
        if not reason:
            row = source.row(link, reach, now, seq=self._counters.next_seq(), parent_url=source.parent_url)
            self._queue(key, host, row if before is None else row.after(before), reach)
            return
        row = source.row(link, reach, now, outcome="skipped", reason=reason, parent_url=source.kept_url)
        self._urls.put(key, REOPENABLE, row if before is None else row.after(before))
        if reason == "trap" and not link.skip:
            self._cut_urls.add(host, key)
        self._counters.count("skipped", reason, +1)

    def _queue(self, key: bytes, host: bytes, row: UrlRow, reach: Reach) -> None:
        place = row.place(host) if self.sampling is None else self.sampling.place(key, row, host)
        self._urls.put_waiting(key, place, reach)
        self._counters.queued += 1
        (self._window.offer if self.sampling is None else self._window.add)(key, place, row)

    def _judge_again(self, key: bytes, link: Link, row: UrlRow, source: Source, way: Reach, *, now: float) -> None:
        """Look whether a URL that was skipped is skipped no longer, or for another reason."""
        before = self._limits.reach(row)
        reach = before.nearer(way)
        if reach == before and (reach != NOT_REACHED or rank_of(link.skip) <= rank_of(row.reason)):
            return
        self._uncount(row)
        self._put(key, link, source, reach, now, before=row)

    def _reach_left_out(self, key: bytes, link: Link, row: UrlRow, source: Source, now: float) -> None:
        """Pass on a way to a URL that is left out; what a sitemap names, or a redirect leads to, is asked for."""
        way = source.reach(link)
        reach = self._limits.reach(row).nearer(way)
        if not link.skip and source.names:
            self._uncount(row)
            self._put(key, link, source, reach, now, before=row)
        elif reach != self._limits.reach(row):
            self._urls.put(key, REOPENABLE, self._limits.at(row, reach))
            self.same_pages.reached(self._keys.host(row.url), row.url, way)

    def _come_nearer(self, key: bytes, link: Link, value: bytes, source: Source, way: Reach, *, now: float) -> None:
        """Note a shorter way to a URL that has not ended; if it was never handed out, queue it at its smaller depth."""
        place, before = waiting(value)
        reach = before.nearer(way)
        if reach == before:
            return
        better = place
        if self._limits.by_depth and place and link.kind == "page" and self._window.find(key) is None:
            depth, seq = queue_place(place)
            row = source.row(link, reach, now, seq=seq, parent_url=source.parent_url)
            if row.depth < depth:
                better = row.place(self._keys.host(link.url))
                old = self._store.queue.at(place)
                self._window.move(key, place, better, row if old is None else row.after(old))
        self._note(key, better, reach)

    def _uncount(self, row: UrlRow) -> None:
        """Take a URL out of the counters that has not ended any more."""
        if is_same_page(row.reason):
            self._counters.count(row.outcome, SAME_PAGE, -1)
            self.same_pages.opened(row)
            return
        self._counters.count(row.outcome, row.reason, -1)
        if row.reason == REPEATS:
            self._counters.count_repeat(authority(row.url), -1)

    def _note(self, key: bytes, place: bytes, reach: Reach) -> None:
        self._urls.put_waiting(key, place, reach)
        self._nearer[key] = reach
        if len(self._nearer) > _NEARER_KEPT:
            self._nearer.clear()
            self._told_up_to = self._counters.seq


def rank_of(reason: str) -> int:
    """Return which of two reasons of links to one URL it keeps: the one of the higher rank; -1 is none."""
    return _REASONS.index(reason) if reason in _REASONS else -1
