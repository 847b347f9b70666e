"""A crawl as an iterator, on real servers: records as they come, and nothing left behind however it is left."""

import asyncio
import contextlib
import gc
import itertools
import json
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import typing
from pathlib import Path

import duckdb
import nbformat
import psutil
import pytest
import uvloop
from nbclient import NotebookClient

from crawler.core.config import CrawlConfig
from crawler.core.errors import ConfigError, CrawlerError, JobError, SeedError, UsageError
from crawler.core.model import Field
from crawler.core.record import Record
from crawler.fetcher.transport.fake import FakeTransport, answer
from crawler.ring.call_settings import config_of
from crawler.ring.crawler import Crawler
from crawler.ring.keywords import Settings
from crawler.ring.library import crawl
from tests.support.ports import closed_port
from tests.support.processes import end_groups
from tests.support.servers import Answer, LocalServer, html
from tests.support.thorough import first_quickly

ROOT = Path(__file__).parents[2]
LOCAL = {"allow_private": True, "delay_s": 0.0, "parsers": 1, "retries": 0}
PATIENCE_S = 60
NO_ROBOTS = Answer(status=404)


def site(pages: int, *, delay_s: float = 0.0, text: str = ""):
    """Respond with a first page that links to `pages` - 1 others."""
    links = [f"/p{number}" for number in range(1, pages)]

    def respond(host: str, path: str):
        if path == "/robots.txt":
            return NO_ROBOTS
        return Answer(html(*(links if path == "/" else []), title=path, text=text), delay_s=delay_s)

    return respond


def parsed(page):
    """A spider that another process can import."""
    yield {"path": page.url.partition("//")[2].partition("/")[2], "title": page.title}
    yield page.follow()


def paths(records) -> list[str]:
    return sorted(record.title for record in records)


def all_paths(pages: int) -> list[str]:
    return sorted(["/", *(f"/p{number}" for number in range(1, pages))])


# What a crawl could leave behind in this process.


def threads() -> set[str]:
    # pycares keeps one thread for all of the process, asyncio's executors are ended by their loops.
    return {thread.name for thread in threading.enumerate() if "_run_safe_shutdown_loop" not in thread.name}


def children(pid: int | None = None) -> set[int]:
    """Child processes but multiprocessing's resource tracker, of which a program has one until its end."""
    found = set()
    for child in psutil.Process(pid).children(recursive=True):
        try:
            line = " ".join(child.cmdline())
            if child.status() != psutil.STATUS_ZOMBIE and "resource_tracker" not in line:
                found.add(child.pid)
        except psutil.NoSuchProcess:
            pass
    return found


def descriptors() -> list[str]:
    found = []
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # that of the listing itself
            found.append(os.readlink(f"/proc/self/fd/{fd}").partition(":")[0])
    return sorted(found)


def folders() -> list[str]:
    return [name for name in os.listdir(tempfile.gettempdir()) if name.startswith("crawler-")]


class Left:
    """What is there now; `nothing` waits until nothing else is, and says what is if that does not come."""

    def __init__(self) -> None:
        self.before = self.now()

    def now(self) -> dict[str, object]:
        return {"threads": threads(), "children": children(), "descriptors": descriptors(), "folders": folders()}

    def nothing_now(self) -> None:
        """As `nothing`, at once; but a server may still have to notice that its clients have gone."""
        now = self.now()
        assert {**now, "descriptors": ()} == {**self.before, "descriptors": ()}

    def nothing(self, patience_s: float = PATIENCE_S) -> None:
        until = time.monotonic() + patience_s
        while (now := self.now()) != self.before and time.monotonic() < until:
            time.sleep(0.02)
        assert now == self.before


@pytest.fixture(autouse=True)
def own_temporary_folder(tmp_path, monkeypatch):
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture(scope="module", autouse=True)
def warm():
    """What is made once in a process (the resolver's thread, the resource tracker) is there before tests look."""
    with LocalServer(site(2)) as server:
        assert len(list(crawl(server.url(), **LOCAL))) == 2


@pytest.fixture
def running(own_temporary_folder):
    """Start scripts, each in a process group of its own."""
    processes = []

    def start(script: str, *arguments: str, **more) -> subprocess.Popen:
        path = own_temporary_folder.parent / f"script{len(processes)}.py"
        path.write_text(script)
        process = subprocess.Popen(
            [sys.executable, "-W", "error", str(path), *arguments],
            env=os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(own_temporary_folder)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            cwd=path.parent,
            **more,
        )
        processes.append(process)
        return process

    yield start
    end_groups(processes)


def ended(process: subprocess.Popen) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


# Records


def test_a_crawl_gives_each_page_once_and_leaves_nothing():
    with LocalServer(site(60)) as server:
        before = Left()
        pages = crawl(server.url(), **LOCAL)
        assert pages.stats().ended == "running"
        records = list(pages)
        # At once: the last record is followed by the end of everything.
        before.nothing_now()
        assert set(map(type, records)) == {Record}
        assert paths(records) == all_paths(60)
        assert (pages.stats().ended, pages.stats().pages) == ("done", 60)
        assert list(pages) == []
        before.nothing()


@pytest.mark.parametrize(
    ("what", "expected"),
    first_quickly(
        [
            ({"fields": ["title", "status"]}, {"title": "/", "status": 200}),
            ({"spider": parsed}, {"path": "", "title": "/"}),
            ({"spider": "tests.ring.test_library:parsed"}, {"path": "", "title": "/"}),
            ({"spider": lambda page: {"title": page.title}}, {"title": "/"}),
            ({"spider": parsed, "fields": ["title"]}, {"title": "/"}),
            ({"select": [Field(name="heading", css="title")], "fields": ["status"]}, {"status": 200, "heading": "/"}),
            (
                {"select": {"h": "title", "o": {"fields": {"t": "title"}}}, "fields": ["depth"]},
                {"depth": 0, "h": "/", "o": {"t": "/"}},
            ),
        ],
        2,
    ),
    ids=["fields", "function", "reference", "lambda", "function and fields", "select", "select by a dict"],
)
def test_records_are_dicts_of_what_was_asked_for(what, expected):
    with LocalServer(site(1)) as server:
        assert list(crawl(server.url(), **LOCAL, **what)) == [expected]


def test_output_gets_the_records_too_and_without_it_no_file_is_written(tmp_path):
    with LocalServer(site(5)) as server:
        taken = list(crawl(server.url(), job=tmp_path / "job", output=tmp_path / "out" / "pages.jsonl", **LOCAL))
        lines = [json.loads(line) for line in (tmp_path / "out" / "pages.jsonl").read_bytes().splitlines()]
        assert [line["url"] for line in lines] == [record.url for record in taken]
        list(crawl(server.url(), job=str(tmp_path / "other"), **LOCAL))
        assert {path.name for path in (tmp_path / "other").iterdir()} == {"state", "lock"}


def limits(page):
    """A spider: the limit on open files where it runs."""
    return {"soft": resource.getrlimit(resource.RLIMIT_NOFILE)[0]}


def test_the_limit_on_open_files_is_the_programs_own_and_the_command_line_raises_its_own(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (700, hard))
    try:
        with LocalServer(site(2)) as server:
            assert list(crawl(server.url(), spider=limits, **LOCAL)) == [{"soft": 700}]
            assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 700
            command = [sys.executable, "-m", "crawler", "crawl", server.url(), "--allow-private", "--scope", "page"]
            command += ["--spider", "tests.ring.test_library:limits", "--job", str(tmp_path / "job"), "-o", "-"]
            told = subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE_S, cwd=ROOT).stdout
            assert json.loads(told)["soft"] > 700
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_stop_finishes_what_is_under_way():
    with LocalServer(site(2000)) as server:
        before = Left()
        pages = crawl(server.url(), **LOCAL)
        taken = [next(pages)]
        pages.stop()
        taken += pages
        assert pages.stats().ended == "interrupted"
        assert 1 <= len(taken) == pages.stats().pages < 2000
        before.nothing()


def test_a_transport_of_ones_own_and_a_name_of_one_are_taken():
    with LocalServer(site(2)) as server:
        assert len(list(crawl(server.url(), transport="requests", **LOCAL))) == 2
    own = FakeTransport(lambda request: answer(request, html("/next")))
    assert [record.url for record in crawl("http://x.test/", transport=own)] == ["http://x.test/", "http://x.test/next"]
    assert own.closed


# Errors


@pytest.mark.parametrize(
    ("seeds", "settings", "message"),
    [
        ("http://x.test/", {"dept": 3}, "there is no setting 'dept'; did you mean 'depth'?"),
        ("http://x.test/", {"depth": "3"}, "depth: expected int or None, not '3'"),
        ("http://x.test/", {"scope": "hosts"}, "scope: expected page, prefix, host, domain or any, not 'hosts'"),
        ("http://x.test/", {"parsers": 0}, "parsers must be at least 1, not 0"),
        ("http://x.test/", {"include": 3}, "include: expected a list, not 3"),
        ("http://x.test/", {"include": "["}, "include: '[' is not a regular expression"),
        ("http://x.test/", {"job": 3}, "job: expected path, not 3"),
        ("http://x.test/", {"headers": [("Authorization", "Bearer x", 1)]}, "headers: Expected `array` of length 2"),
        ("http://x.test/", {"fields": ["titel"]}, "fields: 'titel'"),
        ("http://x.test/", {"transport": "curl"}, "transport: expected aiohttp or requests, not 'curl'"),
        ("http://x.test/", {"output": "pages.xls"}, "pages.xls has no known ending"),
        ("http://x.test/", {"spider": "tests.ring.test_library:parsd"}, "has no 'parsd'; did you mean 'parsed'?"),
        ("http://x.test/", {"spider": 3}, "spider: 3 is int, no function"),
        ("http://x.test/", {"spider": parsed, "select": [Field(name="a", css="a")]}, "spider: a crawl has a spider"),
        (3, {}, "seeds: expected text or paths"),
        ([b"x"], {}, "seeds: expected text, not [b'x']"),
    ],
)
def test_what_cannot_be_used_is_refused_at_the_call(seeds, settings, message):
    before = Left()
    with pytest.raises(ConfigError) as refused:
        crawl(seeds, **settings)
    assert message in str(refused.value)
    assert "Bearer" not in str(refused.value)
    before.nothing()


def test_a_seed_that_cannot_be_used_is_refused_at_the_call(tmp_path):
    with pytest.raises(SeedError, match=r"none\.txt"):
        crawl(str(tmp_path / "none.txt"))
    with pytest.raises(SeedError, match="no seeds given"):
        next(crawl(job=tmp_path / "job"))


def test_lists_texts_and_paths_will_do_for_what_a_config_has():
    pages = crawl(
        ["http://x.test/", "http://y.test/"],
        job="a/job",
        include="/docs/",
        exclude=["b", "c"],
        headers={"A": "b"},
        output=[Path("a.jsonl"), "b.csv"],
        allow_private=["10.0.0.0/8"],
    )
    config = pages._config
    assert config == CrawlConfig(
        seeds=("http://x.test/", "http://y.test/"),
        job=Path("a/job"),
        include=("/docs/",),
        exclude=("b", "c"),
        headers=(("A", "b"),),
        output=("a.jsonl", "b.csv"),
        allow_private=("10.0.0.0/8",),
    )


def test_every_setting_can_be_given_by_keyword():
    """`Settings`, which editors complete, has all that `CrawlConfig` has but what `crawl` names itself."""
    named = {"seeds", "fields", "select", "spider", "transport", "archive", "sampled"}  # the last two are no settings
    assert set(Settings.__annotations__) == set(CrawlConfig.__struct_fields__) - named
    for one in typing.get_overloads(crawl):
        assert {"spider", "fields", "select", "transport", "fresh"} <= set(one.__kwdefaults__) | set(
            one.__annotations__
        )


def test_a_job_that_runs_elsewhere_is_refused_where_a_record_is_asked_for(tmp_path):
    with LocalServer(site(500)) as server:
        before = Left()
        with crawl(server.url(), job=tmp_path / "job", **LOCAL) as first:
            next(first)
            second = crawl(server.url(), job=tmp_path / "job", **LOCAL)
            with pytest.raises(JobError, match="is being run by process"):
                next(second)
            second.close()
            assert next(first).url
        before.nothing()


@pytest.mark.parametrize(
    "select", [{"a": "h1", "b": {"css": "li", "many": True}}, ["a=h1", "b[]=li"], ["a=h1", Field("b", "li", many=True)]]
)
def test_fields_to_find_are_written_as_one_likes(select):
    by_hand = (Field(name="a", css="h1"), Field(name="b", css="li", many=True))
    assert config_of("http://a.example/", {"select": select}).select == by_hand


@pytest.mark.parametrize(
    ("select", "message"),
    [
        ({"h": 5}, "select: h: expected a selector or a table with css or xpath, not 5"),
        ("h1", "select: 'h1': expected NAME=SELECTOR, as in price=.price::text"),
        (5, "select: expected a list, not 5"),
    ],
)
def test_fields_that_cannot_be_meant_are_refused_at_the_call(select, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        crawl("http://example.com/", select=select)


def test_a_crawl_that_fetched_nothing_at_all_says_why_in_the_log(caplog):
    """A loop over nothing ends as quietly as one over everything."""
    assert list(crawl("http://127.0.0.1:1/", **(LOCAL | {"allow_private": False}))) == []
    assert [record.getMessage() for record in caplog.records] == ["no page was fetched: skipped: private-address (1)"]
    caplog.clear()
    with LocalServer(site(1)) as server:
        assert len(list(crawl(server.url(), **LOCAL))) == 1
    assert not caplog.records


def test_a_selector_made_by_hand_is_checked_at_the_call():
    with pytest.raises(ConfigError, match=r"price: the CSS selector '\.\.a' is wrong at column 2"):
        crawl("http://example.com/", select=[Field(name="price", css="..a")])


def several(page):
    yield {"u": page.url}
    yield [{"n": 1}, {"n": 2}]
    yield page.follow()


@pytest.mark.thorough
def test_what_asks_twice_for_the_stream_of_a_spider_loses_nothing():
    """DuckDB asks for the schema first, and then once more for the records."""
    with LocalServer(site(30)) as server:
        pages = crawl(server.url(), spider=several, **LOCAL)  # noqa: F841 - DuckDB finds it by its name
        assert duckdb.sql("SELECT count(*), count(u), sum(n) FROM pages").fetchall() == [(90, 30, 90)]


class Unloadable:
    def __call__(self, page):
        return {"url": page.url}

    def __setstate__(self, state):
        raise ValueError("not here")

    def __getstate__(self):
        return {"a": 1}


@pytest.mark.thorough
def test_a_spider_that_parsers_cannot_load_is_an_error_where_records_are_asked_for(capfd):
    with LocalServer(site(3)) as server, pytest.raises(CrawlerError, match="parser processes end while they start"):
        list(crawl(server.url(), spider=Unloadable(), **LOCAL))
    assert "not here" in capfd.readouterr().err


# Left before the end


def two_of(page):
    yield {"first": page.url}
    yield {"second": page.url}
    yield page.follow()


@pytest.mark.parametrize(("spider", "taken", "pages"), [(None, 3, 3), (two_of, 5, 3)], ids=["pages", "two of each"])
def test_counters_after_leaving_are_those_of_what_was_taken(tmp_path, spider, taken, pages):
    """What of it was not committed stays due in the job all the same: the next run gives it again."""
    with LocalServer(site(300)) as server:
        left = crawl(server.url(), job=tmp_path / "job", spider=spider, **LOCAL)
        for number, _ in enumerate(left, start=1):
            if number == taken:
                break
        stats = left.stats()
        assert (stats.pages, stats.run_pages, stats.records) == (pages, pages, taken)
        assert (stats.outcomes["fetched"], stats.statuses) == (pages, {200: pages})
        assert stats.ended == "interrupted"
        again = crawl(server.url(), job=tmp_path / "job", spider=spider, **LOCAL)
        assert len(list(again)) >= (300 - pages) * taken // pages
        assert again.stats().pages == 300


def test_a_crawl_that_is_stopped_before_its_first_record_begins_nothing():
    with LocalServer(site(50)) as server:
        with crawl(server.url(), **LOCAL) as pages:
            pages.stop()
            assert list(pages) == []
        assert not server.requests


def by_break(url):
    for _ in crawl(url, **LOCAL):
        break


def by_break_with_a_name(url):
    pages = crawl(url, **LOCAL)
    for _ in pages:
        break
    assert list(pages) == []


def by_exception(url):
    def take():
        for _ in crawl(url, **LOCAL):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        take()


def by_close(url):
    pages = crawl(url, **LOCAL)
    next(pages)
    pages.close()
    pages.close()
    assert list(pages) == []


def by_with(url):
    with crawl(url, **LOCAL) as pages:
        for _ in pages:
            break
    assert list(pages) == []


def by_exception_in_with(url):
    def take():
        with crawl(url, **LOCAL) as pages:
            for _ in pages:
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        take()


def by_garbage_collection(url):
    pages = crawl(url, **LOCAL)
    next(pages)
    cycle = [pages]
    cycle.append(cycle)
    del pages, cycle
    gc.collect()


def by_not_starting(url):
    crawl(url, **LOCAL).close()
    with crawl(url, **LOCAL):
        pass


@pytest.mark.parametrize(
    "leave",
    first_quickly(
        [
            by_break,
            by_break_with_a_name,
            by_exception,
            by_close,
            by_with,
            by_exception_in_with,
            by_garbage_collection,
            by_not_starting,
        ]
    ),
    ids=lambda leave: leave.__name__,
)
@pytest.mark.parametrize("delay_s", [0.0, 0.2], ids=["fast", "slow"])
def test_a_crawl_left_before_its_end_leaves_nothing(leave, delay_s):
    with LocalServer(site(3000, delay_s=delay_s)) as server:
        before = Left()
        leave(server.url())
        before.nothing()
        assert sum(server.requests.values()) < 3000


def test_break_close_and_with_wait_until_nothing_is_left():
    with LocalServer(site(3000)) as server:
        for leave in (by_break, by_break_with_a_name, by_close, by_with, by_exception_in_with):
            before = Left()
            leave(server.url())
            before.nothing_now()


def test_a_loop_goes_on_after_records_that_were_asked_for_one_by_one():
    with LocalServer(site(50)) as server:
        pages = crawl(server.url(), **LOCAL)
        assert paths([next(pages), next(pages), *pages]) == all_paths(50)
        assert next(pages, None) is None


def test_a_job_whose_crawl_was_left_is_resumed_at_once_and_nothing_is_lost(tmp_path):
    """No JobError, although the crawl before ends behind the program's back; what was not committed comes again."""
    taken: list[list[str]] = []
    with LocalServer(site(200, delay_s=0.02)) as server:
        for limit in (30, 60, 1000):
            taken.append([])
            for record in crawl(server.url(), job=tmp_path / "job", **LOCAL):
                taken[-1].append(record.title)
                if len(taken[-1]) == limit:
                    break
    assert sorted({path for run in taken for path in run}) == all_paths(200)
    for before, run in itertools.pairwise(taken):
        again = [path for path in before if path in run]
        assert again == before[len(before) - len(again) :]
        assert len(set(run)) == len(run)


def test_outputs_of_a_crawl_that_was_left_are_whole_and_hold_what_was_committed(tmp_path):
    """A Parquet file among them: it is readable although the crawl did not end."""
    parquet = pytest.importorskip("pyarrow.parquet")
    taken = []
    with LocalServer(site(300, delay_s=0.01)) as server:
        outputs = [tmp_path / "pages.parquet", tmp_path / "pages.jsonl"]
        with crawl(server.url(), job=tmp_path / "job", output=outputs, **LOCAL) as pages:
            for record in pages:
                taken.append(record.url)
                if len(taken) == 100:
                    break
    written = [json.loads(line)["url"] for line in outputs[1].read_bytes().splitlines()]
    assert 0 < len(written) <= len(taken)
    assert written == taken[: len(written)]
    assert parquet.read_table(outputs[0]).column("url").to_pylist() == written
    assert not list(outputs[0].glob("_*"))


@pytest.mark.thorough
def test_a_slow_consumer_stops_the_fetcher_and_loses_nothing():
    """Bodies of 90 MB in all: the crawl waits with a bounded part of them, then all come."""
    pages, text = 900, "word " * 20_000
    with LocalServer(site(pages, text=text)) as server:
        memory = psutil.Process().memory_info
        before = memory().rss
        crawling = crawl(server.url(), bytes_in_flight=1_000_000, **LOCAL)
        taken = [next(crawling).title]
        asked, since = 0, time.monotonic()
        while time.monotonic() - since < 2:
            if (now := sum(server.requests.values())) != asked:
                asked, since = now, time.monotonic()
            time.sleep(0.05)
        assert 1 < asked < pages * 0.8
        grown = memory().rss - before
        taken += [record.title for record in crawling]
    assert sorted(taken) == all_paths(pages)
    assert grown < 250 << 20


# Several at once


def test_crawls_interleave_in_one_thread():
    with LocalServer(site(40)) as one, LocalServer(site(40)) as two:
        before = Left()
        first, second = crawl(one.url(), **LOCAL), crawl(two.url(), **LOCAL)
        both = list(zip(first, second, strict=True))
        assert paths(a for a, _ in both) == paths(b for _, b in both) == all_paths(40)
        del first, second
        before.nothing()


def test_crawls_run_in_several_threads_at_once():
    found: dict[int, list[str]] = {}
    with LocalServer(site(40)) as server:
        before = Left()

        def consume(number: int) -> None:
            found[number] = paths(crawl(server.url(), **LOCAL))

        consumers = [threading.Thread(target=consume, args=(number,)) for number in range(4)]
        for consumer in consumers:
            consumer.start()
        for consumer in consumers:
            consumer.join(60)
        assert found == dict.fromkeys(range(4), all_paths(40))
        before.nothing()


# In an event loop


@pytest.mark.parametrize("factory", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_a_crawler_is_iterated_over_in_a_running_loop(factory):
    async def main() -> None:
        config = CrawlConfig(seeds=(server.url(),), **LOCAL)
        async with Crawler(config) as crawler:
            records = [record async for record in crawler]
        assert set(map(type, records)) == {Record}
        assert paths(records) == all_paths(60)
        assert crawler.stats().ended == "done"
        # The iterator with a thread of its own works beside it, too.
        assert paths(await asyncio.to_thread(list, crawl(server.url(), **LOCAL))) == all_paths(60)
        assert paths(crawl(server.url(), **LOCAL)) == all_paths(60)

    with LocalServer(site(60)) as server:
        before = Left()
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(main())
        before.nothing()


async def some(crawler, number: int) -> list:
    taken = []
    async for record in crawler:
        taken.append(record)
        if len(taken) == number:
            break
    return taken


@pytest.mark.parametrize("how", ["break", "exception", "cancel", "timeout", "cancel at the start", "not at all"])
async def test_a_crawler_left_before_its_end_leaves_nothing_when_its_block_has_ended(how):
    with LocalServer(site(3000, delay_s=0.01)) as server:
        before = Left()
        config = CrawlConfig(seeds=(server.url(),), **LOCAL)

        async def consume() -> None:
            async with Crawler(config) as crawler:
                if how == "not at all":
                    return
                await some(crawler, 30)
                if how == "exception":
                    raise ZeroDivisionError
                if how in {"cancel", "timeout"}:
                    started.set()
                    async for _ in crawler:
                        await asyncio.sleep(0.001)

        started = asyncio.Event()
        task = asyncio.create_task(consume())
        if how == "cancel":
            await started.wait()
            task.cancel()
            await asyncio.sleep(0)
            task.cancel()  # a second one does not cut the end short
        if how == "cancel at the start":
            await asyncio.sleep(0.002)
            task.cancel()
        if how == "timeout":
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(task, 2)
        elif how.startswith("cancel"):
            with pytest.raises(asyncio.CancelledError):
                await task
        elif how == "exception":
            with pytest.raises(ZeroDivisionError):
                await task
        else:
            await task
        before.nothing_now()
        assert len(asyncio.all_tasks()) == 1


async def test_a_run_that_is_cancelled_leaves_nothing_and_keeps_what_is_done(tmp_path):
    with LocalServer(site(500, delay_s=0.01)) as server:
        before = Left()
        config = CrawlConfig(job=tmp_path / "job", seeds=(server.url(),), **LOCAL)
        crawler = Crawler(config)
        run = asyncio.create_task(crawler.run())
        while crawler.stats().pages < 20:
            await asyncio.sleep(0.01)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        before.nothing_now()
        stats = await Crawler(config).run()
        assert (stats.ended, stats.pages) == ("done", 500)
    lines = (tmp_path / "job" / "pages.jsonl").read_bytes().splitlines()
    assert sorted(json.loads(line)["title"] for line in lines) == all_paths(500)


async def test_several_crawlers_share_a_loop_and_let_others_have_their_turn_after_each_record():
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    async def consume(address: str) -> list[str]:
        async with Crawler(CrawlConfig(seeds=(server.url("/", address),), **LOCAL)) as crawler:
            taken, before = [], -1
            async for record in crawler:
                assert turns > before
                before = turns
                taken.append(record)
            return paths(taken)

    addresses = ("127.0.0.2", "127.0.0.3", "127.0.0.4")
    with LocalServer(site(150), addresses) as server:
        counting = asyncio.create_task(count())
        found = await asyncio.gather(*map(consume, addresses))
        counting.cancel()
    assert found == [all_paths(150)] * 3


async def test_a_crawler_says_how_it_is_used():
    with closed_port() as port:
        dead = {"seeds": (f"http://127.0.0.1:{port}/",), "give_up_after_s": 0.0, "fail_unreachable": True}
        await _used_wrongly(CrawlConfig(**dead, **LOCAL))


async def _used_wrongly(config: CrawlConfig) -> None:
    with pytest.raises(UsageError, match="async with"):
        async for _ in Crawler(config):
            pass
    with pytest.raises(ConfigError, match="job: none is named, and no output either"):
        await Crawler(config).run()
    async with Crawler(config) as crawler:
        with pytest.raises(UsageError, match="crawls once"):
            await crawler.run()
        assert [record async for record in crawler] == []
    assert crawler.stats().outcomes == {"failed: host-down": 1}


async def test_a_crawler_that_cannot_begin_says_so_where_its_block_begins(tmp_path):
    (tmp_path / "file").touch()
    entered = False
    with pytest.raises(Exception, match="cannot write the job folder"):
        async with Crawler(CrawlConfig(job=tmp_path / "file" / "job", seeds=("http://127.0.0.1:9/",), **LOCAL)):
            entered = True
    assert not entered


# Whole programs: none of them guards its main part

SCRIPT = """
import sys, time
from crawler.ring.library import crawl
def parse(page):
    yield {"title": page.title}
    yield page.follow()
local = {"allow_private": True, "delay_s": 0.0, "parsers": 2, "retries": 0}
"""


def group(pid: int) -> list[int]:
    """Processes of a group that live."""
    found = []
    for process in psutil.process_iter():
        try:
            if os.getpgid(process.pid) == pid and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except (ProcessLookupError, psutil.NoSuchProcess):
            pass
    return found


def assert_gone(process: subprocess.Popen, folder: Path) -> None:
    until = time.monotonic() + PATIENCE_S
    while group(process.pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert not group(process.pid)
    assert not list(folder.glob("crawler-*"))


END = "pages = crawl(sys.argv[1], **local)\nprint(len([next(pages) for _ in range(20)]))\n"
END_WITH_SPIDER = END.replace("**local", "spider=parse, **local")
IN_THREAD = """
import threading
kept = []
def take():
    pages = crawl(sys.argv[1], **local)
    kept.append(pages)
    print(len([next(pages) for _ in range(20)]))
threading.Thread(target=take).start()
"""
IN_DAEMON = """
import threading
taken = []
def take():
    for page in crawl(sys.argv[1], **local):
        time.sleep(0.01)
        taken.append(page)
threading.Thread(target=take, daemon=True).start()
while len(taken) < 20:
    time.sleep(0.01)
print(20)
"""
IN_LOOP = """
import asyncio
from crawler.core.config import CrawlConfig
from crawler.ring.crawler import Crawler
async def main():
    crawler = Crawler(CrawlConfig(seeds=(sys.argv[1],), **local))
    kept.append(crawler)
    await crawler.__aenter__()
    number = 0
    async for page in crawler:
        number += 1
        if number == 20:
            print(number)
            return
kept = []
"""


@pytest.mark.parametrize(
    ("end", "code"),
    first_quickly(
        [
            pytest.param(END, 0, id="end"),
            pytest.param(END_WITH_SPIDER, 0, id="spider of the script"),
            pytest.param(END + "sys.exit(3)", 3, id="exit"),
            pytest.param(END + "1 / 0", 1, id="exception"),
            pytest.param(IN_THREAD, 0, id="thread"),
            pytest.param(IN_DAEMON, 0, id="daemon thread"),
            pytest.param(IN_LOOP + "asyncio.run(main())", 0, id="loop"),
            pytest.param(
                IN_LOOP + "loop = asyncio.new_event_loop()\nloop.run_until_complete(main())", 0, id="loop left open"
            ),
        ],
        1,
    ),
)
def test_a_program_that_ends_with_an_unfinished_crawl_does_not_hang_or_leave_anything(
    running, own_temporary_folder, end, code
):
    with LocalServer(site(3000)) as server:
        process = running(SCRIPT + end, server.url())
        returned, out, err = ended(process)
        assert (returned, out) == (code, "20\n"), err
        assert ("ZeroDivisionError" in err) == (code == 1)
        assert_gone(process, own_temporary_folder)


@pytest.mark.thorough
def test_a_thread_that_takes_records_goes_on_when_the_main_thread_has_ended(running, own_temporary_folder):
    """All records come: the interpreter waits for the thread, and so does the crawl."""
    script = SCRIPT + (
        "import threading\ndef take():\n    n = 0\n    for page in crawl(sys.argv[1], **local):\n"
        "        n += 1; time.sleep(0.002)\n    print(n)\nthreading.Thread(target=take).start()"
    )
    with LocalServer(site(300)) as server:
        process = running(script, server.url())
        assert ended(process)[:2] == (0, "300\n")
        assert_gone(process, own_temporary_folder)


FOR = """
for page in crawl(sys.argv[1], **local):
    print(page.title, flush=True)
"""
WITH = """
with crawl(sys.argv[1], **local) as pages:
    for page in pages:
        print(page.title, flush=True)
"""
ASYNC = """
import asyncio
from crawler.core.config import CrawlConfig
from crawler.ring.crawler import Crawler
async def main():
    async with Crawler(CrawlConfig(seeds=(sys.argv[1],), **local)) as crawler:
        async for page in crawler:
            print(page.title, flush=True)
asyncio.run(main())
"""


@pytest.mark.parametrize(
    "take", first_quickly([pytest.param(FOR, id="for"), pytest.param(WITH, id="with"), pytest.param(ASYNC, id="async")])
)
@pytest.mark.parametrize("to_group", [True, False], ids=["terminal", "process"])
def test_keyboard_interrupt_ends_a_crawl(running, own_temporary_folder, take, to_group):
    """From a terminal, where the parsers get it too, and to the program alone."""
    tried = textwrap.indent(take, "    ")
    script = f"{SCRIPT}\ntry:\n{tried}\nexcept KeyboardInterrupt:\n    print('interrupted', flush=True)\n"
    with LocalServer(site(3000, delay_s=0.02)) as server:
        process = running(script, server.url())
        for _ in range(10):
            assert process.stdout.readline().startswith("/")
        (os.killpg if to_group else os.kill)(process.pid, signal.SIGINT)
        returned, out, err = ended(process)
        assert returned == 0, err
        assert out.endswith("interrupted\n")  # it may have come in the middle of a line
        assert "Traceback" not in err
        assert_gone(process, own_temporary_folder)


@pytest.mark.thorough
def test_a_consumer_that_is_killed_loses_nothing_and_gets_at_most_one_batch_again(running, tmp_path):
    script = SCRIPT + (
        "import os, signal\n"
        "for number, page in enumerate(crawl(sys.argv[1], job=sys.argv[2], **local), 1):\n"
        "    os.write(1, f'{page.title}\\n'.encode())\n"
        "    time.sleep(0.001)\n"
        "    if number == int(sys.argv[3]):\n"
        "        time.sleep(0.6)\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    runs: list[list[str]] = []
    with LocalServer(site(400, delay_s=0.01)) as server:
        for kill_at in (1, 57, 110, 10_000):
            process = running(script, server.url(), str(tmp_path / "job"), str(kill_at))
            returned, out, err = ended(process)
            assert returned == (0 if kill_at == 10_000 else -signal.SIGKILL), err
            runs.append(out.splitlines())
    assert sorted({path for run in runs for path in run}) == all_paths(400)
    for number, run in enumerate(runs):
        assert len(set(run)) == len(run)
        later = {path for after in runs[number + 1 :] for path in after}
        again = [path for path in run if path in later]
        # What comes again is the end of what had come, one commit's worth: a quarter of a second at about 100 a second.
        assert again == run[len(run) - len(again) :]
        assert len(again) < 100
        if later:
            assert run[-1] in later  # it was in use, even if it was the last one of its batch


CELLS = (
    """
from crawler.core.config import CrawlConfig
from crawler.ring.crawler import Crawler
from crawler.ring.library import crawl
""",
    """
prefix = "title "
def parse(page):
    yield {"title": prefix + page.title}
    yield page.follow()
print(sorted(record["title"] for record in crawl(URL, spider=parse, **local))[:2])
""",
    """
async with Crawler(CrawlConfig(seeds=(URL,), **local)) as crawler:
    print(len([page async for page in crawler]))
""",
    """
for page in crawl(URL, **local):
    break
print(page.title)
""",
    """
import psutil, time
def left():
    return [child for child in psutil.Process().children() if "resource_tracker" not in " ".join(child.cmdline())]
until = time.monotonic() + 20
while left() and time.monotonic() < until:
    time.sleep(0.05)
print(left())
""",
)


@pytest.mark.thorough
def test_a_notebook_crawls(own_temporary_folder, monkeypatch):
    """A real kernel, which has a running loop: functions of a cell as spiders, `for`, `async for`, a left loop."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("TMPDIR", str(own_temporary_folder))
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    cells = list(CELLS)
    with LocalServer(site(50)) as server:
        cells[0] += f"URL = {server.url()!r}\nlocal = {LOCAL!r}"
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    printed = ["".join(out["text"] for out in cell.outputs if out.name == "stdout").strip() for cell in notebook.cells]
    assert printed == ["", "['title /', 'title /p1']", "50", "/", "[]"]
    assert not list(own_temporary_folder.glob("crawler-*"))
