"""A crawl whose parsers have not started: it can be ended, and a spider whose import makes no end does not hold it."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import crawler.parsers.spiders.spider
import crawler.parsers.supervision
from crawler.core.config import CrawlConfig
from crawler.core.errors import ConfigError, CrawlerError
from crawler.ring.crawler import Crawler
from tests.support.patience import PATIENCE_S, wait_until
from tests.support.processes import end_groups
from tests.support.servers import Answer, LocalServer, html
from tests.support.thorough import first_quickly

ROOT = Path(__file__).parents[2]

SLOW = """
    import os, pathlib, sys, time

    # In parser processes alone; the first one of them goes on at once if it is to.
    if "--multiprocessing-fork" in sys.orig_argv:
        here = pathlib.Path(__file__).parent
        try:
            (here / "first-may-start").unlink()
        except FileNotFoundError:
            while not (here / "all-may-start").exists():
                time.sleep(0.05)

    def parse(page):
        yield {"url": page.url, "process": os.getpid()}
        yield page.follow()
"""


@pytest.fixture
def slow(tmp_path) -> Path:
    """A spider whose import in a parser makes no end until there is a file `all-may-start` beside it."""
    path = tmp_path / "slow_spider.py"
    path.write_text(textwrap.dedent(SLOW))
    return path


@pytest.fixture
def server():
    with LocalServer(respond) as one:
        yield one


def respond(host: str, path: str) -> Answer:
    if path == "/robots.txt":
        return Answer(status=404)
    return Answer(html(*(f"/p{n}" for n in range(40)) if path == "/" else ()))


def made(spider: Path, server: LocalServer, **settings) -> Crawler:
    local = {"allow_private": True, "delay_s": 0.0, "parsers": 2, **settings}
    return Crawler(CrawlConfig(seeds=(server.url(),), job=spider.parent / "job", spider=f"{spider}:parse", **local))


@pytest.mark.parametrize("by", ["stop", "max_time"])
async def test_a_crawl_ends_while_its_parsers_start_and_goes_on_later(slow, server, by):
    crawler = made(slow, server, max_time_s=1.0 if by == "max_time" else None)
    run = asyncio.create_task(crawler.run())
    if by == "stop":
        while not server.pages():  # a page is under way, and nobody can parse it
            await asyncio.sleep(0.01)
        crawler.stop()
    stats = await asyncio.wait_for(run, PATIENCE_S)
    assert (stats.ended, stats.pages) == ("interrupted" if by == "stop" else "max-time", 0)
    (slow.parent / "all-may-start").touch()
    stats = await made(slow, server).run()
    assert (stats.ended, stats.pages) == ("done", 41)


@pytest.mark.parametrize(
    ("mount", "why"),
    first_quickly([("size=8k", "No space left on device"), ("ro", "Read-only file system")]),
)
def test_without_shared_memory_a_crawl_parses_in_its_own_process_and_says_so(server, tmp_path, mount, why):
    command = [sys.executable, "-m", "crawler", "crawl", server.url(), "--allow-private", "--delay", "0"]
    mounted = ["unshare", "--mount", "sh", "-c", f'mount -t tmpfs -o {mount} tmpfs /dev/shm && echo mounted && "$@"']
    done = subprocess.run(
        [*mounted, "sh", *command, "--job", str(tmp_path / "job"), "-o", "-"],
        cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    if not done.stdout.startswith("mounted"):
        pytest.skip(f"no mounts of one's own here: {done.stderr.strip()}")
    assert done.returncode == 0
    assert done.stdout.count("\n") == 1 + 41
    told = [line for line in done.stderr.splitlines() if "WARNING" in line]
    assert len(told) == 1
    assert f"not full ({why}): mount one" in told[0]
    assert "this crawl goes on with strategy async" in told[0]


def test_the_first_ctrl_c_ends_a_command_while_its_parsers_start(slow, server, tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-m", "crawler", "crawl", server.url(), "--allow-private", "--spider", f"{slow}:parse"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        wait_until(server.pages)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=PATIENCE_S)
    finally:
        end_groups([process])
    assert process.returncode == 4, told


async def test_pages_go_to_the_parser_that_has_started(slow, server):
    (slow.parent / "first-may-start").touch()
    records = []
    async with made(slow, server) as crawler:
        records = [record async for record in crawler]
    assert len(records) == 41
    assert len({record["process"] for record in records}) == 1


async def test_a_spider_whose_import_makes_no_end_ends_the_crawl_with_its_name(slow, server, monkeypatch):
    monkeypatch.setattr(crawler.parsers.supervision, "_START_S", 1.0)
    monkeypatch.setattr(crawler.parsers.supervision, "_START_TIMEOUTS", 0)
    with pytest.raises(CrawlerError, match=r"within 1 s: the import of the spider .*slow_spider\.py:parse hangs"):
        await asyncio.wait_for(made(slow, server).run(), PATIENCE_S)


def test_an_import_that_takes_long_before_the_crawl_is_told(tmp_path, server, monkeypatch, caplog):
    monkeypatch.setattr(crawler.parsers.spiders.spider, "_LATE_S", 0.05)
    (tmp_path / "late.py").write_text("import time\ntime.sleep(1)\ndef parse(page): ...\n")
    made(tmp_path / "late.py", server)
    assert "late.py:parse takes more than 0.05 s, and nothing begins before" in caplog.text


@pytest.mark.parametrize(
    "error", ["SystemExit(72)", "GeneratorExit", "type('Skipped', (BaseException,), {})('not here')"]
)
def test_a_module_that_raises_anything_when_imported_is_a_spider_that_cannot_be_used(tmp_path, server, error):
    (tmp_path / "odd_spider.py").write_text(f"raise {error}\n")
    with pytest.raises(ConfigError, match=r"importing odd_spider.py failed: \w+"):
        made(tmp_path / "odd_spider.py", server)


async def test_a_module_that_calls_exit_in_a_parser_is_told_like_one_that_fails(tmp_path, server, capfd):
    """Whatever the exit code is: 72 is that of a parser that wants to be replaced."""
    (tmp_path / "leaving.py").write_text(
        "import sys\nif '--multiprocessing-fork' in sys.orig_argv:\n    sys.exit(72)\ndef parse(page): ...\n"
    )
    with pytest.raises(
        CrawlerError, match=r"exit code 1: .* `crawler try URL --spider .*leaving\.py:parse` shows more"
    ):
        await made(tmp_path / "leaving.py", server, parsers=1).run()
    assert "calls sys.exit(72) when it is imported" in capfd.readouterr().err
