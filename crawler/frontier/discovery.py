"""How URLs become known: seeds, and the links of tasks that end. Test and set are one step."""

from msgspec import Struct

from crawler.core.counters import Counters
from crawler.core.model import Done, Kind, Link, SeedContext
from crawler.frontier.handed import Handed
from crawler.frontier.row import ENDED, QUEUED, REOPENABLE, UrlRow, queue_place
from crawler.frontier.seed_contexts import SeedContexts
from crawler.frontier.store import Store
from crawler.frontier.window import Window
from crawler.web.urls import host_key, task_key

__all__ = ["Discovery", "Source"]

_REOPENED_BY_LINK = frozenset({"scope", "depth", "nofollow", "filter", "trap"})


class Source(Struct, frozen=True, gc=False):
    """What a task that ends gives to the URLs that it leads to. `hops`: the redirects from it to there."""

    seed: SeedContext
    depth: int
    pages_depth: int
    parent: bytes
    parent_url: str | None
    hops: tuple[str, ...]

    @classmethod
    def of(cls, handed: Handed, done: Done) -> "Source":
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
        """Return the row of a link."""
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


class Discovery:
    """Makes URLs known and gives those that are due to the window. Part of the frontier, whose counters it writes."""

    def __init__(
        self, store: Store, window: Window, seeds: SeedContexts, counters: Counters, *, level_by_level: bool
    ) -> None:
        self._urls = store.urls
        self._window = window
        self._seeds = seeds
        self._counters = counters
        self._level_by_level = level_by_level

    def add(self, number: int, url: str, kind: Kind) -> bool:
        """Make a start of seed `number` known and due. False if it was known."""
        key = task_key(url, kind)
        if self._urls.values([key])[0] is not None:
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
        place = row.place(host_key(url))
        self._urls.put_waiting(key, place)
        self._window.add(key, place, row)
        self._counters.known += 1
        self._counters.queued += 1
        return True

    def take(self, found: list[tuple[Link, Source]], now: float) -> None:
        """Test and set in one step: unknown URLs become due or skipped; a better link reopens or moves a known one."""
        known = self._urls.values([link.key for link, _ in found])
        for (link, source), before in zip(found, known, strict=True):
            value = self._urls.pending(link.key) or before  # another link of this call may have put it
            if source.hops and not link.skip and source.hops[0] == source.seed.anchors[0]:
                self._seeds.anchor(source.seed.number, link.url)
            if value is None:
                self._counters.known += 1
                if link.skip:
                    self._skip(link, source, now)
                else:
                    self._queue_new(link, source, now)
            elif not link.skip:
                if value[:1] == REOPENABLE:
                    old = self._urls.row(value)
                    self._counters.count(old.outcome, old.reason, -1)
                    self._queue_new(link, source, now)
                elif self._level_by_level and value[:1] == QUEUED:
                    self._move_up(link, value[1:], source, now)

    def _skip(self, link: Link, source: Source, now: float) -> None:
        state = REOPENABLE if link.skip in _REOPENED_BY_LINK else ENDED
        self._urls.put(link.key, state, source.row(link, 0, now, outcome="skipped", reason=link.skip))
        self._counters.count("skipped", link.skip, +1)

    def _queue_new(self, link: Link, source: Source, now: float) -> None:
        row = source.row(link, self._counters.next_seq(), now, parent_url=source.parent_url)
        place = row.place(link.host)
        self._urls.put_waiting(link.key, place)
        self._counters.queued += 1
        self._window.offer(link.key, place, row)

    def _move_up(self, link: Link, place: bytes, source: Source, now: float) -> None:
        """A shorter way to a page that was never handed out: queue it at the smaller depth."""
        if not place or link.kind == "sitemap" or self._window.find(link.key) is not None:
            return
        depth, seq = queue_place(place)
        row = source.row(link, seq, now, parent_url=source.parent_url)
        if row.depth < depth:
            better = row.place(link.host)
            self._urls.put_waiting(link.key, better)
            self._window.move(link.key, place, better, row)
