"""Plain limits on the pages of a host and of a registrable domain."""

from collections import Counter
from urllib.parse import urlsplit

import pytest

from tests.frontier.test_frontier import World, link, sitemap

HOSTS = [f"http://{name}.example/" for name in ("a.one", "b.one", "c.two")]


@pytest.fixture
def world(tmp_path):
    made = []

    def make(name="s", **settings):
        made.append(World(tmp_path / name, **settings))
        return made[-1]

    yield make
    for one in made:
        one.store.close()


def site(pages: int) -> dict[str, list[str]]:
    """Each host has so many pages, all of them linked from its first; the hosts link to each other."""
    return {url: [*HOSTS, *(f"{url}{number}" for number in range(1, pages))] for url in HOSTS}


def crawl(one: World) -> Counter:
    """Crawl to the end; the pages of each host, by the name without its domain."""
    pages: Counter[str] = Counter()
    links, steps = site(50), 0
    while not one.frontier.exhausted:
        tasks = one.due()
        for task in tasks:
            pages[urlsplit(task.url).netloc] += 1
            one.fetched(task, links=[link(url) for url in links.get(task.url, ())])
        one.frontier.owed(one.now)
        one.commit()
        steps += 1
        assert steps < 500, f"stuck: {one.frontier.counters}"
    return pages


def test_a_host_has_no_more_pages_than_it_may_and_each_other_url_says_why(world):
    one = world(scope="any", max_pages_per_host=20)
    one.seed(HOSTS[0])
    assert crawl(one) == {"a.one.example": 20, "b.one.example": 20, "c.two.example": 20}
    assert one.frontier.counters.outcomes == {"fetched": 60, "skipped: host-limit": 90}
    assert one.frontier.counters.queued == 0


def test_hosts_of_a_domain_share_what_it_may_have(world):
    one = world(scope="any", max_pages_per_domain=30)
    one.seed("http://a.one.example.org/")
    names = [f"http://{number}.one.example.org/" for number in range(50)]
    pages = 0
    while not one.frontier.exhausted:
        for task in one.due():
            pages += 1
            one.fetched(task, links=[link(url) for url in names])
        one.frontier.owed(one.now)
        one.commit()
    assert pages == 30
    assert one.frontier.counters.outcomes == {"fetched": 30, "skipped: domain-limit": 21}


def test_what_is_no_page_leaves_its_room_to_another(world):
    one = world(max_pages_per_host=3)
    one.seed(HOSTS[0])
    (root,) = one.due()
    one.fetched(root, links=[link(f"{HOSTS[0]}{number}") for number in range(9)])
    one.commit()
    first, second = one.due()
    one.moved(first, link(f"{HOSTS[0]}moved"))
    one.fetched(second)
    one.commit()
    (third,) = one.due()
    one.fetched(third)
    one.commit()
    while not one.frontier.exhausted:
        assert one.due() == []
        one.frontier.owed(one.now)
        one.commit()
    assert one.frontier.counters.pages == 3


def test_a_sitemap_behind_pages_that_have_no_room_is_read(world):
    one = world(max_pages_per_host=1)
    one.seed(HOSTS[0])
    (root,) = one.due()
    one.fetched(root, links=[link(f"{HOSTS[0]}page"), sitemap(f"{HOSTS[0]}map.xml")])
    one.commit()
    asked = []
    while not one.frontier.exhausted:
        for task in one.due():
            asked.append(task.url)
            one.read(task, link(f"{HOSTS[0]}listed"))
        one.frontier.owed(one.now)
        one.commit()
    assert asked == [f"{HOSTS[0]}map.xml"]
    assert one.frontier.counters.outcomes == {"fetched": 1, "fetched: sitemap": 1, "skipped: host-limit": 2}


@pytest.mark.parametrize("more", [35, None])
def test_a_later_run_may_have_more(world, more):
    one = world(scope="any", max_pages_per_host=20)
    one.seed(HOSTS[0])
    crawl(one)
    one.store.close()
    again = world(scope="any", max_pages_per_host=more)
    again.commit()
    now = min(50, more or 50)
    assert crawl(again) == dict.fromkeys(("a.one.example", "b.one.example", "c.two.example"), now - 20)
    assert again.frontier.counters.pages == 3 * now


def test_a_kill_changes_no_count(world):
    """What a crash takes back is not counted: the limit is used up to the last page, and by no page more."""
    one = world(max_pages_per_host=20)
    one.seed(HOSTS[0])
    (root,) = one.due()
    one.fetched(root, links=[link(f"{HOSTS[0]}{number}") for number in range(50)])
    one.commit()
    for _ in range(30):
        tasks = one.due()
        one.fetched(*tasks[:3])
        one.reopen()
        one.fetched(*one.due()[:1])
        one.commit()
        one.reopen()
    while not one.frontier.exhausted:
        one.due()
        one.frontier.owed(one.now)
        one.commit()
    assert one.frontier.counters.pages == 20
