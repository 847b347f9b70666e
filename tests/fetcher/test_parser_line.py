"""Hosts that wait because the parsers have enough of pages like theirs."""

import asyncio

from crawler.fetcher.host import Host
from crawler.fetcher.known_hosts import KnownHosts
from crawler.fetcher.parser_line import ParserLine
from crawler.fetcher.politeness import Politeness
from tests.support.stage import stage, task

OPEN = {"robots": "ignore"}


class Load:
    """Parsers that hold some hosts, and think that no page is quick."""

    def __init__(self, *held: str) -> None:
        self.held = set(held)

    def is_quick(self, host, size):
        return False

    def holds(self, host):
        return host in self.held


async def test_a_host_that_the_parsers_hold_is_not_asked_until_they_have_room_and_others_are(tmp_path):
    load = Load("a.test")
    async with stage(lambda _path: "<p>x", tmp_path, load=load, **OPEN) as made:
        await made.ended(task("http://b.test/1"))
        made.fetcher.feed([task("http://a.test/1")], [])
        await made.ended(task("http://b.test/2"))
        assert [request.url for request in made.asked] == ["http://b.test/1", "http://b.test/2"]
        assert made.fetcher.hosts_held_by() == {"parsers": 1}
        load.held.clear()
        made.fetcher.charge({})
        await made.ended()
        while len(made.pages) < 3:
            await asyncio.sleep(0.001)
        assert made.fetcher.hosts_held_by() == {}


async def test_it_is_asked_in_the_end_even_if_nobody_says_that_there_is_room(tmp_path):
    load = Load("a.test")
    async with stage(lambda _path: "<p>x", tmp_path, load=load, **OPEN) as made:
        made.fetcher.feed([task("http://a.test/1")], [])
        await asyncio.sleep(0.02)
        assert not made.asked
        load.held.clear()
        await made.ended()
        while not made.pages:
            await asyncio.sleep(0.001)


async def test_a_host_that_is_charged_for_its_pages_waits(tmp_path):
    async with stage(lambda _path: "<p>x", tmp_path, load=Load(), **OPEN) as made:
        await made.ended(task("http://a.test/1"))
        made.fetcher.charge({"a.test": 20.0, "unknown.test": 20.0})
        made.fetcher.feed([task("http://a.test/2")], [])
        await made.ended(task("http://b.test/1"))
        await asyncio.sleep(0.02)
        assert [request.url for request in made.asked] == ["http://a.test/1", "http://b.test/1"]
        assert made.fetcher.hosts_held_by() == {"parsers": 1}


async def test_pages_that_wait_for_a_parser_take_no_places_of_requests(tmp_path):
    """Unless their hosts are known to be quick: those wait for a moment, and hold the fetcher back."""
    async with stage(lambda _path: "<p>x", tmp_path, load=Load(), concurrency=2, **OPEN) as made:
        made.parsers_take_pages.clear()
        await made.ended(*(task(f"http://h{number}.test/") for number in range(6)))
        assert (len(made.asked), made.fetcher.in_flight) == (6, 6)
        made.parsers_take_pages.set()
    async with stage(lambda _path: "<p>x", tmp_path, concurrency=2, **OPEN) as made:
        made.parsers_take_pages.clear()
        made.fetcher.feed([task(f"http://h{number}.test/") for number in range(6)], [])
        await asyncio.sleep(0.1)
        assert (len(made.asked), made.fetcher.in_flight) == (2, 2)
        made.parsers_take_pages.set()


def test_one_word_of_the_parsers_brings_back_all_that_may_go():
    """They say so once: with 16 a word, a list of hosts with a page each went on with 64 hosts a second."""
    hosts = [Host(f"h{number}.test") for number in range(100)]
    load = Load(*(host.name for host in hosts))
    line = ParserLine(load, Politeness(1, 1, None), KnownHosts(lambda _host, _now: True, {}, recalls=False))
    assert all(map(line.stops, hosts))
    assert line.called(1.0) == []  # all have been looked at
    load.held.clear()
    line.charge({}, 1.0)
    back: list[Host] = []
    while called := line.called(1.0):
        back += called
    assert back == hosts
