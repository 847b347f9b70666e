"""How long work takes beside other work of the same run, so that neither a slow nor a busy machine matters."""

from collections.abc import Callable
from time import process_time

__all__ = ["processor_s", "takes_linear_time"]

_ATTEMPTS = 4


def takes_linear_time(work: Callable[[int], object], size: int) -> bool:
    """Whether `work(8 * size)` takes less than 40 times as long as `work(size)`; linear would be 8 times.

    Counted is the processor time of this process alone. A machine under load spoils a measurement now and then, so it
    takes four bad ones in a row to say no. What takes less than 2 ms at the larger size is fast enough, whatever it
    does.
    """
    for _ in range(_ATTEMPTS):
        long = processor_s(lambda: work(8 * size), tries=1)
        if long < 0.002 or long < 40 * processor_s(lambda: work(size)):
            return True
    return False


def processor_s(work: Callable[[], object], *, tries: int = 3) -> float:
    """Seconds of processor time that `work` takes of this process: the least of so many tries."""
    times = []
    for _ in range(tries):
        began = process_time()
        work()
        times.append(process_time() - began)
    return min(times)
