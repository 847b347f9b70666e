"""What people change in a crawl while it runs, as far as the ledger is concerned."""

import threading
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from crawler.core.steered import BLOCKED, Steered
from crawler.frontier.frontier import Frontier
from crawler.frontier.reopening import Retried
from crawler.frontier.store import Store
from crawler.ledger.incoming import Incoming

__all__ = ["Changes", "keep_steering", "kept_steering"]

_STEERING: Final = "steering"
_UNBLOCKED: Final = "unblocked"


class Changes:
    """Applies what is changed, and keeps it with the next commit. `changed()` is called when there is something to do.

    `steer` may be called from any thread, all else from the ledger's. State, under the lock: what was told and is not
    applied; of the ledger's thread: what is in force, whether the crawl is paused, and hosts that are blocked no more,
    whose URLs may have ended so, with how far these were looked through.
    """

    def __init__(self, store: Store, frontier: Frontier, changed: Callable[[], None]) -> None:
        self._store = store
        self._frontier = frontier
        self._changed = changed
        self.incoming: Incoming | None = None
        self._lock = threading.Lock()
        self._told: Steered | None = None
        self._in_force = kept_steering(store)
        self._paused = False
        self._unblocked: dict[str, bytes] = store.meta(_UNBLOCKED) or {}

    def steer(self, steered: Steered) -> None:
        """Put in force what a person wants, and keep it for later runs."""
        with self._lock:
            self._told = steered
        self._changed()

    @property
    def are_waiting(self) -> bool:
        """Whether there is something to do now."""
        return self._told is not None or bool(self._unblocked) or (self.incoming is not None and self.incoming.is_due)

    @property
    def keep_open(self) -> bool:
        """Whether the crawl goes on although nothing is left to do."""
        return self._paused or bool(self._unblocked) or self.follows

    @property
    def follows(self) -> bool:
        """Whether the crawl waits for more seeds; from any thread."""
        return self.incoming is not None and self.incoming.keep_open

    @property
    def is_quiet(self) -> bool:
        """Whether nothing keeps the crawl open, and nothing has come that is to be taken."""
        return not self.keep_open and (self.incoming is None or not self.incoming.has_more())

    def close(self, *, done: bool) -> None:
        """Take nothing more, whatever has come. `done`: the crawl ends since nothing is left."""
        if self.incoming is not None:
            self.incoming.close(done=done)

    def has_more(self, *, done: bool = True) -> bool:
        """Look whether something has come just now, before the crawl says that it ends. If not, no more is taken.

        `done`: it ends since nothing is left.
        """
        if self.incoming is None:
            return False
        if self.incoming.has_more() or (done and self.follows):
            return True
        self.incoming.close(done=done)
        return False

    def apply(self) -> None:
        """Do what there is to do, or the next part of it."""
        if self.incoming is not None and self.incoming.is_due:
            self.incoming.take()
        with self._lock:
            told, self._told = self._told, None
        if told is not None:
            self._put_in_force(told)
        for host, after in list(self._unblocked.items())[:1]:
            self._reopen(host, after)

    def committed(self) -> None:
        """Learn that the open batch was committed."""
        if self.incoming is not None:
            self.incoming.committed()

    def _put_in_force(self, told: Steered) -> None:
        self._paused = told.paused
        self._frontier.block(map(self._store.keys.authority, told.blocked))
        before, self._in_force = self._in_force, told
        if told != before:
            keep_steering(self._store, told)
        if f"skipped: {BLOCKED}" in self._frontier.counters.outcomes:
            self._unblocked |= dict.fromkeys(set(before.blocked) - set(told.blocked), b"")
            self._store.put_meta(_UNBLOCKED, self._unblocked)

    def _reopen(self, host: str, after: bytes) -> None:
        """Make URLs due again that have ended since their host was blocked, as far as one step goes."""
        _, behind = self._frontier.reopen(Retried(kinds=(BLOCKED,), host=host), after)
        if behind is None:
            del self._unblocked[host]
        else:
            self._unblocked[host] = behind
        self._store.put_meta(_UNBLOCKED, self._unblocked)


def kept_steering(store: Store) -> Steered:
    """Return what was in force at the last commit."""
    return msgspec.convert(store.meta(_STEERING) or {}, Steered)


def keep_steering(store: Store, steered: Steered) -> None:
    """Put what is in force into the open batch."""
    plain: Mapping[str, object] = msgspec.to_builtins(steered)
    store.put_meta(_STEERING, plain)
