"""Ctrl-C and SIGTERM: the first lets a command finish what is under way, the second ends it."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["ended_by_signals"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def ended_by_signals(stop: Callable[[], None], leave: Callable[[], None]) -> Iterator[None]:
    """Let the first signal call `stop`, and each further one `leave`, while the block runs in the event loop.

    After a first signal further ones count for nothing once the block has ended: what is left takes a moment.
    """
    loop = asyncio.get_running_loop()
    stopping = False

    def told() -> None:
        nonlocal stopping
        if stopping:
            leave()
        stopping = True
        stop()

    for number in _SIGNALS:
        loop.add_signal_handler(number, told)
    try:
        yield
    finally:
        # Between the two handlers a signal would end the process with another code than the one promised.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
            if stopping:
                signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
