"""The requests under way: how many there are, how many more may start, and how they end."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from functools import partial
from itertools import islice
from typing import Any, Final

from crawler.fetcher.slots import Slot

__all__ = ["UnderWay"]

_STARTS_A_TURN: Final = 16


class UnderWay:
    """Work that has started and has not ended: `most` at once.

    16 start in one turn of the loop. What starts together comes back together when the machine is the limit, and all
    that comes back is seen to in one turn: so this bounds how long a turn takes, whatever `most` is.

    `ended()` is called whenever some work has ended, `fail(error)` if it raised something.

    State, written here alone and in the event loop's thread: the work, which of it stands aside, the `count` of the
    rest, how many may start this turn, and how many may be under way in it.
    """

    def __init__(self, most: int, *, ended: Callable[[], None], fail: Callable[[BaseException], None]) -> None:
        self._most = most
        self._ended = ended
        self._fail = fail
        self._work: dict[asyncio.Future[None], tuple[str, float]] = {}
        self._aside: set[asyncio.Future[None]] = set()
        self._starts_left = 0
        self._most_now = most
        self._loop = asyncio.get_running_loop()
        self.count = 0

    def begin_turn(self, most: int | None = None) -> None:
        """Say that a turn of the loop begins, in which so many may be under way; None: as many as ever."""
        self._starts_left = _STARTS_A_TURN
        self._most_now = self._most if most is None else min(most, self._most)

    @property
    def has_room(self) -> bool:
        """Whether one more may start in this turn."""
        return self._starts_left > 0 and self.count < self._most_now

    @property
    def is_held(self) -> bool:
        """Whether nothing at all is to start now."""
        return self._most_now == 0

    @property
    def turn_is_over(self) -> bool:
        """Whether only the next turn may start more."""
        return self._starts_left == 0

    def start(self, work: Coroutine[Any, Any, None], url: str, slot: Slot | None = None) -> None:
        """Start some work on a URL; its place, if it has one of its own, is free when it ends."""
        self.count += 1
        self._starts_left -= 1
        task = self._loop.create_task(work)
        self._work[task] = (url, time.monotonic())
        task.add_done_callback(partial(self._end, slot))

    @property
    def aside(self) -> int:
        """Work that stands aside."""
        return len(self._aside)

    def stand_aside(self) -> None:
        """Let the work that calls this count no further: it has made its request, and only waits now."""
        task = asyncio.current_task()
        if task in self._work and task not in self._aside:
            self._aside.add(task)
            self.count -= 1
            self._ended()

    def oldest(self, most: int) -> tuple[tuple[str, float], ...]:
        """Return up to so many URLs that are under way, each with its seconds, the oldest first; from any thread."""
        # One call in C: nobody changes the dict meanwhile.
        first = tuple(islice(self._work.values(), most))
        now = time.monotonic()
        return tuple((url, now - since) for url, since in first)

    async def wait(self) -> None:
        """Wait until all has ended, what starts meanwhile too."""
        while self._work:
            await asyncio.wait(self._work)

    async def cancel(self) -> None:
        """Cancel all, and wait until it has ended."""
        for task in self._work:
            task.cancel()
        if self._work:
            await asyncio.wait(self._work)

    def _end(self, slot: Slot | None, task: "asyncio.Future[None]") -> None:
        if self._aside and task in self._aside:
            self._aside.remove(task)
        else:
            self.count -= 1
        if slot is not None:
            slot.leave()
        self._work.pop(task, None)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._fail(error)
        self._ended()
