"""Times of answers, counted so that any percentile can be had, in memory that does not grow with their number."""

from collections.abc import Iterator
from itertools import pairwise

from msgspec import Struct

__all__ = ["Histogram", "rounded_ms"]

_EXACT_MS = 1_000
_STEP = 100


def rounded_ms(ms: int) -> int:
    """Return a time as it is counted: exact below a second, from there on rounded down to three digits."""
    if ms < _EXACT_MS:
        return max(0, ms)
    step: int = 10 ** (len(str(ms)) - 3)
    return ms // step * step


class Histogram(Struct):
    """How often each time was met, in milliseconds, as `rounded_ms` gives them. State: these numbers."""

    counts: dict[int, int] = {}
    sum_ms: int = 0
    most_ms: int = 0

    def count(self, ms: int, number: int = 1) -> None:
        """Count a time that was met so often."""
        place = rounded_ms(ms)
        self.counts[place] = self.counts.get(place, 0) + number
        self.sum_ms += number * ms
        self.most_ms = max(self.most_ms, ms)

    def add(self, other: "Histogram") -> None:
        """Count what another one has counted."""
        for ms, number in other.counts.items():
            self.counts[ms] = self.counts.get(ms, 0) + number
        self.sum_ms += other.sum_ms
        self.most_ms = max(self.most_ms, other.most_ms)

    @property
    def total(self) -> int:
        """How many times were counted."""
        return sum(self.counts.values())

    def percentile(self, share: float) -> int | None:
        """Return the time within which this share of all lie, None if there are none."""
        total = self.total
        if not total:
            return None
        below = 0
        for ms in sorted(self.counts):
            below += self.counts[ms]
            if below >= share * total:
                return ms
        return self.most_ms

    def bars(self) -> Iterator[tuple[int, int, int]]:
        """Give (from, to, number) with `to` = 1, 2, 5, 10, 20, 50, … ms: from the first to the last that has any."""
        edges = [0, *(digit * 10**power for power in range(7) for digit in (1, 2, 5))]
        bars = [
            (low, high, sum(number for ms, number in self.counts.items() if low <= ms < high))
            for low, high in pairwise(edges)
        ]
        filled = [place for place, (_, _, number) in enumerate(bars) if number]
        if filled:
            yield from bars[filled[0] : filled[-1] + 1]
