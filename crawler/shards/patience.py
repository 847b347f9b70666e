"""Calls to a storage that may not answer for a while: made again until it does, or nobody wants it any more."""

import logging
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from crawler.core.errors import StorageError

__all__ = ["Patience"]

_log = logging.getLogger(__name__)
_FIRST_PAUSE_S: Final = 1.0
_LAST_PAUSE_S: Final = 30.0
_AT_ONCE: Final = 4
"""Calls that wait for a storage over the network at one time."""

T = TypeVar("T")


class Patience:
    """Makes a call again that the storage refused, after pauses of 1 to 30 s, as long as `may_go_on` says so.

    The first refusal of a call is a warning in the log. Has no state beside that question; any thread may use it.
    """

    def __init__(self, may_go_on: Callable[[], bool]) -> None:
        self.may_go_on = may_go_on

    def until_done(self, call: Callable[[], T]) -> T:
        """Return what the call returns. Raises the `StorageError` of the last attempt."""
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                return call()
            except StorageError as error:
                if not self.may_go_on():
                    raise
                if pause_s == _FIRST_PAUSE_S:
                    what, *_ = str(error).split(";", 1)  # not what is to be done by who ran into it
                    _log.warning("%s; it will be tried again", what)
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, _LAST_PAUSE_S)

    def each(self, calls: Iterable[Callable[[], T]], *, at_once: bool) -> list[T]:
        """Make calls until all are done, a few `at_once` or one after the other; return what they return."""
        if not at_once:
            return [self.until_done(call) for call in calls]
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="upload") as pool:
            return list(pool.map(self.until_done, calls))
