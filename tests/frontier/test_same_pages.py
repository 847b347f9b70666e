"""Parameters that do not change a page: learnt from pages that are the same, and taken back when one is not."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from urllib.parse import parse_qsl, urlsplit

import pytest
from xxhash import xxh3_64_intdigest

from bench.traps import crawled, sites
from crawler.cli.report.advice import advice
from crawler.core.config import CrawlConfig
from crawler.core.model import Done, Seed
from crawler.frontier.lessons import AGREED, COUNTS, LEARNT, OPEN, PAGES, VALUES, HostLessons, Ways
from crawler.ring.crawler import Crawler
from crawler.web.parameters import ORDER, Query, parameter_of, paths
from tests.frontier.test_frontier import World, link
from tests.support.servers import Answer, LocalServer, html
from tests.support.table import table

ROOT = "http://shop.test/"
ITEMS = 100
REFS = ("home", "list", "like", "mail", "menu", "foot")


class Shop:
    """A shop of items, each found by six values of `ref`. `id` counts. What else does, `matters` says: it returns what
    a URL shows beside its item, by its path and its parameters.
    """

    def __init__(self, matters=lambda path, asked: "", paths=("/item",)) -> None:
        self.matters = matters
        self.links = [f"{path}?id={n}&ref={ref}" for ref in REFS for n in range(ITEMS) for path in paths]

    def text(self, path: str) -> str:
        parts = urlsplit(path)
        asked = dict(parse_qsl(parts.query))
        return f"{parts.path} {asked.get('id', '')} {self.matters(parts.path, asked)}"

    def linked(self, path: str) -> list[str]:
        return self.links if path == "/" else []

    @property
    def texts(self) -> set[str]:
        return {self.text(path) for path in ["/", *self.links]}


class Job:
    """Crawls a shop with a frontier that is driven as the ledger drives it; answers come in any order."""

    def __init__(self, world: World, shop: Shop, seed: int = 1, kills: float = 0.0) -> None:
        self.world, self.shop, self.kills = world, shop, kills
        self.rng = random.Random(seed)
        self.asked: Counter[str] = Counter()
        self.written: list[str] = []
        self.uncommitted: list[str] = []
        self.failing: set[str] = set()
        self.most_left_out = 0

    def run(self) -> None:
        world, turns = self.world, 0
        held: list = []
        while not world.frontier.exhausted:
            held += world.due()
            self.rng.shuffle(held)
            for _ in range(min(len(held), self.rng.randrange(1, 30))):
                self.answer(held.pop())
            world.frontier.owed(world.now)
            if self.rng.random() < self.kills:
                world.reopen()
                held, self.uncommitted = [], []
            elif self.rng.random() < 0.5 or not held:
                world.commit()
                self.written += self.uncommitted
                self.uncommitted = []
            turns += 1
            self.most_left_out = max(self.most_left_out, outcomes(world).get("skipped: same-page", 0))
            assert turns < 5_000, f"does not end: {world.frontier.counters}"
        world.commit()
        self.written += self.uncommitted

    def answer(self, task) -> None:
        path = task.url.removeprefix(ROOT[:-1])
        self.asked[path] += 1
        if path in self.failing:
            self.world.frontier.finish([Done(task.key, "failed", "timeout")], self.world.now)
            return
        self.uncommitted.append(path)
        links = tuple(link(ROOT[:-1] + one) for one in self.shop.linked(path))
        text = self.shop.text(path).encode()
        body_hash = self.world.store.keys.url(text.decode(), "page")
        done = Done(task.key, "fetched", "", 200, text + b"\n", links, 10, body_hash=body_hash)
        self.world.frontier.finish([done], self.world.now)

    def texts(self) -> set[str]:
        return set(map(self.shop.text, self.written))


@pytest.fixture
def world(tmp_path):
    made = []

    def make(name="job", **settings):
        made.append(World(tmp_path / name, **settings))
        return made[-1]

    yield make
    for one in made:
        one.store.close()


def begun(one: World, shop: Shop, **how) -> Job:
    one.seed(ROOT)
    return Job(one, shop, **how)


def is_asked_anyway(path: str) -> bool:
    return xxh3_64_intdigest((ROOT[:-1] + path).encode()) % 8 == 0


def outcomes(one: World) -> dict[str, int]:
    return one.frontier.counters.outcomes


def test_each_page_is_asked_for_by_few_of_its_urls_and_each_other_url_says_why(world):
    one = world()
    job = begun(one, Shop())
    job.run()
    assert job.texts() == job.shop.texts
    left = outcomes(one)["skipped: same-page"]
    assert outcomes(one)["fetched"] + left == one.frontier.counters.known == len(job.shop.links) + 1
    assert left > ITEMS, "of 600 URLs, 200 must be asked for, and those that are under way when it is learnt"
    (lesson,) = one.frontier.counters.parameters.items()
    assert lesson[0] == "shop.test/item?ref"
    assert (lesson[1].skipped, lesson[1].pages) == (left, PAGES)
    assert lesson[1].agreed >= AGREED
    reasons = Counter(row.reason for _, row in one.store.all_urls())
    assert reasons["same-page: ref"] == left, "the row of each names the parameter"


def on_one_path(path: str, asked: dict[str, str]) -> str:
    return asked.get("ref", "") if path == "/prices" else ""


@pytest.mark.parametrize("seed", range(2))
def test_a_parameter_that_matters_on_one_path_counts_there_alone(world, seed):
    one = world()
    job = begun(one, Shop(on_one_path, ("/item", "/prices")), seed=seed)
    job.run()
    assert job.texts() == job.shop.texts
    assert list(one.frontier.counters.parameters) == ["shop.test/item?ref"]


def on_the_last_page(path: str, asked: dict[str, str]) -> str:
    return asked.get("ref", "") if asked.get("id") == str(ITEMS - 1) else ""


@pytest.mark.parametrize(("seed", "kills"), [(0, 0.0), (1, 0.1)])
def test_a_lesson_that_proves_wrong_is_taken_back_and_nothing_is_lost(world, seed, kills):
    """The last item shows something else for each value. What was left out is due again when it is found."""
    one = world()
    shop = Shop(on_the_last_page)
    last = [path for path in shop.links if f"id={ITEMS - 1}&" in path]
    others = [path for path in shop.links if path not in last]
    shop.linked = lambda path: others if path == "/" else last if "id=7&" in path else []
    job = begun(one, shop, seed=seed, kills=kills)
    job.run()
    assert job.most_left_out > 0
    assert job.texts() == shop.texts
    assert outcomes(one) == {"fetched": len(shop.links) + 1}, "each of them was asked for in the end"
    assert one.frontier.counters.parameters == {}
    assert len(job.written) == len(set(job.written))


def test_each_page_shows_of_each_parameter_by_itself_that_it_does_not_matter(world):
    """Of one item two URLs that differ in `ref` are the same. That says nothing of `sort`, which counts there alone."""
    one = world()
    shop = Shop(lambda path, asked: asked.get("sort", "") if asked.get("id") == "200" else "")
    shop.links += [f"/item?id={n}&sort={word}" for word in REFS for n in range(ITEMS)]
    first = [f"/item?id=200&ref={ref}" for ref in REFS]
    then = [path for n in range(9) if not is_asked_anyway(path := f"/item?id=200&sort={n}")]

    def linked(path):
        return shop.links if path == "/" else first if "id=99&" in path else then if "id=200&ref" in path else []

    shop.linked = linked
    job = begun(one, shop)
    job.run()
    assert job.most_left_out > 0
    assert job.texts() >= {shop.text(path) for path in then}
    assert "shop.test/item?sort" not in one.frontier.counters.parameters


@pytest.mark.parametrize("seed", range(2))
def test_whatever_is_killed_the_same_pages_come_once_each(world, seed):
    one = world()
    job = begun(one, Shop(), seed=seed, kills=0.15)
    job.run()
    assert job.texts() == job.shop.texts
    assert len(job.written) == len(set(job.written)) == outcomes(one)["fetched"]
    assert outcomes(one)["fetched"] + outcomes(one)["skipped: same-page"] == one.frontier.counters.known
    (lesson,) = one.frontier.counters.parameters.values()
    assert lesson.skipped == outcomes(one)["skipped: same-page"]


def test_urls_that_fail_do_not_stand_for_others(world):
    """Of some items all URLs but one fail: it is asked for, whichever it is."""
    one = world()
    job = begun(one, Shop())
    working = {n: job.rng.choice(REFS) for n in range(60, ITEMS)}
    job.failing = {f"/item?id={n}&ref={ref}" for n, works in working.items() for ref in REFS if ref != works}
    job.run()
    assert outcomes(one)["skipped: same-page"] > 0
    assert job.texts() == job.shop.texts


def test_what_a_person_or_a_sitemap_names_is_asked_for(world):
    one = world()
    job = begun(one, Shop())
    job.run()
    left_out = [row.url for _, row in one.store.all_urls() if row.reason.startswith("same-page")]
    named, listed, moved_to = left_out[:3]
    one.seed(ROOT, ROOT + "map.xml?s=1", named)
    one.frontier.add_seed(9, Seed(ROOT + "map.xml", {}, "sitemap"))
    one.commit()
    job.shop.text, text = (lambda path: f"new {path}" if "map" in path else text(path)), job.shop.text
    tasks = {task.url: task for task in one.due()}
    one.read(tasks.pop(ROOT + "map.xml"), link(listed), link(ROOT + "new?id=1&ref=x"))
    one.moved(tasks.pop(ROOT + "map.xml?s=1"), link(moved_to))
    one.commit()
    tasks |= {task.url: task for task in one.due()}
    assert {named, listed, moved_to} <= set(tasks)


@pytest.mark.parametrize("keep", [True, ("ref",), ("other",)])
def test_a_later_run_takes_back_what_a_person_wants_to_count(world, keep):
    one = world()
    job = begun(one, Shop())
    job.run()
    left_out = outcomes(one)["skipped: same-page"]
    one.store.close()
    again = world(keep_parameters=keep)
    job.world = again
    again.commit()
    job.run()
    if keep == ("other",):
        assert outcomes(again)["skipped: same-page"] == left_out
    else:
        assert outcomes(again) == {"fetched": len(job.shop.links) + 1}
        assert again.frontier.counters.parameters == {}
        assert set(job.asked.values()) == {1}


@pytest.mark.parametrize("keep", [True, ("ref",)])
def test_what_a_person_wants_to_count_is_not_learnt(world, keep):
    one = world(keep_parameters=keep)
    begun(one, Shop()).run()
    assert outcomes(one) == {"fetched": len(REFS) * ITEMS + 1}


def by_the_second(path: str, asked: dict[str, str]) -> str:
    return str(random.random())


def test_pages_that_change_with_each_request_teach_nothing(world):
    one = world()
    begun(one, Shop(by_the_second)).run()
    assert outcomes(one) == {"fetched": len(REFS) * ITEMS + 1}


def test_pages_that_are_all_the_same_teach_nothing(world):
    """A server in trouble says the same at each URL."""
    one = world()
    shop = Shop()
    shop.text = lambda path: "busy"
    begun(one, shop).run()
    assert outcomes(one) == {"fetched": len(REFS) * ITEMS + 1}


def test_two_values_are_not_enough(world):
    """A list and its page 1 are the same, on however many lists."""
    one = world()
    shop = Shop()
    shop.links = [f"/list{n}{page}" for page in ("", "?page=1") for n in range(200)]
    begun(one, shop).run()
    assert outcomes(one) == {"fetched": 401}


def test_the_order_of_parameters_and_families_of_names_are_learnt_too(world):
    one = world()
    shop = Shop()
    orders = ("color={0}&size={1}", "size={1}&color={0}")
    shop.links = [f"/shoes?{order.format(n % 20, n // 20)}" for n in range(100) for order in orders]
    shop.links += [f"/{n}?utm_source={word}&utm_medium={word}{n}" for word in REFS for n in range(100)]
    random.Random(1).shuffle(shop.links)
    shop.text = lambda path: " ".join(sorted(path.partition("?utm")[0].replace("?", "&").split("&")))
    job = begun(one, shop)
    job.run()
    assert job.texts() == shop.texts
    learnt = set(one.frontier.counters.parameters)
    assert any(name.endswith("?utm_*") for name in learnt), learnt
    one.store.close()


def test_a_nearer_way_to_what_is_left_out_counts_for_the_page_that_stands_for_it(world):
    """A page is read at the limit of depth. Then a URL of it is left out that is nearer: links of the page count."""
    one = world(depth=2)
    shop = Shop()
    links = {"/": [path for path in shop.links if "id=7&" not in path], "/item?id=7": ["/behind"]}
    links["/item?id=1"] = [f"/item?id=7&ref={word}" for word in ("deep", "deeper")]
    shop.linked = lambda path: links.get(path.partition("&")[0], [])
    job = begun(one, shop)
    job.run()
    assert outcomes(one)["skipped: depth"] == 1
    nearer = next(path for n in range(99) if not is_asked_anyway(path := f"/item?id=7&ref=n{n}"))
    links["/late"] = [nearer]
    one.frontier.add_seed(2, Seed(ROOT + "late", {}))
    one.commit()
    job.run()
    assert nearer not in job.asked
    assert "/behind" in job.asked
    assert one.frontier.counters.reread == 1


@table(
    ("url", "names", "without", "bare"),
    [
        ("http://a/b", set(), {"ref"}, "http://a/b"),
        ("http://a/b?ref=1", {"ref"}, {"ref"}, "http://a/b"),
        ("http://a/b?x=1&ref=1&ref=2&y", {"x", "ref", "y", ORDER}, {"ref"}, "http://a/b?x=1&y"),
        ("http://a/b?utm_a=1&x=1&utm_b=2", {"utm_*", "x", ORDER}, {"utm_*"}, "http://a/b?x=1"),
        ("http://a/b?y=1&x=2?3", {"x", "y", ORDER}, {ORDER}, "http://a/b?x=2?3&y=1"),
    ],
)
def test_a_query_without_some_of_its_parameters(url, names, without, bare):
    query = Query.of(url)
    assert query is not None
    assert query.names == names
    assert query.without(without) == bare


@table("url", ["http://a/?", "http://a/?x=1&", "http://a/?" + "&".join("abcdefghijklm"), f"http://a/?{'x' * 65}=1"])
def test_odd_queries_are_left_alone(url):
    assert Query.of(url) is None


@table(
    ("start", "expected"),
    [
        ("http://a/", ("/*", "/")),
        ("https://a:1/shop/item-12.html", ("/shop/*.html", "/shop/item-#.html")),
        ("http://a/7/x.tar.gzipped", ("/#/*", "/#/x.tar.gzipped")),
        ("http://a/" + "x" * 200, ("", "")),
    ],
)
def test_paths_to_which_a_lesson_applies(start, expected):
    assert paths(start) == expected


def test_names_of_a_family_go_together():
    assert [parameter_of(name) for name in ("utm_source", "_ga", "ref", "")] == ["utm_*", "_ga", "ref", ""]


def test_a_folder_teaches_by_paths_of_several_looks_alone():
    known = HostLessons()
    for n in range(2 * AGREED):
        ways = Ways("/*", f"/{'abcd'[n % 3]}")
        known.admit(ways, "ref")
        known.agree(ways, "ref", bytes([n % PAGES]), [bytes([n % VALUES])], ways.look.encode())
    assert known.state(Ways("/*", "/z"), "ref") == OPEN
    known.admit(Ways("/*", "/d"), "ref")
    known.agree(Ways("/*", "/d"), "ref", b"d", [b"d"], b"/d")
    assert known.state(Ways("/*", "/z"), "ref") == LEARNT
    assert known.contradict(Ways("/*", "/z"), "ref") == ["/*?ref"]
    assert known.state(Ways("/*", "/z"), "ref") == COUNTS


def test_what_is_kept_of_a_host_is_bounded():
    """A host with a path for each page: what has shown nothing makes room, what counts stays."""
    known = HostLessons()
    for n in range(5_000):
        ways = Ways("/*", f"/{n}")
        known.admit(ways, "ref")
        if n < 30:
            known.contradict(ways, "ref")
    assert len(known.tallies) <= 128
    assert sum(known.live.values()) == sum(tally.state != COUNTS for tally in known.tallies.values())
    assert all(known.state(Ways("/*", f"/{n}"), "ref") == COUNTS for n in range(30))


def respond(host: str, path: str) -> Answer:
    """A shop on a real server: lists and items, in which `id` and `page` count, and `ref` and `sort` do not."""
    parts = urlsplit(path)
    asked = dict(parse_qsl(parts.query))
    if path == "/robots.txt":
        return Answer("", status=404)
    if parts.path == "/item":
        number = int(asked["id"])
        links = [f"/item?id={(number * 7 + n) % 300}&ref=like{number % 9}" for n in range(8)]
        return Answer(html(*links, title=f"item {number}"))
    number = int(asked.get("page", 1))
    links = [f"/item?id={n}&ref=list" for n in range(number * 20 - 20, number * 20)]
    links += [f"/?page={n}&sort={sort}" for n in (number - 1, number + 1) if 0 < n <= 15 for sort in ("name", "price")]
    return Answer(html(*links, title=f"list {number}"))


def titles(folder) -> Counter[str]:
    lines = map(json.loads, (folder / "pages.jsonl").read_text().splitlines())
    return Counter(line["title"] for line in lines)


ALL = {*(f"item {n}" for n in range(300)), *(f"list {n}" for n in range(1, 16))}


async def test_a_crawl_of_a_real_server_lists_what_it_learnt_and_a_later_run_takes_it_back(tmp_path):
    how = {"job": tmp_path, "allow_private": True, "delay_s": 0, "per_host": 4, "strategy": "async"}
    with LocalServer(respond) as server:
        stats = await Crawler(CrawlConfig(seeds=(server.url(),), **how)).run()
        assert set(titles(tmp_path)) == ALL
        assert max(server.pages().values()) == 1
        left_out = stats.outcomes["skipped: same-page"]
        assert left_out > 300
        assert stats.parameters[f"127.0.0.1:{server.port}/item?ref"].skipped == left_out
        config = CrawlConfig(seeds=(server.url(),), keep_parameters=("ref",), **how)
        text = " ".join(advice(stats, config))
        assert f"/item?ref {left_out:,}): --keep-parameters" in text
        stats = await Crawler(config).run()
        assert stats.outcomes == {"fetched": stats.known}
        assert max(server.pages().values()) == 1
        assert set(titles(tmp_path)) == ALL


@pytest.mark.parametrize("kills", [1, pytest.param(3, marks=pytest.mark.thorough)])
def test_a_crawl_that_is_killed_writes_each_page_that_it_has_asked_for_once(tmp_path, kills):
    rng = random.Random(kills)
    with LocalServer(respond) as server:
        command = [sys.executable, "-m", "crawler", "crawl", server.url(), "--job", str(tmp_path / "job")]
        command += ["--allow-private", "--delay", "0", "--quiet", "--strategy", "async"]
        for n in range(kills):
            process = subprocess.Popen(command, start_new_session=True)
            enough = (n + 1) * 60 + rng.randrange(60)
            while process.poll() is None and len(server.pages()) < enough:
                time.sleep(0.01)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        assert subprocess.run(command, check=False).returncode == 0
    found = titles(tmp_path / "job")
    summary = json.loads((tmp_path / "job" / "summary.json").read_text())
    assert set(found) == ALL
    assert summary["pages"] == found.total()
    assert summary["known"] == found.total() + summary["outcomes"]["skipped: same-page"]
    urls = [json.loads(line)["url"] for line in (tmp_path / "job" / "pages.jsonl").read_text().splitlines()]
    assert len(urls) == len(set(urls))


@pytest.mark.thorough
def test_a_shop_with_marks_in_its_links_loses_no_page(tmp_path):
    site = sites(1)["marked"]
    found = crawled(site, tmp_path)
    assert found.honest == site.honest
    assert found.stats.outcomes["skipped: same-page"] > site.honest
    assert "site.test/item?ref" in found.stats.parameters
    assert {"id", "page", "view"}.isdisjoint(name.partition("?")[2] for name in found.stats.parameters)
