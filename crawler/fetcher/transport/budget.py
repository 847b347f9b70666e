"""One budget for the bytes of all bodies in memory, so that many large ones at once cannot exhaust it.

A download asks for room for every piece of its body before it keeps it. When there is none it waits, and leaves what
the server sends in the socket. The first 64 KiB of each body are free, so that an ordinary page never waits.

Nobody fills the budget for the others. Each download has a *part* of its own (five eighths of the limit for all that
may be under way at once). A body that wants more is *large*:

- for the parts of those under way room is left, but no more than half of the limit, and another quarter is out of reach
  for large bodies of hosts whose bytes are not known to leave soon (`holders.Holder`);
- a host holds at most a quarter of the limit and an address half of it, but that the oldest download of each goes on;
- while somebody waits, downloads that stand still give way, those with the most bytes times seconds first, until there
  is room for a quarter of the limit. One stands still if it has grown for a second by less than a 30th of itself: a
  body that comes evenly does not within its first 30 seconds. One that is `patient` does not give way, as long as
  patient ones hold no more than a quarter of the limit.

Why there is no deadlock: the oldest large body may always go on up to the limit, whatever its host holds, unless more
than a quarter of the limit is large bodies that wait for a parser; and past the limit while no body waits for one.
(Those come back by themselves; and while the budget is full, none is added.) So it ends, gives way, or meets its
deadline, and then another one is the oldest. If none is large, that holds for the oldest of all.

Held are therefore at most the limit, one whole body, and 64 KiB and a piece for each other download under way.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from crawler.fetcher.transport.giving_way import for_bytes, standing_still
from crawler.fetcher.transport.holders import Holder, Holders
from crawler.fetcher.transport.share import FREE_BYTES, Kept, Share

__all__ = ["FREE_BYTES", "ByteBudget", "Kept", "Share"]

logger = logging.getLogger(__name__)

_TELL_EVERY_S = 60.0
_LOOK_EVERY_S: Final = 0.2


class _Notice:
    """Tells the log once in a while that downloads wait. State: when it was told last."""

    def __init__(self) -> None:
        self._told_at: float | None = None

    def give(self, used: int, limit: int, waiting: int) -> None:
        """Say so, unless that was said lately."""
        now = time.monotonic()
        if self._told_at is None or now - self._told_at >= _TELL_EVERY_S:
            self._told_at = now
            logger.info(
                "downloads wait for room: bodies take %s of %s bytes, %s waiting now; more parsers or a larger"
                " --bytes-in-flight help",
                f"{used:,}",
                f"{limit:,}",
                f"{waiting:,}",
            )


class ByteBudget:
    """Counts bytes of bodies held, of at most `limit`, for any number of threads and event loops.

    Downloads count through a `share` each. Who holds a body after its download uses `keep`, or `take`, which never
    wait, and gives it back, whatever downloads do meanwhile. `waits` counts the downloads that had to wait.

    State: the bytes held, those of them that were taken, and those of large bodies; all downloads, the large ones among
    them (oldest first), and those that wait for room, with what wakes them, in three lines: small ones, large ones of
    quick hosts, others. A lock guards all of it. `places`: that many downloads may be under way at once.
    """

    def __init__(self, limit: int, places: int = 256) -> None:
        self.limit = limit
        self.waits = 0
        self._most_patient = max(1, places // 16)
        self._quarter = limit // 4
        self._part = limit * 5 // 8 // places
        self._used = 0
        self._taken = 0
        self._lock = threading.Lock()
        self._names: Holders[Share] = Holders(limit)
        self._shares: dict[Share, None] = {}
        self._large: dict[Share, None] = {}
        self._large_bytes = 0
        self._large_unparsed = 0
        self._waiting: dict[Share, Callable[[], object]] = {}
        self._lines: tuple[dict[Share, None], ...] = ({}, {}, {})
        self._next_look = 0.0
        self._notice = _Notice()

    @property
    def used(self) -> int:
        """Bytes held now."""
        return self._used

    @property
    def is_full(self) -> bool:
        """Whether nothing new should be asked for."""
        return self._used >= self.limit

    @property
    def waiting(self) -> int:
        """Downloads that wait for room now."""
        return len(self._waiting)

    @property
    def held_by(self) -> dict[str, int]:
        """Bytes that each host holds now, by its name; for any thread."""
        with self._lock:
            return self._names.held

    def share(
        self,
        host: str = "",
        address: str | None = None,
        *,
        give_way: Callable[[], object] | None = None,
        patient: bool = False,
    ) -> Share:
        """Begin to count one download, of this host at this address.

        `give_way()` has it end soon, without an answer; from any thread. Without that, or if it is `patient`, it does
        not give way.
        """
        with self._lock:
            holder = self._names.host(host)
            if address is not None:
                holder.address = self._names.address(address)
            share = Share(self, holder.all, give_way, patient=patient)
            self._shares[share] = None
        return share

    def take(self, count: int) -> None:
        """Count `count` bytes as held, room or not."""
        with self._lock:
            self._used += count
            self._taken += count

    def give_back(self, count: int) -> None:
        """Undo a `take`."""
        with self._lock:
            self._used -= count
            self._taken -= count
            if self._waiting:
                self._wake()

    def keep(self, count: int, host: str, brought: int) -> Kept:
        """Count a body of a host that waits for a parser, room or not: what is left of one of `brought` bytes."""
        with self._lock:
            kept = Kept(self, count, self._names.host(host), brought)
            self._used += count
            self._taken += count
            if kept.count > FREE_BYTES + self._part:
                self._large_bytes += count
                self._large_unparsed += count
            kept.add(count)
        return kept

    def is_crowded(self, host: str) -> bool:
        """Whether as many bodies of a host, or of its address, wait for parsers as it may hold."""
        return self._names.is_crowded(host)

    def stands_back(self, host: str) -> bool:
        """Whether a host is to leave room to others; see `Holder`. Nobody need while there is room for all."""
        holder = self._names.known(host)
        if holder is None or not holder.stands_back:
            return False
        return self._used >= self.limit - self._quarter or any(self._lines)

    # For shares

    def grown(self, share: Share, total: int) -> bool:
        """Count a body as so many bytes long, if there is room."""
        with self._lock:
            if share.released:
                return True  # a thread that has not noticed yet: nobody wants its bytes
            if not share.is_large and total > FREE_BYTES + self._part:
                share.is_large = True
                self._large[share] = None
                self._large_bytes += share.held
            if not self._has_room(share):
                return False
            more = share.become(total - FREE_BYTES, time.monotonic())
            self._used += more
            self._large_bytes += more if share.is_large else 0
            if self._waiting:
                self._wake(share.holders)
            return True

    def queue(self, share: Share, wake: Callable[[], object]) -> None:
        """Have `wake` called once, from any thread, when it is worth while to try `grown` again."""
        with self._lock:
            if share.released or self._has_room(share):
                wake()
                return
            share.note_stay(time.monotonic())
            self._waiting[share] = wake
            share.line = self._line(share)
            share.host.stands_back = share.host.stands_back or share.line is self._lines[2]
            share.line[share] = None
            self._wake()  # it may have been woken, and passes that on
            if share.has_waited:
                return
            share.has_waited = True
            self.waits += 1
            used, waiting = self._used, len(self._waiting)
        self._notice.give(used, self.limit, waiting)

    def leave(self, share: Share) -> None:
        """Count a body no more."""
        with self._lock:
            if share.released:
                return
            share.released = True
            share.give_way = None  # it knows its share
            self._shares.pop(share, None)
            now = time.monotonic()
            if share.line is not None:
                share.begin_anew(now)
                del share.line[share], self._waiting[share]
                share.line = None
            if share.held:
                less = share.become(0, now)
                share.host.learn(0, share.stayed, now)
                self._used += less
                self._large_bytes += less if share.is_large else 0
            self._large.pop(share, None)
            if self._waiting:
                self._wake(share.holders)

    def return_kept(self, kept: Kept) -> None:
        """Count a body no more."""
        with self._lock:
            self._used -= kept.count
            self._taken -= kept.count
            if kept.count > FREE_BYTES + self._part:
                self._large_bytes -= kept.count
                self._large_unparsed -= kept.count
            kept.add(-kept.count)
            now = time.monotonic()
            kept.host.learn(kept.brought, kept.count * (now - kept.since), now)
            if self._waiting:
                self._wake(kept.holders)

    def _has_room(self, share: Share) -> bool:
        if next(iter(self._large or self._shares), None) is share:
            return not self._taken or (self._used < self.limit and self._large_unparsed <= self._quarter)
        if self._used >= self.limit:
            return False
        if not share.is_large:
            return True
        return (
            self._large_bytes < self._reach(quick=self._is_quick(share))
            and self._names.crowd(share, share.holders) is None
        )

    def _reach(self, *, quick: bool) -> int:
        """Return how many bytes large bodies may hold together."""
        parts = min((len(self._shares) - len(self._large)) * self._part, self.limit // 2)
        return self.limit - parts - (0 if quick else self._quarter)

    def _line(self, share: Share) -> dict[Share, None]:
        if not share.is_large:
            return self._lines[0]
        crowd = self._names.crowd(share, share.holders)
        return self._lines[1 if self._is_quick(share) else 2] if crowd is None else crowd.waiting

    def _is_quick(self, share: Share) -> bool:
        return share.host.is_quick and share.host.unparsed <= self.limit // 64

    def _wake(self, holders: tuple[Holder[Share], ...] = ()) -> None:
        """Wake who may go on: the oldest of all, one whose host or address has room again, and one of each line.

        Whoever goes on wakes the next.
        """
        firsts = [next(iter(self._large or self._shares), None)]
        for holder in holders:
            firsts += [next(iter(holder.shares), None), next(iter(holder.waiting), None)]
        for share in firsts:
            if share is not None and share.line is not None and self._has_room(share):
                self._call(share)
        for line in self._lines:
            first = next(iter(line), None)
            if first is not None and self._has_room(first):
                self._call(first)

    def _call(self, share: Share) -> None:
        if share.line is not None:
            del share.line[share]
            share.line = None
        share.begin_anew(time.monotonic())
        self._waiting.pop(share)()

    def look(self) -> None:
        """Have downloads give way that stand still while others wait for room. At most four times a second."""
        now = time.monotonic()
        with self._lock:
            if now < self._next_look:
                return
            self._next_look = now + _LOOK_EVERY_S
            still = standing_still(self._shares, now, self._most_patient, self._quarter)
            leaving = for_bytes(still, self._excess(), now)
            calls = [share.give_way for share in leaving]
            for share in leaving:
                share.leaves = share.host.stands_back = True
        for give_way in calls:
            if give_way is not None:
                give_way()

    def _excess(self) -> int:
        """Return how many bytes are to be given back, so that those that wait have room for a quarter."""
        small, quick, others = (bool(line) for line in self._lines)
        excess = self._used - self.limit if small else -self.limit
        if quick or others:
            excess = max(excess, self._large_bytes - self._reach(quick=not others))
        return excess + self._quarter - sum(share.held for share in self._shares if share.leaves)
