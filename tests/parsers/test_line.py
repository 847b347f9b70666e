"""Who waits for a parser: each host has a turn, and those of which something bad is known come last, but come."""

import asyncio

from crawler.parsers.costs import Costs
from crawler.parsers.line import Line


def parsed(costs: Costs, host: str, seconds: float) -> None:
    costs.entered(host)
    costs.took(host, seconds)
    costs.left(host)


async def called(line: Line, waiters: dict[asyncio.Future, str], most: int) -> list[str]:
    return [waiters[waiter] for _ in range(most) if (waiter := line.call()) is not None]


async def joined(line: Line, *hosts: str) -> dict[asyncio.Future, str]:
    waiters = {}
    for host in hosts:
        waiter = asyncio.get_running_loop().create_future()
        waiters[waiter] = host
        line.join(host, waiter, first=False)
    return waiters


async def test_hosts_take_turns_however_many_pages_one_has():
    line = Line(Costs(2))
    waiters = await joined(line, *["a.test"] * 30, "b.test", "c.test")
    assert await called(line, waiters, 4) == ["a.test", "b.test", "c.test", "a.test"]
    assert len(line) == 28


async def test_one_that_was_called_in_vain_keeps_its_place():
    line = Line(Costs(2))
    await joined(line, "a.test", "b.test")
    first = line.call()
    line.join("a.test", first, first=True)
    assert line.call() is first


async def test_doubtful_hosts_come_last_even_if_that_is_learned_while_they_wait():
    costs = Costs(2)
    line = Line(costs)
    waiters = await joined(line, *(f"h{number}.bad.test" for number in range(100)), "new.test")
    parsed(costs, "h0.bad.test", 1.0)
    assert await called(line, waiters, 1) == ["new.test"]
    assert (line.clean, line.doubtful) == (0, 100)
    assert len(await called(line, waiters, 200)) == 100


async def test_doubtful_hosts_have_a_turn_now_and_then_while_others_wait():
    costs = Costs(2)
    line = Line(costs)
    parsed(costs, "slow.test", 1.0)
    waiters = await joined(line, "slow.test", *(f"h{number}.example" for number in range(50)))
    assert (await called(line, waiters, 20)).count("slow.test") == 1


async def test_one_that_has_left_is_not_called():
    line = Line(Costs(2))
    waiters = await joined(line, "a.test", "b.test")
    left = next(iter(waiters))
    line.leave("a.test", left)
    line.leave("a.test", left)
    assert await called(line, waiters, 3) == ["b.test"]
    await joined(line, "a.test", "b.test")
    assert len(line.take_all()) == 2
    assert not line
    assert line.call() is None
