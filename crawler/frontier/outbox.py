"""Links to other shards: written with the end of their page, and kept until they are safe with whom they are for.

    links ─► whose? ─► own: known? (`discovery`)
               └─► another shard's: told before, as well? ─► draft ─► row, in the commit ─► parcel ─► ... ─► safe: gone

One row for each destination and commit, of at most 1,000 links; a row knows the mark of the one before, so a receiver
sees a gap. A row goes when its receiver cannot lose it any more, which the receiver says by a receipt.
"""

from collections import defaultdict, deque
from collections.abc import Sequence
from itertools import islice
from typing import Final

from msgspec import Struct

from crawler.core.counters import Counters
from crawler.core.model import Link, SeedContext, Sent
from crawler.core.shard import START, Mark, Parcel
from crawler.frontier.discovery import rank_of
from crawler.frontier.elsewhere import Elsewhere
from crawler.frontier.hops import Hops
from crawler.frontier.letter import Letter, Reread, sealed
from crawler.frontier.looks import Looks
from crawler.frontier.seed_contexts import SeedContexts
from crawler.frontier.sent_links import UNTOLD
from crawler.frontier.source import Source
from crawler.frontier.store import Store

__all__ = ["MOST_BYTES", "MOST_LINKS", "Outbox"]

MOST_LINKS: Final = 1_000
"""Links of one row."""
MOST_BYTES: Final = 64 << 20
"""Bytes of all rows; when there are more, whoever brings links waits."""
_WRITTEN: Final = "outbox"


class _Draft(Struct):
    """What a destination is to be told with the next commit: links by what led to them, seeds, and the rest."""

    found: list[tuple[Source, list[Link]]] = []
    links: int = 0
    seeds: dict[int, None] = {}
    rereads: list[Reread] = []
    cut: bool = False


class Outbox:
    """The outbox of one shard. Part of the frontier, whose counters it writes; `waiting` and `forget` are for others.

    State: what the open batch is to tell whom; the mark of the last row to each destination (also in the store); marks
    and sizes of the rows that are not safe; to whom the last commit has written.
    """

    def __init__(
        self, store: Store, elsewhere: Elsewhere, seeds: SeedContexts, counters: Counters, *, hops: Hops, looks: Looks
    ) -> None:
        self._keys = store.keys
        self._store = store
        self._rows = store.outbox
        self._sent = store.sent
        self.elsewhere = elsewhere
        self._shard = elsewhere.shard
        self._seeds = seeds
        self._counters = counters
        self._hops = hops
        self._looks = looks
        self._drafts: defaultdict[int, _Draft] = defaultdict(_Draft)
        written = store.meta(_WRITTEN) or {}
        self._last = {destination: Mark(*mark) for destination, mark in written.items()}
        self._kept: defaultdict[int, deque[tuple[Mark, int]]] = defaultdict(deque)
        self.size_bytes = 0
        for destination, mark, size in self._rows.sizes():
            self._kept[destination].append((mark, size))
            self.size_bytes += size
        self._written: set[int] = set()
        self._fresh: frozenset[int] = frozenset()

    # What is told

    def take(self, found: list[tuple[Link, Source]]) -> list[tuple[Link, Source]]:
        """Put links to other shards into the outbox; return those that are this shard's own."""
        owner, here = self.elsewhere.owner, self._shard.number
        own, others = [], []
        for pair in found:
            destination = owner(pair[0].url)
            if destination == here:
                own.append(pair)
            else:
                others.append((destination, *pair))
        if others:
            self._tell(others)
        return own

    def want_again(self, key: bytes, url: str, seed: int) -> None:
        """Ask the owner of a URL to read it again for the links that a seed has in its scope."""
        destination = self.elsewhere.owner(url)
        draft = self._drafts[destination]
        draft.rereads.append(Reread(key, self._shard.abroad(seed)))
        draft.seeds[seed] = None
        self._write(destination)

    def tell_of_cut(self) -> None:
        """Tell all others that here URLs were left out since they are too far away."""
        for destination in range(self._shard.of):
            if destination != self._shard.number:
                self._drafts[destination].cut = True
                self._write(destination)

    def _tell(self, others: Sequence[tuple[int, Link, Source]]) -> None:
        """Put links into the drafts that bring something new to whom they are for."""
        keys = self._keys.links([link for _, link, _ in others])
        # One page may link to a URL as often as it likes, and one commit holds many pages.
        told_now = dict(zip(keys, self._sent.values(keys), strict=True))
        for (destination, link, source), key in zip(others, keys, strict=True):
            told = told_now[key]
            better = (told or UNTOLD).with_way(source.reach(link), rank_of(link.skip), named=source.names)
            lands = source.lands(link)
            if lands and self._seeds.anchor(source.seed.number, link.url):
                self._counters.joined += 1
            if better == told and not lands:
                continue
            told_now[key] = better
            self._sent.put(key, better)
            draft = self._drafts[destination]
            if not draft.found or draft.found[-1][0] is not source:
                draft.found.append((source, []))
                draft.seeds[source.seed.number] = None
            draft.found[-1][1].append(link)
            draft.links += 1
            self._counters.sent += 1
            if draft.links >= MOST_LINKS:
                self._write(destination)

    # Rows

    def save(self) -> None:
        """Put what is to be told into the open batch."""
        for number in self._seeds.grown:
            anchors = self._seeds.get(number).anchors
            for destination in {self._shard.home(number), *map(self.elsewhere.owner, anchors)}:
                if destination != self._shard.number:
                    self._drafts[destination].seeds[number] = None
        for destination in list(self._drafts):
            self._write(destination)
        if self._written:
            self._store.put_meta(_WRITTEN, self._last)

    def _write(self, destination: int) -> None:
        """Put the draft for a destination into the open batch as a row."""
        draft = self._drafts.pop(destination)
        seeds = tuple([self._abroad(number) for number in draft.seeds])
        sent = tuple([self._sealed(source, links) for source, links in draft.found])
        letter = Letter(self._looks.taken, seeds, sent, tuple(draft.rereads), draft.cut)
        after = self._last.get(destination, START)
        mark = self._last[destination] = Mark(self._store.incarnation, after.seq + 1)
        size = self._rows.put(destination, mark, after, sealed(letter))
        self._kept[destination].append((mark, size))
        self.size_bytes += size
        self._written.add(destination)

    def _abroad(self, number: int) -> SeedContext:
        context = self._seeds.get(number)
        return SeedContext(self._shard.abroad(number), context.anchors, context.extra)

    def _sealed(self, source: Source, links: list[Link]) -> Sent:
        statuses = self._hops.statuses(source.hops, links[0].kind) if source.hops else ()
        return Sent(
            self._shard.abroad(source.seed.number),
            source.depth,
            source.listed,
            *source.nearest,
            source.parent,
            source.parent_url,
            source.hops,
            statuses,
            tuple(links),
        )

    def committed(self) -> None:
        """Learn that the open batch was committed."""
        self._fresh = frozenset(self._written)
        self._written.clear()

    # For whoever carries parcels

    def waiting(self, destination: int, after: Mark, most: int) -> list[Parcel]:
        """Return the first committed rows to a destination behind a mark, as parcels."""
        rows = islice(self._rows.after(destination, after), most)
        return [Parcel(self._shard.number, mark, before, letter) for mark, before, letter in rows]

    def forget(self, destination: int, upto: Mark) -> None:
        """Take out rows that are safe with their destination, with the next commit."""
        kept = self._kept[destination]
        while kept and kept[0][0] <= upto:
            mark, size = kept.popleft()
            self._rows.delete(destination, mark)
            self.size_bytes -= size
        if not kept:
            del self._kept[destination]

    def destinations(self) -> list[int]:
        """Return for whom there are rows that are not safe."""
        return sorted(self._kept)

    def fresh(self) -> frozenset[int]:
        """Return for whom the last commit has written rows."""
        return self._fresh

    @property
    def is_full(self) -> bool:
        """Whether whoever brings links has to wait until some are safe."""
        return self.size_bytes > MOST_BYTES

    @property
    def is_empty(self) -> bool:
        """Whether all that was to be told is safe."""
        return not self._kept and not self._drafts
