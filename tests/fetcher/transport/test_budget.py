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
from crawler.fetcher.transport.failures import NO_ROOM
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
LIMIT = 512 * MB
SIZES = (500_000, 2 * MB, 8 * MB, 32 * MB, 64 * MB)
"""The steps of that limit; their parts are 64, 192, 64, 64 and 128 MB, and strangers have half of each."""


def held(budget, size):
    """A body under way of a host that has brought such ones."""
    return grown(budget.share(known(budget, f"{size}.test", size)), size)


def grown(share, size):
    assert share.grow(size), size
    return share


def known(budget, host, size):
    """Let a host have brought a body."""
    budget.keep(size, host).release()
    return host


def stranger(budget, number):
    return budget.share(f"stranger-{number}.test")


def test_bytes_beyond_the_first_64_kib_of_each_body_are_set_aside_until_they_are_given_back():
    budget = ByteBudget(LIMIT)
    first, second = budget.share("a.test"), budget.share("b.test")
    assert first.grow(K)
    assert budget.used == 0
    assert first.grow(K + 1)
    assert first.grow(K + SIZES[0])
    assert budget.used == SIZES[0]
    assert first.grow(K + SIZES[0] + 1)
    assert second.grow(K + SIZES[2])
    assert (budget.used, budget.limit, budget.is_full) == (SIZES[1] + SIZES[2], LIMIT, False)
    kept = budget.keep(12_345, "a.test")
    assert budget.held_by == {"a.test": SIZES[1] + 12_345, "b.test": SIZES[2]}
    first.release()
    first.release()
    second.release()
    assert budget.used == 12_345
    kept.release()
    assert (budget.used, budget.waits, budget.held_by) == (0, 0, {})


def test_larger_bodies_leave_their_parts_to_smaller_ones():
    budget = ByteBudget(LIMIT)
    for size, most in zip(SIZES[::-1], (2, 2, 8, 96, 128), strict=True):
        shares = [held(budget, size) for _ in range(most)]
        one_more = budget.share(known(budget, f"{size}.test", size))
        assert not one_more.grow(K + size), size
        one_more.release()
        assert len(shares) == most
    assert budget.used <= LIMIT


def test_strangers_have_half_of_each_part():
    budget = ByteBudget(LIMIT)
    for size, most in zip(SIZES[::-1], (1, 1, 4, 48, 64), strict=True):
        shares = [grown(stranger(budget, f"{size}-{number}"), size) for number in range(most)]
        one_more = stranger(budget, size)
        assert not one_more.grow(size)
        one_more.release()
        assert len(shares) == most
        held(budget, size).release()
    assert budget.used <= LIMIT // 2


def test_smaller_bodies_use_what_larger_ones_do_not_want_until_one_waits():
    budget = ByteBudget(LIMIT)
    large = grown(budget.share(known(budget, "large.test", 64 * MB)), 32 * MB)
    bodies = [held(budget, 8 * MB) for _ in range(28)]
    small = [held(budget, 2 * MB) for _ in range(96)]
    assert budget.used == (32 + 28 * 8 + 96 * 2) * MB
    assert not large.grow(64 * MB)
    woken = []
    budget.queue(large, partial(woken.append, 1))
    for body in bodies[:4]:
        body.release()
    assert not budget.share(known(budget, "8.test", 8 * MB)).grow(8 * MB)  # what is free is promised
    assert not woken
    for body in bodies[4:8]:
        body.release()
    assert woken
    assert large.grow(64 * MB)
    assert len(small) == 96


def test_one_body_at_a_time_lies_beside_the_limit():
    budget = ByteBudget(LIMIT)
    first, second = stranger(budget, 1), stranger(budget, 2)
    assert first.grow(500 * MB)
    assert budget.used == 0
    assert second.grow(64 * MB)
    assert not second.grow(65 * MB)
    woken = []
    budget.queue(second, partial(woken.append, 1))
    first.release()
    kept = budget.keep(500 * MB, "stranger-1.test")
    budget.look()
    assert not woken  # it has only moved
    kept.release()
    assert woken
    assert second.grow(500 * MB)


def test_a_host_that_holds_a_quarter_is_crowded_and_an_address_that_holds_half():
    budget = ByteBudget(LIMIT)
    hosts = [budget.share(known(budget, f"{number}.test", 64 * MB), "192.0.2.1") for number in range(2)]
    for share in hosts:
        assert share.grow(64 * MB)
    kept = [budget.keep(64 * MB, "0.test")]
    assert budget.is_crowded("0.test")
    assert not budget.is_crowded("1.test")
    kept.append(budget.keep(64 * MB, "2.test"))
    assert not budget.is_crowded("1.test")
    budget.share("2.test", "192.0.2.1")  # it holds something: what it has counts where it was
    kept.append(budget.keep(63 * MB, "1.test"))
    assert not budget.is_crowded("1.test")
    kept.append(budget.keep(MB, "1.test"))
    assert budget.is_crowded("1.test")
    for one in kept:
        one.release()
    assert not budget.is_crowded("0.test")


def test_what_waits_for_parsers_fills_the_budget_but_for_what_larger_bodies_wait_for():
    budget = ByteBudget(LIMIT)
    bodies = [budget.keep(500_000, "a.test") for _ in range(1_022)]
    assert not budget.is_full
    bodies += [budget.keep(500_000, "a.test") for _ in range(3)]
    assert budget.is_full
    for body in bodies[400:]:
        body.release()
    assert not budget.is_full


def test_with_the_least_limit_bodies_come_one_at_a_time():
    budget = ByteBudget(1)
    first, second = budget.share("a.test"), budget.share("b.test")
    assert first.grow(10 * MB)
    assert not second.grow(10 * MB)
    first.release()
    first_page, second_page = budget.keep(1_000, "a.test"), budget.keep(1_000, "b.test")
    assert budget.is_full
    second_page.release()
    assert not budget.is_full
    first_page.release()
    assert second.grow(10 * MB)


def test_a_released_share_counts_nothing_any_more():
    budget = ByteBudget(K)
    share = budget.share()
    share.release()
    assert share.grow(5 * K)
    assert budget.used == 0


async def test_one_that_gives_up_when_it_was_woken_passes_its_turn_on():
    budget = ByteBudget(LIMIT)
    first, *others = [budget.share(known(budget, f"{number}.test", 64 * MB)) for number in range(5)]
    assert first.grow(100 * MB)
    assert all(share.grow(64 * MB) for share in others[:2])
    rooms = [asyncio.ensure_future(share.wait()) for share in others[:2]]
    await until(lambda: budget.waiting == 2)
    first.release()
    await until(lambda: budget.waiting == 1)
    others[0].release()
    await asyncio.gather(*rooms)
    assert others[1].grow(100 * MB)


# --- giving way ------------------------------------------------------------------------------------------------------


class Watched:
    """Downloads of a budget, with a clock of the test's own."""

    def __init__(self, monkeypatch, limit=LIMIT):
        self.now = 1_000.0
        for module in ("budget", "share"):
            monkeypatch.setattr(f"crawler.fetcher.transport.{module}.time.monotonic", lambda: self.now)
        self.budget = ByteBudget(limit)
        self.gone = []

    def share(self, host, total, **more):
        share = self.begin(host, **more)
        assert share.grow(total)
        return share

    def begin(self, host, **more):
        return self.budget.share(host, give_way=lambda failure: self.gone.append((host, failure.kind)), **more)

    def wait(self, host, total=64 * MB):
        share = self.begin(host)
        assert not share.grow(total)
        self.budget.queue(share, lambda: None)
        return share

    def look(self, times):
        for _ in range(times):
            self.now += 0.25
            self.budget.look()


def test_who_stands_still_gives_way_once_somebody_waits_the_dearest_first(monkeypatch):
    watched = Watched(monkeypatch)
    for number in range(2):
        watched.share(known(watched.budget, f"{number}.test", 64 * MB), 64 * MB)
    watched.share("small.test", 30 * MB)
    watched.look(40)
    assert watched.gone == []  # nobody waits
    watched.wait(known(watched.budget, "new.test", 64 * MB))
    watched.look(1)
    assert watched.gone == [("0.test", "timeout")]
    watched.look(8)
    assert watched.gone == [("0.test", "timeout")]  # its bytes are as good as free
    assert watched.budget.stands_back("0.test")
    assert not watched.budget.stands_back("1.test")


def test_a_download_that_comes_evenly_never_gives_way_within_its_time(monkeypatch):
    """At 100 KB/s a body of 30 MB takes 300 s, while others wait all the time."""
    watched = Watched(monkeypatch)
    slow = watched.begin("slow.test", timeout_s=310.0)
    stalled = watched.begin("stalled.test", timeout_s=310.0)
    assert stalled.grow(32 * MB)
    for quarter in range(1, 1_200):
        assert slow.grow(25_000 * quarter)
        if quarter == 900:
            watched.wait("new.test")
        watched.look(1)
    assert watched.budget.waiting
    assert set(watched.gone) == {("stalled.test", "timeout")}


def test_a_byte_now_and_then_is_no_progress(monkeypatch):
    watched = Watched(monkeypatch)
    drip = watched.share("drip.test", 60 * MB)
    watched.wait("new.test")
    for number in range(8):
        drip.grow(60 * MB + number)
        watched.look(1)
    assert watched.gone == [("drip.test", "timeout")]


def test_a_patient_download_does_not_give_way_while_patient_ones_hold_no_more_than_a_quarter(monkeypatch):
    watched = Watched(monkeypatch)
    for number in range(2):
        watched.share(known(watched.budget, f"{number}.test", 64 * MB), 60 * MB, patient=True)
    watched.share(known(watched.budget, "2.test", 64 * MB), 30 * MB, patient=True)
    for number in (3, 4):
        watched.wait(known(watched.budget, f"{number}.test", 64 * MB))
    watched.look(8)
    assert watched.gone == [("2.test", "timeout")]


def test_a_process_that_did_not_run_looks_at_nobody(monkeypatch):
    """A minute in which nothing could come says nothing of a server."""
    watched = Watched(monkeypatch)
    watched.share("a.test", 60 * MB)
    watched.wait("new.test")
    watched.look(1)
    watched.now += 60.0
    watched.look(1)
    assert watched.gone == []


def test_strangers_that_wait_leave_their_step_to_those_who_fit_on_it(monkeypatch):
    watched = Watched(monkeypatch)
    for number in range(16):
        watched.share(f"{number}.test", 8 * MB)  # all room of strangers from there on
    large = [watched.begin(f"large-{number}.test") for number in range(48)]
    for share in large:
        assert share.grow(2 * MB)
        assert not share.grow(8 * MB)
        watched.budget.queue(share, lambda: None)
    assert watched.gone == []  # nobody waits for where they stand
    watched.wait("fits.test", 2 * MB)
    watched.look(1)
    assert watched.gone
    assert {kind for _, kind in watched.gone} == {"memory"}
    assert all(host.startswith("large") for host, _ in watched.gone)


class Visit:
    """One download of the model: how much has come, and of how much; with `moves` its server sends on."""

    def __init__(self, budget, rng, host, size, *, moves, patient):
        self.size = size
        self.moves = moves
        self.total = K // 4
        self.woken = True
        self.gone = False
        address = rng.choice([None, "192.0.2.1", "192.0.2.2"])
        self.share = budget.share(host, address, give_way=self._leave, patient=patient)

    def _leave(self, _failure):
        self.gone = True

    def wake(self):
        self.woken = True


@pytest.mark.parametrize("seed", range(20))
def test_whoever_waits_finds_room_in_the_end_whatever_comes_in_whatever_order(seed, monkeypatch):
    """Whoever gives way comes again until it has come whole, and who stalls until it is patient and times out."""
    rng = random.Random(seed)
    now = [1_000.0]
    for module in ("budget", "share"):
        monkeypatch.setattr(f"crawler.fetcher.transport.{module}.time.monotonic", lambda: now[0])
    limit = rng.choice([1, K, 10 * K, 100 * K, 1_000 * K])
    budget = ByteBudget(limit)
    hosts = [f"{number}.test" for number in range(rng.choice([1, 3, 20]))]
    urls = [
        (rng.choice(hosts), rng.choice([K // 2, 2 * K, 7 * K, 60 * K, 300 * K]), rng.random() < 0.8) for _ in range(60)
    ]
    to_come = [(*url, 0) for url in urls]
    going, unparsed, most, turns = [], [], 0, 0
    while to_come or going or unparsed:
        turns += 1
        assert turns < 60_000, "somebody waits for ever"
        now[0] += 0.02
        if to_come and len(going) < 40 and rng.random() < 0.5:
            host, size, moves, times = to_come.pop(0)
            visit = Visit(budget, rng, host, size, moves=moves, patient=times >= 3)
            visit.url, visit.until = (host, size, moves, times), now[0] + 5.0
            going.append(visit)
        for visit in rng.sample(going, min(len(going), 8)):
            host, size, moves, times = visit.url
            if visit.gone or (now[0] > visit.until and visit.woken):
                visit.share.release()
                going.remove(visit)
                if visit.gone:
                    to_come.append((host, size, moves, times + 1))
            elif visit.woken and visit.total >= size:
                visit.share.release()
                going.remove(visit)
                unparsed.append(budget.keep(size, host))
            elif visit.woken and (moves or visit.total < size // 2):
                more = min(visit.total + max(K // 2, size // 8), size)
                if visit.share.grow(more):
                    visit.total = more
                else:
                    visit.woken = False
                    budget.queue(visit.share, visit.wake)
            elif not visit.woken:
                visit.until += 0.02 * len(going) / 8  # its clock stands
        if unparsed and rng.random() < 0.1:
            unparsed.pop(rng.randrange(len(unparsed))).release()
        budget.look()
        most = max(most, budget.used)
    assert budget.used == budget.waiting == 0
    assert budget.held_by == {}
    assert most <= limit + limit // 2 + 40 * K + 300 * K


def test_threads_and_a_loop_share_one_budget():
    budget = ByteBudget(20 * K)

    def download():
        woken = threading.Event()
        share = budget.share(give_way=lambda _: woken.set())
        for size in range(20):
            while not share.grow(size * K) and not share.leaves:
                woken.clear()
                share.wait_in_thread(woken)
        share.release()

    async def download_in_loop():
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        share = budget.share(give_way=lambda _: loop.call_soon_threadsafe(task.cancel))
        try:
            for size in range(20):
                while not share.grow(size * K):
                    await share.wait()
                await asyncio.sleep(0)
        finally:
            share.release()

    async def main():
        loops, threads = [download_in_loop() for _ in range(10)], [asyncio.to_thread(download) for _ in range(4)]
        await asyncio.gather(*loops, *threads, return_exceptions=True)

    asyncio.run(main())
    assert (budget.used, budget.waiting) == (0, 0)
    assert 0 < budget.waits <= 14


async def test_the_log_says_once_in_a_while_that_downloads_wait(caplog, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr("crawler.fetcher.transport.budget.time.monotonic", lambda: now[0])
    budget = ByteBudget(1234)
    first = budget.share("a.test")
    assert first.grow(2 * K)
    kept = budget.keep(150, "a.test")
    rooms = []

    async def wait():
        share = budget.share()
        share.grow(2 * K)
        rooms.append(asyncio.ensure_future(share.wait()))
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
    kept.release()
    assert caplog.records[0].levelno == logging.INFO
    assert "304 of 1,234 bytes" in caplog.text
    assert "1 waiting" in caplog.text


# --- the transports under it -----------------------------------------------------------------------------------------


def request(server, path="/", **more):
    return FetchRequest(server.url(path), **{"timeout_s": 60.0, "max_body_bytes": 10 * MB, **more})


async def fetched(transport, request):
    """Fetch as the fetcher does: what gave way, or found that its kept connection had ended, is asked for again."""
    result = NO_ROOM
    while isinstance(result, Failure) and (result.gave_way or result.stale):
        result = await transport.fetch(request)
    assert isinstance(result, FetchResult), result
    return result


def fill(budget):
    """Fill a budget of 20 MB with 50 MB of bodies that wait for parsers."""
    return [budget.keep(2 * MB, "full.test") for _ in range(25)]


def empty(full):
    for kept in full:
        kept.release()


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
PACKED = page(gzip.compress(random.Random(1).randbytes(9 * MB), 1, mtime=0), b"Content-Encoding: gzip")
PACKED_BYTES = PACKED.index(b"\x1f\x8b")
BOMB_BODY = gzip.compress(bytes(30 * MB), mtime=0)


async def test_sixty_bombs_at_once_count_as_what_came_and_wait_for_nothing(make, budget):
    """They are a matter of whoever decodes them."""
    transport = make(budget, concurrency=60)
    async with RawServer(says(page(BOMB_BODY, b"Content-Encoding: gzip"), end="close")) as server:
        results = await asyncio.gather(*[fetched(transport, request(server)) for _ in range(60)])
    assert [result.body for result in results] == [BOMB_BODY] * 60
    assert budget.waits == 0
    assert budget.seen[0] <= 60 * len(BOMB_BODY)


@pytest.mark.thorough
@pytest.mark.parametrize("answer", [PLAIN, PACKED], ids=["plain", "gzip"])
async def test_twenty_large_bodies_at_once_stay_near_the_limit_and_all_end(make, budget, answer):
    transport = make(budget, concurrency=20)
    async with RawServer(says(answer, end="close")) as server:

        async def fetch():
            result = await fetched(transport, request(server))
            kept = budget.keep(result.body_bytes, "a.test")  # as the fetcher does, until a parser has the body
            budget.seen[0] = max(budget.seen[0], budget.used)
            await asyncio.sleep(0.01)
            kept.release()
            return result.body_bytes, result.truncated

        results = await asyncio.gather(*[fetch() for _ in range(20)])
    assert results == [(10 * MB if answer is PLAIN else len(PACKED) - PACKED_BYTES, False)] * 20
    assert 5 * MB < budget.seen[0] < 20 * MB + 10 * MB
    assert budget.waits


async def test_a_small_page_does_not_wait_behind_large_bodies(make, budget):
    transport = make(budget, concurrency=8)
    full = fill(budget)
    async with RawServer(says(page(b"x" * 30_000))) as server:
        result = await transport.fetch(request(server, timeout_s=10.0))
    assert result.body_bytes == 30_000
    empty(full)


async def test_waiting_does_not_count_against_the_deadline_and_holds_the_server_back(make, budget):
    full = fill(budget)
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
        empty(full)
        result = await fetch
    assert isinstance(result, FetchResult), result
    assert result.body_bytes == 18 * MB


async def test_the_deadline_goes_on_where_it_was_when_there_is_room(make, budget):
    full = fill(budget)

    async def stalls(server, reader, writer):
        await server.head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + bytes(400_000))
        await asyncio.sleep(3600)

    transport = make(budget)
    async with RawServer(stalls) as server:
        fetch = asyncio.create_task(transport.fetch(request(server, timeout_s=DEADLINE_S)))
        await until(lambda: budget.waiting == 1)
        await asyncio.sleep(1.6 * DEADLINE_S)
        empty(full)
        started = time.monotonic()
        failure = await fetch
        took_s = time.monotonic() - started
    assert isinstance(failure, Failure)
    assert (failure.kind, failure.retryable) == ("timeout", True)
    assert "body" in failure.detail
    assert took_s < LATE * DEADLINE_S


async def test_a_download_that_is_cancelled_while_it_waits_gives_its_bytes_back(make, budget):
    full = fill(budget)
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
    empty(full)


async def test_closing_ends_downloads_that_wait(make, budget):
    full = fill(budget)
    transport = make(budget)
    async with RawServer(says(PLAIN)) as server:
        fetch = asyncio.create_task(transport.fetch(request(server)))
        await until(lambda: budget.waiting == 1)
        await transport.close()
        empty(full)
        assert isinstance(await asyncio.wait_for(fetch, 60), Failure)


async def test_answers_without_end_behind_a_download_that_waits_fill_no_memory(make, budget):
    full = fill(budget)
    sent = [0]

    async def endless(server, reader, writer):
        await server.head(reader)
        writer.write(page(bytes(5 * MB)))
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
        empty(full)
        assert (await fetch).body_bytes == 5 * MB


@pytest.mark.parametrize("end", ["reset", "close", "stall", "broken"])
async def test_a_download_that_fails_gives_its_bytes_back(make, budget, end):
    async def fails(server, reader, writer):
        await server.head(reader)
        coding = b"Content-Encoding: gzip\r\n" if end == "broken" else b""
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n" + coding + b"\r\n")
        writer.write(
            gzip.compress(bytes(100_000), mtime=0) + b"\x1f\x8b" + b"x" * 800_000 if coding else bytes(500_000)
        )
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
        results = await asyncio.gather(*[fetched(transport, request(server)) for _ in range(4)])
    assert [result.body_bytes for result in results] == [10 * MB] * 4


@pytest.mark.parametrize("limit", [8, 1_000, 1_000_000])
def test_room_is_scarce_whenever_a_host_holds_as_much_as_it_may(limit):
    """Whoever asks that first need not ask what hosts hold."""
    for size in (1, limit // 16, limit // 5, limit // 4 - 1, limit // 4, limit // 2, 3 * limit):
        budget = ByteBudget(limit)
        kept = budget.keep(size, "a.test")
        assert budget.is_scarce or not budget.is_crowded("a.test"), size
        kept.release()
        assert not budget.is_scarce
