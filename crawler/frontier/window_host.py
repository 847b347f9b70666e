"""A host in the window: how far its part of the queue was handed out, and what comes next of it."""

from collections import Counter, deque
from collections.abc import Container, Iterator

from crawler.frontier.gate import PASSING, STAND_BACK, Gate
from crawler.frontier.handed import Handed
from crawler.frontier.queue import UrlQueue
from crawler.frontier.row import UrlRow, is_late

__all__ = ["WindowHost", "level_of"]

_LEFT_OUT_AT_ONCE = 512
"""URLs that are left out before anything else is done, such as a commit: some 20 ms."""


class WindowHost:
    """A host in the window. `floor`: every queue entry below it is handed out or ended. `ahead`: the next entries from
    there on, as far as they were read. `backlog`: there are entries that are not handed out; `held`: the first of them
    is one that the host may not have now (`frontier.gate`). `levels`: tasks in the window by their level; `handed`:
    their number, `late` how many of them stand back, and `bytes` of their URLs. `put_off`: where to go on after the
    next commit, such as the first place of entries that stand back, which no scan sees yet. The window changes it.
    """

    __slots__ = ("ahead", "backlog", "bytes", "floor", "handed", "held", "key", "late", "levels", "put_off", "served")

    def __init__(self, key: bytes, *, backlog: bool) -> None:
        self.key = key
        self.floor = key + bytes(8)
        self.backlog = backlog
        self.held = False
        self.handed = 0
        self.late = 0
        self.bytes = 0
        self.served = 0
        self.put_off: bytes | None = None
        self.ahead: deque[tuple[bytes, bytes]] = deque()
        self.levels: Counter[int] = Counter()

    def put_back(self, place: bytes) -> None:
        """Learn of an entry that is not handed out, and may stand before all that are."""
        self.backlog = True
        self.floor = min(self.floor, place)

    def took(self, handed: Handed, *, level_by_level: bool) -> int:
        """Count a task that is handed out; return its bytes."""
        size = handed.size_bytes
        self.handed += 1
        self.late += is_late(handed.place)
        self.served += 1
        self.bytes += size
        if level_by_level:
            self.levels[level_of(handed.place)] += 1
        return size

    def gave_back(self, handed: Handed, *, level_by_level: bool) -> int:
        """Count a task that is handed out no more; return its bytes."""
        size = handed.size_bytes
        self.handed -= 1
        self.late -= is_late(handed.place)
        self.bytes -= size
        if level_by_level:
            self.levels[level_of(handed.place)] -= 1
        return size

    def next_due(
        self,
        queue: UrlQueue,
        handed: Container[bytes],
        gate: Gate,
        most_ahead: tuple[int, int],
        *,
        level_by_level: bool,
    ) -> Iterator[tuple[bytes, bytes, UrlRow]]:
        """Give (place, URL key, row) of what comes next of the committed queue, as long as it may be handed out.

        `most_ahead`: entries that are read at once, and bytes of them.
        """
        self.backlog, self.held = True, False
        left_out = 0
        level = min((here for here, count in self.levels.items() if count > 0), default=None)
        while True:
            if not self.ahead and not self._read_ahead(queue, handed, *most_ahead):
                self.backlog = False
                return
            place, value = self.ahead[0]
            if level_by_level:
                level = level_of(place) if level is None else level
                if level_of(place) > level:
                    return
            row, key = queue.row(value), value[:16]
            verdict = gate.verdict(self.key, place, row)
            if verdict and verdict not in PASSING:
                self.held = True
                return
            if left_out >= _LEFT_OUT_AT_ONCE:
                self._come_back(place)
                return
            self.ahead.popleft()
            self.floor = place
            if verdict == STAND_BACK:
                late = gate.put_off(place, key, row)
                queue.remove(place)
                queue.add(late, key, row)
                self._come_back(late)
            elif verdict:
                gate.leave_out(place, key, row)
                queue.remove(place)
                left_out += 1
            else:
                yield place, key, row

    def _come_back(self, place: bytes) -> None:
        """Go on at a place, or before it, after the next commit."""
        self.put_off = place if self.put_off is None else min(place, self.put_off)

    def took_put_off(self) -> list[bytes]:
        """Return the first place at which to go on after the next commit, if there is any."""
        place, self.put_off = self.put_off, None
        if place is None:
            return []
        self.put_back(place)
        return [place]

    def _read_ahead(self, queue: UrlQueue, handed: Container[bytes], most: int, most_bytes: int) -> bool:
        """Read up to `most` of the next entries, but for URLs that are handed out; False if there are none."""
        size = 0
        for place, value in queue.scan(self.floor, self.key + b"\xff" * 8):
            if value[:16] in handed:
                continue
            self.ahead.append((place, value))
            size += len(value)
            if len(self.ahead) >= most or size >= most_bytes:
                break
        return bool(self.ahead)


def level_of(place: bytes) -> int:
    """Return the level at which a place in the queue stands."""
    return int.from_bytes(place[8:10], "big")
