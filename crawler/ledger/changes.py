"""What people change in a crawl while it runs, as far as the ledger is concerned."""

import threading
from collections.abc import Callable

import msgspec

from crawler.core.steered import Steered
from crawler.frontier.frontier import Frontier
from crawler.frontier.store import Store

__all__ = ["Changes", "kept_steering"]

_STEERING = "steering"


class Changes:
    """Applies what is changed, and keeps it with the next commit. `changed()` is called when there is something to do.

    `steer` may be called from any thread, all else from the ledger's. State, under the lock: what was told and is not
    applied; of the ledger's thread: whether the crawl is paused.
    """

    def __init__(self, store: Store, frontier: Frontier, changed: Callable[[], None]) -> None:
        self._store = store
        self._frontier = frontier
        self._changed = changed
        self._lock = threading.Lock()
        self._told: Steered | None = None
        self._paused = False

    def steer(self, steered: Steered) -> None:
        """Put in force what a person wants, and keep it for later runs."""
        with self._lock:
            self._told = steered
        self._changed()

    @property
    def are_waiting(self) -> bool:
        """Whether there is something to do now."""
        return self._told is not None

    @property
    def keep_open(self) -> bool:
        """Whether the crawl goes on although nothing is left to do."""
        return self._paused

    def apply(self) -> None:
        """Do what there is to do."""
        with self._lock:
            told, self._told = self._told, None
        if told is not None:
            self._paused = told.paused
            self._frontier.block(map(self._store.keys.authority, told.blocked))
            if told != kept_steering(self._store):
                self._store.put_meta(_STEERING, msgspec.to_builtins(told))


def kept_steering(store: Store) -> Steered:
    """Return what was in force at the last commit."""
    return msgspec.convert(store.meta(_STEERING) or {}, Steered)
