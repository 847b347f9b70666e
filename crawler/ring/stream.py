"""The records of a crawl for the program that runs it: what `async for` takes them from."""

import asyncio
from typing import Any

from crawler.core.threads import call_in, ended
from crawler.ledger.sinks.consumer import ConsumerLeftError, ConsumerSink

__all__ = ["RecordStream", "cancelled"]


class RecordStream:
    """Records in the event loop in which the crawl runs. `sink` is to be the first sink of the crawl.

    State, changed in that loop: the crawl as a task, and whether what broke it was raised.
    """

    def __init__(self) -> None:
        self._changed = asyncio.Event()
        self._task: asyncio.Task[Any] | None = None
        self._told = False
        self._loop = asyncio.get_running_loop()
        self.sink = ConsumerSink(self._wake)

    async def start(self, task: "asyncio.Task[Any]", begun: asyncio.Event) -> None:
        """Take the crawl that was started and wait until it has begun. Raises what breaks it before; then it has ended.

        Cancelled meanwhile, it cancels the crawl and waits for its end.
        """
        self._task = task
        task.add_done_callback(lambda _: self.sink.end())
        waits = asyncio.create_task(begun.wait())
        try:
            await asyncio.wait({task, waits}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                self._raise_once()
        except asyncio.CancelledError:
            await cancelled(task)
            raise
        finally:
            waits.cancel()

    async def next(self) -> bytes | None:
        """Return the next record as a line of JSON, or None after the last one. Raises what broke the crawl, once."""
        # Records that lie ready must not keep others from their turn: the fetcher shares this loop.
        await asyncio.sleep(0)
        while True:
            self._changed.clear()
            line = self.sink.take()
            if line is not None:
                return line
            if self.sink.ended or self.sink.left:
                break
            await self._changed.wait()
        if self._task is not None:
            await ended(self._task)
        self._raise_once()
        return None

    async def leave(self, *, quietly: bool) -> None:
        """Take no more: cancel the crawl if it has not ended, and wait for that. Raises as `next`, or `quietly` not."""
        self.sink.leave()
        if self._task is not None:
            await cancelled(self._task)
        if not quietly:
            self._raise_once()

    def _raise_once(self) -> None:
        """Raise what broke the crawl, the first time. That its consumer has left did not break it."""
        if self._told or self._task is None or self._task.cancelled():
            return
        error = self._task.exception()
        if error is not None and not isinstance(error, ConsumerLeftError):
            self._told = True
            raise error

    def _wake(self) -> None:
        call_in(self._loop, self._changed.set)


async def cancelled(task: "asyncio.Task[Any]") -> None:
    """Cancel a task unless it has ended, and wait for its end, whatever comes of it.

    It is cancelled once, however often this waiting is: its own clean-up is not cut short.
    """
    task.cancel()
    try:
        await ended(task)
    finally:
        _ = task.cancelled() or task.exception()  # known, even if nobody asks for it
