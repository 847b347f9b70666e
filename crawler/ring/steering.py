"""Steering a crawl while it runs: pause, resume, stop, and what is asked of a host."""

import asyncio
import threading
from collections.abc import Callable

from msgspec import structs

from crawler.core.steered import Change, Steered
from crawler.core.threads import call_in
from crawler.web.urls import named_authority

__all__ = ["Steering"]


class Steering:
    """What a person changes in a crawl while it runs. All of it is in the store with the next commit, but for `stop`.

    A later run begins with what was in force, but that it is not paused: to crawl is to go on. Each method may be
    called from any thread, at any time; before the crawl has its stages, they learn of it when they begin. A host is
    named as a person would: `example.org`, `example.org:8080`, or any URL of it.

    State, under the lock: what is in force; what was changed before the stages were there; the two that are told of
    each change: `keep`, which has it stored, and `act`, which is called in the loop, as `on_stop` is.
    """

    def __init__(self, on_stop: Callable[[], None]) -> None:
        self._on_stop = on_stop
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()
        self._state = Steered()
        self._early: list[Change] = []
        self._keep: Callable[[Steered], None] | None = None
        self._act: Callable[[Steered], None] | None = None

    @property
    def state(self) -> Steered:
        """What is in force."""
        return self._state

    def pause(self) -> None:
        """Ask for nothing new. What is under way ends, and the crawl stays open; `max_time` goes on."""
        self.change(Change("pause"))

    def resume(self) -> None:
        """Go on after `pause`."""
        self.change(Change("resume"))

    def stop(self) -> None:
        """End as the first Ctrl-C does: what is under way ends, the rest stays due."""
        self.change(Change("stop"))

    def delay(self, host: str, seconds: float | None) -> None:
        """Wait so many seconds between two requests to a host, whatever `delay_s` is; None takes that back.

        A larger Crawl-delay or Retry-After wins, as over `delay_s`. Raises `UsageError`.
        """
        self.change(Change("delay", named_authority(host), seconds))

    def block(self, host: str) -> None:
        """Ask a host for nothing. Its URLs stay due, and end as `skipped: blocked` when nothing else is left.

        Raises `UsageError`.
        """
        self.change(Change("block", named_authority(host)))

    def unblock(self, host: str) -> None:
        """Ask a host again that was blocked. Raises `UsageError`."""
        self.change(Change("unblock", named_authority(host)))

    def change(self, change: Change) -> None:
        """Make one change. Raises `UsageError` if it cannot be made."""
        with self._lock:
            if change.do == "stop":
                self._call(self._on_stop)
                return
            self._put(self._state.after(change))
            if self._keep is None:
                self._early.append(change)

    # What the ring calls, in the event loop's thread

    def enter(self) -> None:
        """Learn that the crawl begins in the loop that runs."""
        self._loop = asyncio.get_running_loop()

    def begin(self, kept: Steered, keep: Callable[[Steered], None], act: Callable[[Steered], None]) -> None:
        """Go on with what an earlier run has kept, and what was changed since this one began; tell these two of it."""
        with self._lock:
            state = structs.replace(kept, paused=False)
            for change in self._early:
                state = state.after(change)
            self._keep, self._act = keep, act
            self._put(state)

    def _put(self, state: Steered) -> None:
        self._state = state
        if self._keep is not None and self._act is not None:
            self._keep(state)
            self._call(self._act, state)

    def _call(self, function: Callable[..., None], *arguments: Steered) -> None:
        if self._loop is None:
            function(*arguments)
        else:
            call_in(self._loop, function, *arguments)
