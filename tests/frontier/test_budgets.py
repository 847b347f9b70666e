"""What a site may spend on pages that bring nothing but links: the labelled sites of `bench/traps.py`, small."""

import os

import pytest

from bench.plain_sites import comic, dictionary, gallery, one_number, papers, plain_sites, replies
from bench.traps import MOST_TRAP_PAGES, crawled, documentation, sites
from crawler.core.model import Done, SeedContext, Task
from crawler.frontier.promises import Looked, Promises
from crawler.frontier.row import is_late, late_key, queue_key, queue_place
from tests.frontier.test_frontier import World, link

MOST = 60
"""Repeats that these crawls allow: fewer than by default, so that they end sooner."""
TRAPS = [
    "facets",
    "facets in paths",
    "soft 404",
    "sessions in paths",
    "calendar in words",
    "wildcard DNS",
    "pictures",
    "counter",
]
ROOT = "http://site.test/"


def small(name: str):
    return sites(20)[name]


def test_a_trap_without_numbers_ends_and_each_of_its_urls_says_how(tmp_path):
    found = crawled(small("words"), tmp_path, max_repeats=MOST)
    assert found.others <= MOST_TRAP_PAGES // 2
    left = found.stats.outcomes["skipped: repeats"]
    assert found.known == found.stats.outcomes["fetched"] + left
    assert found.stats.repeats == {"site.test": left}
    assert found.stats.queued == 0


@pytest.mark.thorough
@pytest.mark.parametrize("name", TRAPS)
def test_each_kind_of_trap_ends(tmp_path, name):
    found = crawled(small(name), tmp_path)
    assert found.others <= MOST_TRAP_PAGES
    assert found.stats.outcomes["skipped: repeats"] > 0


def test_a_shop_with_facets_in_any_order_loses_no_product(tmp_path):
    site = small("shop")
    assert crawled(site, tmp_path, max_repeats=MOST).honest == site.honest


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["documentation", "directory", "forum", "wiki", "mixed"])
def test_no_large_site_loses_a_page(tmp_path, name):
    site = small(name)
    found = crawled(site, tmp_path)
    assert found.honest == site.honest
    assert found.others <= MOST_TRAP_PAGES


@pytest.mark.parametrize(
    "site",
    [one_number(800), gallery(600), comic(30), replies(800), dictionary(800)],
    ids=["number", "picture", "chapters", "replies", "words"],
)
def test_pages_that_differ_by_a_number_a_picture_or_a_word_are_not_lost(tmp_path, site):
    found = crawled(site, tmp_path, max_repeats=MOST)
    assert found.stats.outcomes == {"fetched": site.honest}


def test_papers_that_say_only_where_their_file_is_are_not_lost(tmp_path):
    site = papers(700)
    assert crawled(site, tmp_path, max_repeats=MOST).honest == site.honest


END = {"outcome": "fetched", "status": 200, "pieces": b""}


@pytest.mark.parametrize(
    ("ends", "worth"),
    [
        ([END, END], -2),
        ([{"outcome": "failed"}, END], -1),
        ([{"outcome": "skipped", "reason": "robots"}, {"outcome": "fetched", "status": 404}], 6),
        ([END | {"pieces": None, "marks": bytes(8)}, {"outcome": "redirected", "links": (link(ROOT, "scope"),)}], 6),
        ([{"outcome": "skipped", "reason": "repeats"}, {"outcome": "redirected", "links": (link(ROOT),)}], -2),
    ],
    ids=["pages", "failed", "forbidden", "files", "left"],
)
def test_a_page_is_worth_what_it_is_without_the_links_that_are_no_pages(ends, worth):
    """One with text and two links costs; with one it costs half, and with none it brings something."""
    promises, page = Promises(), Looked(b"site", read_at("a"), "text", 2, 0)
    promises.made(page, [b"0", b"1"])
    for number, end in enumerate(ends):
        found_on = promises.ended(b"%d" % number, Done(b"k", **end))
        if found_on is not None:
            found_on.new -= 1
    assert page.worth == worth


def test_each_day_of_a_calendar_may_have_a_file():
    promises = Promises()
    promises.made(Looked(b"site", read_at("events/2026-11-30"), "", 1, 0), [b"0"])
    assert promises.ended(b"0", Done(b"0", "failed")) is None


def read_at(path: str) -> Task:
    return Task(b"k", ROOT + path, 1, None, (), 0, SeedContext(1, (ROOT,), b"null"))


@pytest.mark.thorough
@pytest.mark.parametrize("name", plain_sites(1))
def test_no_large_site_that_says_little_loses_a_page(tmp_path, name):
    site = plain_sites(2)[name]
    found = crawled(site, tmp_path)
    assert found.honest == site.honest


def test_a_budget_that_is_not_used_up_changes_nothing(tmp_path):
    """The URLs and how each has ended are those of a crawl without budgets."""
    site = documentation(310)
    ends = [crawled(site, tmp_path / str(most), max_repeats=most).stats.outcomes for most in (400, None)]
    assert ends[0] == ends[1] == {"fetched": site.honest}


class Maze:
    """A trap as parsers would tell of it: each page says something new, and leads to five that nobody knew."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.pages = 0
        self.made = 0

    def answer(self, task) -> None:
        world = self.world
        urls = [f"{ROOT}{'x' * (self.made % 7)}y{self.made + n}z" for n in range(5)]
        self.made += 5
        keys = b"".join(world.store.keys.url(url, "page") for url in urls)
        self.pages += 1
        links = tuple(link(url) for url in urls)
        world.frontier.finish(
            [Done(task.key, "fetched", "", 200, b"{}\n", links, 10, pieces=os.urandom(64), own_links=keys)], world.now
        )

    def run(self, *, kills: bool = False) -> None:
        """Answer to the end; with `kills` all is lost that was not committed, now and then."""
        world, turns = self.world, 0
        while not world.frontier.exhausted:
            tasks = world.due()
            for task in tasks[:40]:
                self.answer(task)
            if kills and turns % 3 == 0:
                self.pages -= len(tasks[:40])
                world.reopen()
            elif kills or len(tasks) > 40:
                world.frontier.owed(world.now)
                world.commit()
                world.reopen()  # what was handed out and not answered is due again
            else:
                world.frontier.owed(world.now)
                world.commit()
            turns += 1
            assert turns < 3_000, f"does not end: {world.frontier.counters}"


@pytest.fixture
def world(tmp_path):
    made = []

    def make(**settings):
        made.append(World(tmp_path / "job", **settings))
        return made[-1]

    yield make
    for one in made:
        one.store.close()


@pytest.mark.parametrize("kills", [False, True])
def test_what_was_spent_is_spent_whatever_is_killed(world, kills):
    one = world(max_repeats=MOST)
    one.seed(ROOT)
    maze = Maze(one)
    maze.run(kills=kills)
    assert maze.pages == one.frontier.counters.pages
    assert 100 < maze.pages < 400
    assert one.frontier.counters.outcomes["skipped: repeats"] > 500


def test_a_later_run_that_may_spend_more_goes_on(world):
    one = world(max_repeats=MOST)
    one.seed(ROOT)
    Maze(one).run()
    before = one.frontier.counters.pages
    one.store.close()
    again = world(max_repeats=3 * MOST)
    again.commit()
    maze = Maze(again)
    maze.made = 100_000
    maze.run()
    assert MOST < again.frontier.counters.pages - before < 4 * MOST
    assert sum(again.frontier.counters.repeats.values()) == again.frontier.counters.outcomes["skipped: repeats"]


def test_what_stands_back_comes_behind_all_others_and_is_still_known_by_its_order():
    host, key = b"hosthost", bytes(range(16))
    place = queue_key(host, 7, 4_000_000_000)
    late = late_key(place, key, 10)
    assert late > queue_key(host, 60_000, 1 << 40)
    assert late < b"hosthosu" + bytes(8)
    assert (is_late(late), is_late(place)) == (True, False)
    assert queue_place(late)[1] == queue_place(place)[1] == 4_000_000_000
    many = sorted(late_key(queue_key(host, 1, n), bytes([n % 256] * 16), n) for n in range(1_000))
    assert late_key(place, key, 0) < many[10], "a shape that few have does not wait for one that many have"
