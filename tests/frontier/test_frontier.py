"""The frontier: each URL once, in order, fairly, and the same after a restart."""

import random

import msgspec
import pytest

import crawler.frontier.window as window_module
from crawler.core.config import CrawlConfig
from crawler.core.model import Again, Done, Finished, Link, Seed
from crawler.frontier.frontier import Frontier
from crawler.frontier.store import Store
from crawler.web.urls import host_key


def link(url: str, skip: str = "", kind="page", alike: bool = False, spent_s: float = 0.0) -> Link:
    return Link(url, skip, kind, alike, spent_s)


def sitemap(url: str, skip: str = "") -> Link:
    return link(url, skip, "sitemap")


class World:
    """A frontier with its store, driven like the ledger drives it; time stands where `now` says."""

    def __init__(self, path, **settings):
        self.path = path
        self.config = CrawlConfig(job=path, **settings)
        self.now = 1000.0
        self.open()

    def open(self):
        self.store = Store(self.path)
        self.frontier = Frontier(self.store, self.config)

    def reopen(self):
        """As after kill -9: what was not committed is gone."""
        self.store.close()
        self.open()

    def seed(self, *urls, kind="page", **extra):
        for number, url in enumerate(urls, start=1):
            self.frontier.add_seed(number, Seed(url, extra, kind))
        self.commit()

    def commit(self):
        self.frontier.save()
        self.store.commit()
        self.frontier.committed()

    def due(self):
        tasks, _ = self.frontier.refill(self.now)
        return tasks

    def fetched(self, *tasks, links=()):
        found = tuple(links)
        return self.frontier.finish(
            [Done(task.key, "fetched", "", 200, task.url.encode() + b"\n", found, 10) for task in tasks], self.now
        )

    def read(self, task, *links, reason="sitemap"):
        """A sitemap ends with what it lists."""
        return self.frontier.finish([Done(task.key, "fetched", reason, 200, links=links)], self.now)

    def moved(self, task, target):
        return self.frontier.finish([Done(task.key, "redirected", "", 301, links=(target,))], self.now)

    def crawl(self, site, commit_every=7):
        """Crawl `site` (URL -> links) to its end; the URLs in the order in which they were handed out."""
        order, steps = [], 0
        while not self.frontier.exhausted:
            tasks = self.due()
            if not tasks:
                self.commit()
                tasks = self.due()
                assert tasks or self.frontier.exhausted, "stuck"
            for task in tasks:
                order.append(task.url)
                self.fetched(task, links=[link(url) for url in site.get(task.url, ())])
                steps += 1
                if steps % commit_every == 0:
                    self.commit()
        self.commit()
        return order


@pytest.fixture
def world(tmp_path):
    made = []

    def make(**settings):
        made.append(World(tmp_path / f"s{len(made)}", **settings))
        return made[-1]

    yield make
    for one in made:
        one.store.close()


def random_site(hosts: int, pages: int, links: int, seed: int = 1) -> dict[str, list[str]]:
    rng = random.Random(seed)
    urls = [f"http://h{n % hosts}/p{n}" for n in range(pages)]
    site = {url: [rng.choice(urls) for _ in range(links)] for url in urls}
    for number in range(1, pages):  # all reachable
        site[urls[rng.randrange(number)]].append(urls[number])
    return site


@pytest.mark.parametrize("hosts", [1, 7, 60])
@pytest.mark.parametrize("depth", [None, 100])
def test_every_url_is_handed_out_once(world, hosts, depth):
    """However links repeat, each URL is fetched exactly once."""
    site = random_site(hosts, 600, 8)
    one = world(depth=depth)
    one.seed("http://h0/p0")
    order = one.crawl(site)
    assert sorted(order) == sorted(site)
    counters = one.frontier.counters
    assert (counters.known, counters.queued, counters.pages) == (600, 0, 600)
    assert counters.outcomes == {"fetched": 600}


def test_records_come_back_for_fetched_tasks_only_once(world):
    """A second result for the same task is ignored: nothing is written twice."""
    one = world()
    one.seed("http://a/")
    (task,) = one.due()
    (ended,) = one.fetched(task)
    assert (ended.url, ended.records, ended.at) == ("http://a/", b"http://a/\n", 1000)
    assert one.fetched(task) == []


def test_sinks_are_told_of_an_end_what_the_task_and_its_result_say(world):
    one = world()
    one.frontier.add_seed(7, Seed("http://a/", {"team": "blue"}))
    one.commit()
    one.frontier.finish([Done(one.due()[0].key, "redirected", status=301, links=(link("http://a/x"),))], one.now)
    (task,) = one.due()
    done = Done(
        task.key, "fetched", "sitemap", 200, b"{}\n", body_bytes=10, body_hash=b"x" * 16, archive=b"a", fetched_at=5.0
    )
    assert one.frontier.finish([done], one.now) == [
        Finished(
            url="http://a/x",
            outcome="fetched",
            at=5.0,
            reason="sitemap",
            status=200,
            redirected_from=("http://a/",),
            seed=b'{"team":"blue"}',
            records=b"{}\n",
            body_bytes=10,
            body_hash=b"x" * 16,
            archive=b"a",
        )
    ]


def test_a_restart_hands_out_exactly_what_was_not_committed_as_done(world):
    """Kill at any step: done URLs stay done, all others are due again, and none is lost."""
    site = random_site(5, 300, 6)
    one = world()
    one.seed("http://h0/p0")
    rng = random.Random(3)
    done: set[str] = set()
    committed: set[str] = set()
    while not one.frontier.exhausted:
        tasks = one.due()
        if not tasks:
            one.commit()
            committed = set(done)
            continue
        for task in tasks:
            assert task.url not in done
            one.fetched(task, links=[link(url) for url in site[task.url]])
            done.add(task.url)
            chance = rng.random()
            if chance < 0.05:
                one.commit()
                committed = set(done)
            elif chance < 0.10:
                one.reopen()
                done = set(committed)
                break
    assert done == set(site)


def test_breadth_first_within_a_host(world):
    """With one request at a time, depths never go down."""
    site = random_site(1, 400, 3, seed=5)
    one = world()
    one.seed("http://h0/p0")
    depths = []
    while not one.frontier.exhausted:
        for task in one.due() or (one.commit() or one.due()):
            depths.append(task.depth)
            one.fetched(task, links=[link(url) for url in site[task.url]])
    assert depths == sorted(depths)


def test_depth_limit_gives_shortest_distances_in_any_order_of_answers(world):
    """With --depth, a URL's depth is its distance from the seed even if answers come in disorder."""
    site = random_site(1, 500, 2, seed=9)
    distance = {"http://h0/p0": 0}
    todo = ["http://h0/p0"]
    for url in todo:
        for other in site[url]:
            if other not in distance:
                distance[other] = distance[url] + 1
                todo.append(other)
    one = world(depth=50)
    one.seed("http://h0/p0")
    rng = random.Random(2)
    under_way, depths = [], {}
    while not one.frontier.exhausted:
        under_way += one.due()
        if not under_way:
            one.commit()
            continue
        task = under_way.pop(rng.randrange(len(under_way)))
        depths[task.url] = task.depth
        one.fetched(task, links=[link(url) for url in site[task.url]])
        if rng.random() < 0.1:
            one.commit()
    assert depths == distance


def test_a_huge_host_does_not_starve_small_ones(world, monkeypatch):
    """Small hosts get their turn although one host has far more URLs than the window holds."""
    monkeypatch.setattr(window_module, "WINDOW_HOSTS", 10)
    monkeypatch.setattr(window_module, "WINDOW_TASKS", 100)
    one = world()
    huge = [f"http://huge/{n}" for n in range(5_000)]
    small = [f"http://small{n}/" for n in range(300)]
    one.seed(*huge, *small)
    seen, steps = set(), 0
    while len(seen & set(small)) < len(small):
        tasks = one.due()
        if not tasks:
            one.commit()
            continue
        for task in tasks:
            seen.add(task.url)
            steps += 1
            one.fetched(task)
    assert steps < 3_000, "the small hosts waited for the huge one"


def test_the_window_is_bounded(world, monkeypatch):
    """Never more tasks handed out, nor hosts in memory, than the window holds."""
    monkeypatch.setattr(window_module, "WINDOW_HOSTS", 20)
    monkeypatch.setattr(window_module, "WINDOW_TASKS", 200)
    one = world()
    one.seed(*[f"http://h{n % 100}/{n}" for n in range(2_000)])
    handed, total = [], 0
    while not one.frontier.exhausted:
        tasks = one.due()
        handed += tasks
        assert one.frontier.handed_out <= 200
        assert one.frontier.active_hosts <= 20
        if not tasks:
            assert handed or one.frontier.exhausted
            one.fetched(*handed[:50])
            total += len(handed[:50])
            handed = handed[50:]
            one.commit()
    assert total == 2_000


def test_page_budget_is_exact_and_a_larger_one_goes_on(world):
    """Never more records than --max-pages, even with failures in between; a later run continues."""
    site = random_site(4, 200, 5)
    one = world(max_pages=50)
    one.seed("http://h0/p0")
    handed = 0
    while not one.frontier.budget_spent:
        tasks = one.due()
        if not tasks:
            one.commit()
            continue
        for number, task in enumerate(tasks):
            handed += 1
            if number % 5 == 4:
                one.frontier.finish([Done(task.key, "failed", "timeout")], one.now)
            else:
                one.fetched(task, links=[link(url) for url in site[task.url]])
    assert one.frontier.counters.pages == 50
    assert one.due() == []
    assert one.frontier.handed_out == 0
    one.commit()
    one.config = msgspec.structs.replace(one.config, max_pages=None)
    one.reopen()
    rest = one.crawl(site)
    assert len(rest) + handed == 200


def test_retry_waits_and_counts_attempts(world):
    """A task to be retried comes back after its time, once, with its attempts counted, and survives a restart."""
    one = world()
    one.seed("http://a/", "http://b/")
    first, other = sorted(one.due(), key=lambda task: task.url)
    one.frontier.finish([Again(first.key, 1060.0, "timeout")], one.now)
    one.fetched(other)
    one.commit()
    assert one.frontier.counters.retrying == 1
    assert not one.frontier.exhausted
    assert one.due() == []
    one.reopen()
    assert one.frontier.next_retry_at == 1060.0
    assert one.due() == []
    one.now = 1061.0
    assert one.due() == []
    one.commit()
    (again,) = one.due()
    assert (again.url, again.attempts) == ("http://a/", 1)
    assert one.frontier.counters.retrying == 0
    one.fetched(again)
    assert one.frontier.exhausted


def test_redirect_makes_its_target_a_url_of_its_own(world):
    """The target keeps depth, parent and seed, and knows the chain; the seed's scope grows by it."""
    one = world()
    one.seed("http://a/", colour="blue")
    (task,) = one.due()
    one.frontier.finish([Done(task.key, "redirected", "", 301, links=(link("http://www.a/"),))], one.now)
    one.commit()
    (target,) = one.due()
    assert (target.url, target.depth, target.parent) == ("http://www.a/", 0, None)
    assert target.redirected_from == ("http://a/",)
    assert target.seed.anchors == ("http://a/", "http://www.a/")
    assert msgspec.json.decode(target.seed.extra) == {"colour": "blue"}
    one.fetched(target, links=[link("http://www.a/x")])
    one.commit()
    one.reopen()
    (child,) = one.due()
    assert (child.url, child.depth, child.parent) == ("http://www.a/x", 1, "http://www.a/")
    assert child.seed.anchors == ("http://a/", "http://www.a/")
    assert one.frontier.counters.outcomes == {"redirected": 1, "fetched": 1}


@pytest.mark.parametrize("reason", ["scope", "depth", "nofollow", "filter", "trap"])
def test_a_better_link_reopens_a_skipped_url(world, reason):
    """A URL skipped because of how it was reached is fetched when another link reaches it rightly."""
    one = world()
    one.seed("http://a/", "http://b/")
    a, b = one.due()
    one.fetched(a, links=[link("http://c/", reason)])
    assert one.frontier.counters.outcomes == {"fetched": 1, f"skipped: {reason}": 1}
    one.fetched(b, links=[link("http://c/")])
    one.commit()
    assert one.frontier.counters.outcomes == {"fetched": 2}
    assert [task.url for task in one.due()] == ["http://c/"]


def test_a_skipped_url_is_counted_once(world):
    one = world()
    one.seed("http://a/", "http://b/")
    a, b = one.due()
    one.fetched(a, links=[link("http://c/", "filter"), link("http://c/", "filter")])
    one.fetched(b, links=[link("http://c/", "filter")])
    one.commit()
    assert one.frontier.counters.outcomes == {"fetched": 2, "skipped: filter": 1}
    assert one.frontier.exhausted


def test_the_same_seed_twice_is_one_url(world):
    one = world()
    assert one.frontier.add_seed(1, Seed("http://a/", {}))
    assert not one.frontier.add_seed(2, Seed("http://a/", {"x": "y"}))
    one.commit()
    assert len(one.due()) == 1


def test_a_retry_before_the_backlog_is_not_passed_over(world, monkeypatch):
    """A retry that comes back, uncommitted, while later URLs are loaded is handed out all the same."""
    monkeypatch.setattr(window_module, "HOST_TASKS", 4)
    one = world()
    one.seed("http://a/")
    (first,) = one.due()
    one.fetched(first, links=[link(f"http://a/{n}") for n in range(12)])
    one.commit()
    tasks = one.due()
    one.frontier.finish([Again(tasks[0].key, one.now, "reset")], one.now)
    one.commit()
    one.now += 1
    tasks = tasks[1:]
    for turn in range(40):
        tasks += one.due()
        if tasks:
            one.fetched(tasks.pop(0))
        if turn % 8 == 7:
            one.commit()
    assert one.frontier.exhausted


def test_a_host_that_gets_work_behind_the_cursor_is_found(world, monkeypatch):
    """Work for a host that the cursor has just passed on its last round is not forgotten."""
    monkeypatch.setattr(window_module, "_SEEKS_PER_REFILL", 2)
    one = world()
    hosts = sorted((f"http://h{n}/" for n in range(12)), key=host_key)
    one.seed(*hosts[2:])
    tasks = []
    for _ in range(9):
        tasks += one.due()
    one.fetched(tasks.pop(), links=[link(hosts[0])])
    one.commit()
    for _ in range(60):
        tasks += one.due()
        if tasks:
            one.fetched(tasks.pop())
        one.commit()
    assert one.frontier.exhausted


def test_a_new_host_does_not_wait_until_all_that_sleep_were_looked_at(world, monkeypatch):
    """With 40,000 asleep, and so many looks a commit, its first turn came after 36 s."""
    monkeypatch.setattr(window_module, "_SEEKS_PER_REFILL", 4)
    one = world(scope="any", depth=9)
    one.seed(*(f"http://h{number}/" for number in range(200)))
    awake = []
    while len(awake) < 200:
        awake += one.due()
    first, *others = awake
    one.frontier.finish([Again(task.key, one.now + 3600, None) for task in others], one.now)
    new = {f"http://new{number}.test/" for number in range(6)}
    one.fetched(first, links=map(link, new))
    one.commit()
    tasks = [task.url for _ in range(4) for task in one.due()]
    assert set(tasks) == new
    one.now += 3600
    woken = [task.url for _ in range(200) for task in one.due()]
    assert sorted(woken) == sorted(task.url for task in others)


def test_tasks_and_what_is_read_ahead_are_bounded_in_bytes_too(world, monkeypatch):
    """A URL may have 8 KB: 30,000 of them, and their parents, would take half a gigabyte."""
    monkeypatch.setattr(window_module, "WINDOW_BYTES", 40_000)
    monkeypatch.setattr(window_module, "AHEAD_BYTES", 40_000)
    one = world(scope="any")
    urls = [f"http://h{number % 4}/{number:04d}/{'x' * 4_000}" for number in range(200)]
    short = [f"http://short/{number}" for number in range(40)]
    one.seed(*urls, *short)
    seen = []
    while len(seen) < 240:
        tasks = one.due()
        window = one.frontier._window
        ahead = sum(len(value) for host in window._hosts.values() for _, value in host.ahead)
        assert sum(len(task.url) for task in window_tasks(window)) < 40_000 + 4_100
        assert ahead < 40_000 + 5 * 4_100
        assert tasks, "the rest waits for room, and has it when some have ended"
        seen += [task.url for task in tasks]
        assert seen.index("http://short/39") < 80 if len(seen) > 80 else True, "each has its share, of bytes as well"
        one.fetched(*tasks)
        one.commit()
    assert sorted(seen) == sorted(urls + short)


def window_tasks(window):
    return [handed.task for handed in window._handed.values()]


def test_a_host_that_must_wait_makes_room_for_others(world, monkeypatch):
    """Tasks handed back because their host must wait long come again in order, and others get the host's place."""
    monkeypatch.setattr(window_module, "WINDOW_HOSTS", 2)
    one = world()
    one.seed(*[f"http://wait{n}/{p}" for n in range(4) for p in range(3)], *[f"http://good{n}/" for n in range(6)])
    good = set()
    for _ in range(60):
        for task in one.due():
            if "wait" in task.url:
                one.frontier.finish([Again(task.key, one.now + 3600, None)], one.now)
            else:
                good.add(task.url)
                one.fetched(task)
        one.commit()
    assert len(good) == 6
    assert one.due() == []
    one.now += 3601
    waited = []
    for _ in range(60):
        for task in one.due():
            waited.append(task.url)
            assert task.attempts == 0
            one.fetched(task)
        one.commit()
    assert sorted(waited) == [f"http://wait{n}/{p}" for n in range(4) for p in range(3)]
    assert all(
        [url for url in waited if host in url] == sorted(url for url in waited if host in url)
        for host in ("wait0", "wait3")
    )
    assert one.frontier.exhausted


def test_links_to_a_host_that_sleeps_do_not_hurry_the_commit(world):
    one = world()
    one.seed("http://wait/", "http://a/")
    waits, goes_on = sorted(one.due(), key=lambda task: task.url, reverse=True)
    one.frontier.finish([Again(waits.key, one.now + 3600, None)], one.now)
    one.fetched(goes_on, links=[link("http://wait/1"), link("http://wait/2")])
    assert not one.frontier.starved
    one.commit()
    assert one.due() == []
    one.now += 3601
    assert [task.url for task in one.due()] == ["http://wait/", "http://wait/1", "http://wait/2"]


def test_links_that_the_budget_has_no_room_for_do_not_hurry_the_commit(world):
    one = world(max_pages=2)
    one.seed("http://a/", "http://b/")
    first, _ = one.due()
    one.fetched(first, links=[link("http://c/")])
    assert not one.frontier.starved


def test_work_for_a_host_with_nothing_to_do_hurries_the_commit(world):
    one = world(depth=3)
    one.seed("http://a/")
    (task,) = one.due()
    one.fetched(task, links=[link("http://a/1")])
    assert one.frontier.starved
    one.commit()
    (task,) = one.due()
    one.fetched(task, links=[link("http://b/1")])
    assert one.frontier.starved


def test_a_small_budget_is_shared_by_hosts(world):
    """With --max-pages one slow host does not get all tasks that the budget leaves."""
    one = world(max_pages=300)
    one.seed("http://a/", "http://b/")
    for task in one.due():
        one.fetched(task, links=[link(f"{task.url}{n}") for n in range(400)])
    one.commit()
    hosts = [task.url[:9] for task in one.due()]
    assert min(hosts.count("http://a/"), hosts.count("http://b/")) > 40


def test_remembered_hosts_are_named_with_their_first_tasks(world):
    """A host that enters the window is named even if its tasks come with a later refill."""
    one = world(depth=5)
    one.seed("http://a/")
    (task,) = one.due()
    one.fetched(task, links=[link("http://b/")])
    assert one.frontier.refill(one.now) == ([], [])
    one.commit()
    tasks, woken = one.frontier.refill(one.now)
    assert [task.url for task in tasks] == ["http://b/"]
    assert woken == [(host_key("http://b/"), "http://b/")]


def test_a_url_known_as_page_and_as_sitemap_is_two_tasks(world):
    """Each kind is known, handed out and ended by itself."""
    one = world()
    assert one.frontier.add_seed(1, Seed("http://a/", {}))
    assert one.frontier.add_seed(2, Seed("http://a/", {}, "sitemap"))
    assert not one.frontier.add_seed(3, Seed("http://a/", {}, "sitemap"))
    one.commit()
    tasks = {task.kind: task for task in one.due()}
    assert {task.url for task in tasks.values()} == {"http://a/"}
    one.fetched(tasks["page"], links=[sitemap("http://a/map"), link("http://a/map")])
    one.read(tasks["sitemap"], link("http://a/"), sitemap("http://a/"), sitemap("http://a/map"))
    one.commit()
    one.reopen()
    assert sorted((task.url, task.kind) for task in one.due()) == [
        ("http://a/map", "page"),
        ("http://a/map", "sitemap"),
    ]
    assert one.frontier.counters.outcomes == {"fetched": 1, "fetched: sitemap": 1}
    assert (one.frontier.counters.pages, one.frontier.counters.known) == (1, 4)


@pytest.mark.parametrize("depth", [None, 3])
@pytest.mark.parametrize("restart", [False, True])
def test_pages_of_a_sitemap_have_depth_0_and_sitemaps_in_it_one_more(world, depth, restart):
    """A listed page counts as a seed, with the sitemap's seed and the sitemap as its parent; a redirect keeps depth."""
    one = world(depth=depth)
    one.seed("http://a/index", kind="sitemap", colour="blue")

    def due():
        one.commit()
        if restart:
            one.reopen()
        return {task.url: task for task in one.due()}

    one.read(due()["http://a/index"], sitemap("http://a/map"), sitemap("http://a/old"))
    tasks = due()
    assert {(task.depth, task.parent, task.kind) for task in tasks.values()} == {(1, "http://a/index", "sitemap")}
    one.moved(tasks["http://a/old"], sitemap("http://a/new"))
    one.read(tasks["http://a/map"], link("http://a/p"), sitemap("http://a/deep", "depth"))
    tasks = due()
    new, page = tasks["http://a/new"], tasks["http://a/p"]
    assert (new.depth, new.parent, new.kind) == (1, "http://a/index", "sitemap")
    assert new.redirected_from == ("http://a/old",)
    assert (page.depth, page.parent, page.kind) == (0, "http://a/map", "page")
    assert page.seed.anchors == ("http://a/index",)
    assert msgspec.json.decode(page.seed.extra) == {"colour": "blue"}
    one.read(new)
    one.fetched(page, links=[link("http://a/q")])
    assert {url: task.depth for url, task in due().items()} == {"http://a/q": 1}
    assert one.frontier.counters.outcomes["skipped: depth"] == 1


def test_sitemaps_come_before_pages_that_links_lead_to(world):
    """With --depth a host's sitemaps end first, however deep they are nested, so that what they list is at depth 0."""
    one = world(depth=1)
    one.seed("http://a/")
    one.frontier.add_seed(9, Seed("http://a/1", {}, "sitemap"))
    one.commit()
    page, first = sorted(one.due(), key=lambda task: task.kind)
    one.fetched(page, links=[link("http://a/found")])
    for number in (2, 3, 4):
        one.read(first, sitemap(f"http://a/{number}"))
        one.commit()
        (first,) = one.due()
        assert (first.kind, first.depth) == ("sitemap", number - 1)
    one.read(first, link("http://a/found"))
    one.commit()
    (task,) = one.due()
    assert (task.url, task.depth, task.parent) == ("http://a/found", 0, "http://a/4")


@pytest.mark.parametrize("restart", [False, True])
def test_chain_and_time_spent_come_back_with_the_task(world, restart):
    """What a link says of them reaches its task, handed out at once, after a restart, and again after a retry."""
    one = world()
    one.seed("http://a/")
    one.fetched(*one.due(), links=[link("http://a/1", alike=True), link("http://a/2", spent_s=1.2345)])
    if restart:
        one.commit()
        one.reopen()
    for _ in range(2):
        first, second = sorted(one.due(), key=lambda task: task.url)
        assert (first.chain, first.far, first.spent_s) == (1, 0, 0.0)
        assert (second.chain, second.far) == (0, 1)
        assert second.spent_s == pytest.approx(1.2345, abs=0.001)
        one.frontier.finish([Again(task.key, one.now + 1, "reset") for task in (first, second)], one.now)
        one.commit()
        one.now += 2
        one.due()
        one.commit()


def test_a_shorter_way_brings_its_chain_along(world):
    """A queued URL that is found closer to the seed has the chain of the way on which it was found."""
    one = world(depth=9)
    one.seed("http://a/")
    one.frontier.add_seed(2, Seed("http://a/map", {}, "sitemap"))
    one.commit()
    page, listing = sorted(one.due(), key=lambda task: task.kind)
    one.fetched(page, links=[link("http://a/7", alike=True)])
    one.read(listing, link("http://a/7"))
    one.commit()
    (task,) = one.due()
    assert (task.depth, task.chain) == (0, 0)


def test_the_redirect_of_a_seed_widens_its_scope_and_no_other_does(world):
    """A sitemap given as a seed counts as one; robots.txt beside a seed, and a page that a sitemap lists, do not."""
    one = world(sitemaps=True)
    one.frontier.add_seed(1, Seed("http://a/docs/", {}))
    one.frontier.add_seed(2, Seed("http://b/map", {}, "sitemap"))
    one.commit()
    tasks = {task.url: task for task in one.due()}
    assert sorted(tasks) == ["http://a/docs/", "http://a/robots.txt", "http://b/map"]
    one.moved(tasks["http://a/robots.txt"], sitemap("https://a/robots.txt"))
    one.moved(tasks["http://b/map"], sitemap("http://www.b/map"))
    one.commit()
    tasks = {task.url: task for task in one.due()}
    assert tasks["https://a/robots.txt"].seed.anchors == ("http://a/docs/",)
    assert tasks["http://www.b/map"].seed.anchors == ("http://b/map", "http://www.b/map")
    one.read(tasks["http://www.b/map"], link("http://www.b/p"))
    one.commit()
    (page,) = one.due()
    one.moved(page, link("http://c/p"))
    one.commit()
    one.reopen()
    moved = {task.url: task for task in one.due()}["http://c/p"]
    assert (moved.depth, moved.parent) == (0, "http://www.b/map")
    assert moved.seed.anchors == ("http://b/map", "http://www.b/map")


@pytest.mark.parametrize("sitemaps", [False, True])
def test_with_sitemaps_each_origin_of_a_seed_is_asked_for_its_robots_txt_once(world, sitemaps):
    """It belongs to the first seed of the origin; a seed that is a sitemap does not need it."""
    one = world(sitemaps=sitemaps)
    seeds = ["http://a/1", "http://a/2", "https://a/", "http://b:81/x?y"]
    for number, url in enumerate(seeds, start=1):
        assert one.frontier.add_seed(number, Seed(url, {"n": number}))
    one.frontier.add_seed(5, Seed("http://c/map.xml", {}, "sitemap"))
    one.commit()
    robots = sorted((task.url, task.seed.number) for task in one.due() if task.url.endswith("/robots.txt"))
    named = [("http://a/robots.txt", 1), ("http://b:81/robots.txt", 4), ("https://a/robots.txt", 3)]
    assert robots == (named if sitemaps else [])


def test_a_sitemap_takes_nothing_of_the_page_budget(world):
    """Only records count; failed sitemaps neither."""
    one = world(max_pages=2)
    one.seed("http://a/map", kind="sitemap")
    one.read(*one.due(), sitemap("http://a/map2"), *[link(f"http://a/{n}") for n in range(5)])
    one.commit()
    for _ in range(9):
        for task in one.due():
            assert not one.frontier.budget_spent
            if task.kind == "sitemap":
                one.frontier.finish([Done(task.key, "failed", "sitemap: status 404", 404)], one.now)
            else:
                one.fetched(task)
        one.commit()
    assert one.frontier.counters.pages == 2
    assert one.frontier.budget_spent


def test_a_body_that_was_seen_before_counts_as_a_duplicate(world):
    """In the same call, in the same batch and after a commit; pages without a body do not count."""
    one = world()
    one.seed(*[f"http://a/{n}" for n in range(9)])
    tasks = one.due()
    x, y = b"x" * 16, b"y" * 16

    def end(*hashes):
        done = [Done(tasks.pop().key, "fetched", "", 200, b"{}\n", body_hash=body) for body in hashes]
        one.frontier.finish(done, one.now)
        return one.frontier.counters.duplicates

    assert end(x, y, b"", b"") == 0
    assert end(x, y, x) == 3
    one.commit()
    one.reopen()
    tasks = one.due()
    assert one.frontier.counters.duplicates == 3
    assert end(y) == 4


def test_a_page_that_is_read_twice_because_of_a_crash_is_no_duplicate_of_itself(world):
    """Its hash is committed with its end, so a kill before forgets both."""
    one = world()
    one.seed("http://a/")
    for _ in range(3):
        (task,) = one.due()
        one.frontier.finish([Done(task.key, "fetched", "", 200, b"{}\n", body_hash=b"x" * 16)], one.now)
        one.reopen()
    (task,) = one.due()
    one.frontier.finish([Done(task.key, "fetched", "", 200, b"{}\n", body_hash=b"x" * 16)], one.now)
    one.commit()
    one.reopen()
    assert one.frontier.counters.duplicates == 0
    assert one.frontier.exhausted


def test_links_may_be_known_before_their_sitemap_ends_and_are_known_once(world):
    """Killed between slices, the sitemap is due again and what was committed of it is not found anew."""
    one = world()
    one.seed("http://a/map", kind="sitemap")
    (task,) = one.due()
    links = tuple(link(f"http://a/{n}") for n in range(10))
    done = Done(task.key, "fetched", "sitemap", 200, links=links)
    one.frontier.take_links(done, links[:4], one.now)
    assert len(one.due()) == 4, "handed out before the sitemap ends"
    one.commit()
    one.frontier.take_links(done, links[4:8], one.now)
    one.reopen()
    assert one.frontier.counters.known == 5
    tasks = {task.url: task for task in one.due()}
    assert sorted(tasks) == [f"http://a/{n}" for n in range(4)] + ["http://a/map"]
    for start in (0, 4):
        one.frontier.take_links(done, links[start : start + 4], one.now)
        one.commit()
    one.frontier.finish([msgspec.structs.replace(done, links=links[8:])], one.now)
    assert one.frontier.counters.known == 11
    assert one.frontier.counters.queued == 10
    one.frontier.take_links(done, (link("http://a/late"),), one.now)
    assert one.frontier.counters.known == 11, "a sitemap that ended brings no more"


def test_a_larger_depth_goes_on_where_the_smaller_one_ended(world):
    """What was too deep is due when the limit is higher, with the page that led there."""
    one = world(depth=1)
    one.seed("http://a/")
    one.fetched(*one.due(), links=[link("http://a/x")])
    one.commit()
    one.fetched(*one.due(), links=[link("http://b/y"), link("http://c/", "scope")])
    one.commit()
    assert one.frontier.exhausted
    one.config = msgspec.structs.replace(one.config, depth=2)
    one.reopen()
    assert not one.frontier.exhausted
    one.commit()
    assert one.due() == []
    one.commit()
    (task,) = one.due()
    assert (task.url, task.depth, task.parent) == ("http://b/y", 2, "http://a/x")
    one.fetched(task)
    assert one.frontier.exhausted
    assert one.frontier.counters.outcomes == {"fetched": 3, "skipped: scope": 1}


def test_a_page_to_which_a_shorter_way_is_found_is_read_again_for_its_links(world):
    """It has one record and one count; only what its links lead to is new."""
    one = world(depth=2)
    one.seed("http://a/", "http://b/")
    a, b = sorted(one.due(), key=lambda task: task.url)
    one.fetched(a, links=[link("http://c/1")])
    one.commit()
    one.fetched(*one.due(), links=[link("http://d/page")])
    one.commit()
    (page,) = one.due()
    assert one.fetched(page, links=[link("http://d/far")])
    assert one.frontier.counters.outcomes == {"fetched": 3, "skipped: depth": 1}
    one.fetched(b, links=[link("http://d/page")])
    assert not one.frontier.exhausted
    assert one.due() == [], "not before the commit"
    one.commit()
    one.due()
    one.commit()
    one.reopen()
    (again,) = one.due()
    assert (again.url, again.depth) == ("http://d/page", 1)
    assert one.fetched(again, links=[link("http://d/far")]) == [], "no second record"
    one.commit()
    (found,) = one.due()
    assert (found.url, found.depth) == ("http://d/far", 2)
    one.fetched(found)
    counters = one.frontier.counters
    assert counters.outcomes == {"fetched": 5}
    assert (counters.pages, counters.reread, counters.stale, counters.queued) == (5, 1, 0, 0)


@pytest.mark.parametrize(
    ("settings", "skip", "listed", "again"),
    [
        ({"scope": "host"}, "scope", False, ["http://a/old", "http://c/page"]),
        ({"scope": "host", "exclude": ("/x$",)}, "scope", False, ["http://a/old"]),
        ({"scope": "host"}, "nofollow", False, []),
        ({"scope": "page"}, "scope", False, []),
        ({"scope": "page"}, "scope", True, ["http://a/old"]),
    ],
)
def test_nothing_is_asked_for_twice_where_a_scope_that_grew_lets_nothing_in(world, settings, skip, listed, again):
    """A seed redirects to what has redirected already, to a page that links back. A sitemap may be read, too."""
    one = world(**settings, record_per_seed=False)
    one.frontier.add_seed(1, Seed("http://a/old", {}))
    one.frontier.add_seed(2, Seed("http://b/older", {}))
    if listed:
        one.frontier.add_seed(3, Seed("http://d/map", {}, "sitemap"))
    one.commit()
    tasks = {task.url: task for task in one.due()}
    if listed:
        one.read(tasks["http://d/map"])
    one.moved(tasks["http://a/old"], link("http://c/page"))
    one.fetched(*one.due(), links=[link("http://b/x", skip)])
    one.moved(tasks["http://b/older"], link("http://a/old"))
    asked = []
    while not one.frontier.exhausted:
        one.commit()
        for task in one.due():
            asked.append(task.url)
            if task.url == "http://a/old":
                one.moved(task, link("http://c/page"))
            else:
                one.fetched(task, links=[link("http://b/x", skip)])
    assert asked == again


@pytest.mark.parametrize("restart", [False, True])
def test_a_chain_goes_on_while_another_host_is_busy(world, restart):
    """Up to half of what is allowed, and as long as no look at the whole could end it."""
    one = world()
    one.seed("http://a.test/1", "http://b.test/")
    took = []
    while tasks := [task for task in one.due() if task.url.startswith("http://a.test/")]:
        (task,) = tasks
        took.append(task.url)
        one.fetched(task, links=[link(f"http://a.test/{len(took) + 1}", alike=True)])
        one.commit()
        if restart and len(took) == 12:
            one.reopen()
    assert len(took) == 1 + 72
    assert not one.frontier.exhausted


def test_a_url_that_comes_back_before_it_was_committed_is_not_passed_over(world):
    one = world()
    one.seed("http://a.test/")
    (seed,) = one.due()
    one.fetched(seed, links=[link("http://b.test/")])
    (found,) = one.due()
    one.frontier.finish([Again(found.key, one.now, None)], one.now)
    one.due()
    one.commit()
    assert [task.url for task in one.due()] == ["http://b.test/"]
