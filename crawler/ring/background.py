"""Work in a thread with an event loop of its own, whose records the program takes as they come."""

import asyncio
import concurrent.futures.thread  # noqa: F401 - cannot be imported any more when the main thread has ended
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol

from crawler.core.errors import UsageError
from crawler.core.event_loop import loop_factory
from crawler.core.fork import Birth
from crawler.core.threads import call_in
from crawler.ledger.sinks.consumer import ConsumerLeftError, ConsumerSink

__all__ = ["Background", "Work"]

_LOOK_S = 0.25


class Work(Protocol):
    """What runs in the thread: a `Crawler`, an `Extraction`."""

    async def run(self) -> object:
        """Work to the end. Cancelled, it ends at once what is under way."""

    def stop(self) -> None:
        """Start nothing new and finish what is under way. For the event loop's thread."""


class Background:
    """The thread in which a crawl runs, and the way to its records. It holds no reference to who takes them.

    `job`: the folder of its state, if it has one: two of one folder do not run at once. `consumer` is one of the sinks
    of `work`. `last` is awaited in the same event loop when the work has ended.

    State: the thread and whether what broke the crawl was raised, changed by the consumer; the loop with its task and
    what broke the crawl, changed by the thread.
    """

    def __init__(
        self,
        work: Work,
        consumer: ConsumerSink,
        job: Path | None = None,
        last: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._work = work
        self._last = last
        self._consumer = consumer
        self._folder = None if job is None else job.resolve()
        self._starting = threading.Lock()
        self._birth = Birth()
        self._thread: threading.Thread | None = None
        self._told = False
        self._stopped = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[Any] | None = None
        self._error: BaseException | None = None

    def next(self) -> bytes | None:
        """Return the next record, or None after the last one; start the crawl if that has not been done.

        Raises `UsageError` in a process that was forked meanwhile.
        """
        if self._is_copy:
            raise UsageError(
                f"these records are taken by process {self._birth.pid}, and this one was forked from it: take them "
                "there, and give to other processes what is to be done with them"
            )
        with self._starting:
            if self._thread is None and not self._consumer.left:
                self._start()
        line = self._consumer.wait()
        if line is None:  # it ends by itself: to leave now would hide what broke it
            self._wait_for_end(quietly=False)
        return line

    def leave(self) -> None:
        """Take no more records and cancel the crawl; returns at once. From any thread, the garbage collector too.

        Nothing happens in a process that was forked meanwhile: it has a copy, maybe with locks that are held.
        """
        if self._is_copy:
            return
        self._consumer.leave()
        self._in_loop(lambda: self._task and self._task.cancel())

    def stop(self) -> None:
        """Let the crawl drain, or not begin."""
        if self._is_copy:
            return
        self._stopped = True
        self._in_loop(self._work.stop)

    def close(self, *, quietly: bool) -> None:
        """Leave and wait for the end. Raises what broke the crawl, once, unless `quietly`."""
        if self._is_copy:
            return
        if not self._consumer.ended:
            self.leave()
        self._wait_for_end(quietly=quietly)

    def _wait_for_end(self, *, quietly: bool) -> None:
        if self._thread is not None:
            self._thread.join()
        if self._error is not None and not quietly and not self._told:
            self._told = True
            raise self._error

    def wait_if_left(self) -> None:
        """Wait for the end if the consumer has left: a moment longer it holds the job."""
        if self._consumer.left and self._thread is not None:
            self._thread.join()

    @property
    def _is_copy(self) -> bool:
        """Whether the thread runs in a process from which this one was forked."""
        return self._thread is not None and not self._birth.is_here

    def _start(self) -> None:
        self._birth = Birth()
        if self._folder is not None:
            other = _running.get(self._folder)
            if other is not None:
                other.wait_if_left()
            _running.setdefault(self._folder, self)
        # The interpreter waits for it at its end, so that it ends in good order even then: see `_watch`.
        self._thread = threading.Thread(target=self._main, name="crawl", daemon=False)
        self._thread.start()

    # The thread

    def _main(self) -> None:
        try:
            with asyncio.Runner(loop_factory=loop_factory()) as runner:
                runner.run(self._crawl())
        except (asyncio.CancelledError, ConsumerLeftError):
            pass  # its consumer has left
        except BaseException as error:  # noqa: BLE001 - it is raised again where records are asked for
            self._error = error
        finally:
            if self._folder is not None and _running.get(self._folder) is self:
                del _running[self._folder]
            self._consumer.end()

    async def _crawl(self) -> None:
        self._task = asyncio.current_task()
        self._loop = asyncio.get_running_loop()
        if self._consumer.left:  # before there was a task to cancel
            return
        if self._stopped:
            self._work.stop()
        watch = asyncio.create_task(self._watch())
        try:
            await self._work.run()
        finally:
            watch.cancel()
            if self._last is not None:
                await self._last()

    async def _watch(self) -> None:
        """Leave when nobody can come for records any more: the program has ended without closing the crawl."""
        while not self._consumer.abandoned:  # noqa: ASYNC110 - there is no event for the end of the main thread
            await asyncio.sleep(_LOOK_S)
        self.leave()

    def _in_loop(self, function: Callable[[], object]) -> None:
        if self._loop is not None:
            call_in(self._loop, function)


_running: dict[Path, Background] = {}
"""The crawls of this process by the folders of their jobs."""
