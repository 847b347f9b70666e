"""The fetching stage by itself, on a fake network: what it asks for, with what, and what comes of it."""

import asyncio
import logging
import time
from collections import Counter
from itertools import pairwise

import pytest

from crawler.core.model import Failure
from crawler.fetcher import known_hosts
from crawler.fetcher.rules_cache import RulesCache
from crawler.fetcher.transport.budget import FREE_BYTES
from tests.support.patience import PATIENCE_S
from tests.support.stage import stage, task

SECRET = ("Authorization", "Bearer s3cret")
OPEN = {"robots": "ignore"}
KEEPING = {"headers": (SECRET,), "cookies": True, **OPEN}


def no_robots(path: str):
    return ("", 404, ()) if path == "robots.txt" else f"page {path}"


async def test_robots_txt_gets_neither_credentials_nor_cookies(tmp_path):
    """The pages of the seed's origin do."""
    answers = {"robots.txt": ("", 404, (("set-cookie", "r=1"),)), "": ("x", 200, (("set-cookie", "a=1"),))}
    async with stage(answers.get, tmp_path, headers=(SECRET,), cookies=True) as made:
        await made.ended(task("http://a.test/"))
        await made.ended(task("http://a.test/"))
    robots, first, second = made.asked
    assert robots.headers == ()
    assert first.headers == (SECRET,)
    assert second.headers == (SECRET, ("Cookie", "a=1"))


async def test_a_redirect_to_another_origin_loses_them(tmp_path):
    """And the cookies of a redirect are kept for where it came from."""
    away = ("", 302, (("location", "http://b.test/"), ("set-cookie", "a=1")))
    async with stage(lambda path: away if path == "go" else no_robots(path), tmp_path, **KEEPING) as made:
        await made.ended(task("http://a.test/go"))
        (link,) = made.ends[0].links
        await made.ended(task(link.url, redirected_from=("http://a.test/go",)), task("http://a.test/back"))
    sent = {request.url: request.headers for request in made.asked}
    assert sent["http://b.test/"] == ()
    assert sent["http://a.test/back"] == (SECRET, ("Cookie", "a=1"))


@pytest.mark.parametrize(("asked", "leads_on"), [({"scope": "page"}, False), ({"depth": 0}, False), ({}, True)])
async def test_a_request_says_whether_its_host_may_have_more_to_be_asked_for(tmp_path, asked, leads_on):
    """Else the transport would take what the next connection begins with from hosts that are visited once."""
    async with stage(no_robots, tmp_path, per_host=1, **asked) as made:
        await made.ended(task("http://a.test/1"), task("http://a.test/2"), task("http://b.test/"))
    told = {request.url: request.last for request in made.asked if not request.url.endswith("robots.txt")}
    assert told == {"http://a.test/1": False, "http://a.test/2": not leads_on, "http://b.test/": not leads_on}


async def test_redirects_share_one_deadline(tmp_path):
    """The time of a hop is gone for the next one; when nothing is left, nothing is asked for."""

    async def slowly(_path):
        await asyncio.sleep(0.2)
        return ("", 302, (("location", "/next"),))

    async with stage(slowly, tmp_path, timeout_s=5.0, **OPEN) as made:
        await made.ended(task("http://a.test/", spent_s=1.0))
        (link,) = made.ends[0].links
        assert 1.15 < link.spent_s < 5.0
        await made.ended(task("http://a.test/next", spent_s=5.0))
        assert made.transport.fetches == 1
    assert made.outcomes() == ["redirected", "failed: timeout"]


async def test_a_page_carries_the_time_that_its_fetch_took(tmp_path):
    """For a refresh, which counts as a redirect and is found by the parser."""
    async with stage(no_robots, tmp_path) as made:
        await made.ended(task("http://a.test/x", spent_s=1.5, chain=4))
    (page,) = made.pages
    assert 1.5 < page.spent_s < 10
    assert page.task.chain == 4
    assert made.asked[-1].timeout_s == 28.5


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(200, None), (404, "failed: sitemap: status 404"), (503, "failed: sitemap: status 503")],
)
async def test_a_sitemap_goes_to_the_parsers_only_if_it_is_there(tmp_path, status, outcome):
    async with stage(lambda path: (b"\x1f\x8b", status, (("content-type", "image/png"),)), tmp_path, **OPEN) as made:
        await made.ended(task("http://a.test/sitemap.xml.gz", kind="sitemap"))
    assert made.outcomes() == ([] if outcome is None else [outcome])
    bodies = [(page.task.kind, page.answer.body) for page in made.pages]
    assert bodies == ([("sitemap", b"\x1f\x8b")] if outcome is None else [])


async def test_robots_txt_may_always_be_asked_for(tmp_path):
    """RFC 9309 §2.2.2; as a sitemap it is read for its Sitemap lines. Other sitemaps are denied like pages."""
    async with stage({"robots.txt": "User-agent: *\nDisallow: /"}.get, tmp_path) as made:
        await made.ended(task("http://a.test/robots.txt", kind="sitemap"), task("http://a.test/s.xml", kind="sitemap"))
    assert made.outcomes() == ["skipped: robots"]
    assert [page.task.url for page in made.pages] == ["http://a.test/robots.txt"]


async def test_robots_txt_has_one_deadline_for_all_its_redirects(tmp_path):
    """A server that redirects slowly is given up on like one that answers slowly."""

    async def slowly(path):
        await asyncio.sleep(0.3)
        return ("", 302, (("location", f"/{path}x"),))

    async with stage(slowly, tmp_path, timeout_s=1.0) as made:
        await made.ended(task("http://a.test/1"))
    assert made.outcomes() == ["failed: timeout"]
    assert len(made.asked) <= 4
    assert all(request.timeout_s <= 0.75 for request in made.asked[1:])


async def test_a_url_whose_kept_connection_had_ended_is_asked_for_once_more_when_its_host_may_be(tmp_path):
    """On a fresh connection, before the host's other URLs, and without counting as an attempt; robots.txt likewise."""
    ended = {path: [Failure("reset", "by peer", retryable=True, stale=True)] for path in ("robots.txt", "1")}
    times = []

    def respond(path):
        times.append(asyncio.get_running_loop().time())
        return ended[path].pop() if ended.get(path) else no_robots(path)

    async with stage(respond, tmp_path, delay_s=0.1, per_host=1) as made:
        await made.ended(task("http://a.test/1"), task("http://a.test/2"))
    asked = [(request.url.rpartition("/")[2], request.fresh) for request in made.asked]
    assert asked == [("robots.txt", False), ("robots.txt", True), ("1", False), ("1", True), ("2", False)]
    assert [page.task.url for page in made.pages] == ["http://a.test/1", "http://a.test/2"]
    assert all(later - earlier > 0.099 for earlier, later in pairwise(times)), times


async def test_a_fresh_connection_that_ends_is_an_attempt_that_failed(tmp_path):
    def respond(path):
        broken = Failure("reset", "by peer", retryable=True, stale=not made.asked[-1].fresh)
        return no_robots(path) if path == "robots.txt" else broken

    async with stage(respond, tmp_path, **OPEN) as made:
        await made.ended(task("http://a.test/1"))
    assert made.outcomes() == ["failed: reset"]
    assert [request.url.rpartition("/")[2] for request in made.asked] == ["1", "1", "robots.txt"]


async def test_a_robots_txt_elsewhere_waits_for_its_hosts_turn_and_holds_nothing_meanwhile(tmp_path):
    """A hundred hosts lead to one that answers slowly: it is asked for one after the other, others go on."""
    under_way = Counter()
    peak = Counter()

    async def respond(path):
        url = made.asked[-1].url
        name = url.split("/")[2]
        under_way[name] += 1
        peak[name] = max(peak[name], under_way[name])
        await asyncio.sleep(0.005 if name == "r.test" else 0)
        under_way[name] -= 1
        if path == "robots.txt" and name.startswith("h"):
            return ("", 301, (("location", "http://r.test/robots.txt"),))
        return "User-agent: *\nDisallow: /2" if name == "r.test" else no_robots(path)

    async with stage(respond, tmp_path, per_host=1, concurrency=8) as made:
        both = [task(f"http://h{number}.test/{path}") for number in range(100) for path in (1, 2)]
        ending = asyncio.create_task(made.ended(*both))
        async with asyncio.timeout(PATIENCE_S):
            while not under_way["r.test"]:
                await asyncio.sleep(0)
        await made.ended(task("http://other.test/1"))
        assert len(made.pages) < 90
        await ending
    assert made.outcomes() == ["skipped: robots"] * 100
    assert len(made.pages) == 101
    assert max(peak.values()) == 1


async def test_hosts_whose_robots_txt_lead_to_each_other_do_not_wait_for_ever(tmp_path):
    """Each holds no place of its own while it waits for the other's; five redirects on, nobody forbids anything."""

    def respond(path):
        here = made.asked[-1].url.split("/")[2]
        there = {"a.test": "b.test", "b.test": "a.test"}[here]
        return ("", 301, (("location", f"http://{there}/robots.txt"),)) if path == "robots.txt" else "x"

    async with stage(respond, tmp_path, per_host=1) as made:
        await made.ended(task("http://a.test/1"), task("http://b.test/1"))
    assert len(made.pages) == 2
    assert len(made.asked) == 2 * 6 + 2


async def test_a_robots_txt_at_a_host_that_must_not_be_asked_for_long_is_asked_for_again_then(tmp_path):
    def respond(path):
        if path == "robots.txt" and made.asked[-1].url.startswith("http://a"):
            return ("", 301, (("location", "http://r.test/robots.txt"),))
        return ("", 503, (("retry-after", "600"),)) if path == "busy" else no_robots(path)

    async with stage(respond, tmp_path) as made:
        await made.ended(task("http://r.test/busy"))
        before = len(made.asked)
        await made.ended(task("http://a.test/1"), task("http://a.test/2"))
        assert len(made.asked) == before + 1
    assert [end.reason for end in made.ends] == [None, None]
    assert all(500 < end.at - time.time() <= 600 for end in made.ends)


async def test_nothing_new_is_asked_for_while_parsers_are_behind_and_bodies_fill_the_budget(tmp_path):
    settings = {"bytes_in_flight": 1_000, "per_host": 50, **OPEN}
    async with stage(lambda _path: b"x" * 600, tmp_path, **settings) as made:
        made.parsers_take_pages.clear()
        made.fetcher.feed([task(f"http://{host}.test/0") for host in "abc"], [])
        while len(made.pages) < 3:
            await asyncio.sleep(0.001)
        assert (made.budget.used, made.budget.is_full) == (1_200, True)  # one large body lies beside the limit
        made.fetcher.feed([task(f"http://d.test/{n}") for n in range(5)], [])
        await asyncio.sleep(0.05)
        assert len(made.asked) == 3
        made.parsers_take_pages.set()
        await made.ended()
        while len(made.pages) < 8:
            await asyncio.sleep(0.001)
        await made.fetcher.drain()
        assert made.budget.used == 0


async def test_bodies_under_way_that_fill_the_budget_do_not_keep_others_from_being_asked(tmp_path):
    """A few hosts that send large bodies slowly must not stop all the others."""
    async with stage(no_robots, tmp_path, bytes_in_flight=1_000) as made:
        for number in range(8):
            made.budget.keep(100, f"{number}.test").release()
            assert made.budget.share(f"{number}.test").grow(FREE_BYTES + 100)
        assert made.budget.is_full
        await made.ended(task("http://a.test/x"))
    assert len(made.pages) == 1


async def test_the_log_tells_why_a_url_failed_once_and_in_one_line(tmp_path, caplog):
    """At debug level; a hostile detail cannot forge a line."""
    caplog.set_level(logging.DEBUG, "crawler.fetcher.attempts")
    async with stage(lambda _path: Failure("tls: expired", "a\x1b[2Jb\nc", retryable=False), tmp_path, **OPEN) as made:
        await made.ended(task("http://a.test/x"))
    assert [record.getMessage() for record in caplog.records] == [r"failed tls: expired: http://a.test/x: a\x1b[2Jb\nc"]


ROBOTS = ("User-agent: *\nDisallow: /no\nCrawl-delay: 0.3\n", 200, ())


async def test_rules_that_are_not_in_memory_are_read_from_the_store_and_not_asked_for_again(tmp_path):
    """One cache holds the rules of all hosts; what it has no room for is not forgotten."""
    async with stage(lambda path: ROBOTS if path == "robots.txt" else no_robots(path), tmp_path) as made:
        made.fetcher._robots._cache = RulesCache(most_bytes=1)
        for turn in range(2):
            for name in "abc":
                await made.ended(task(f"http://{name}.test/no/{turn}"))
        await made.ended(task("http://a.test/yes"))
    assert sorted(made.outcomes()) == ["skipped: robots"] * 6
    asked = Counter(request.url for request in made.asked)
    assert asked == Counter(["http://a.test/yes", *(f"http://{name}.test/robots.txt" for name in "abc")])


async def test_a_host_that_was_forgotten_is_recalled_before_it_is_asked_again(tmp_path, monkeypatch):
    """With its clock and its robots.txt; also one that another host's robots.txt leads to."""
    monkeypatch.setattr(known_hosts, "KEPT_HOSTS", 0)
    asked_at = []

    def respond(url):
        asked_at.append((url, time.monotonic()))
        if url == "http://c.test/robots.txt":
            return ("", 301, (("location", "http://a.test/robots.txt"),))
        return ROBOTS if url.endswith("robots.txt") else "page"

    async with stage(respond, tmp_path, by_url=True) as made:
        await made.ended(task("http://a.test/1"))
        await made.ended(task("http://b.test/1"))
        await made.ended(task("http://a.test/2"))
        await made.ended(task("http://c.test/1"))
    of_a = [at for url, at in asked_at if url.startswith("http://a.test/")]
    assert [url for url, _ in asked_at].count("http://a.test/robots.txt") == 2, "once for itself, once for c.test"
    assert all(after - before >= 0.29 for before, after in pairwise(of_a))


async def test_hosts_whose_rules_have_no_room_all_together_get_their_pages(tmp_path):
    """The rules of a host are used before those of all others push them out of memory, not read again and again."""
    answers = []

    def respond(url):
        answers.append(url)
        return ROBOTS if url.endswith("robots.txt") else "page"

    async with stage(respond, tmp_path, by_url=True, delay_s=0.1) as made:
        made.fetcher._robots._cache = RulesCache(most_bytes=12_000)
        loads = []
        recall = made.fetcher._hosts.memory._recall

        def counted(host, parts):
            loads.append(host)
            return recall(host, parts)

        made.fetcher._hosts.memory._recall = counted
        tasks = [task(f"http://h{number}.test/") for number in range(300)]
        await made.ended(*tasks)
    assert len(made.pages) == 300
    assert Counter(answers).most_common(1)[0][1] == 1, "nothing is asked for twice"
    assert len(loads) <= 2 * 300, "each host is recalled once, and its rules are read once more at most"
