"""Which hosts keep the parsers busy."""

from heapq import nlargest
from math import log
from typing import Final

__all__ = ["Busiest"]

_HALF_LIFE_S: Final = 10.0
_WORTH_S: Final = 0.02
_MOST_HOSTS: Final = 1_000
_NAMED: Final = 3


class Busiest:
    """Remembers for how long parsers were at pages of each host lately: what is 10 s old counts half.

    Pages of less than 20 ms are left out, so that ordinary ones cost nothing here. `now` is `time.monotonic`.

    State, under the lock of the pool: a sum for each host, as of when its last page came; the thousand seen last.
    """

    def __init__(self) -> None:
        self._sums: dict[str, tuple[float, float]] = {}

    def learn(self, host: str, seconds: float, now: float) -> None:
        """Learn that a page took so long."""
        if seconds < _WORTH_S:
            return
        before = self._sums.pop(host, None)
        if before is not None:
            seconds += _kept(before, now)
        elif len(self._sums) >= _MOST_HOSTS:
            del self._sums[next(iter(self._sums))]
        self._sums[host] = (seconds, now)

    def first(self, now: float, most: int = _NAMED) -> dict[str, float]:
        """Return the busiest hosts, each with how many parsers it has kept busy on the average: 0.5 is half of one."""
        per_s = log(2) / _HALF_LIFE_S
        named = nlargest(most, ((_kept(one, now), name) for name, one in self._sums.items()))
        return {name: seconds * per_s for seconds, name in named}


def _kept(one: tuple[float, float], now: float) -> float:
    seconds, at = one
    return float(seconds * 0.5 ** ((now - at) / _HALF_LIFE_S))
