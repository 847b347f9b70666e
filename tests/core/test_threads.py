"""Futures that another thread ends: the loop may be closed by then, and whoever waited may be gone."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from crawler.core.threads import OneThread, call_in, settle, settle_from_thread


def in_a_thread(function, *arguments) -> None:
    """Call it in another thread; what it raises is raised here."""
    with ThreadPoolExecutor(1) as threads:
        threads.submit(function, *arguments).result()


async def test_a_future_that_a_thread_ends_holds_the_result_or_the_error():
    good, bad = (asyncio.get_running_loop().create_future() for _ in range(2))
    in_a_thread(settle_from_thread, good, 7)
    in_a_thread(settle_from_thread, bad, None, ValueError("seen"))
    assert await good == 7
    with pytest.raises(ValueError, match="seen"):
        await bad


async def test_the_first_end_of_a_future_counts():
    one, cancelled = (asyncio.get_running_loop().create_future() for _ in range(2))
    cancelled.cancel()
    settle(one, "first")
    for future in (one, cancelled):
        settle(future, "second")
        settle(future, error=ValueError("third"))
        in_a_thread(settle_from_thread, future, "fourth")
    await asyncio.sleep(0)
    assert one.result() == "first"
    assert cancelled.cancelled()


def test_a_loop_that_is_closed_is_left_alone():
    loop = asyncio.new_event_loop()
    future = loop.create_future()
    loop.close()
    called: list[int] = []
    in_a_thread(call_in, loop, called.append, 1)
    in_a_thread(settle_from_thread, future)
    assert called == []
    assert not future.done()


def test_a_thread_outlives_the_loop_that_waited_for_it():
    """What it was doing when the loop was closed harms no call that comes later."""
    thread = OneThread("test")
    go = threading.Event()

    async def leave() -> None:
        thread.start(go.wait)

    async def come_back() -> None:
        done, _ = await asyncio.wait({thread.start(lambda: "still there")}, timeout=10)
        assert [future.result() for future in done] == ["still there"]

    asyncio.run(leave())
    go.set()
    asyncio.run(come_back())
    thread.close()
