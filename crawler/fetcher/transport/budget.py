"""One budget for the bytes of all bodies in memory, so that many large ones at once cannot exhaust it.

The first 64 KiB of each body are free, so that an ordinary page never waits. From there on a body climbs *steps*
(`steps.Steps`): when it has outgrown one it asks for room on the next, for as many bytes as that is high, and leaves
the one before. When there is none it waits, and leaves what the server sends in the socket. Within a step it never
waits.

Nobody fills the budget for the others. Each step has a part of the limit, which larger bodies never take; smaller ones
may take it as long as no larger one waits. After the last step, at an eighth of the limit, one body at a time goes on
beside the limit. A body that waits for a parser counts as long as it is, on the step of its size. Strangers, hosts that
have shown no body of that size yet, have half of each part, and take turns with the others.

While somebody waits, downloads that have not grown in earnest for a second give way, on the steps that are in the way,
until there is room for all that wait: first those whose server stands still, those with the most bytes times seconds
before others; then those that wait themselves, but for the oldest ones, which have `seats`. A stranger that finds no
seat, while others wait for where it stands, gives way at once.

Why nobody waits for ever: a body waits for the next step alone, and there for bodies of that size or larger, or for
smaller ones that have borrowed; nobody new takes what the first that waits has a right to. A body that does not wait
ends, gives way, or meets its deadline. One that has come comes back from its parser. So at last only bodies that wait
are left, which give way until they fill no more than the parts of their own steps. Then the step above the highest of
them is empty, and its part free; and after the last step there is nothing to wait for but one body that does not wait.

Held are therefore at most the limit, one body of each step that has just come (together a quarter of the limit), one
whole body, and 64 KiB and a piece for each other download under way.
"""

import logging
import math
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from crawler.core.model import Failure
from crawler.fetcher.transport.failures import NO_ROOM, STOOD_STILL
from crawler.fetcher.transport.giving_way import not_growing, room_for, seats
from crawler.fetcher.transport.holders import Holders
from crawler.fetcher.transport.share import FREE_BYTES, Kept, Share
from crawler.fetcher.transport.steps import Steps

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


class _Line:
    """Those that wait for a step: strangers, and others. State: both, each oldest first, and whose turn it is."""

    def __init__(self) -> None:
        self.strangers: dict[Share, Callable[[], object]] = {}
        self.others: dict[Share, Callable[[], object]] = {}
        self._strangers_turn = False

    def __len__(self) -> int:
        return len(self.strangers) + len(self.others)

    def of(self, *, stranger: bool) -> dict[Share, Callable[[], object]]:
        """Return the line of strangers, or that of others."""
        return self.strangers if stranger else self.others

    def next(self, has_room: Callable[[bool], bool]) -> Share | None:
        """Return who may go on; None if nobody may."""
        for stranger in (self._strangers_turn, not self._strangers_turn):
            line = self.of(stranger=stranger)
            if line and has_room(stranger):
                self._strangers_turn = not stranger
                return next(iter(line))
        return None


class ByteBudget:
    """Counts bytes of bodies held, of at most `limit`, for any number of threads and event loops.

    Downloads count through a `share` each. Who holds a body after its download uses `keep`, which never waits, and
    gives it back, whatever downloads do meanwhile: so many are `kept`. `waits` counts the downloads that had to wait,
    `waiting` those that wait now.

    State: what is held on which step, and by whom; the downloads, oldest first; for each step those that wait for it,
    with what wakes them. A lock guards all of it.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.waits = 0
        self.kept = 0
        self.waiting = 0
        self._lock = threading.Lock()
        self._steps = Steps(limit)
        self._strangers = Steps(limit, shared=2)
        self._holders = Holders(limit)
        self._shares: dict[Share, None] = {}
        self._lines = [_Line() for _ in self._steps.held]
        self._next_look = 0.0
        self._notice = _Notice()

    @property
    def used(self) -> int:
        """Bytes held now, or set aside for bodies that come."""
        return self._steps.used

    @property
    def is_full(self) -> bool:
        """Whether nothing new should be asked for: a body of the smallest size would find no room."""
        return 2 * self._steps.used > self.limit and self._steps.short_from(0, self._lines) is not None

    @property
    def is_scarce(self) -> bool:
        """Whether anybody may have to leave room to others: else no host `is_crowded`, and none `stands_back`."""
        steps = self._steps
        return self.waiting > 0 or steps.used >= self.limit // 4 or steps.held[steps.beyond] > 0

    @property
    def held_by(self) -> dict[str, int]:
        """Bytes that each host holds now, by its name; for any thread."""
        with self._lock:
            return self._holders.held

    def share(
        self,
        host: str = "",
        address: str | None = None,
        *,
        give_way: Callable[[Failure], object] | None = None,
        timeout_s: float = 30.0,
        patient: bool = False,
    ) -> Share:
        """Begin to count one download, of this host at this address, that may take `timeout_s` seconds.

        `give_way(failure)` has it end soon, as that; from any thread. Without, it does not give way. One that is
        `patient` does not either, as long as it does not wait and such ones hold a quarter of the limit at most.
        """
        with self._lock:
            share = Share(self, self._holders.host(host, address), give_way, timeout_s=timeout_s, patient=patient)
            self._shares[share] = None
        return share

    def keep(self, count: int, host: str) -> Kept:
        """Count a body of a host that waits for a parser, room or not."""
        with self._lock:
            steps = self._steps
            step = shown = steps.of(count)
            if step == steps.beyond and steps.held[step]:
                step -= 1  # one alone lies beside the limit
            self.kept += 1
            kept = Kept(self, count, self._holders.host(host), step)
            steps.add(step, 1 if step == steps.beyond else count)
            kept.host.add(count)
            kept.host.shown = max(kept.host.shown, shown)
            kept.host.stands_back = False
        return kept

    def is_crowded(self, host: str) -> bool:
        """Whether the bodies of a host, or of its address, hold as much as they may."""
        return self._holders.is_crowded(host)

    def stands_back(self, host: str) -> bool:
        """Whether a host is to leave room to others, while these wait; see `Holder`."""
        holder = self._holders.known(host)
        return holder is not None and holder.stands_back and self.waiting > 0

    # For shares

    def climb(self, share: Share, total: int) -> bool:
        """Have room for a body of so many bytes, if there is any."""
        with self._lock:
            while total > share.room:
                step = share.step + 1
                if self._short_from(step, stranger=share.host.shown < step) is not None:
                    return False
                self._lift(share)
            return True

    def queue(self, share: Share, wake: Callable[[], object]) -> None:
        """Have `wake` called once, from any thread, when the body has room for more."""
        with self._lock:
            step = share.step + 1
            stranger = share.host.shown < step
            if share.released or self._short_from(step, stranger=stranger) is None:
                wake()
                return
            share.line = self._lines[step].of(stranger=stranger)
            share.line[share] = wake
            self.waiting += 1
            share.begin_anew(time.monotonic())
            give_way = self._turned_away(share, stranger=stranger)
            is_first = not share.has_waited
            share.has_waited = True
            self.waits += is_first
            used, waiting = self.used, self.waiting
        if give_way is not None:
            give_way(NO_ROOM)
        if is_first:
            self._notice.give(used, self.limit, waiting)

    def leave(self, share: Share) -> None:
        """Count a body no more."""
        with self._lock:
            if share.released:
                return
            share.end()
            self._shares.pop(share, None)
            if share.line is not None:
                del share.line[share]
                share.line = None
                self.waiting -= 1
            if share.step >= 0:
                self._put_down(share)
            if self.waiting:
                self._wake()

    def return_kept(self, kept: Kept) -> None:
        """Count a body no more."""
        with self._lock:
            self.kept -= 1
            steps = self._steps
            steps.add(kept.step, -1 if kept.step == steps.beyond else -kept.count)
            kept.host.add(-kept.count)
            if self.waiting:
                self._wake()
                self._wake_beyond()

    def _short_from(self, step: int, *, stranger: bool) -> int | None:
        """Return None if there is room on a step, else from which step on there is too much."""
        short_from = self._steps.short_from(step, self._lines)
        if short_from is None and stranger and step < self._steps.beyond:
            return self._strangers.short_from(step, [line.strangers for line in self._lines])
        return short_from

    def _has_room(self, step: int, stranger: bool) -> bool:
        return self._short_from(step, stranger=stranger) is None

    def _turned_away(self, share: Share, *, stranger: bool) -> Callable[[Failure], object] | None:
        """Have a stranger give way at once if those before it have all seats, and others wait for where it stands."""
        step = share.step
        if not stranger or step < 0 or not self._lines[step] or share.leaves or share.give_way is None:
            return None
        waiting = len(self._lines[step + 1].strangers)
        if waiting == 1 or waiting * self._steps.sizes[step] <= seats(self._steps.parts[step], share):
            return None
        share.leaves = share.host.stands_back = True
        return share.give_way

    def _put_down(self, share: Share) -> None:
        """Take what a body has on its step."""
        if share.stranger:
            self._strangers.add(share.step, -share.held)
        self._steps.add(share.step, -share.held)
        share.host.add(-self._known(share))

    def _known(self, share: Share) -> int:
        """Return how many bytes the host of a body holds by it: beyond the last step, at least that."""
        return self._steps.sizes[min(share.step, self._steps.beyond - 1)]

    def _lift(self, share: Share) -> None:
        """Give a body its room on the next step."""
        steps = self._steps
        if share.step >= 0:
            self._put_down(share)
        share.step = step = share.step + 1
        share.stranger = share.host.shown < step
        if step == steps.beyond:
            share.held, share.room = 1, math.inf
        else:
            share.held = steps.sizes[step]
            share.room = FREE_BYTES + share.held
        steps.add(step, share.held)
        share.host.add(self._known(share))
        if share.stranger:
            self._strangers.add(step, share.held)

    def _wake(self) -> None:
        """Give room to those that wait, on each step in turn to strangers and to others; smaller bodies come first."""
        for step, line in enumerate(self._lines[:-1]):
            while (share := line.next(partial(self._has_room, step))) is not None:
                self._call(share)

    def _wake_beyond(self) -> None:
        """Let the next go on beside the limit. Not when a body has just come: it may be about to be kept there."""
        share = self._lines[-1].next(partial(self._has_room, self._steps.beyond))
        if share is not None:
            self._call(share)
            self._wake()

    def _call(self, share: Share) -> None:
        if share.line is not None:
            wake = share.line.pop(share)
            share.line = None
            self.waiting -= 1
            share.begin_anew(time.monotonic())
            self._lift(share)
            wake()

    def look(self) -> None:
        """Have downloads give way that do not grow while others wait for room. At most five times a second."""
        now = time.monotonic()
        with self._lock:
            if now < self._next_look:
                return
            self._next_look = now + _LOOK_EVERY_S
            self._wake_beyond()
            calls = [(share.give_way, STOOD_STILL if share.line is None else NO_ROOM) for share in self._leaving(now)]
        for give_way, failure in calls:
            if give_way is not None:
                give_way(failure)

    def _leaving(self, now: float) -> list[Share]:
        """Have those leave that give way to all that wait, and return them."""
        still = not_growing(self._shares, self._steps.parts, now)
        leaving: list[Share] = []
        for step, line in enumerate(self._lines):
            for stranger, waiting in ((False, line.others), (True, line.strangers)):
                short_from = self._short_from(step, stranger=stranger) if waiting else None
                if short_from is None:
                    continue
                of_all = self._steps.short_from(step, self._lines) is not None
                there = [one for one in self._shares if one.step >= short_from and (of_all or one.stranger)]
                wanted = len(waiting) * (1 if step == self._steps.beyond else self._steps.sizes[step])
                wanted -= sum(share.held for share in there if share.leaves)
                may = [one for one in still if one.step >= short_from and (of_all or one.stranger) and not one.leaves]
                for share in room_for(wanted, may, now):
                    share.leaves = share.host.stands_back = True
                    if share.line is None:
                        share.host.shown = -1
                    leaving.append(share)
        return leaving
