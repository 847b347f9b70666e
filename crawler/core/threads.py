"""Between threads and event loops: calls that cross over, futures that end, waiting that no cancellation cuts short."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from typing import Any

__all__ = ["OneThread", "call_in", "ended", "settle", "settle_from_thread", "settled"]

_Call = tuple["asyncio.Future[Any]", Callable[[], Any]]


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
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._calls.put((future, partial(function, *arguments)))
        return future

    async def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function and wait for its end, even when cancelled: the cancellation is raised afterwards."""
        return await settled(self.start(function, *arguments))

    def close(self) -> None:
        """End the thread after the calls queued before, and wait for that."""
        self._calls.put(None)
        self._thread.join()


def call_in(loop: asyncio.AbstractEventLoop, function: Callable[..., object], *arguments: Any) -> None:
    """Have an event loop call a function soon; from any thread. A loop that is closed calls nothing: nobody waits."""
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(function, *arguments)


def settle(future: "asyncio.Future[Any]", result: Any = None, error: BaseException | None = None) -> None:
    """End a future with a result or an error, in its loop's thread. One that has ended, or was cancelled, stays."""
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)


def settle_from_thread(future: "asyncio.Future[Any]", result: Any = None, error: BaseException | None = None) -> None:
    """End a future as `settle`, from any thread, soon. Nothing happens when its loop is closed."""
    call_in(future.get_loop(), settle, future, result, error)


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
        future, function = call
        result, error = None, None
        try:
            result = function()
        except BaseException as raised:  # noqa: BLE001 - it is raised again where the future is awaited
            error = raised
        settle_from_thread(future, result, error)
        # Nothing of this call may live until the next one comes.
        del call, future, function, result, error
