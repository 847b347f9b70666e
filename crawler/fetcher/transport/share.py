"""What one body holds of the byte budget: a `Share` while it comes, a `Kept` until a parser has it."""

import asyncio
import math
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

from crawler.core.model import Failure
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


class Counting(Protocol):
    """What shares ask of their budget."""

    def climb(self, share: "Share", total: int) -> bool:
        """Have room for a body of so many bytes, if there is any."""
        ...

    def queue(self, share: "Share", wake: Callable[[], object]) -> None:
        """Have `wake` called once, from any thread, when the body has room for more."""
        ...

    def leave(self, share: "Share") -> None:
        """Count it no more."""
        ...

    def return_kept(self, kept: "Kept") -> None:
        """Count it no more."""
        ...

    def look(self) -> None:
        """Have downloads give way that do not grow."""
        ...


class Kept:
    """A body of a host that waits for a parser: `count` bytes, on a `step`. `release` is for the one who keeps it."""

    __slots__ = ("_budget", "count", "host", "step")

    def __init__(self, budget: Counting, count: int, host: Holder, step: int) -> None:
        self._budget = budget
        self.count = count
        self.host = host
        self.step = step

    def release(self) -> None:
        """Give the body back, once."""
        self._budget.return_kept(self)


class Share:
    """What one download holds of a budget. `grow` and the two ways to wait are for the one who downloads.

    The rest belongs to the budget: its `step` (-1 = only what is free) and the `held` bytes of that, as those of a
    `stranger` or not; the `room`, so many bytes long the body may become; the `line` in which it waits for the next
    step; whether it is `patient`, `released`, or `leaves` (it was told to give way); and how it has grown lately.
    """

    __slots__ = (
        "_budget",
        "_doubles_in_s",
        "_looks",
        "_mark",
        "_marked_at",
        "_total",
        "give_way",
        "has_waited",
        "held",
        "host",
        "leaves",
        "line",
        "patient",
        "released",
        "room",
        "step",
        "stranger",
    )

    def __init__(
        self,
        budget: Counting,
        host: Holder,
        give_way: Callable[[Failure], object] | None,
        *,
        timeout_s: float,
        patient: bool,
    ) -> None:
        self._budget = budget
        self._doubles_in_s = timeout_s
        self.host = host
        self.give_way = give_way
        self.patient = patient
        self.step = -1
        self.held = 0
        self.room: float = FREE_BYTES
        self.stranger = True
        self.line: dict[Share, Callable[[], object]] | None = None
        self.released = False
        self.leaves = False
        self.has_waited = False
        self._total = 0
        self.begin_anew(time.monotonic())

    # For the one who downloads

    def grow(self, total: int) -> bool:
        """Whether the body may become `total` bytes long; False = not yet, wait and try again."""
        if total > self.room and not self._budget.climb(self, total):
            return False
        self._total = total
        return True

    async def wait(self) -> None:
        """Wait, in an event loop, until there is room for more."""
        woken = asyncio.get_running_loop().create_future()
        self._budget.queue(self, partial(settle_from_thread, woken))
        while not woken.done():
            if not (await asyncio.wait((woken,), timeout=_LOOK_S))[0]:
                self._budget.look()

    def wait_in_thread(self, woken: threading.Event) -> None:
        """Wait, in a thread, until there is room for more, or until somebody else sets `woken`."""
        self._budget.queue(self, woken.set)
        while not woken.wait(_LOOK_S):
            self._budget.look()

    def release(self) -> None:
        """Give everything back. What grows later does not count. Idempotent; for any thread."""
        self._budget.leave(self)

    # For the budget

    def begin_anew(self, now: float) -> None:
        """Forget that it has not grown: it could not."""
        self._marked_at = now
        self._mark = self._total
        self._looks = 0

    def end(self) -> None:
        """Count nothing any more."""
        self.released = True
        self.give_way = None  # it knows its share
        self.room = math.inf

    def still_s(self, now: float) -> float:
        """Seconds since it has grown in earnest."""
        return now - self._marked_at

    def stands_still(self, now: float) -> bool:
        """Whether it has hardly grown for so many looks, this one among them.

        A body that comes evenly has doubled whenever as much time has passed as it has taken; if its whole time is not
        enough for that, it will not end in time.
        """
        grown = self._total - self._mark
        if grown > 0 and grown * self._doubles_in_s >= self._total * (now - self._marked_at):
            self._mark, self._marked_at, self._looks = self._total, now, 0
            return False
        self._looks += 1
        return self._looks >= _LOOKS and now - self._marked_at >= _GRACE_S
