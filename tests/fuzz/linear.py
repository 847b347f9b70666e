"""Whether work grows with its input as it should, measured so that a busy machine does not matter."""

from collections.abc import Callable
from time import process_time

__all__ = ["takes_linear_time"]

_ATTEMPTS = 4


def takes_linear_time(work: Callable[[int], object], size: int) -> bool:
    """Whether `work(8 * size)` takes less than 40 times as long as `work(size)`; linear would be 8 times.

    Counted is the processor time of this process alone. A machine under load spoils a measurement now and then, so it
    takes four bad ones in a row to say no. What takes less than 2 ms at the larger size is fast enough, whatever it
    does.
    """
    for _ in range(_ATTEMPTS):
        long = _best(work, 8 * size)
        if long < 0.002 or long < 40 * _best(work, size):
            return True
    return False


def _best(work: Callable[[int], object], size: int) -> float:
    times = []
    for _ in range(3):
        began = process_time()
        work(size)
        times.append(process_time() - began)
    return min(times)
