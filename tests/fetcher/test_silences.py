"""Hosts that do not answer, on a fake network, with little patience and in virtual time: what becomes of their URLs."""

import asyncio
import logging

import pytest

from crawler.core.model import Failure
from crawler.fetcher.gaps import Gaps
from crawler.fetcher.network import Network
from crawler.fetcher.silence import Patience, Silence
from tests.support.stage import stage, task
from tests.support.virtual_time import in_virtual_time, stand_still

RESET = Failure("reset", "by peer", retryable=True)
REFUSED = Failure("connect", "refused", retryable=True)
UNKNOWN = Failure("dns", "no such name", retryable=False)
LITTLE = Patience(
    doubt_s=0.02, first_sleep_s=0.03, longest_sleep_s=0.2, refusing_s=0.3, stranger_s=0.3, offline_sleep_s=0.05
)
PAGES = {"robots": "ignore"}
"""Settings of a crawl that asks for pages alone, unless a host has to prove that it answers."""


@pytest.fixture(autouse=True)
def little_patience(monkeypatch):
    monkeypatch.setattr("crawler.fetcher.silences.PATIENCE", LITTLE)
    monkeypatch.setattr("crawler.fetcher.retry._BACKOFF_BASE_S", 0.01)
    monkeypatch.setattr("crawler.fetcher.clock._FIRST_BACKED_OFF_DELAY_S", 0.002)
    monkeypatch.setattr("crawler.fetcher.clock.MAX_DELAY_S", 0.02)


def urls(number: int, host: str = "a.test"):
    return [task(f"http://{host}/{n}") for n in range(number)]


class Server:
    """Answers with `page` but between two instants (seconds from its first request), when it is `broken`."""

    def __init__(self, broken, *, down=(0.0, 0.0), poison=()) -> None:
        self.broken, self.poison = broken, poison
        self.began: float | None = None
        self.down = down
        self.asked = []

    def __call__(self, path):
        self.asked.append(path)
        now = asyncio.get_running_loop().time()
        self.began = self.began or now
        first, last = self.down
        if first <= now - self.began < last:
            return self.broken
        if path in self.poison:
            return RESET
        return ("", 404, ()) if path == "robots.txt" else f"page {path}"


@pytest.mark.parametrize("settings", [{}, PAGES], ids=["with robots.txt", "without"])
@pytest.mark.parametrize("down", [(0.0, 0.25), (0.05, 0.2), (0.05, 0.4)], ids=str)
@pytest.mark.parametrize("broken", [RESET, REFUSED], ids=["reset", "refused"])
@in_virtual_time
async def test_an_outage_costs_no_url_and_no_attempt(tmp_path, broken, down, settings):
    """Not even where nothing is tried twice."""
    server = Server(broken, down=down)
    async with stage(server, tmp_path, per_host=1, delay_s=0.001, **settings) as made:
        ended = await made.crawled(*urls(200))
    assert set(ended.values()) == {"fetched 0"}


@pytest.mark.parametrize("broken", [("", 502, ()), ("", 503, ()), RESET])
@in_virtual_time
async def test_nothing_is_asked_for_while_robots_txt_cannot_be_had(tmp_path, broken):
    """RFC 9309 §2.3.1.4; and nothing is lost by it."""
    server = Server(broken, down=(0.0, 0.2))
    async with stage(server, tmp_path) as made:
        ended = await made.crawled(*urls(20))
    assert set(ended.values()) == {"fetched 0"}
    tries = [path for path in server.asked if path == "robots.txt"]
    assert server.asked[: len(tries)] == tries
    assert len(tries) < 15


@pytest.mark.parametrize("robots", ["obey", "ignore"])
@pytest.mark.parametrize("number", [1, 2, 30])
@in_virtual_time
async def test_a_url_that_breaks_its_connection_ends_when_its_host_answers_for_others(tmp_path, number, robots):
    """Or for its robots.txt, if nothing else is left to ask for."""
    poison = {"0", "1"}
    server = Server(None, poison=poison)
    async with stage(server, tmp_path, retries=2, robots=robots) as made:
        ended = await made.crawled(*urls(number))
    expected = {f"http://a.test/{n}": "failed: reset" if str(n) in poison else "fetched 0" for n in range(number)}
    assert ended == expected
    assert server.asked.count("0") == 3


@pytest.mark.parametrize("robots", ["obey", "ignore"])
@in_virtual_time
async def test_a_host_that_never_answers_is_given_up_and_its_urls_stay_due(tmp_path, robots):
    async with stage(lambda _path: REFUSED, tmp_path, robots=robots, retries=2) as made:
        began = asyncio.get_running_loop().time()
        ended = await made.crawled(*urls(50))
        assert LITTLE.stranger_s <= asyncio.get_running_loop().time() - began < 20
        assert made.fetcher.silences.count == 1
        (named,) = made.fetcher.silences.named
        assert (named.name, named.why, named.next_s) == ("a.test", "connect: refused", None)
    assert set(ended.values()) == {"due 0"}
    assert len(made.asked) < 40


@in_virtual_time
async def test_a_host_that_has_answered_is_waited_for_longer(tmp_path):
    server = Server(RESET, down=(0.05, 99.0))
    async with stage(server, tmp_path, give_up_after_s=0.8, per_host=1, delay_s=0.01) as made:
        began = asyncio.get_running_loop().time()
        ended = await made.crawled(*urls(100))
        assert asyncio.get_running_loop().time() - began >= 0.8
    assert set(ended.values()) == {"fetched 0", "due 0"}


@in_virtual_time
async def test_urls_of_a_host_that_is_given_up_can_be_made_to_end(tmp_path):
    async with stage(lambda _path: REFUSED, tmp_path, give_up_after_s=0.0, fail_unreachable=True) as made:
        ended = await made.crawled(*urls(5))
        assert set(ended.values()) == {"failed: host-down"}
        assert len(made.asked) == 1
        assert await made.crawled(*urls(9)[5:]) == {f"http://a.test/{n}": "failed: host-down" for n in range(5, 9)}
        assert len(made.asked) == 1


@in_virtual_time
async def test_a_host_that_refuses_for_ever_sleeps_and_is_given_up(tmp_path):
    """429 and 503: some URLs end with that status in the first minutes, the others stay due."""
    server = Server(("", 503, ()), down=(0.05, 99.0))
    async with stage(server, tmp_path, give_up_after_s=0.8, retries=2, delay_s=0.01, per_host=1) as made:
        ended = await made.crawled(*urls(200))
    assert set(ended.values()) <= {"fetched 0", "fetched 2", "due 0", "due 1", "due 2"}
    assert "due 0" in ended.values()
    assert len(server.asked) < 150


@in_virtual_time
async def test_a_host_whose_pages_never_come_is_given_up_although_its_robots_txt_does(tmp_path):
    def respond(path):
        return ("", 404, ()) if path == "robots.txt" else RESET

    async with stage(respond, tmp_path, give_up_after_s=0.8, retries=2, delay_s=0.01, per_host=1) as made:
        ended = await made.crawled(*urls(200))
    assert {end.partition(" ")[0] for end in ended.values()} <= {"failed:", "due"}
    assert "due 1" in ended.values(), "the attempts count: the host is there"


@in_virtual_time
async def test_an_answer_that_cannot_be_read_never_counts_against_its_host(tmp_path):
    """A head came: the host is there, and each of the URLs ends by itself."""
    broken = Failure("incomplete", "cut", retryable=True, answered=True)
    respond = lambda path: ("", 404, ()) if path == "robots.txt" else broken  # noqa: E731 - a table
    async with stage(respond, tmp_path, retries=1) as made:
        ended = await made.crawled(*urls(100))
        assert made.fetcher.silences.count == 0
    assert set(ended.values()) == {"failed: incomplete"}


@in_virtual_time
async def test_an_unknown_name_is_an_outcome(tmp_path):
    async with stage(lambda _path: UNKNOWN, tmp_path, retries=2) as made:
        ended = await made.crawled(*urls(5))
    assert set(ended.values()) == {"failed: dns"}


@in_virtual_time
async def test_when_no_host_answers_one_request_at_a_time_finds_out_when_one_does(tmp_path, caplog):
    """And that is no silence of any of them: they are asked again at once, and none is given up."""
    hosts = [f"h{n}.test" for n in range(12)]
    server = Server(RESET, down=(0.2, 1.2))
    tasks = [one for host in hosts for one in urls(60, host)]
    caplog.set_level(logging.WARNING, "crawler.fetcher.network")
    peak, alone = 0, False

    async def respond(path):
        nonlocal peak, alone
        alone = made.fetcher.silences.offline and (alone or made.fetcher.in_flight == 1)
        if alone:  # what was under way has ended
            await asyncio.sleep(0.005)
            peak = max(peak, made.fetcher.in_flight)
        return server(path)

    async with stage(respond, tmp_path, give_up_after_s=0.5, delay_s=0.02, per_host=1) as made:
        ended = await made.crawled(*tasks)
    assert set(ended.values()) == {"fetched 0"}
    assert peak == 1
    first, last = (record.getMessage() for record in caplog.records)
    assert first.startswith("no host answers any more")
    assert last.startswith("hosts answer again after")


@in_virtual_time
async def test_dead_hosts_are_no_sign_that_the_network_is_down(tmp_path):
    def respond(url):
        return REFUSED if "dead" in url else "page"

    dead = [one for n in range(40) for one in urls(2, f"dead{n}.test")]
    async with stage(respond, tmp_path, by_url=True, **PAGES) as made:
        ended = await made.crawled(*dead, *urls(20))
        assert not made.fetcher.silences.offline
    assert [end for url, end in ended.items() if "dead" in url] == ["due 0"] * 80
    assert [end for url, end in ended.items() if "dead" not in url] == ["fetched 0"] * 20


@in_virtual_time
async def test_what_fails_while_this_process_stands_still_is_asked_for_again(tmp_path):
    """Nobody is to blame: a page that ran out of time meanwhile is no attempt, even where nothing is tried twice."""
    asked = []

    async def respond(path):
        asked.append(path)
        if len(asked) == 1:
            await asyncio.sleep(0.05)
            stand_still(1.7)
            await asyncio.sleep(0.01)
            return Failure("timeout", "no answer", retryable=True)
        return "page"

    async with stage(respond, tmp_path, **PAGES) as made:
        ended = await made.crawled(*urls(1))
        assert made.fetcher.silences.count == 0
    assert set(ended.values()) == {"fetched 0"}
    assert asked == ["0", "0"]


@in_virtual_time
async def test_a_gap_is_learned_before_what_ran_out_of_time_in_it():
    learned = []
    gaps = Gaps(learned.append)
    loop = asyncio.get_running_loop()
    await asyncio.sleep(0.1)
    began = loop.time()
    try:
        async with asyncio.timeout(1.0):
            stand_still(2.0)
            await asyncio.sleep(5)
    except TimeoutError:
        assert gaps.covers(began)
    assert len(learned) == 1
    assert 1.0 < learned[0] < 60
    assert not gaps.covers(loop.time())
    gaps.close()


class Dice:
    def uniform(self, low, high):
        return (low + high) / 2


def test_a_silent_host_sleeps_longer_each_time_and_is_probed_when_its_time_is_up():
    """10 s, 20 s … 10 min; the last probe comes at the end of its time."""
    one, now = Silence(0.0), 0.0
    one.shut("reset", 0.0, 0.0)
    slept = []
    while not one.given_up:
        one.sleep(now, 1800.0, Patience(), Dice())
        slept.append(one.until - now)
        now = one.until
    assert slept[:-1] == [10, 20, 40, 80, 160, 320, 600, 570]


def test_a_time_in_which_nothing_was_asked_for_is_no_silence():
    one = Silence(0.0)
    one.shut("reset", 0.0, 1.0)
    assert one.heard(2.0, 3.0) == []
    one.shut("reset", 5_000.0, 5_000.0)
    one.sleep(5_001.0, 1800.0, Patience(), Dice())
    assert not one.given_up


def test_the_network_is_down_when_several_hosts_fall_silent_and_none_answers():
    network = Network()
    for name, since in (("a", 1.0), ("b", 2.0)):
        network.fell(name, since, 3.0)
        assert not network.is_down
    assert network.heard(4.0) == set()
    network.fell("c", 3.9, 5.0)  # it was silent before the others were heard
    for name in "abc":
        assert not network.is_down
        network.fell(name, 5.0, 6.0)
    assert network.is_down
    assert network.heard(9.0) == {"a", "b", "c"}
    assert not network.is_down
