"""What one body holds of the byte budget: a `Share` while it comes, a `Kept` until a parser has it."""

import asyncio
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

from crawler.core.threads import settle_from_thread
from crawler.fetcher.transport.holders import Holder

__all__ = ["FREE_BYTES", "Counting", "Kept", "Share"]

FREE_BYTES = 65_536
"""The first bytes of a body under way, which do not count."""

_LOOK_S: Final = 0.25
_LOOKS: Final = 4
"""So many looks in a row, and at least a second, find a download that stands still. A process that does not run looks
at nobody."""
_GRACE_S: Final = 1.0
_DOUBLES_IN_S: Final = 30.0


class Counting(Protocol):
    """What shares ask of their budget."""

    def grown(self, share: "Share", total: int) -> bool:
        """Count a body as so many bytes long, if there is room."""
        ...

    def queue(self, share: "Share", wake: Callable[[], object]) -> None:
        """Have `wake` called once, from any thread, when it is worth while to try `grown` again."""
        ...

    def leave(self, share: "Share") -> None:
        """Count it no more."""
        ...

    def return_kept(self, kept: "Kept") -> None:
        """Count it no more."""
        ...

    def look(self) -> None:
        """Have downloads give way that stand still."""
        ...


class Kept:
    """A body that waits for a parser: `count` bytes of `brought`. `release` is for the one who keeps it.

    The rest belongs to the budget: the `host`, all `holders` that it counts for, and `since` when (monotonic).
    """

    __slots__ = ("_budget", "brought", "count", "holders", "host", "since")

    def __init__(self, budget: Counting, count: int, host: Holder["Share"], brought: int) -> None:
        self._budget = budget
        self.count = count
        self.brought = brought
        self.host = host
        self.holders = host.all
        self.since = time.monotonic()

    def add(self, count: int) -> None:
        """Count for all holders, for the budget."""
        for holder in self.holders:
            holder.held += count
            holder.unparsed += count

    def release(self) -> None:
        """Give the body back, once."""
        self._budget.return_kept(self)


class Share:
    """What one download holds of a budget. `grow` and the two ways to wait are for the one who downloads.

    The rest belongs to the budget: `held` (bytes), `stayed` (bytes times seconds for which it held them and did not
    wait), the `host` and all `holders` that it counts for, the `line` in which it waits, `released`, `has_waited`,
    `patient`, `is_large`, `leaves` (it was told to give way), and how it has grown lately.
    """

    __slots__ = (
        "_budget",
        "_looks",
        "_mark",
        "_marked_at",
        "_noted_at",
        "_total",
        "give_way",
        "has_waited",
        "held",
        "holders",
        "host",
        "is_large",
        "leaves",
        "line",
        "patient",
        "released",
        "stayed",
    )

    def __init__(
        self,
        budget: Counting,
        holders: tuple[Holder["Share"], ...],
        give_way: Callable[[], object] | None,
        *,
        patient: bool,
    ) -> None:
        self._budget = budget
        self.host = holders[0]
        self.holders = holders
        self.give_way = give_way
        self.patient = patient
        self.held = 0
        self.stayed = 0.0
        self.line: dict[Share, None] | None = None
        self.released = False
        self.leaves = False
        self.is_large = False
        self.has_waited = False
        self._total = 0
        self.begin_anew(time.monotonic())

    # For the one who downloads

    def grow(self, total: int) -> bool:
        """Whether the body may become `total` bytes long; False = not yet, wait and try again."""
        if total > FREE_BYTES and not self._budget.grown(self, total):
            return False
        self._total = total
        return True

    async def room(self) -> None:
        """Wait, in an event loop, until it is worth while to try again."""
        woken = asyncio.get_running_loop().create_future()
        self._budget.queue(self, partial(settle_from_thread, woken))
        while not woken.done():
            if not (await asyncio.wait((woken,), timeout=_LOOK_S))[0]:
                self._budget.look()

    def room_in_thread(self, woken: threading.Event) -> None:
        """Wait, in a thread, until it is worth while to try again, or until somebody else sets `woken`."""
        self._budget.queue(self, woken.set)
        while not woken.wait(_LOOK_S):
            self._budget.look()

    def release(self) -> None:
        """Give everything back. What grows later does not count. Idempotent; for any thread."""
        self._budget.leave(self)

    # For the budget

    def begin_anew(self, now: float) -> None:
        """Forget that it has not grown: it could not."""
        self._noted_at = self._marked_at = now
        self._mark = self._total
        self._looks = 0

    def become(self, held: int, now: float) -> int:
        """Hold so many bytes, for all holders; return how many more that are."""
        self.note_stay(now)
        more = held - self.held
        self.held = held
        for holder in self.holders:
            holder.held += more
            if not held:
                holder.shares.pop(self, None)
            elif self.is_large:
                holder.shares[self] = None
        return more

    def note_stay(self, now: float) -> None:
        """Count the time for which it has held what it holds, unless it waits."""
        if self.line is None:
            self.stayed += self.held * (now - self._noted_at)
            self._noted_at = now

    def still_s(self, now: float) -> float:
        """Seconds since it has grown in earnest."""
        return now - self._marked_at

    def stands_still(self, now: float) -> bool:
        """Whether it has hardly grown for so many looks, this one among them."""
        grown = self._total - self._mark
        if grown > 0 and grown * _DOUBLES_IN_S >= self._total * (now - self._marked_at):
            self._mark, self._marked_at, self._looks = self._total, now, 0
            return False
        self._looks += 1
        return self._looks >= _LOOKS and now - self._marked_at >= _GRACE_S
