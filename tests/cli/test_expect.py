"""`--expect` and `crawler check`: what is told, which exit code, and that fields are counted exactly."""

import json
import os
import signal
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

import crawler
from tests.support.commands import POLITE_ENOUGH, ROOT
from tests.support.patience import PATIENCE_S, wait_until
from tests.support.servers import Answer, LocalServer, html

PAGES = 60
OLD_JOB = ROOT / "tests/data/old_job.tar.gz"


def shop(_host: str, path: str) -> Answer:
    """Pages that link to the next three; each third one has no price."""
    if path == "/robots.txt":
        return Answer(status=404)
    number = int(path.strip("/") or 0)
    links = [f"/{n}" for n in range(number + 1, min(number + 4, PAGES))]
    price = f'<b class="price">{number}</b>' if number % 3 else ""
    return Answer(html(*links, title=f"Number {number}", text=price))


@pytest.fixture
def site():
    with LocalServer(shop) as server:
        yield server


PRICE = ("--select", "price=.price")
WITH_PRICE = sum(1 for number in range(PAGES) if number % 3)


def test_what_is_missed_is_one_line_each_and_the_exit_code_is_7(commands, site):
    expect = ("--expect", "pages>=60", "--expect", "price>=95%", "--expect", "failed<=1%", "--expect", "5xx>=1")
    done = commands.run("crawl", site.url("/0"), "--job", "job", *POLITE_ENOUGH, *PRICE, *expect, "--quiet")
    assert done.code == 7
    share = f"{int(WITH_PRICE / PAGES * 1_000_000) / 10_000:g}"
    assert done.err.splitlines() == [
        f"crawler: error: not as expected: price>=95%: seen {share} % ({WITH_PRICE} of {PAGES} records)",
        "crawler: error: not as expected: 5xx>=1: seen 0",
    ]
    told = json.loads((commands.folder / "job/summary.json").read_bytes())["expectations"]
    assert [(one["expect"], one["met"]) for one in told] == [
        ("pages>=60", True), ("price>=95%", False), ("failed<=1%", True), ("5xx>=1", False)
    ]  # fmt: skip

    again = commands.run("check", "job")
    assert again.code == 7
    assert commands.run("check", "job", "--expect", "elapsed_s<3600", "--expect", "run_pages==60").code == 0
    assert [line.split(":")[0] for line in again.out.splitlines()] == [
        "met     pages>=60", "missed  price>=95%", "met     failed<=1%", "missed  5xx>=1"
    ]  # fmt: skip
    assert commands.run("check", "job", "--expect", "price>=40", "--quiet") == (0, "", "")
    verdicts = json.loads(commands.run("check", "job", "--expect", "price>=95%", "--json").out)
    assert (verdicts[0]["part"], verdicts[0]["whole"], verdicts[0]["met"]) == (WITH_PRICE, PAGES, False)


def test_what_cannot_be_meant_is_refused_before_a_job_is_made(commands, site):
    for told in ("prise>=95%", "pages>=many", "failed: timout<3"):
        done = commands.run("crawl", site.url("/0"), "--job", "job", *POLITE_ENOUGH, *PRICE, "--expect", told)
        assert done.code == 2
        assert (done.err.count("\n"), done.err.startswith("crawler: error: --expect: '")) == (1, True)
        assert not (commands.folder / "job").exists()
    assert not site.requests
    (commands.folder / "settings.toml").write_text('expect = ["prise>=95%"]\nselect = {price = ".price"}\n')
    done = commands.run("crawl", site.url("/0"), "--config", "settings.toml")
    assert (done.code, "settings.toml: expect: 'prise>=95%'" in done.err) == (2, True)
    assert "did you mean price?" in done.err


@pytest.mark.thorough
@pytest.mark.parametrize(("point", "count"), [("before-commit", 3), ("before-commit", 5)])
def test_fields_are_counted_exactly_after_kill_9(commands, site, point, count):
    site.respond = lambda host, path: replace(shop(host, path), delay_s=0.05)  # enough commits on any machine
    command = ["crawl", site.url("/0"), "--job", "job", *POLITE_ENOUGH, *PRICE, "--expect", "price>=95%", "--quiet"]
    driver = [sys.executable, str(ROOT / "tests/support/kill_driver.py"), point, str(count), *command]
    died = subprocess.run(
        driver,
        cwd=commands.folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert died.returncode == -signal.SIGKILL
    assert 0 < (commands.folder / "job/pages.jsonl").read_bytes().count(b"\n") < PAGES
    done = commands.run(*command)
    assert done.code == 7
    assert f"({WITH_PRICE} of {PAGES} records)" in done.err


@pytest.mark.thorough
def test_what_an_earlier_run_did_not_count_is_read_from_the_output(commands, site):
    command = ["crawl", site.url("/0"), "--job", "job", *POLITE_ENOUGH, *PRICE, "--quiet"]
    assert commands.run(*command, "--max-pages", 20).code == 0
    done = commands.run(*command, "--expect", "price>=95%")
    assert f"({WITH_PRICE} of {PAGES} records)" in done.err
    (commands.folder / "job/pages.jsonl").rename(commands.folder / "elsewhere")
    done = commands.run("check", "job", "--expect", "price>=95%")
    assert (done.code, "cannot be told" in done.out) == (7, True)


@pytest.mark.thorough
def test_a_worse_exit_code_stays_and_an_interrupted_crawl_is_not_checked(commands, site):
    dead = commands.run("crawl", "http://127.0.0.1:9/", "--retries", 0, *POLITE_ENOUGH, "--fail-unreachable",
                        "--give-up-after", 0, "--expect", "pages>=1", "--quiet")  # fmt: skip
    assert dead.code == 3
    assert "not as expected: pages>=1: seen 0" in dead.err


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("nothing", "there is no job nothing"),
        ("file", "file is a file"),
        ("old", "was not told what to expect"),
    ],
)
def test_a_job_that_cannot_be_checked_is_one_line(commands, what, told):
    (commands.folder / "file").write_text("x")
    with tarfile.open(OLD_JOB) as archive:
        archive.extractall(commands.folder / "old", filter="data")
    done = commands.run("check", what)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert told in done.err


@pytest.mark.thorough
def test_a_job_of_an_earlier_version_can_be_checked(commands):
    with tarfile.open(OLD_JOB) as archive:
        archive.extractall(commands.folder / "old", filter="data")
    done = commands.run("check", "old", "--expect", "pages==20", "--expect", "title==20", "--expect", "queued>0")
    assert (done.code, done.err) == (0, ""), done.out


def test_a_loop_raises_behind_its_last_record(site, tmp_path):
    settings = {"allow_private": True, "delay_s": 0, "parsers": 1, "select": {"price": ".price"}}
    records = []
    with pytest.raises(crawler.UnmetError) as error:
        records.extend(
            crawler.crawl(site.url("/0"), expect=["price>=95%", "pages>=1"], job=tmp_path / "job", **settings)
        )
    assert len(records) == PAGES
    with crawler.Job(Path(tmp_path, "job")) as job:
        assert [verdict.met for verdict in job.check(["price>=95%", "price>=40"])] == [False, True]
        assert [verdict.met for verdict in job.check()] == [False, True]
    assert f"price>=95%: seen 66.6666 % ({WITH_PRICE} of {PAGES} records)" in str(error.value)
    assert "pages" not in str(error.value)
    assert len(list(crawler.crawl(site.url("/0"), expect="price>=50%", **settings))) == PAGES
    for _ in crawler.crawl(site.url("/0"), expect=["price>=95%"], **settings):
        break  # left early: not its end
    with pytest.raises(crawler.ConfigError, match=r"expect: .*did you mean price"):
        crawler.crawl(site.url("/0"), expect=["prise>=95%"], **settings)


@pytest.mark.thorough
def test_a_running_job_can_be_checked(commands):
    def slow(host: str, path: str) -> Answer:
        return Answer(delay_s=3600) if path == "/9" else shop(host, path)

    with LocalServer(slow) as server:
        process = commands.start("crawl", server.url("/0"), "--job", "job", *POLITE_ENOUGH, "--quiet")
        wait_until(lambda: Path(commands.folder, "job/pages.jsonl").exists())
        wait_until(lambda: commands.run("check", "job", "--expect", "title>=8").code == 0)
        process.kill()
        process.communicate()
    assert commands.run("check", "job", "--expect", "pages<=59", "--expect", "queued>=1").code == 0
