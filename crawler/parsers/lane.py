"""Pages that go to parsers together: an open batch, and the batches that parsers have left."""

import time
from collections import deque
from typing import Final

from crawler.parsers.batch import Batch, BatchLimits, Item
from crawler.parsers.costs import Standing
from crawler.parsers.line import Line

__all__ = ["Lane"]


_OTHERS_SINK: Final = 16
_DIED_S: Final = 1.0
"""What it costs about that a parser dies."""


class Lane:
    """One of the ways to the parsers, of pages whose hosts have the same `standing`. Doubtful ones go one by one.

    State, under the lock of the pool: the open batch; those that parsers have left, to go `again` before it; how long a
    page takes lately, and so how many a batch may have; the parser seconds that the lane has used lately, by which it
    is known whose turn it is. `line` has the pages that wait for room, and is of `Waiting`.
    """

    def __init__(self, limits: BatchLimits, standing: Standing) -> None:
        self.standing = standing
        self.again: deque[Batch] = deque()
        self.line = Line()
        self.page_s = 0.0
        self.used_s = 0.0
        self._limits = limits
        self._open: list[Item] = []
        self._open_bytes = 0
        self._open_since = 0.0
        self._most = limits.pages if standing == Standing.QUICK else 1

    @property
    def has_open(self) -> bool:
        """Whether there is an open batch, which will be due."""
        return bool(self._open)

    @property
    def has_some(self) -> bool:
        """Whether there is anything."""
        return bool(self._open or self.again)

    @property
    def is_slow(self) -> bool:
        """Whether its pages take long, as far as anybody knows."""
        if self.standing == Standing.UNPROVEN:
            return not 0 < self.page_s <= self._limits.parse_s
        return self.standing == Standing.DOUBTFUL

    @property
    def is_full(self) -> bool:
        """Whether the open batch takes no page more."""
        return len(self._open) >= self._most or self._open_bytes >= self._limits.bytes

    def is_due(self, *, at_once: bool) -> bool:
        """Whether something should go now; `at_once`: the open batch need not wait for more."""
        return bool(self.again) or (bool(self._open) and (at_once or self.is_full or self.due_in_s <= 0))

    @property
    def due_in_s(self) -> float:
        """Seconds until the first page of the open batch has waited long enough."""
        return self._open_since + self._limits.wait_s - time.monotonic()

    def add(self, item: Item) -> None:
        """Put a page into the open batch, which is not full."""
        if not self._open:
            self._open_since = time.monotonic()
        self._open.append(item)
        self._open_bytes += item.size

    def take(self) -> Batch:
        """Take what goes next. As long as nobody knows how long pages take, the first one goes alone."""
        if self.again:
            return self.again.popleft()
        taken = self._most if self.page_s or not self._limits.eager else 1
        batch, self._open = Batch(self._open[:taken], self.standing), self._open[taken:]
        self._open_bytes -= sum(item.size for item in batch.items)
        return batch

    def empty(self) -> list[Batch]:
        """Take all that is here, to be judged again; the last batch first."""
        batches = [Batch(self._open, self.standing), *reversed(self.again)]
        self._open, self._open_bytes = [], 0
        self.again.clear()
        return batches

    def learn(self, pages: int, seconds: float) -> None:
        """Learn how long a batch took. That unproven pages were slow is not forgotten soon."""
        change_s = seconds / pages - self.page_s
        sinks = self.standing != Standing.QUICK and self.page_s and change_s < 0
        self.page_s += change_s / (_OTHERS_SINK if sinks else 4)
        self.used_s += seconds
        if self.page_s and self.standing != Standing.DOUBTFUL:  # slow ones must not wait for each other
            self._most = max(1, int(min(self._limits.parse_s / self.page_s, self._limits.pages)))

    def died(self) -> None:
        """Learn that a parser died over a page: that is as good as a slow one."""
        self.page_s = max(self.page_s, _DIED_S)
        self.used_s += _DIED_S
