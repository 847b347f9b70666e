"""The bytes of all bodies under way stay near one limit: downloads wait, all end, and everything is given back."""

import asyncio
import gzip
import logging
import random
import threading
import time
from functools import partial

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
NO_PARTS = 1 << 40  # places for so many that nobody has a part of their own: all bodies beyond 64 KiB are large
QUICK, SLOW = "quick.test", "slow.test"


def budget_of(limit, places=NO_PARTS):
    return ByteBudget(limit, places)


def known(budget, host, *, stays_s):
    """Let a host have brought a body, whose bytes stayed for so long."""
    kept = budget.keep(100 * K, host, 100 * K)
    kept.since -= stays_s
    kept.release()


def test_bytes_beyond_the_first_64_kib_of_each_body_count_until_they_are_given_back():
    budget = budget_of(10 * K, places=1)
    first, second = budget.share("a.test"), budget.share("b.test")
    assert first.grow(K)
    assert budget.used == 0
    assert first.grow(6 * K)
    assert second.grow(2 * K)
    assert second.grow(4 * K)
    budget.take(5)
    assert (budget.used, budget.limit, budget.is_full) == (8 * K + 5, 10 * K, False)
    budget.take(2 * K)
    assert budget.is_full
    first.release()
    first.release()
    assert budget.used == 5 * K + 5
    budget.give_back(2 * K)
    second.release()
    assert (budget.used, budget.waits) == (5, 0)


def test_a_body_within_its_part_waits_for_none_that_is_large():
    budget = budget_of(32 * K, places=10)  # parts of 2 K
    large = [budget.share(f"{number}.test") for number in range(4)]
    small = [budget.share(f"{number}.test") for number in range(4, 10)]
    for share in large:
        while share.held < 8 * K and share.grow(share.held + 2 * K):
            pass
    assert all(share.grow(3 * K) for share in small)
    assert not small[-1].grow(3 * K + 1)


def test_only_the_oldest_large_body_goes_past_the_limit():
    budget = budget_of(8 * K)
    first, second, third = (budget.share(f"{number}.test") for number in range(3))
    assert first.grow(9 * K)
    assert first.grow(30 * K)
    assert second.grow(K)  # free
    assert not second.grow(K + 1)
    assert not third.grow(2 * K)
    first.release()
    assert second.grow(40 * K)
    assert not third.grow(2 * K)
    second.release()
    assert third.grow(2 * K)


def test_while_something_is_taken_even_the_oldest_waits_at_the_limit_because_that_comes_back_by_itself():
    budget = budget_of(5 * K)
    first = budget.share("a.test")
    assert first.grow(2 * K)
    budget.take(9 * K)
    assert not first.grow(3 * K)
    budget.give_back(6 * K)
    assert first.grow(3 * K)
    assert not first.grow(4 * K)
    budget.give_back(3 * K)
    assert first.grow(40 * K)


def test_a_host_holds_a_quarter_and_an_address_half_but_for_the_oldest_of_each():
    budget = budget_of(400 * K)
    elder = budget.share("elder.test", "192.0.2.9")
    assert elder.grow(2 * K)
    first, second = budget.share("a.test", "192.0.2.1"), budget.share("a.test", "192.0.2.1")
    assert first.grow(101 * K)
    assert not second.grow(2 * K)
    assert first.grow(151 * K)
    other = budget.share("b.test", "192.0.2.1")
    assert other.grow(51 * K)
    assert not budget.share("c.test", "192.0.2.1").grow(2 * K)
    assert budget.share("c.test", "192.0.2.2").grow(2 * K)
    assert not other.grow(52 * K)
    assert list(budget.held_by) == ["elder.test", "a.test", "b.test", "c.test"]
    assert sum(budget.held_by.values()) == budget.used
    first.release()
    assert second.grow(52 * K)
    assert other.grow(52 * K)


def test_a_quarter_is_out_of_reach_for_hosts_that_are_not_known_to_be_quick():
    budget = budget_of(100 * K)
    known(budget, QUICK, stays_s=0.9)
    known(budget, SLOW, stays_s=1.1)
    hold = [budget.share(f"{number}.test") for number in range(4)]
    assert all(share.grow(20 * K) for share in hold)
    assert not budget.share(SLOW).grow(2 * K)
    assert not budget.share("new.test").grow(2 * K)
    assert budget.share(QUICK).grow(2 * K)
    for share in hold:
        share.release()
    assert budget.share(SLOW).grow(2 * K)


def test_a_host_with_many_unparsed_bodies_is_crowded_and_one_whose_bytes_stay_stands_back_while_there_is_little_room():
    budget = budget_of(100 * K)
    bodies = [budget.keep(12 * K, "a.test", 12 * K) for _ in range(3)]
    assert budget.is_crowded("a.test")
    assert not budget.is_crowded("b.test")
    bodies.pop().release()
    assert not budget.is_crowded("a.test")
    known(budget, SLOW, stays_s=5.0)
    assert not budget.stands_back(SLOW)
    budget.take(60 * K)
    assert budget.stands_back(SLOW)
    assert not budget.stands_back("new.test")
    budget.give_back(60 * K)
    assert not budget.stands_back(SLOW)


def test_a_released_share_counts_nothing_any_more():
    budget = budget_of(K)
    share = budget.share()
    share.release()
    assert share.grow(5 * K)
    assert share.grow(6 * K)
    assert budget.used == 0


async def test_the_oldest_goes_on_when_the_one_before_it_ends_though_there_is_no_room():
    budget = budget_of(K)
    first, second, third = (budget.share(f"{number}.test") for number in range(3))
    assert first.grow(3 * K)
    assert not second.grow(2 * K)
    assert not third.grow(2 * K)
    rooms = [asyncio.ensure_future(share.room()) for share in (third, second)]
    await until(lambda: budget.waiting == 2)
    first.release()
    await rooms[1]
    assert second.grow(5 * K)
    assert not third.grow(2 * K)
    second.release()
    await rooms[0]
    assert third.grow(5 * K)
    assert budget.waits == 2


async def test_each_that_finds_room_wakes_the_next():
    budget = budget_of(160 * K)
    budget.take(160 * K)
    shares = [budget.share(f"{number}.test") for number in range(5)]
    for share in shares:
        assert not share.grow(2 * K)
    rooms = [asyncio.ensure_future(share.room()) for share in shares]
    await until(lambda: budget.waiting == 5)
    budget.give_back(160 * K)
    for share, room in zip(shares, rooms, strict=True):
        await room
        assert share.grow(2 * K)


async def test_one_that_gives_up_when_it_was_woken_passes_its_turn_on():
    budget = budget_of(16 * K)
    budget.take(16 * K)
    shares = [budget.share(f"{number}.test") for number in range(3)]
    for share in shares:
        assert not share.grow(2 * K)
    rooms = [asyncio.ensure_future(share.room()) for share in shares]
    await until(lambda: budget.waiting == 3)
    budget.give_back(16 * K)
    rooms[0].cancel()
    shares[0].release()
    await rooms[1]
    shares[1].release()
    await rooms[2]


# --- giving way ------------------------------------------------------------------------------------------------------


class Watched:
    """Downloads of a budget, with a clock of the test's own."""

    def __init__(self, monkeypatch, limit, places=NO_PARTS):
        self.now = 1_000.0
        for module in ("budget", "share"):
            monkeypatch.setattr(f"crawler.fetcher.transport.{module}.time.monotonic", lambda: self.now)
        self.budget = budget_of(limit, places)
        self.gone = []

    def share(self, host, total, **more):
        share = self.budget.share(host, give_way=lambda: self.gone.append(host), **more)
        assert share.grow(total)
        return share

    def wait(self, host):
        share = self.budget.share(host, give_way=lambda: self.gone.append(host))
        assert not share.grow(400 * K)
        self.budget.queue(share, lambda: None)
        return share

    def look(self, times):
        for _ in range(times):
            self.now += 0.25
            self.budget.look()


def test_who_stands_still_gives_way_once_somebody_has_waited_for_a_second_the_dearest_first(monkeypatch):
    watched = Watched(monkeypatch, 100 * K)
    watched.share("small.test", 2 * K)
    watched.share("large.test", 61 * K)
    watched.share("middle.test", 21 * K)
    watched.look(40)
    assert watched.gone == []  # nobody waits
    watched.wait("new.test")
    watched.look(1)
    assert watched.gone == ["large.test"]
    watched.look(8)
    assert watched.gone == ["large.test"]  # its bytes are as good as free: room for a quarter


def test_a_download_that_comes_evenly_does_not_give_way(monkeypatch):
    watched = Watched(monkeypatch, 100 * K)
    slow = watched.share("slow.test", K)
    for second in range(1, 30):
        assert slow.grow(K + 3 * K * second)
        if second == 26:
            watched.wait("new.test")
        watched.look(4)
    assert watched.gone == []
    watched.look(4)
    assert watched.gone == ["slow.test"]


def test_a_byte_now_and_then_is_no_progress(monkeypatch):
    watched = Watched(monkeypatch, 100 * K)
    drip = watched.share("drip.test", 76 * K)
    watched.wait("new.test")
    for number in range(8):
        drip.grow(76 * K + number)
        watched.look(1)
    assert watched.gone == ["drip.test"]


def test_a_patient_download_does_not_give_way_while_patient_ones_hold_no_more_than_a_quarter(monkeypatch):
    watched = Watched(monkeypatch, 100 * K)
    watched.share("first.test", 21 * K, patient=True)
    watched.share("second.test", 61 * K, patient=True)
    watched.wait("new.test")
    watched.look(8)
    assert watched.gone == ["second.test"]


def test_a_process_that_did_not_run_looks_at_nobody(monkeypatch):
    """A minute in which nothing could come says nothing of a server."""
    watched = Watched(monkeypatch, 100 * K)
    watched.share("a.test", 76 * K)
    watched.wait("new.test")
    watched.look(1)
    watched.now += 60.0
    watched.look(1)
    assert watched.gone == []


@pytest.mark.parametrize("seed", range(20))
def test_whoever_waits_finds_room_in_the_end_whatever_comes_in_whatever_order(seed):
    """No deadlock: as long as somebody waits, somebody else goes on or is to be parsed."""
    rng = random.Random(seed)
    limit = rng.choice([K, 10 * K, 100 * K])
    budget = ByteBudget(limit, rng.choice([1, 4, 100]))
    hosts = [f"{number}.test" for number in range(rng.choice([1, 3, 20]))]
    woken, waiting, going, unparsed = [], set(), {}, []
    largest, most = 0, 0
    for _ in range(60):
        share = budget.share(host := rng.choice(hosts), rng.choice([None, "192.0.2.1", "192.0.2.2"]))
        size = rng.choice([K // 2, 2 * K, 7 * K, 60 * K])
        largest = max(largest, size)
        going[share] = [host, K // 4, size]
    while going or unparsed:
        for share in woken:
            waiting.discard(share)
        woken.clear()
        ready = [share for share in going if share not in waiting]
        assert ready or unparsed, "nobody goes on"
        if ready and (not unparsed or rng.random() < 0.9):
            share = rng.choice(ready)
            host, held, size = going[share]
            if held >= size:
                share.release()
                del going[share]
                unparsed.append(budget.keep(size, host, size))
            elif share.grow(min(held + K // 2, size)):
                going[share][1] = min(held + K // 2, size)
            else:
                waiting.add(share)
                budget.queue(share, partial(woken.append, share))
        else:
            unparsed.pop(rng.randrange(len(unparsed))).release()
        most = max(most, budget.used)
    assert budget.used == budget.waiting == 0
    assert most <= limit + largest + 60 * K


def test_threads_and_a_loop_share_one_budget():
    budget = budget_of(20 * K)
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
    assert max(most) <= (20 + 20 + 14) * K


async def test_the_log_says_once_in_a_while_that_downloads_wait(caplog, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr("crawler.fetcher.transport.budget.time.monotonic", lambda: now[0])
    budget = budget_of(1234)
    budget.take(2_000)
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
    assert "2,000 of 1,234 bytes" in caplog.text
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
    # The limit, one whole body, 64 KiB and a piece of each other download. One of a host holds more than its quarter.
    assert 10 * MB <= budget.seen[0] < 20 * MB + 10 * MB + 60 * 200_000
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
