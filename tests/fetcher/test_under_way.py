"""Requests under way and the pump that starts them: how many, how they end, and when the pump works."""

import asyncio

from crawler.fetcher.pump import Pump
from crawler.fetcher.under_way import UnderWay


async def turn():
    await asyncio.sleep(0)
    await asyncio.sleep(0)


async def test_the_oldest_are_named_first_with_their_seconds():
    gates = [asyncio.Event() for _ in range(3)]
    under_way = UnderWay(5, ended=lambda: None, fail=lambda _: None)
    under_way.begin_turn()
    for number, gate in enumerate(gates):
        under_way.start(gate.wait(), f"http://a.example/{number}")
    assert [url[-1] for url, _ in under_way.oldest(2)] == ["0", "1"]
    gates[0].set()
    await asyncio.sleep(0.01)
    seconds = [seconds for _, seconds in under_way.oldest(9)]
    assert seconds == sorted(seconds, reverse=True)
    assert (len(seconds), min(seconds) >= 0.01) == (2, True)
    await under_way.cancel()
    assert under_way.oldest(9) == ()


async def test_work_that_stands_aside_takes_no_place():
    under_way = UnderWay(1, ended=lambda: None, fail=lambda _: None)
    gate = asyncio.Event()

    async def work() -> None:
        under_way.stand_aside()
        under_way.stand_aside()
        await gate.wait()

    for _ in range(3):
        under_way.begin_turn()
        assert under_way.has_room
        under_way.start(work(), "")
        await turn()
    assert (under_way.count, under_way.aside) == (0, 3)
    gate.set()
    await under_way.wait()
    assert (under_way.count, under_way.aside) == (0, 0)


async def test_no_more_start_than_there_is_room_for_at_once_and_in_a_turn():
    gate = asyncio.Event()
    ends = []
    under_way = UnderWay(20, ended=lambda: ends.append(under_way.count), fail=ends.append)
    assert not under_way.has_room
    under_way.begin_turn()
    for _ in range(16):
        assert under_way.has_room
        under_way.start(gate.wait(), "")
    assert (under_way.has_room, under_way.turn_is_over) == (False, True)
    under_way.begin_turn()
    for _ in range(4):
        under_way.start(gate.wait(), "")
    assert (under_way.has_room, under_way.turn_is_over, under_way.count) == (False, False, 20)
    gate.set()
    await under_way.wait()
    await turn()
    assert ends == list(range(19, -1, -1))


async def test_what_is_raised_is_told_and_what_is_cancelled_is_not():
    told = []
    under_way = UnderWay(5, ended=lambda: None, fail=told.append)

    async def breaks_down():
        raise RuntimeError("down")

    under_way.begin_turn()
    under_way.start(breaks_down(), "")
    under_way.start(asyncio.Event().wait(), "")
    await turn()
    assert [str(error) for error in told] == ["down"]
    await under_way.cancel()
    await turn()
    assert (len(told), under_way.count) == (1, 0)


async def test_the_pump_works_once_however_often_it_is_asked_to():
    strokes = []
    pump = Pump(lambda: strokes.append(1))
    for _ in range(5):
        pump.soon()
    await turn()
    assert len(strokes) == 1


async def test_the_pump_works_at_the_time_that_was_named_last():
    strokes = asyncio.Queue()
    loop = asyncio.get_running_loop()
    pump = Pump(lambda: strokes.put_nowait(loop.time()))
    began = loop.time()
    pump.at(began + 60)
    pump.at(began + 0.05)
    assert await strokes.get() >= began + 0.05
    pump.at(loop.time() + 0.02)
    pump.at(None)
    await asyncio.sleep(0.05)
    assert strokes.empty()
