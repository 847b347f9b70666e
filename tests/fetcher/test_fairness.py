"""Healthy hosts beside very many that answer late, in part or not at all: in virtual time, so that only waiting counts.

The healthy ones are twenty with a page every tenth of a second, which politeness allows, and are found last.
"""

import asyncio
import math
import time
from collections import Counter
from pathlib import Path

import pytest
from msgspec import structs

from crawler.core.config import CrawlConfig
from crawler.core.model import Again, SeedContext, Task
from crawler.fetcher.fetcher import Fetcher
from crawler.fetcher.host import Host
from crawler.fetcher.pace import ContactTime, Pace
from crawler.fetcher.paces import Paces
from crawler.fetcher.slots import Slots
from crawler.fetcher.transport.budget import ByteBudget
from crawler.fetcher.transport.fake import FakeTransport, answer
from crawler.fetcher.turns import Turns
from crawler.web.urls import authority, task_key
from tests.support.virtual_time import run

SEED = SeedContext(1, ("http://a.test/",), b"null")
NEVER = 1e9


def task(url: str) -> Task:
    return Task(task_key(url, "page"), url, 0, None, (), 0, SEED)


def kind_of(url: str) -> str:
    return authority(url).removesuffix(".test").rstrip("0123456789")


def urls(kind: str, hosts: int, pages: int) -> list[str]:
    return [f"http://{kind}{host}.test/{page}" for page in range(pages) for host in range(hosts)]


async def well(_path: str) -> float:
    """Seconds after which a healthy host answers."""
    return 0.02


async def silent(_path: str) -> float:
    return NEVER


async def silent_pages(path: str) -> float:
    return 0.02 if path == "/robots.txt" else NEVER


async def late(_path: str) -> float:
    return 8.0


class Names(FakeTransport):
    """The fake network, with names of which the name server says nothing."""

    async def address(self, url: str) -> str | None:
        if "://mute" in url:
            await asyncio.sleep(10.0)
        return None


class Street:
    """A fetcher with a frontier that hands out again what is due, for as long as there is something to do."""

    def __init__(self, behaviours, **settings) -> None:
        self.behaviours = behaviours
        config = CrawlConfig(job=Path("unused"), **settings)
        self.transport = Names(self._answer)
        self.loop = asyncio.get_running_loop()
        self.fetched = Counter()
        self.ends = Counter()
        self.last_at = self.loop.time()
        self.peak = 0
        self.parsed_after_s = 0.0
        self.given_up = 0
        self.listened_s: dict[str, float] = {}
        self.rates: list[int] = []
        self.held_by: list[dict[str, int]] = []
        self.known: dict[bytes, Task] = {}
        self.began = self.loop.time()
        self.fetcher = Fetcher(
            config,
            self.transport,
            ByteBudget(config.bytes_in_flight),
            submit=self._submit,
            report=self._report,
            remember=lambda *_: None,
            fail=self._fail,
        )

    async def _answer(self, request):
        path = "/" + request.url.split("/", 3)[3]
        kind = kind_of(request.url)
        self.peak = max(self.peak, self.transport.in_flight)
        began = self.loop.time()
        try:
            await asyncio.sleep(await self.behaviours[kind](path))
        finally:
            self.listened_s[authority(request.url)] = self.loop.time() - began
        found = answer(request, "", status=404) if path == "/robots.txt" else answer(request, "page")
        return structs.replace(found, address=None)

    async def _submit(self, page):
        kind = kind_of(page.task.url)
        assert page.task.attempts == 0
        await asyncio.sleep(self.parsed_after_s)
        self.fetched[kind] += 1
        self.last_at = self.loop.time()

    def _report(self, results):
        for end in results:
            one = self.known[end.key]
            if isinstance(end, Again):
                assert end.reason is None, "no attempt is used up"
                if end.at < math.inf:
                    self.loop.call_later(max(0.0, end.at - time.time()), self.fetcher.feed, [one], [])
                else:
                    self.given_up += 1
            else:
                self.ends[f"{end.outcome}: {end.reason}"] += 1

    def _fail(self, error):
        raise AssertionError from error

    @property
    def is_over(self) -> bool:
        """Whether every URL has been fetched, has ended, or is due in no time."""
        return self.fetched.total() + self.ends.total() + self.given_up == len(self.known)

    def start(self, found: list[str]) -> None:
        tasks = [task(url) for url in found]
        self.known |= {one.key: one for one in tasks}
        self.fetcher.feed(tasks, [])


async def pages_a_second(behaviours, bad: int, *, seconds: int = 6, parsed_after_s: float = 0.0) -> Street:
    """Crawl `bad` hosts of each kind with four pages each, and the healthy ones, which come last."""
    street = Street(behaviours)
    street.parsed_after_s = parsed_after_s
    for kind in behaviours:
        street.start(urls(kind, *((20, 400) if kind == "good" else (bad, 4))))
    for _ in range(seconds):
        before = street.fetched["good"]
        await asyncio.sleep(1.0)
        street.rates.append(street.fetched["good"] - before)
        street.held_by.append(street.fetcher.hosts_held_by())
    await street.fetcher.abort()
    return street


ATTACKS = {"silent": silent, "dumb": silent_pages, "mute": well, "late": late}


@pytest.mark.parametrize("attack", ATTACKS)
def test_healthy_hosts_keep_their_rate_beside_very_many_that_do_not_answer(attack):
    """All of it as soon as everybody has been asked once, which takes two seconds."""
    alone = run(pages_a_second({"good": well}, 0))
    beside = run(pages_a_second({attack: ATTACKS[attack], "good": well}, 800))
    assert alone.rates[2:] == [200] * 4
    assert sum(beside.rates[2:]) >= 0.98 * sum(alone.rates[2:]), beside.rates
    assert beside.peak <= 256
    assert not beside.ends
    words = {word for held in beside.held_by for word in held}
    assert words & {"hosts that have not answered yet", "hosts that answer slowly"}


def test_pages_of_healthy_hosts_that_wait_for_a_parser_leave_no_place_to_silent_hosts():
    """They hold their places meanwhile, and need as many the more."""
    beside = run(pages_a_second({"silent": silent, "good": well}, 800, seconds=9, parsed_after_s=0.4))
    assert sum(beside.rates[5:]) >= 0.98 * 4 * 200, beside.rates


async def crawled(behaviours, found: list[str], settings=(), until=lambda _: False) -> Street:
    """Crawl until everything has ended, or is due in no time, or `until` holds."""
    street = Street(behaviours, **dict(settings))
    street.start(found)
    while not street.is_over and not until(street):
        await asyncio.sleep(0.1)
    await street.fetcher.abort()
    return street


def test_a_server_that_takes_its_time_is_crawled_whole_beside_silent_ones():
    """Eight seconds for each answer: it gives way at first, and is listened to for longer each time."""
    found = [*urls("silent", 500, 2), *urls("late", 1, 5), *urls("good", 20, 50)]
    behaviours = {"silent": silent, "late": late, "good": well}
    street = run(crawled(behaviours, found, until=lambda one: one.fetched["late"] == 5))
    assert street.fetched == {"late": 5, "good": 1000}


def test_a_list_of_hosts_with_a_page_each_may_take_all_places():
    """Nobody better waits: it takes as long as its answers do."""
    settings = {"concurrency": 64}
    street = run(crawled({"good": well}, urls("good", 640, 1), settings))
    assert street.fetched == {"good": 640}
    assert street.peak == 64
    least_s = 2 * 640 * 0.02 / 64
    assert street.last_at - street.began < 1.5 * least_s + 0.1


def test_silent_hosts_are_given_up_only_after_they_were_listened_to_in_full():
    """And not before two minutes have passed: nothing is dropped, no attempt used up."""
    street = run(crawled({"silent": silent}, urls("silent", 40, 1), {"concurrency": 16}))
    assert street.given_up == 40
    assert street.loop.time() - street.began > 120
    assert {round(seconds) for seconds in street.listened_s.values()} == {30}


def test_what_a_first_answer_takes_is_learned_as_tcp_does():
    time = ContactTime()
    assert time.usual_s == 0.5
    for _ in range(20):
        time.learn(0.3)
    assert 0.3 <= time.usual_s < 0.35
    for took_s in (0.3, 0.9) * 10:
        time.learn(took_s)
    assert 1.2 < time.usual_s < 2.0
    for _ in range(20):
        time.learn(30.0)
    assert time.usual_s == 2.0


def test_a_host_that_gave_way_is_given_more_time_until_it_answers():
    pace = Pace()
    assert (pace.is_slow, pace.patience_s(0.5)) == (False, 0.5)
    pace.hurried()
    pace.hurried()
    assert (pace.is_slow, pace.patience_s(0.5)) == (True, 2.0)
    pace.answered(0.1)
    assert (pace.is_slow, pace.patience_s(0.5), pace.answers) == (False, 0.5, 1)
    pace.answered(5.0)
    assert pace.is_slow
    assert pace.patience_s(0.5) > 5.0


def test_hosts_that_answer_take_turns_with_new_ones_however_many_those_are():
    turns = Turns(Paces(lambda _: 0, 2), Slots(256))
    for number in range(100):
        turns.put(Host(f"new{number}.test"), 0.0)
    for number in range(3):
        proven = Host(f"proven{number}.test")
        proven.pace.answered(0.01)
        turns.put(proven, 1.0)
    served = [host.name for _ in range(8) if (host := turns.next(2.0)) is not None]
    assert [name for name in served if name.startswith("proven")] == [f"proven{number}.test" for number in range(3)]
    assert len(served) == 8
