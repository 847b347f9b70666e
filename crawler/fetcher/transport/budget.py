"""One budget for the bytes of all bodies in memory, so that many large ones at once cannot exhaust it.

A download asks for room for every piece of its body before it keeps it. When there is none it waits, and leaves what
the server sends in the socket. Two rules keep waiting from becoming a deadlock or a nuisance:

- while downloads alone hold bytes, the oldest of them always finds room, so that one always ends and gives them back
  (bytes that were taken by others come back without that);
- a body of up to 64 KiB does not count while it is downloaded, so that an ordinary page does not wait behind large
  bodies.

Held are therefore at most the limit, one whole body, and 64 KiB and a piece for each other download under way.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from functools import partial

from crawler.core.threads import settle_from_thread

__all__ = ["FREE_BYTES", "ByteBudget", "Share"]

logger = logging.getLogger(__name__)

FREE_BYTES = 65_536
"""A body under way counts as soon as it is longer than this, and then with all its bytes."""

_TELL_EVERY_S = 60.0


class ByteBudget:
    """Counts bytes of bodies held, of at most `limit`, for any number of threads and event loops.

    Downloads count through a `share` each. Who holds a body after its download uses `take`, which never waits, and
    `give_back`, whatever downloads do meanwhile. `waits` counts the downloads that had to wait.

    State: the bytes held, those of them that were taken, the shares that hold some (oldest first), and those that wait
    with what wakes them. A lock guards all of it.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.waits = 0
        self._used = 0
        self._taken = 0
        self._lock = threading.Lock()
        self._holders: dict[Share, None] = {}
        self._waiting: dict[Share, Callable[[], object]] = {}
        self._told_at: float | None = None

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

    def share(self) -> "Share":
        """Begin to count one download."""
        return Share(self)

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

    # For shares

    def _grow(self, share: "Share", total: int) -> bool:
        with self._lock:
            if share.released:
                return True  # a thread that has not noticed yet: nobody wants its bytes
            if not share.held:
                self._holders[share] = None
            elif not self._has_room(share):
                return False
            self._used += total - share.held
            share.held = total
            if self._waiting:
                self._wake()
            return True

    def _queue(self, share: "Share", wake: Callable[[], object]) -> None:
        """Have `wake` called once, from any thread, when it is worth while to try `_grow` again."""
        with self._lock:
            if share.released or not share.held or self._has_room(share):
                wake()
                return
            self._waiting[share] = wake
            if share.has_waited:
                return
            share.has_waited = True
            self.waits += 1
            now = time.monotonic()
            tell = self._told_at is None or now - self._told_at >= _TELL_EVERY_S
            if tell:
                self._told_at = now
            used, waiting = self._used, len(self._waiting)
        if tell:
            logger.info(
                "downloads wait for room: bodies take %s of %s bytes, %s waiting now; more parsers or a larger"
                " --bytes-in-flight help",
                f"{used:,}",
                f"{self.limit:,}",
                f"{waiting:,}",
            )

    def _leave(self, share: "Share") -> None:
        with self._lock:
            share.released = True
            if share.held:
                del self._holders[share]
                self._used -= share.held
                share.held = 0
            if self._waiting:
                self._waiting.pop(share, None)
            if self._waiting:
                self._wake()

    def _has_room(self, share: "Share") -> bool:
        return self._used < self.limit or (not self._taken and next(iter(self._holders)) is share)

    def _wake(self) -> None:
        """Wake the oldest holder if it may go on anyway, and one more if there is room: that one wakes the next."""
        if not self._taken:
            oldest = next(iter(self._holders))  # whoever waits holds something
            if oldest in self._waiting:
                self._waiting.pop(oldest)()
        if self._waiting and self._used < self.limit:
            self._waiting.pop(next(iter(self._waiting)))()


class Share:
    """What one download holds of a budget. `grow` and the two ways to wait are for the one who downloads.

    `held` (bytes), `released` and `has_waited` belong to the budget.
    """

    __slots__ = ("_budget", "has_waited", "held", "released")

    def __init__(self, budget: ByteBudget) -> None:
        self._budget = budget
        self.held = 0
        self.released = False
        self.has_waited = False

    def grow(self, total: int) -> bool:
        """Whether the body may become `total` bytes long; False = not yet, wait and try again."""
        return total <= FREE_BYTES or self._budget._grow(self, total)  # noqa: SLF001 - two halves of one thing

    async def room(self) -> None:
        """Wait, in an event loop, until it is worth while to try again."""
        woken = asyncio.get_running_loop().create_future()
        self._budget._queue(self, partial(settle_from_thread, woken))  # noqa: SLF001 - as above
        await woken

    def room_in_thread(self, woken: threading.Event) -> None:
        """Wait, in a thread, until it is worth while to try again, or until somebody else sets `woken`."""
        self._budget._queue(self, woken.set)  # noqa: SLF001 - as above
        woken.wait()

    def release(self) -> None:
        """Give everything back. What grows later does not count. Idempotent; for any thread."""
        self._budget._leave(self)  # noqa: SLF001 - as above
