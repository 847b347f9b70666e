"""Who waits for a parser: each host has a turn."""

import asyncio

from crawler.parsers.line import Line


async def called(line: Line, waiters: dict[asyncio.Future, str], most: int) -> list[str]:
    return [waiters[line.call()] for _ in range(min(most, len(line)))]


async def joined(line: Line, *hosts: str) -> dict[asyncio.Future, str]:
    waiters = {}
    for host in hosts:
        waiter = asyncio.get_running_loop().create_future()
        waiters[waiter] = host
        line.join(host, waiter, first=False)
    return waiters


async def test_hosts_take_turns_however_many_pages_one_has():
    line = Line()
    waiters = await joined(line, *["a.test"] * 30, "b.test", "c.test")
    assert await called(line, waiters, 4) == ["a.test", "b.test", "c.test", "a.test"]
    assert len(line) == 28


async def test_one_that_was_called_in_vain_keeps_its_place():
    line = Line()
    await joined(line, "a.test", "b.test")
    first = line.call()
    line.join("a.test", first, first=True)
    assert line.call() is first


async def test_one_that_has_left_is_not_called():
    line = Line()
    waiters = await joined(line, "a.test", "b.test")
    line.leave("a.test", next(iter(waiters)))
    assert await called(line, waiters, 3) == ["b.test"]
    await joined(line, "a.test", "b.test")
    assert len(line.take_all()) == 2
    assert not line


async def test_one_that_was_called_is_awaited_until_it_comes_or_leaves():
    line = Line()
    waiters = await joined(line, "a.test", "b.test")
    await called(line, waiters, 2)
    line.came()
    assert line.is_awaited
    line.leave("b.test", list(waiters)[1])
    assert not line.is_awaited
