"""The hosts that a crawl knows: whose turn it is, what is given back, what is remembered and what is forgotten."""

import time
from pathlib import Path

import msgspec
import pytest

from crawler.core.config import CrawlConfig
from crawler.core.model import Again, SeedContext, Task
from crawler.core.run_clock import RunClock
from crawler.fetcher.clock import HostClock
from crawler.fetcher.host import HostState
from crawler.fetcher.hosts import Hosts
from crawler.fetcher.transport.base import FetchResult
from crawler.web.robots import RobotsAnswer
from crawler.web.urls import task_key

SEED = SeedContext(1, ("http://a.test/",), b"null")


def task(url: str) -> Task:
    return Task(task_key(url, "page"), url, 0, None, (), 0, SEED)


@pytest.fixture
async def saved():
    return {}


@pytest.fixture
async def hosts(saved):
    config = CrawlConfig(job=Path("unused"), delay_s=0.0, per_host=1)

    def remember(host, state):
        saved[host] = msgspec.msgpack.decode(state, type=HostState)

    return Hosts(config, remember, remember, RunClock())


def served(hosts: Hosts, now: float) -> list[str]:
    names = []
    while (host := hosts.due(now)) is not None:
        names.append(host.name)
    return names


async def test_a_host_stands_in_the_line_once_and_in_the_order_in_which_it_came(hosts):
    hosts.add([task("http://a.test/1"), task("http://b.test/1"), task("http://a.test/2")])
    assert hosts.next_at == 0.0
    assert served(hosts, 1.0) == ["a.test", "b.test"]
    assert hosts.next_at is None


async def test_a_host_whose_time_has_not_come_is_not_due(hosts):
    hosts.add([task("http://a.test/1")])
    host = hosts.due(1.0)
    hosts.schedule(host, 5.0)
    assert (hosts.next_at, served(hosts, 4.9), served(hosts, 5.0)) == (5.0, [], ["a.test"])


async def test_a_host_that_is_asked_about_itself_does_not_come_back_before_the_answer(hosts):
    hosts.add([task("http://a.test/1")])
    host = hosts.due(1.0)
    hosts.hold(host)
    hosts.schedule(host, 0.0)
    assert served(hosts, 1.0) == []
    assert hosts.release(host, 0.0) == []
    assert served(hosts, 1.0) == ["a.test"]


async def test_tasks_of_a_host_that_has_to_wait_long_are_due_again_then(hosts):
    hosts.add([task("http://a.test/1"), task("http://a.test/2")])
    host = hosts.due(1.0)
    assert hosts.wait(host, 30.0, 1.0) == []
    given_back = hosts.wait(hosts.due(40.0), 100.0, 40.0)
    assert [(type(one), one.reason) for one in given_back] == [(Again, None)] * 2
    assert all(59 < one.at - time.time() <= 60 for one in given_back)
    assert not host.tasks
    assert hosts.next_at is None


async def result_of(value):
    return value


async def test_the_clock_of_a_host_that_wants_fewer_requests_is_remembered_at_once(hosts, saved):
    """Not only when the wait is long: the next run may begin at any instant."""
    hosts.add([task("http://a.test/1")])
    host = hosts.due(1.0)
    hosts.started(host, 1.0)
    await hosts.ask(host, result_of(FetchResult("http://a.test/1", 503, (("retry-after", "6"),))))
    assert 5 < saved["a.test"].clock.wait_s <= 6


async def test_a_long_delay_is_remembered_with_each_request(hosts, saved):
    """A run that is killed now must not make the next one ask too soon; an ordinary delay is over when that begins."""
    hosts.add([task("http://a.test/1"), task("http://b.test/1")])
    slow, quick = hosts.due(1.0), hosts.due(1.0)
    hosts.set_crawl_delay(slow, 20.0)
    now = time.monotonic()
    hosts.started(slow, now)
    hosts.started(quick, now)
    assert list(saved) == ["a.test"]
    again = Hosts(CrawlConfig(job=Path("unused"), delay_s=0.0), lambda *_: None, lambda *_: None, RunClock())
    host = again.recall(saved["a.test"])
    assert 19 < again.ready_at(host, now) - now <= 20.1
    again.started(host, now + 20)
    assert again.ready_at(host, now + 20) == now + 40, "the delay of robots.txt is no back-off that adds to it"


async def test_a_request_that_breaks_down_gives_its_place_back(hosts):
    """Whatever the transport raises."""

    async def breaks_down():
        raise RuntimeError("no transport does this")

    hosts.add([task("http://a.test/1"), task("http://a.test/2")])
    host = hosts.due(1.0)
    hosts.started(host, 1.0)
    assert hosts.ready_at(host, 2.0) is None
    with pytest.raises(RuntimeError):
        await hosts.ask(host, breaks_down())
    assert hosts.ready_at(host, 2.0) == 2.0
    assert hosts.due(time.monotonic() + 60) is host


async def test_an_earlier_visit_is_recalled_unless_the_host_is_known(hosts):
    state = HostState("a.test", time.time(), {"http://a.test": RobotsAnswer(200, b"", 0.0)}, HostClock(1.0, 20.0))
    host = hosts.recall(state)
    now = time.monotonic()
    assert 19 < hosts.ready_at(host, now) - now <= 20
    assert hosts.recall(state) is None
    hosts.add([task("http://a.test/1")])
    assert hosts.due(1.0) is host


async def test_idle_hosts_are_forgotten_when_many_are_known_and_busy_ones_are_not(hosts):
    hosts.add([task(f"http://h{number}.test/") for number in range(600)])
    first = hosts.due(1.0)
    everyone = [first, *(host for _ in range(599) if (host := hosts.due(1.0)))]
    for host in everyone[300:]:
        host.tasks.clear()
    for _ in range(100):
        hosts.retire(10.0)
    hosts.add([task("http://h0.test/x"), task("http://h300.test/x")])
    assert hosts.waiting == 301
    assert hosts.due(10.0) is first
    assert hosts.due(10.0) is not everyone[300]
