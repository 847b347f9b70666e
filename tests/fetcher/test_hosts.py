"""The hosts that a crawl knows: whose turn it is, what is given back, what is remembered and what is forgotten."""

import time
from pathlib import Path

import msgspec
import pytest

from crawler.core.config import CrawlConfig
from crawler.core.model import Again, SeedContext, Task
from crawler.core.run_clock import RunClock
from crawler.fetcher import known_hosts
from crawler.fetcher.host import Host
from crawler.fetcher.hosts import Hosts
from crawler.fetcher.silence import Silence
from crawler.fetcher.transport.base import FetchResult
from crawler.web.host_state import HostClock, HostState, decoded
from crawler.web.robots import RobotsAnswer
from crawler.web.urls import task_key

KEPT_HOSTS = 100
SEED = SeedContext(1, ("http://a.test/",), b"null")


def task(url: str) -> Task:
    return Task(task_key(url, "page"), url, 0, None, (), 0, SEED)


@pytest.fixture
async def saved():
    return {}


@pytest.fixture
async def hosts(saved):
    config = CrawlConfig(job=Path("unused"), delay_s=0.0, per_host=1)

    def remember(host, _part, row):
        saved[host] = row

    return Hosts(config, remember, RunClock(), no_rows)


def clock(saved, name: str) -> HostClock:
    return msgspec.msgpack.decode(saved[name], type=HostState).clock


def recalled(hosts: Hosts, name: str, row: bytes) -> Host:
    host = hosts.named(name)
    hosts.memory.learn(host, decoded((row,)))
    return host


async def no_rows(_host, parts):
    return [None] * len(parts)


def served(hosts: Hosts, now: float) -> list[str]:
    names = []
    hosts.turns.look(now)
    while (host := hosts.turns.next(now)) is not None:
        names.append(host.name)
    return names


async def test_a_host_stands_in_the_line_once_and_in_the_order_in_which_it_came(hosts):
    hosts.add([task("http://a.test/1"), task("http://b.test/1"), task("http://a.test/2")])
    assert hosts.turns.next_at(-1.0) == 0.0
    assert served(hosts, 1.0) == ["a.test", "b.test"]
    assert hosts.turns.next_at(-1.0) is None


async def test_a_host_whose_time_has_not_come_is_not_due(hosts):
    hosts.add([task("http://a.test/1")])
    host = hosts.turns.next(1.0)
    hosts.schedule(host, 5.0)
    assert (hosts.turns.next_at(1.0), served(hosts, 4.9), served(hosts, 5.0)) == (5.0, [], ["a.test"])


async def test_a_host_that_is_asked_about_itself_does_not_come_back_before_the_answer(hosts):
    hosts.add([task("http://a.test/1")])
    host = hosts.turns.next(1.0)
    hosts.hold(host)
    hosts.schedule(host, 0.0)
    assert served(hosts, 1.0) == []
    assert hosts.release(host, 0.0) == []
    assert served(hosts, 1.0) == ["a.test"]


async def test_tasks_of_a_host_that_has_to_wait_long_are_due_again_then(hosts):
    hosts.add([task("http://a.test/1"), task("http://a.test/2")])
    host = hosts.turns.next(1.0)
    assert hosts.wait(host, 30.0, 1.0) == []
    given_back = hosts.wait(hosts.turns.next(40.0), 100.0, 40.0)
    assert [(type(one), one.reason) for one in given_back] == [(Again, None)] * 2
    assert all(59 < one.at - time.time() <= 60 for one in given_back)
    assert not host.tasks
    assert hosts.turns.next_at(-1.0) is None


async def result_of(value):
    return value


async def test_the_clock_of_a_host_that_wants_fewer_requests_is_remembered_at_once(hosts, saved):
    """Not only when the wait is long: the next run may begin at any instant."""
    hosts.add([task("http://a.test/1")])
    host = hosts.turns.next(1.0)
    hosts.started(host, 1.0)
    await hosts.ask(
        host, hosts.turns.take(host, 1.0), result_of(FetchResult("http://a.test/1", 503, (("retry-after", "6"),)))
    )
    assert 5 < clock(saved, "a.test").wait_s <= 6


async def test_a_long_delay_is_remembered_with_each_request(hosts, saved):
    """A run that is killed now must not make the next one ask too soon; an ordinary delay is over when that begins."""
    hosts.add([task("http://a.test/1"), task("http://b.test/1")])
    slow, quick = hosts.turns.next(1.0), hosts.turns.next(1.0)
    hosts.set_crawl_delay(slow, 20.0)
    now = time.monotonic()
    hosts.started(slow, now)
    hosts.started(quick, now)
    assert list(saved) == ["a.test"]
    again = Hosts(CrawlConfig(job=Path("unused"), delay_s=0.0), lambda *_: None, RunClock(), no_rows)
    host = recalled(again, "a.test", saved["a.test"])
    assert 19 < again.ready_at(host, now) - now <= 20.1
    again.started(host, now + 20)
    assert again.ready_at(host, now + 20) == now + 40, "the delay of robots.txt is no back-off that adds to it"


async def test_a_request_that_breaks_down_gives_its_place_back(hosts):
    """Whatever the transport raises."""

    async def breaks_down():
        raise RuntimeError("no transport does this")

    hosts.add([task("http://a.test/1"), task("http://a.test/2")])
    host = hosts.turns.next(1.0)
    hosts.started(host, 1.0)
    assert hosts.ready_at(host, 2.0) is None
    with pytest.raises(RuntimeError):
        await hosts.ask(host, hosts.turns.take(host, 1.0), breaks_down())
    assert hosts.ready_at(host, 2.0) == 2.0
    assert hosts.turns.next(time.monotonic() + 60) is host


async def test_an_earlier_visit_is_recalled_unless_the_host_is_known(hosts):
    answer = RobotsAnswer(200, b"", time.time() + 60.0)
    row = msgspec.msgpack.encode(HostState("a.test", time.time(), {"http://a.test": answer}, HostClock(1.0, 20.0)))
    host, now = recalled(hosts, "a.test", row), time.monotonic()
    assert 19 < hosts.ready_at(host, now) - now <= 20
    recalled(hosts, "a.test", msgspec.msgpack.encode(HostState("a.test", time.time(), {}, HostClock(1.0, 90.0))))
    assert hosts.ready_at(host, now) - now <= 20
    hosts.add([task("http://a.test/1")])
    assert hosts.turns.next(1.0) is host


async def visited(hosts: Hosts, numbers: range, now: float) -> None:
    """One request to each of so many hosts."""
    hosts.add([task(f"http://h{number}.test/") for number in numbers])
    while (host := hosts.turns.next(now)) is not None:
        host.tasks.clear()
        hosts.started(host, now)
        await hosts.ask(host, hosts.turns.take(host, 1.0), result_of(FetchResult("http://h.test/", 200)))


async def test_idle_hosts_are_forgotten_when_many_are_known_and_busy_ones_are_not(hosts, monkeypatch):
    monkeypatch.setattr(known_hosts, "KEPT_HOSTS", KEPT_HOSTS)
    hosts.add([task("http://busy.test/1"), task("http://busy.test/2")])
    busy = hosts.turns.next(1.0)
    busy.tasks.popleft()
    hosts.started(busy, 1.0)
    await hosts.ask(busy, hosts.turns.take(busy, 1.0), result_of(FetchResult("http://busy.test/1", 200)))
    await visited(hosts, range(2 * KEPT_HOSTS), time.monotonic())
    assert len(hosts.known) == pytest.approx(KEPT_HOSTS, abs=2)
    assert hosts.named("busy.test") is busy
    assert not hosts.named("h0.test").recalled, "what the store knows of it is asked for before it is asked again"


async def test_a_host_that_must_wait_is_forgotten_with_its_clock_in_the_store(hosts, saved, monkeypatch):
    """A Retry-After of an hour, or many hosts with a long Crawl-delay, hold no memory."""
    monkeypatch.setattr(known_hosts, "KEPT_HOSTS", KEPT_HOSTS)
    hosts.add([task("http://later.test/")])
    host = hosts.turns.next(1.0)
    host.tasks.clear()
    hosts.started(host, 1.0)
    await hosts.ask(
        host, hosts.turns.take(host, 1.0), result_of(FetchResult("http://later.test/", 503, (("retry-after", "3000"),)))
    )
    await visited(hosts, range(KEPT_HOSTS + 1), time.monotonic())
    again = recalled(hosts, "later.test", saved["later.test"])
    assert again is not host
    now = time.monotonic()
    assert 2_900 < hosts.ready_at(again, now) - now <= 3_000


async def test_a_person_is_shown_few_of_many_hosts_those_with_the_most_to_do(hosts):
    hosts.add(task(f"http://host{n}.test/{m}") for n in range(2_000) for m in range(1 + (n == 700) + 2 * (n == 1_234)))
    found = hosts.list.find("", 4)
    assert (len(found.lines), found.found, found.of) == (4, 2_000, 2_000)
    assert [(one.name, one.pending) for one in found.lines[:2]] == [("host1234.test", 3), ("host700.test", 2)]
    assert [one.name for one in hosts.list.find("host199", 50).lines][:2] == ["host199.test", "host1990.test"]
    assert hosts.list.find("nobody", 50).lines == ()
    assert all(host.name in hosts.known._hosts for host in hosts.known.all)  # to be shown makes nobody known


async def test_a_person_is_told_what_a_host_waits_for(hosts):
    now = hosts._loop.time()
    names = ("due", "busy", "waits", "asked", "silent", "gone", "idle")
    hosts.add(task(f"http://{name}.test/1") for name in names)
    for name in ("busy", "waits"):
        hosts._politeness.started(f"{name}.test", now)
    hosts._politeness.finished("waits.test", now, 0.0, "slow_down", 30.0)
    hosts.named("asked.test").asking = True
    hosts.named("idle.test").tasks.clear()
    for name, until in (("silent", now + 20.4), ("gone", float("inf"))):
        silence = hosts.named(f"{name}.test").silence = Silence(now)
        silence.until, silence.why = until, "connect: refused"
    told = {one.name.removesuffix(".test"): one.state for one in hosts.list.find("", 50).lines}
    assert told == {
        "due": "due",
        "busy": "held by --per-host 1",
        "waits": "held by Retry-After or back-off, 30 s",
        "asked": "asked for its robots.txt or address",
        "silent": "does not answer (connect: refused): asked again in 20 s",
        "gone": "given up: connect: refused",
        "idle": "nothing to do",
    }
