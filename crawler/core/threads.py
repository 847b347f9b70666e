"""One thread that calls functions one after the other, and waiting that a cancellation cannot cut short."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from typing import Any

__all__ = ["OneThread", "ended", "settled"]

_Call = tuple[asyncio.AbstractEventLoop, "asyncio.Future[Any]", Callable[[], Any]]


class OneThread:
    """A thread that calls what it is given, one after the other, for one event loop; `close` ends it.

    Not a ThreadPoolExecutor: at exit the interpreter waits for the threads of all executors before it tells anybody
    that it ends, and a thread that waits for the program to take records would never end. This one is a daemon.
    """

    def __init__(self, name: str) -> None:
        self._calls: SimpleQueue[_Call | None] = SimpleQueue()
        self._thread = threading.Thread(target=_work, args=(self._calls,), name=name, daemon=True)
        self._thread.start()

    def start(self, function: Callable[..., Any], *arguments: Any) -> "asyncio.Future[Any]":
        """Queue a call. The future that is returned ends with it; to cancel the future does not stop the function."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self._calls.put((loop, future, partial(function, *arguments)))
        return future

    async def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function and wait for its end, even when cancelled: the cancellation is raised afterwards."""
        return await settled(self.start(function, *arguments))

    def close(self) -> None:
        """End the thread after the calls queued before, and wait for that."""
        self._calls.put(None)
        self._thread.join()


async def ended(future: "asyncio.Future[Any]") -> None:
    """Wait for the end of a future, whatever comes of it. A cancellation meanwhile is raised after that end."""
    cancelled: asyncio.CancelledError | None = None
    while not future.done():
        try:
            await asyncio.wait({future})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        # Known to have failed, although nobody will ask for it.
        _ = future.cancelled() or future.exception()
        raise cancelled


async def settled(future: "asyncio.Future[Any]") -> Any:
    """Wait as `ended`; then return what the future holds, or raise it."""
    await ended(future)
    return future.result()


def _work(calls: "SimpleQueue[_Call | None]") -> None:
    while (call := calls.get()) is not None:
        loop, future, function = call
        result, error = None, None
        try:
            result = function()
        except BaseException as raised:  # noqa: BLE001 - it is raised again where the future is awaited
            error = raised
        # A loop that is closed has nobody who waits.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(_settle, future, result, error)
        # Nothing of this call may live until the next one comes.
        del call, loop, future, function, result, error


def _settle(future: "asyncio.Future[Any]", result: Any, error: BaseException | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
