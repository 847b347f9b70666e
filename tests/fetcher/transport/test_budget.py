"""The bytes of all bodies under way stay near one limit: downloads wait, all end, and everything is given back."""

import asyncio
import gzip
import logging
import threading
import time

import pytest

from crawler.core.model import Failure
from crawler.fetcher.transport.base import FetchRequest, FetchResult
from crawler.fetcher.transport.budget import FREE_BYTES, ByteBudget
from tests.fetcher.transport.raw_server import RawServer, page, reset, says

MB = 1_000_000
DEADLINE_S = 0.5
LATE = 20
"""How many times its deadline a fetch may take until it has come too late: a busy machine notices late."""


# --- the budget itself -----------------------------------------------------------------------------------------------


async def until(condition):
    """Wait for what must come; a test that waits in vain ends by its own time limit."""
    while not condition():
        await asyncio.sleep(0.005)


K = FREE_BYTES


def test_bytes_count_until_they_are_given_back():
    budget = ByteBudget(10 * K)
    first, second = budget.share(), budget.share()
    assert first.grow(6 * K)
    assert second.grow(2 * K)
    assert second.grow(3 * K)
    budget.take(5)
    assert (budget.used, budget.limit, budget.is_full) == (9 * K + 5, 10 * K, False)
    budget.take(K)
    assert budget.is_full
    first.release()
    first.release()
    assert budget.used == 4 * K + 5
    budget.give_back(K)
    second.release()
    assert (budget.used, budget.waits) == (5, 0)


def test_a_small_body_does_not_count():
    budget = ByteBudget(K)
    small, large = budget.share(), budget.share()
    assert large.grow(5 * K)
    assert small.grow(K)
    assert budget.used == 5 * K
    assert small.grow(K + 1)  # all of it from now on
    assert budget.used == 6 * K + 1
    assert not small.grow(K + 2)


def test_only_the_oldest_holder_and_the_first_bytes_of_others_go_past_the_limit():
    budget = ByteBudget(2 * K)
    empty, oldest, younger, newcomer = (budget.share() for _ in range(4))
    assert oldest.grow(2 * K)
    assert younger.grow(2 * K)
    assert not younger.grow(3 * K)
    assert oldest.grow(7 * K)
    assert newcomer.grow(2 * K)
    assert not newcomer.grow(3 * K)
    assert empty.grow(2 * K)  # it was there first, but has held bytes for the shortest time
    assert not empty.grow(3 * K)
    assert budget.used == 13 * K
    oldest.release()
    assert younger.grow(3 * K)
    assert not newcomer.grow(3 * K)
    younger.release()
    newcomer.release()
    assert budget.used == 2 * K
    assert empty.grow(9 * K)


def test_while_something_is_taken_even_the_oldest_waits_because_it_comes_back_by_itself():
    budget = ByteBudget(5 * K)
    first, second = budget.share(), budget.share()
    assert first.grow(2 * K)
    assert second.grow(2 * K)
    budget.take(9 * K)
    assert not first.grow(3 * K)
    budget.give_back(9 * K - 1)
    assert first.grow(3 * K)
    assert not first.grow(4 * K)
    budget.give_back(1)
    assert not second.grow(3 * K)
    assert first.grow(4 * K)


def test_a_released_share_counts_nothing_any_more():
    budget = ByteBudget(K)
    share = budget.share()
    share.release()
    assert share.grow(5 * K)
    assert share.grow(6 * K)
    assert budget.used == 0


async def test_the_oldest_goes_on_when_the_one_before_it_ends_though_there_is_no_room():
    budget = ByteBudget(K)
    first, second, third = (budget.share() for _ in range(3))
    for share in (first, second, third):
        assert share.grow(2 * K)
    rooms = [asyncio.ensure_future(share.room()) for share in (third, second)]
    await until(lambda: budget.waiting == 2)
    first.release()
    await rooms[1]
    assert second.grow(5 * K)
    assert not rooms[0].done()
    second.release()
    await rooms[0]
    assert third.grow(5 * K)
    assert budget.waits == 2


async def test_each_that_finds_room_wakes_the_next():
    budget = ByteBudget(13 * K)
    shares = [budget.share() for _ in range(5)]
    for share in shares:
        assert share.grow(2 * K)
    budget.take(6 * K)
    rooms = [asyncio.ensure_future(share.room()) for share in shares]
    await until(lambda: budget.waiting == 5)
    budget.give_back(5 * K)  # room for two times K
    for _ in range(2):
        await until(lambda: any(room.done() for room in rooms))
        woken = [room.done() for room in rooms].index(True)
        del rooms[woken]
        assert shares.pop(woken).grow(3 * K)
    for _ in range(5):
        await asyncio.sleep(0)
    assert not any(room.done() for room in rooms)
    for room in rooms:
        room.cancel()


async def test_one_that_gives_up_when_it_was_woken_passes_its_turn_on():
    budget = ByteBudget(7 * K)
    shares = [budget.share() for _ in range(3)]
    for share in shares:
        assert share.grow(2 * K)
    budget.take(K)
    rooms = [asyncio.ensure_future(share.room()) for share in shares]
    await until(lambda: budget.waiting == 3)
    budget.give_back(1)
    budget.take(1)
    assert budget.waiting == 2
    rooms[0].cancel()
    shares[0].release()
    await rooms[1]
    assert shares[1].grow(4 * K)
    assert budget.waiting == 1
    rooms[2].cancel()


def test_threads_and_a_loop_share_one_budget():
    budget = ByteBudget(20 * K)
    most = []

    def download():
        share = budget.share()
        woken = threading.Event()
        for size in range(20):
            while not share.grow(size * K):
                woken.clear()
                share.room_in_thread(woken)
            most.append(budget.used)
        share.release()

    async def download_in_loop():
        share = budget.share()
        for size in range(20):
            while not share.grow(size * K):
                await share.room()
            most.append(budget.used)
            await asyncio.sleep(0)
        share.release()

    async def main():
        await asyncio.gather(*[download_in_loop() for _ in range(10)], *[asyncio.to_thread(download) for _ in range(4)])

    asyncio.run(main())
    assert budget.used == 0
    assert 0 < budget.waits <= 14
    assert max(most) <= (20 + 20 + 14 * 2) * K


async def test_the_log_says_once_in_a_while_that_downloads_wait(caplog, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr("crawler.fetcher.transport.budget.time.monotonic", lambda: now[0])
    budget = ByteBudget(1234)
    budget.take(1)
    rooms = []

    async def wait():
        share = budget.share()
        share.grow(2 * K)
        rooms.append(asyncio.ensure_future(share.room()))
        await asyncio.sleep(0)

    with caplog.at_level(logging.INFO, "crawler"):
        for minute in range(3):
            for _ in range(5):
                await wait()
            assert len(caplog.records) == minute + 1
            now[0] += 59.0
            await wait()
            assert len(caplog.records) == minute + 1
            now[0] += 1.0
    for room in rooms:
        room.cancel()
    assert caplog.records[0].levelno == logging.INFO
    assert "131,073 of 1,234 bytes" in caplog.text
    assert "1 waiting" in caplog.text


# --- the transports under it -----------------------------------------------------------------------------------------


def request(server, path="/", **more):
    return FetchRequest(server.url(path), **{"timeout_s": 60.0, "max_body_bytes": 10 * MB, **more})


async def watch(budget, most):
    while True:
        most[0] = max(most[0], budget.used)
        await asyncio.sleep(0.001)


@pytest.fixture
async def budget():
    """A budget of 20 MB, which must be empty again in the end. `most` is the most that was seen in use."""
    budget = ByteBudget(20 * MB)
    budget.seen = [0]
    watcher = asyncio.create_task(watch(budget, budget.seen))
    yield budget
    watcher.cancel()
    assert (budget.used, budget.waiting) == (0, 0)


PLAIN = page(bytes(10 * MB))
BOMB = page(gzip.compress(bytes(30 * MB), mtime=0), b"Content-Encoding: gzip")


@pytest.mark.thorough
@pytest.mark.parametrize("answer", [PLAIN, BOMB], ids=["plain", "gzip"])
async def test_sixty_large_bodies_at_once_stay_near_the_limit_and_all_end(make, budget, answer):
    transport = make(budget, concurrency=60)
    async with RawServer(says(answer, end="close")) as server:

        async def fetch():
            result = await transport.fetch(request(server))
            assert isinstance(result, FetchResult), result
            budget.take(result.body_bytes)  # as the fetcher does, until a parser has the body
            budget.seen[0] = max(budget.seen[0], budget.used)
            await asyncio.sleep(0.01)
            budget.give_back(result.body_bytes)
            return result.body_bytes, result.truncated

        results = await asyncio.gather(*[fetch() for _ in range(60)])
    assert results == [(10 * MB, answer is BOMB)] * 60
    # The limit, one whole body, 64 KiB and a piece of each other download.
    assert 20 * MB <= budget.seen[0] < 20 * MB + 10 * MB + 60 * 200_000
    assert 0 < budget.waits <= 60


async def test_a_small_page_does_not_wait_behind_large_bodies(make, budget):
    transport = make(budget, concurrency=8)
    budget.take(50 * MB)
    async with RawServer(says(page(b"x" * 30_000))) as server:
        result = await transport.fetch(request(server, timeout_s=10.0))
    assert result.body_bytes == 30_000
    budget.give_back(50 * MB)


async def test_waiting_does_not_count_against_the_deadline_and_holds_the_server_back(make, budget):
    budget.take(50 * MB)
    sent = [0]

    async def large(server, reader, writer):
        await server.head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (18 * MB))
        for _ in range(180):
            writer.write(bytes(100_000))
            await writer.drain()
            sent[0] += 100_000

    transport = make(budget)
    async with RawServer(large) as server:
        fetch = asyncio.create_task(transport.fetch(request(server, timeout_s=1.0, max_body_bytes=50 * MB)))
        await until(lambda: budget.waiting == 1)
        await asyncio.sleep(1.5)  # longer than the fetch may take
        assert not fetch.done()
        # Sockets' buffers on both sides take what they take, the crawler takes no more.
        assert sent[0] < 17 * MB
        assert budget.used < 51 * MB
        budget.give_back(50 * MB)
        result = await fetch
    assert isinstance(result, FetchResult), result
    assert result.body_bytes == 18 * MB


async def test_the_deadline_goes_on_where_it_was_when_there_is_room(make, budget):
    budget.take(50 * MB)

    async def stalls(server, reader, writer):
        await server.head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + bytes(400_000))
        await asyncio.sleep(3600)

    transport = make(budget)
    async with RawServer(stalls) as server:
        fetch = asyncio.create_task(transport.fetch(request(server, timeout_s=DEADLINE_S)))
        await until(lambda: budget.waiting == 1)
        await asyncio.sleep(1.6 * DEADLINE_S)
        budget.give_back(50 * MB)
        started = time.monotonic()
        failure = await fetch
        took_s = time.monotonic() - started
    assert isinstance(failure, Failure)
    assert (failure.kind, failure.retryable) == ("timeout", True)
    assert "body" in failure.detail
    assert took_s < LATE * DEADLINE_S


async def test_a_download_that_is_cancelled_while_it_waits_gives_its_bytes_back(make, budget):
    budget.take(50 * MB)
    transport = make(budget)
    async with RawServer(says(PLAIN)) as server:
        fetch = asyncio.create_task(transport.fetch(request(server)))
        await until(lambda: budget.waiting == 1)
        fetch.cancel()
        with pytest.raises(asyncio.CancelledError):
            await fetch
        assert (budget.used, budget.waiting) == (50 * MB, 0)
        await transport.close()
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("requests-")]
    budget.give_back(50 * MB)


async def test_closing_ends_downloads_that_wait(make, budget):
    budget.take(50 * MB)
    transport = make(budget)
    async with RawServer(says(PLAIN)) as server:
        fetch = asyncio.create_task(transport.fetch(request(server)))
        await until(lambda: budget.waiting == 1)
        await transport.close()
        budget.give_back(50 * MB)
        assert isinstance(await asyncio.wait_for(fetch, 60), Failure)


async def test_answers_without_end_behind_a_download_that_waits_fill_no_memory(make, budget):
    budget.take(50 * MB)
    sent = [0]

    async def endless(server, reader, writer):
        await server.head(reader)
        writer.write(page(gzip.compress(bytes(5 * MB), mtime=0), b"Content-Encoding: gzip"))
        while True:
            writer.write(page(b"nobody asked for this") * 1000)
            await writer.drain()
            sent[0] += 1

    transport = make(budget)
    async with RawServer(endless) as server:
        fetch = asyncio.create_task(transport.fetch(request(server)))
        await until(lambda: budget.waiting == 1)
        before = -1
        while sent[0] != before:  # until the connection has ended, or the sockets' buffers are full
            before = sent[0]
            await asyncio.sleep(0.2)
        assert not fetch.done()
        budget.give_back(50 * MB)
        assert (await fetch).body_bytes == 5 * MB


@pytest.mark.parametrize("end", ["reset", "close", "stall", "broken"])
async def test_a_download_that_fails_gives_its_bytes_back(make, budget, end):
    async def fails(server, reader, writer):
        await server.head(reader)
        coding = b"Content-Encoding: gzip\r\n" if end == "broken" else b""
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n" + coding + b"\r\n")
        writer.write(gzip.compress(bytes(100_000), mtime=0) + b"\x1f\x8b" + b"x" * 100 if coding else bytes(500_000))
        await writer.drain()
        await asyncio.sleep(3600 if end == "stall" else 0.05)
        if end == "reset":
            reset(writer)

    transport = make(budget)
    async with RawServer(fails) as server:
        failure = await transport.fetch(request(server, timeout_s=1.0))
    expected = {"reset": "reset", "close": "incomplete", "stall": "timeout", "broken": "encoding"}
    assert failure.kind == expected[end]
    assert budget.used == 0


async def test_without_a_budget_a_transport_has_its_own(make):
    transport = make(bytes_in_flight=1)
    async with RawServer(says(PLAIN, end="close")) as server:
        results = await asyncio.gather(*[transport.fetch(request(server)) for _ in range(4)])
    assert [result.body_bytes for result in results] == [10 * MB] * 4
