"""`extract()`: the records of stored pages for a program, in a script, in a running event loop, into tables."""

import asyncio
import subprocess
import sys
import textwrap
import threading
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

import crawler
from crawler import ConfigError, CrawlConfig, Crawler, Field, Record, StorageError, UsageError, extract
from crawler.ring.extraction import Extraction
from tests.support.servers import Answer, LocalServer, html

PAGES = 60


def respond(_host, path):
    if path == "/":
        return Answer(html(*(f"/{number}" for number in range(1, PAGES)), title="Start"))
    return Answer(html(title=f"Page {path[1:]}")) if path[1:].isdecimal() else Answer(status=404)


@pytest.fixture(scope="module")
def stored(tmp_path_factory) -> Path:
    """A WARC file of 60 pages, with the records of the crawl beside it."""
    folder = tmp_path_factory.mktemp("stored")
    with LocalServer(respond) as server:
        config = CrawlConfig(
            job=folder / "job",
            output=(str(folder / "pages.jsonl"), str(folder / "pages.warc.gz")),
            allow_private=True,
            delay_s=0.0,
        )
        asyncio.run(Crawler(config, [server.url()]).run())
    return folder / "pages.warc.gz"


def crawled(stored: Path) -> list[Record]:
    decode = crawler.ring.decoder.decoder(CrawlConfig())
    return [decode(line) for line in stored.with_name("pages.jsonl").read_bytes().splitlines()]


def left() -> tuple[set[threading.Thread], set[psutil.Process]]:
    """Threads and parser processes of this program."""
    parsers = {one for one in psutil.Process().children() if "spawn_main" in " ".join(one.cmdline())}
    return set(threading.enumerate()), parsers


def test_the_records_are_those_of_the_crawl(stored):
    assert list(extract(stored, parsers=1)) == crawled(stored)


@pytest.mark.parametrize("given", [str, lambda path: [path], lambda path: iter([str(path)])])
def test_files_are_text_or_paths_one_or_several(stored, given):
    assert sum(1 for _ in extract(given(stored), parsers=1)) == PAGES


def test_a_spider_fields_and_selectors_give_dicts(stored):
    by_spider = extract(stored, spider=lambda page: {"t": page.title}, parsers=1)
    assert next(by_spider) == {"t": "Start"}
    by_spider.close()
    assert next(iter(extract(stored, fields=["title"], parsers=1))) == {"title": "Start"}
    found = list(extract(stored, select=[Field(name="t", css="title")], parsers=1))
    assert {record["t"] for record in found} == {"Start", *(f"Page {number}" for number in range(1, PAGES))}


def test_an_extraction_with_outputs_runs_without_a_loop_over_its_records(stored, tmp_path):
    out = tmp_path / "out.jsonl"
    stats = extract(stored, output=out, fields=("url",), parsers=1).run()
    assert (stats.pages, stats.records, stats.interrupted) == (PAGES, PAGES, False)
    assert len(out.read_bytes().splitlines()) == PAGES
    with pytest.raises(ConfigError, match="is there already"):
        extract(stored, output=out)
    assert extract(stored, output=out, fresh=True, parsers=1).run().records == PAGES


def test_records_become_a_table_and_outputs_are_written_beside(stored, tmp_path):
    out = tmp_path / "out.csv"
    table = extract(stored, fields=["url", "status"], output=[out], parsers=1).to_arrow()
    assert (table.num_rows, table.column_names) == (PAGES, ["url", "status"])
    assert len(out.read_text().splitlines()) == PAGES + 1


async def test_no_cancellation_cuts_its_clean_up_short(stored):
    """However often it is cancelled, and at whatever moment, it ends its parsers and threads first."""
    threads, others = left()
    for turns in range(1, 12):
        extraction = Extraction(CrawlConfig(output=(), parsers=1), [stored])
        task = asyncio.create_task(extraction.run())
        while not extraction.stats().parser_busy_s:
            await asyncio.sleep(0)
        task.cancel()
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        now, parsers = left()
        assert (parsers - others, now - threads) == (set(), set()), turns


async def test_it_works_where_an_event_loop_runs(stored):
    assert len(list(extract(stored, parsers=1))) == PAGES
    assert (await asyncio.to_thread(extract(stored, parsers=1).run)).records == PAGES


@pytest.mark.parametrize("how", ["break", "raise", "with", "close", "stop"])
def test_a_loop_that_is_left_leaves_nothing_behind(stored, how):
    threads, others = left()
    pages = extract(stored, parsers=1)
    match how:
        case "break":
            for _ in pages:
                break
        case "raise":
            with suppress(ZeroDivisionError):
                for _ in pages:
                    _ = 1 / 0
        case "with":
            with pages:
                next(pages)
        case "close":
            next(pages)
            pages.close()
            pages.close()
        case "stop":
            next(pages)
            pages.stop()
            assert len(list(pages)) < PAGES
    now, parsers = left()
    assert parsers <= others
    assert now <= threads
    assert pages.stats().interrupted
    assert list(pages) == []


def test_nothing_is_started_and_nothing_stays_open_before_the_first_record_is_asked_for(stored):
    threads, parsers = left()
    pages = extract(stored)
    assert left() == (threads, parsers)
    assert pages.stats().pages == 0
    pages.close()


def test_a_loop_that_takes_its_time_holds_the_reader_back(stored):
    """The reader is not at the end of the files while records of their start wait."""
    big = [stored] * 40
    with extract(big, parsers=1) as pages:
        next(pages)
        threading.Event().wait(1.0)
        stats = pages.stats()
        assert stats.read_bytes < stats.total_bytes


def test_what_breaks_it_is_raised_where_a_record_is_asked_for_once(stored):
    pages = extract(stored, output="/dev/full", parsers=1)
    with pytest.raises(StorageError, match="No space left"):
        list(pages)
    pages.close()


def test_a_page_at_which_the_spider_fails_is_counted_and_the_others_come(stored):
    pages = extract(stored, spider=lambda page: {"half": 1 / (page.title != "Start")}, parsers=1)
    assert len(list(pages)) == PAGES - 1
    assert pages.stats().outcomes == {"fetched": PAGES - 1, "failed: parser-error: ZeroDivisionError": 1}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"output": "kept.warc.gz"}, "extract writes records, not .warc.gz"),
        ({"output": "pages.xls"}, "no known ending"),
        ({"spider": "no_such_module_here:f"}, "no_such_module_here"),
        ({"fields": ["nonsense"]}, "nonsense"),
        ({"delay_s": 1.0}, "no setting 'delay_s'"),
        ({"parser": 1}, "did you mean 'parsers'"),
    ],
)
def test_what_cannot_be_done_is_said_at_the_call(stored, settings, message):
    with pytest.raises(ConfigError, match=message):
        extract(stored, **settings)


def test_a_file_that_cannot_be_read_is_said_at_the_call(tmp_path):
    with pytest.raises(UsageError, match="cannot read"):
        extract(tmp_path / "none.warc.gz")
    with pytest.raises(ConfigError, match="archives: expected text or paths"):
        extract([7])  # type: ignore[list-item]


SCRIPT = """
    from crawler import extract
    pages = extract({path!r}, spider=lambda page: page.title, parsers=1)
    print(next(pages))
"""


def test_a_script_without_a_guard_that_closes_nothing_ends(stored, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(SCRIPT.replace("page.title,", '{{"t": page.title}},').format(path=str(stored))))
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        cwd=tmp_path,
        env={"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "{'t': 'Start'}\n", "")
