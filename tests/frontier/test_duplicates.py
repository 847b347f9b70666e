"""Pages that repeat others: known whenever they come, skipped if asked, and never a page of its own."""

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.cli.entry import cli
from crawler.cli.settings import from_options
from crawler.core.config import CrawlConfig
from crawler.core.errors import JobError
from crawler.core.model import Again, Done, Duplicate, Finished, Link, Seed, Task
from crawler.frontier.contents import Contents
from crawler.frontier.duplicates import CANDIDATES, Duplicates
from crawler.frontier.frontier import Frontier
from crawler.frontier.store import Store
from crawler.ring.crawler import Crawler
from crawler.web.simhash import NEAR, distance
from crawler.web.urls import url_key
from tests.support.servers import Answer, LocalServer, html
from tests.support.table import table

X, Y = b"x" * 16, b"y" * 16


class Job:
    """A frontier on its store, and what it hands out; opened again as after kill -9."""

    def __init__(self, path: Path, **changes) -> None:
        self.path = path
        self.config = CrawlConfig(job=path, **changes)
        self.now = 1_000.0
        self.open()

    def open(self) -> None:
        self.store = Store(self.path)
        self.frontier = Frontier(self.store, self.config)
        self.tasks: list[Task] = []

    def commit(self) -> None:
        self.frontier.save()
        self.store.commit()
        self.frontier.committed()

    def kill(self) -> None:
        """What was not committed is gone."""
        self.store.close()
        self.open()

    def seed(self, number: int) -> None:
        for one in range(number):
            self.frontier.add_seed(one + 1, Seed(f"http://a/{one}", {}))
        self.commit()

    def task(self) -> Task:
        if not self.tasks:
            self.tasks = self.frontier.refill(self.now)[0]
        return self.tasks.pop(0)

    def read(self, body_hash: bytes = b"", simhash: int | None = None, links: tuple[str, ...] = ()) -> Done:
        """The result of the page that is due next, not given back yet."""
        key = self.task().key
        found = tuple(Link(url) for url in links)
        return Done(key, "fetched", "", 200, b"{}\n", found, 10, body_hash=body_hash, simhash=simhash)

    def finish(self, *results: Done) -> list[Finished]:
        self.now += 1
        return self.frontier.finish(results, self.now)

    def reasons(self, *results: Done) -> list[str]:
        return [one.reason for one in self.finish(*results)]


@pytest.fixture
def job(tmp_path):
    made = []

    def make(pages: int = 20, **changes) -> Job:
        made.append(Job(tmp_path / str(len(made)), **changes))
        made[-1].seed(pages)
        return made[-1]

    yield make
    for one in made:
        one.store.close()


WHEN = pytest.mark.parametrize("when", ["same call", "same batch", "after a commit", "another run"])


def then(job: Job, first: Done, when: str) -> list[Done]:
    """End `first`, or return it to be ended together with what follows."""
    if when == "same call":
        return [first]
    job.finish(first)
    if when != "same batch":
        job.commit()
    if when == "another run":
        job.kill()
    return []


@WHEN
@pytest.mark.parametrize("mode", ["no", "exact", "near"])
def test_a_body_that_was_there_before_names_the_page_that_brought_it(job, when, mode):
    one = job(skip_duplicates=mode)
    first = one.read(X, links=("http://a/x",))
    with_it = then(one, first, when)
    second = one.read(X, links=("http://a/y",))
    finished = one.finish(*with_it, second)[-1]
    assert finished.duplicate == Duplicate("http://a/0", 1_001.0 if not with_it else one.now)
    assert (finished.url, finished.at) == ("http://a/1", one.now)
    counters = one.frontier.counters
    assert (counters.duplicates, counters.near_duplicates, counters.bytes) == (1, 0, 20)
    row = one.store.urls.row(one.store.urls.values([second.key])[0])
    if mode == "no":
        assert (finished.records, finished.reason, row.reason) == (b"{}\n", "", "")
        assert (counters.pages, counters.outcomes, counters.statuses) == (2, {"fetched": 2}, {200: 2})
    else:
        assert (finished.outcome, finished.records, finished.reason) == ("fetched", None, "duplicate")
        assert (row.outcome, row.reason, row.status) == ("fetched", "duplicate", 200)
        assert (counters.pages, counters.outcomes) == (1, {"fetched": 1, "fetched: duplicate": 1})
        assert counters.statuses == {200: 1}
    assert one.store.urls.values([url_key("http://a/y")]) != [None], "its links are followed"


@WHEN
@pytest.mark.parametrize("bits", range(6))
def test_a_text_that_differs_in_at_most_three_bits_is_a_near_duplicate(job, when, bits):
    one = job(skip_duplicates="near")
    rng = random.Random(bits)
    mark = rng.getrandbits(64)
    other = mark
    for bit in rng.sample(range(64), bits):
        other ^= 1 << bit
    with_it = then(one, one.read(X, mark), when)
    finished = one.finish(*with_it, one.read(Y, other, links=("http://a/y",)))[-1]
    if bits > NEAR:
        assert (finished.reason, finished.duplicate) == ("", None)
    else:
        assert (finished.records, finished.reason) == (None, "near-duplicate")
        assert finished.duplicate == Duplicate("http://a/0", 1_001.0 if not with_it else one.now, near=True)
    counters = one.frontier.counters
    assert (counters.pages, counters.near_duplicates, counters.duplicates) == ((1, 1, 0) if bits <= NEAR else (2, 0, 0))
    assert one.store.urls.values([url_key("http://a/y")]) != [None]


@pytest.mark.thorough
@given(mark=st.integers(0, 2**64 - 1), flipped=st.sets(st.integers(0, 63), max_size=NEAR))
@settings(max_examples=40)
def test_whichever_bits_differ_the_text_is_found(tmp_path_factory, mark, flipped):
    other = mark ^ sum(1 << bit for bit in flipped)
    with Store(tmp_path_factory.mktemp("store") / "s") as store:
        duplicates = Duplicates(store, "near")
        for committed in (False, True):
            if committed:
                store.commit()
                duplicates.committed()
            else:
                assert duplicates.take([Done(b"1" * 16, "fetched", records=b"", simhash=mark)]) == [None]
            (found,) = duplicates.take([Done(b"2" * 16, "fetched", records=b"", simhash=other)])
            assert (found.key, found.near) == (b"1" * 16, True)


def test_what_is_found_is_what_a_search_of_all_finds(tmp_path):
    """3,000 pages in families of alike ones, with commits in between."""
    rng = random.Random(4)
    parents = [rng.getrandbits(64) & rng.choice([2**64 - 1, 0xFF00FF00FF00FF00]) for _ in range(300)]
    firsts: list[int] = []
    with Store(tmp_path / "s") as store:
        duplicates = Duplicates(store, "near")
        for number in range(3_000):
            mark = rng.choice(parents)
            for bit in rng.sample(range(64), rng.randrange(7)):
                mark ^= 1 << bit
            expected = any(distance(mark, first) <= NEAR for first in firsts)
            (found,) = duplicates.take([Done(number.to_bytes(16, "big"), "fetched", records=b"", simhash=mark)])
            assert (found is not None) == expected, number
            if found is None:
                firsts.append(mark)
            else:
                assert found.key < number.to_bytes(16, "big")
            if number % 50 == 49:
                store.commit()
                duplicates.committed()
    assert 300 < len(firsts) < 2_900


def test_a_page_is_compared_with_pages_that_have_a_record_alone(job):
    """A text that changes a little from page to page does not drift away unnoticed."""
    one = job(skip_duplicates="near")
    assert one.reasons(*(one.read(simhash=2**bits - 1) for bits in (0, 3, 6, 9))) == [
        "",
        "near-duplicate",
        "",
        "near-duplicate",
    ]


def test_texts_are_compared_only_if_asked_and_a_body_comes_before_a_text(job):
    for mode in ("no", "exact"):
        one = job(skip_duplicates=mode)
        assert one.reasons(one.read(X, 7), one.read(Y, 7)) == ["", ""]
    one = job(skip_duplicates="near")
    assert one.reasons(one.read(X, 7), one.read(X, 7), one.read(Y, None), one.read(b"", 7)) == [
        "",
        "duplicate",
        "",
        "near-duplicate",
    ]


@pytest.mark.parametrize("mode", ["exact", "near"])
def test_what_has_no_record_is_no_duplicate_and_makes_none(job, mode):
    """Failures, redirects, sitemaps, retries, and results that nobody waits for."""
    one = job(skip_duplicates=mode)
    failed = Done(one.task().key, "failed", "parser-died", 200, None, body_hash=X, simhash=7)
    again = Again(one.task().key, 9e9, "timeout")
    unknown = Done(b"?" * 16, "fetched", "", 200, b"{}\n", body_hash=X, simhash=7)
    first, second = one.read(X, 7), one.read(X, 7)
    finished = one.finish(failed, again, unknown, first, second)
    assert [ended.reason for ended in finished] == ["parser-died", "", "duplicate"]
    assert finished[-1].duplicate.url == finished[1].url
    assert one.frontier.counters.duplicates == 1


@pytest.mark.parametrize("mode", ["exact", "near"])
def test_a_page_that_is_read_twice_because_of_a_crash_is_no_duplicate_of_itself(job, mode):
    one = job(1, skip_duplicates=mode)
    for _ in range(3):
        assert one.reasons(one.read(X, 7)) == [""]
        one.kill()
    assert one.reasons(one.read(X, 7)) == [""]
    one.commit()
    assert one.frontier._duplicates._uncommitted == {}, "memory holds those of one batch"
    one.kill()
    assert one.frontier.exhausted
    assert one.frontier.counters.pages == 1


def test_the_budget_of_pages_counts_those_with_a_record(job):
    one = job(skip_duplicates="exact", max_pages=2)
    for body, left in ((X, True), (X, True), (X, True), (Y, False)):
        one.finish(one.read(body))
        one.commit()
        assert one.frontier.budget_spent is not left
    assert one.frontier.counters.pages == 2


class Watched(Contents):
    """Contents that count the places of texts that were looked at."""

    looked_at = 0

    def texts_from(self, place, *, backwards):
        for entry in super().texts_from(place, backwards=backwards):
            self.looked_at += 1
            yield entry


def test_a_million_texts_that_share_a_band_would_take_no_longer(tmp_path):
    """Only the nearest places are looked at, and what is nearly the same stands there."""
    rng = random.Random(8)
    marks = [0xABCD << 48 | rng.getrandbits(48) for _ in range(2_000)]
    with Store(tmp_path / "s") as store:
        store.contents = Watched(store._database.table("bodies"), store._database.table("texts"))
        duplicates = Duplicates(store, "near")
        done = [
            Done(number.to_bytes(16, "big"), "fetched", records=b"", simhash=mark) for number, mark in enumerate(marks)
        ]
        firsts = [mark for mark, found in zip(marks, duplicates.take(done), strict=True) if found is None]
        store.commit()
        duplicates.committed()
        assert duplicates._uncommitted == {}, "memory holds those of one batch"
        hits = 0
        for mark in firsts[:200]:
            store.contents.looked_at = 0
            other = mark
            for bit in rng.sample(range(64), NEAR):
                other ^= 1 << bit
            hits += duplicates.take([Done(b"?" * 16, "fetched", records=b"", simhash=other)]) != [None]
            assert store.contents.looked_at <= 8 * CANDIDATES
        store.contents.looked_at = 0
        duplicates.take([Done(b"?" * 16, "fetched", records=b"", simhash=0x1234_5678_9ABC_DEF0)])
        assert store.contents.looked_at <= 8 + 2, "those that share no band are not gone through"
    assert hits > 180


# On the command line


@table(
    ("arguments", "expected", "seeds"),
    [
        (["--skip-duplicates"], "exact", []),
        (["--skip-duplicates", "near"], "near", []),
        (["--skip-duplicates", "exact", "near"], "exact", ["near"]),
        (["--skip-duplicates", "near.txt"], "exact", ["near.txt"]),
        (["--skip-duplicates", "http://a/"], "exact", ["http://a/"]),
        (["--skip-duplicates", "--", "near"], "exact", ["near"]),
        (["--skip-duplicates=near", "http://a/"], "near", ["http://a/"]),
        (["--skip-duplicates", "--skip-duplicates", "near"], "near", []),
        (["--skip-duplicates", "near", "--skip-duplicates"], "exact", []),
        (["--skip-duplicates", "near", "--no-skip-duplicates"], "no", []),
        (["--no-skip-duplicates", "--skip-duplicates", "near"], "near", []),
        (["--allow-private", "--skip-duplicates", "near", "http://a/"], "near", ["http://a/"]),
        (["http://a/"], None, ["http://a/"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_the_option_may_stand_alone(arguments, expected, seeds):
    params = cli.commands["crawl"].make_context("crawl", arguments).params
    fields = from_options({name.replace("_", "-"): value for name, value in params.items()})
    assert fields.get("skip_duplicates") == expected
    assert params["seeds"] == tuple(seeds)


def test_another_value_is_refused():
    ran = subprocess.run(
        [sys.executable, "-m", "crawler", "crawl", "http://127.0.0.1/", "--skip-duplicates=fuzzy"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 2
    assert "--skip-duplicates: expected 'exact', 'near' or false, not 'fuzzy'" in ran.stderr


# In a crawl

STORY = " ".join(f"In chapter {name} the hero meets the {name} and wins." for name in "abcdefghijklmnopqrst")
OTHER = " ".join(f"Nobody knows how {name} came to the town, or why." for name in "abcdefghijklmnopqrst")
SITE = {
    "/": html("/same?1", "/same?2", "/near?1", "/near?2", "/other"),
    "/same?1": f"<p>{OTHER}<a href=/behind>",
    "/same?2": f"<p>{OTHER}<a href=/behind>",
    "/near?1": f"<p>{STORY}<p>Visitor 123,456<a href=/one>",
    "/near?2": f"<p>{STORY}<p>Visitor 123,457<a href=/two>",
    "/other": f"<p>{OTHER} {STORY}",
    "/behind": "<p>short",
    "/one": "<p>short 1",
    "/two": "<p>short 2",
}


def respond(host: str, path: str) -> Answer:
    return Answer(SITE[path]) if path in SITE else Answer(status=404)


async def crawl(path: Path, url: str, **changes):
    config = CrawlConfig(job=path, **{"allow_private": True, "delay_s": 0.0, "parsers": 1, "per_host": 1, **changes})
    return await Crawler(config, [url]).run()


def paths(job: Path) -> list[str]:
    lines = (job / "pages.jsonl").read_text("utf-8").splitlines()
    return ["/" + json.loads(line)["url"].split("/", 3)[3] for line in lines]


@pytest.mark.parametrize(
    ("mode", "missing"),
    [("no", set()), ("exact", {"/same?2"}), ("near", {"/same?2", "/near?2"})],
    ids=["no", "exact", "near"],
)
async def test_a_crawl_leaves_out_what_it_is_asked_to(tmp_path, mode, missing):
    with LocalServer(respond) as server:
        stats = await crawl(tmp_path / "job", server.url(), skip_duplicates=mode)
        assert len(server.pages()) == len(SITE), "links of skipped pages are followed"
    assert sorted(paths(tmp_path / "job")) == sorted(set(SITE) - missing)
    assert (stats.pages, stats.known, stats.queued) == (len(SITE) - len(missing), len(SITE), 0)
    assert (stats.duplicates, stats.near_duplicates) == (1, int(mode == "near"))
    assert stats.outcomes.get("fetched: duplicate", 0) == int(mode != "no")
    assert stats.outcomes.get("fetched: near-duplicate", 0) == int(mode == "near")


async def test_a_job_goes_on_in_parts_as_in_one(tmp_path):
    with LocalServer(respond) as server:
        for budget in (1, 3, 5, 100):
            stats = await crawl(tmp_path / "job", server.url(), skip_duplicates="near", max_pages=budget)
            assert len(paths(tmp_path / "job")) == stats.pages == min(budget, len(SITE) - 2)
        with pytest.raises(JobError, match="skip_duplicates was 'near' and is now 'no'"):
            await crawl(tmp_path / "job", server.url(), max_pages=200)
    assert stats.ended == "done"
    assert {"/same?2", "/near?2"}.isdisjoint(paths(tmp_path / "job"))


async def test_the_field_simhash_is_written_if_asked_for(tmp_path):
    with LocalServer(respond) as server:
        await crawl(tmp_path / "job", server.url(), fields=("url", "simhash"))
        await crawl(tmp_path / "default", server.url("/other"), scope="page")
    lines = map(json.loads, (tmp_path / "job" / "pages.jsonl").read_text().splitlines())
    marks = {"/" + line["url"].split("/", 3)[3]: line["simhash"] for line in lines}
    assert marks["/behind"] is None
    assert marks["/same?1"] == marks["/same?2"]
    near, far = (distance(int(marks["/near?1"], 16), int(marks[path], 16)) for path in ("/near?2", "/same?1"))
    assert near <= NEAR < far
    assert all(len(mark) == 16 for mark in marks.values() if mark)
    assert "simhash" not in json.loads((tmp_path / "default" / "pages.jsonl").read_text())
