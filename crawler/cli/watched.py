"""Work that a person looks on at: with its display, until it has ended or signals end it."""

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Never, TypeVar

from crawler.cli.exit_code import ExitCode
from crawler.cli.signals import ended_by_signals

__all__ = ["leave_at_once", "watched"]

T = TypeVar("T")


async def watched(
    work: Coroutine[Any, Any, T],
    showing: Coroutine[Any, Any, None],
    *,
    stop: Callable[[], None],
    leave: Callable[[], None],
) -> T:
    """Do the work beside `showing`, its display, which goes on until it is cancelled.

    The first signal calls `stop`, each further one `leave`, which ends the process. Raises what the work raises. A
    display that fails is told of in the log.
    """
    with ended_by_signals(stop, leave):
        display = asyncio.create_task(showing)
        try:
            return await work
        finally:
            display.cancel()
            await asyncio.wait({display})
            if not display.cancelled() and (error := display.exception()) is not None:
                logging.getLogger(__name__).warning("the display failed: %r", error)


def leave_at_once(end: Callable[[], None], patience_s: float) -> Never:
    """End the process, after `end` if that takes no longer than this.

    A terminal that takes no output (Ctrl-S), or a machine that does not answer, must not hold the process.
    """
    ending = threading.Thread(target=end, daemon=True)
    ending.start()
    ending.join(patience_s)
    os._exit(ExitCode.INTERRUPTED)
