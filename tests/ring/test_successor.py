"""An earlier output stays until the new one has a record in a commit; two crawls never write one output."""

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from crawler import CrawlConfig, Crawler, FakeTransport, Rotation
from crawler.core.errors import JobError
from crawler.fetcher.transport.fake import answer
from crawler.ledger.sinks.outputs import endings
from tests.support.outputs import rows
from tests.support.servers import Answer, LocalServer, html
from tests.support.thorough import first_quickly

ENDINGS = [ending for ending in endings() if ending != ".warc.gz"]
SETTINGS = {"delay_s": 0.0, "strategy": "async", "fields": ("url", "status")}


def site(status=200, *, words="", hold: asyncio.Event | None = None, started: asyncio.Event | None = None):
    async def respond(request):
        if request.url.endswith("/robots.txt"):
            return answer(request, status=404)
        if started is not None:
            started.set()
        if hold is not None:
            await hold.wait()
        return answer(request, words, status=status)

    return FakeTransport(respond)


def seeds(number: int, name: str = "a") -> list[str]:
    return [f"http://{name}.example/{page}" for page in range(number)]


def crawler(folder: Path, output: Path, urls: list[str], transport=None, *, job="job", fresh=False, **settings):
    config = CrawlConfig(job=folder / job, output=str(output), **SETTINGS | settings)
    return Crawler(config, urls, transport=transport or site(), fresh=fresh)


def found(output: Path) -> list[str]:
    return sorted(row["url"] for row in rows(output))


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("rotated", [False, True], ids=["", "rotated"])
@pytest.mark.parametrize(
    "ending", first_quickly(sorted(ENDINGS, key=lambda one: one not in (".jsonl", ".parquet", ".db")), 3)
)
async def test_an_earlier_output_stays_until_a_record_is_in_a_commit(tmp_path, ending, rotated):
    """A later crawl of fewer pages then leaves nothing of it: no file of a row, no journal, no folder beside."""
    if rotated and ending in (".db", ".sqlite"):
        pytest.skip("a database is one file")
    place = tmp_path / "out"
    output = place / f"a{ending}"
    settings = {"rotate": Rotation(records=2)} if rotated else {}
    await crawler(tmp_path, output, seeds(8), **settings).run()
    assert found(output) == seeds(8)
    before = files(place)

    hold, started = asyncio.Event(), asyncio.Event()
    fresh = crawler(tmp_path, output, seeds(3, "b"), site(hold=hold, started=started), fresh=True, **settings)
    run = asyncio.create_task(fresh.run())
    await started.wait()
    assert found(output) == seeds(8)
    hold.set()
    await run
    assert found(output) == seeds(3, "b")
    if not rotated:
        assert files(place) == before
    assert not [name for name in os.listdir(place) if name.startswith((".", "_"))]
    assert (await crawler(tmp_path, output, seeds(3, "b"), **settings).run()).run_pages == 0


async def test_a_crawl_that_brings_no_record_leaves_the_earlier_output(tmp_path, caplog):
    output = tmp_path / "a.jsonl"
    await crawler(tmp_path, output, seeds(2)).run()
    closed = FakeTransport(lambda request: answer(request, "User-agent: *\nDisallow: /"))
    with caplog.at_level(logging.WARNING):
        stats = await crawler(tmp_path, output, seeds(2), closed, fresh=True).run()
    assert stats.pages == 0
    assert found(output) == seeds(2)
    assert "a.jsonl is the earlier one still: no record has come to replace it" in caplog.text
    assert files(tmp_path)[0] == "a.jsonl"
    # The job goes on from there, and the first record replaces it.
    await crawler(tmp_path, output, seeds(3, "c"), job="other", fresh=True).run()
    assert found(output) == seeds(3, "c")


async def test_a_link_to_an_output_stays_a_link(tmp_path):
    (tmp_path / "far").mkdir()
    output = tmp_path / "a.jsonl"
    output.symlink_to("far/b.jsonl")
    for name in "ab":
        await crawler(tmp_path, output, seeds(2, name), fresh=True).run()
        assert output.is_symlink()
        assert found(tmp_path / "far/b.jsonl") == seeds(2, name)


DRIVER = """
import os, signal, sys
from crawler.ledger.ledger import Ledger
from crawler.frontier.store import Store
from crawler.ledger.sinks.successor import Successor
from crawler.cli.entry import main
point = sys.argv.pop(1)
kill = lambda: os.kill(os.getpid(), signal.SIGKILL)
def before(owner, name):
    function = getattr(owner, name)
    setattr(owner, name, lambda *a, **k: (kill(), function(*a, **k)))
def after(owner, name):
    function = getattr(owner, name)
    setattr(owner, name, lambda *a, **k: (function(*a, **k), kill()))
commit = Store.commit
def commit_with_records(self):
    if point == "before-commit" and self.pending_rows and Ledger.wrote: kill()
    commit(self)
    if point == "after-commit" and Ledger.wrote: kill()
Ledger.wrote = False
Store.commit = commit_with_records
write = Successor.write
def noted(self, finished):
    write(self, finished)
    Ledger.wrote = Ledger.wrote or any(one.records for one in finished)
Successor.write = noted
if point == "in-move":
    replace = __import__("pathlib").Path.replace
    def replace_one(self, to):
        replace(self, to)
        if "/." in str(self): kill()
    __import__("pathlib").Path.replace = replace_one
if point == "after-move": after(Successor, "_take_place")
if point == "opened":
    from crawler.frontier.frontier import Frontier
    before(Frontier, "__init__")
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "point", first_quickly(["after-commit", "in-move", "opened", "before-commit", "after-move"], 2)
)
def test_killed_while_an_output_is_replaced_the_same_job_ends_with_each_record_once(tmp_path, served, point):
    """All formats at once; before the commit the earlier output is whole."""
    outputs = [tmp_path / f"a{ending}" for ending in ENDINGS]
    named = [word for output in outputs for word in ("-o", str(output))]
    common = ["--job", str(tmp_path / "job"), *named, "--allow-private", "--delay", "0", "--quiet", "--fields", "url"]
    earlier, later = [[served(f"/{name}{page}") for page in range(count)] for name, count in (("a", 9), ("b", 4))]

    def run(*arguments: str, code: str | None = None) -> int:
        command = ["-m", "crawler"] if code is None else ["-c", DRIVER, code]
        return subprocess.run([sys.executable, *command, "crawl", *arguments, *common], check=False).returncode

    assert run(*earlier) == 0
    assert run(*later, "--fresh", code=point) == -signal.SIGKILL
    if point in ("opened", "before-commit"):
        assert [found(output) for output in outputs] == [sorted(earlier)] * len(outputs)
    assert run(*(earlier if point == "opened" else later)) == 0
    expected = sorted(earlier if point == "opened" else later)
    assert [found(output) for output in outputs] == [expected] * len(outputs)
    assert [name for name in os.listdir(tmp_path) if name.startswith((".", "_"))] == []
    assert json.loads((tmp_path / "job/summary.json").read_text())["pages"] == len(expected)


@pytest.fixture
def served():
    with LocalServer(lambda _host, path: Answer(status=404) if path == "/robots.txt" else Answer(html())) as server:
        yield server.url


# Locks


@pytest.mark.parametrize(
    "ending",
    first_quickly([".jsonl", ".parquet", ".db", "rotated", "hard link", "link", "folder link", ".csv.gz"], 5),
)
async def test_two_crawls_never_write_one_output(tmp_path, ending):
    """The second is refused, whatever the name by which it comes; when the first has ended it may begin."""
    suffix = ending if ending.startswith(".") else ".jsonl"
    settings = {"rotate": Rotation(records=2)} if ending == "rotated" else {}
    (tmp_path / "out").mkdir()
    output = other = tmp_path / f"out/a{suffix}"
    if ending == "hard link":
        output.touch()
        other = tmp_path / "out/b.jsonl"
        os.link(output, other)
    elif ending == "link":
        other = tmp_path / "b.jsonl"
        other.symlink_to("out/a.jsonl")
    elif ending == "folder link":
        (tmp_path / "way").symlink_to("out")
        other = tmp_path / "way/a.jsonl"
    hold, started = asyncio.Event(), asyncio.Event()
    run = asyncio.create_task(crawler(tmp_path, output, seeds(5), site(hold=hold, started=started), **settings).run())
    await started.wait()
    for fresh in (False, True):
        with pytest.raises(JobError, match=r"is being written by another crawl of this process: wait for its end, or"):
            await crawler(tmp_path, other, seeds(5, "b"), job="other", fresh=fresh, **settings).run()
        assert not (tmp_path / "other").exists()
    hold.set()
    await run
    assert found(output) == seeds(5)
    assert not list((tmp_path / "out").glob("*.lock"))
    await crawler(tmp_path, other, seeds(5, "b"), job="other", fresh=True, **settings).run()
    assert found(other) == seeds(5, "b")


@pytest.mark.timeout(60)
def test_the_process_that_writes_an_output_is_named(tmp_path, served):
    """As the command line says it; when that process was killed the lock is free."""
    command = [sys.executable, "-m", "crawler", "crawl", served("/"), "-o", "a.jsonl", "--allow-private", "--quiet"]
    waiting = subprocess.Popen(
        [sys.executable, "-c", HOLDER, "a.jsonl"], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    )
    assert waiting.stdout.readline() == "held\n"
    told = subprocess.run([*command, "--job", "j"], cwd=tmp_path, stderr=subprocess.PIPE, text=True, check=False)
    assert told.returncode == 2
    assert (
        f"a.jsonl is being written by process {waiting.pid}: wait for its end, or use another --output" in told.stderr
    )
    waiting.kill()
    waiting.wait()
    waiting.stdout.close()
    assert subprocess.run([*command, "--job", "j"], cwd=tmp_path, check=False).returncode == 0
    assert found(tmp_path / "a.jsonl") == [served("/")]


HOLDER = """
import sys, time
from crawler import CrawlConfig
from crawler.ledger.sinks.locks import OutputLocks
from crawler.ledger.sinks.outputs import places_of
locks = OutputLocks()
locks.take(places_of(CrawlConfig(output=sys.argv[1])))
print("held", flush=True)
time.sleep(60)
"""
