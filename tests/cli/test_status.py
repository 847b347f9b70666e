"""`crawler status`: what a crawl does, or how it ended, asked from another terminal."""

import json
import os
import pty
import tarfile
import threading
from functools import partial

import msgspec
import pytest

from crawler import Job
from tests.ring.test_old_jobs import OLD_JOB
from tests.support.commands import POLITE_ENOUGH, CommandLine
from tests.support.patience import wait_until
from tests.support.servers import Answer, LocalServer, html
from tests.support.thorough import first_quickly

PAGES = 60


def site(opened: threading.Event, host: str, path: str) -> Answer:
    """Sixty pages, of which three come at once, and all others when it is `opened`."""
    if path == "/robots.txt":
        return Answer(status=404)
    number = int(path[1:] or 1)
    page = html(*(f"/{n}" for n in (number * 2, number * 2 + 1) if n <= PAGES))
    return Answer(page, until=opened if number > 3 else None)


@pytest.fixture
def command(tmp_path):
    command = CommandLine(tmp_path)
    yield command
    command.close()


def told(command: CommandLine, *arguments: str) -> list[dict]:
    ended = command.run("status", *arguments, "--json")
    assert (ended.code, ended.err) == (0, "")
    return [json.loads(line) for line in ended.out.splitlines()]


def test_a_job_is_told_of_while_it_runs_when_it_was_killed_and_when_it_has_ended(tmp_path, command):
    """The figures are those of the crawl; the state is what became of it."""
    opened = threading.Event()
    with LocalServer(partial(site, opened)) as server:
        arguments = ["crawl", server.url("/"), "--job", "output/one", "--quiet", *POLITE_ENOUGH]
        crawl = command.start(*arguments)
        wait_until((tmp_path / "output" / "one" / "state" / "CURRENT").exists)
        wait_until(lambda: told(command, "output/one")[0]["stats"]["pages"] >= 3)
        (now,) = told(command, "output/one")
        assert (now["state"], now["stats"]["ended"], now["run"]) == ("running", "running", 1)
        assert now["memory_bytes"] > 1e7
        assert now["stats"]["known"] == sum(now["stats"]["outcomes"].values()) + now["stats"]["queued"]
        text = command.run("status", "output/one").out
        assert "pages/s" in text
        assert "ends in" in text
        crawl.kill()
        crawl.wait()
        wait_until(lambda: told(command)[0]["state"] == "killed")
        assert "killed, or lost power, at" in command.run("status", "output/one").out
        watched = command.start("status", "output/one", "--watch")
        assert watched.wait() == 0, "nobody runs it: there is nothing to wait for"
        again = command.start(*arguments)
        wait_until(lambda: told(command, "output/one")[0]["state"] == "running")
        watched = command.start("status", "output/one", "--watch")
        assert "pages/s" in watched.stdout.readline()
        opened.set()
        lines = watched.stdout.read().splitlines()
        assert (watched.wait(), again.wait()) == (0, 0)
    assert lines[-1].startswith("done at "), "it is watched to its end"
    (end,) = told(command)
    assert (end["folder"], end["state"], end["stats"]["pages"], end["run"]) == ("output/one", "done", PAGES, 2)
    assert end["stats"]["fetching"] == end["memory_bytes"] * 0 == 0
    with Job(tmp_path / "output" / "one") as job:
        assert {sample.run for sample in job.samples()} == {1, 2}
        assert job.status().stats.pages == [*job.samples()][-1].stats.pages == PAGES


def test_all_jobs_have_a_line_each_whatever_they_are(tmp_path, command):
    nothing = command.run("status")
    assert (nothing.code, nothing.out) == (0, "")
    assert "no job is in output/" in nothing.err
    (tmp_path / "output" / "no-job").mkdir(parents=True)
    assert "no job is in output/" in command.run("status").err
    with tarfile.open(OLD_JOB) as archive:
        archive.extractall(tmp_path / "output" / "old", filter="data")
    (tmp_path / "output" / "broken" / "state").mkdir(parents=True)
    (tmp_path / "output" / "broken" / "state" / "CURRENT").write_text("MANIFEST-000001\n")
    ended = command.run("status")
    assert ended.code == 0
    head, broken, old, why = ended.out.splitlines()
    assert head.split() == ["JOB", "STATE", "PAGES", "DUE", "FAILED", "PAGES/S", "LIMITED", "BY", "LAST", "SIGN"]
    assert old.split() == ["output/old", "stopped", "20", "18", "0"]
    assert broken.split() == ["output/broken", "unreadable"]
    assert why.startswith("output/broken: ")
    unreadable = {one["folder"]: one for one in told(command)}["output/broken"]
    assert (unreadable["state"], bool(unreadable["error"])) == ("unreadable", True)
    assert "an earlier version did; 18 URLs are still queued" in command.run("status", "output/old").out
    for name, said in (("nowhere", "there is no job"), ("output/no-job", "is no job")):
        refused = command.run("status", name)
        assert refused.code == 2
        assert said in refused.err
        assert refused.err.count("\n") == 1


@pytest.mark.parametrize("columns", first_quickly([80, 40, 200]))
def test_a_terminal_of_any_width_has_no_line_that_breaks(tmp_path, command, columns):
    with tarfile.open(OLD_JOB) as archive:
        archive.extractall(tmp_path / "output" / ("a-long-name-" * 10), filter="data")
    for arguments in ([], ["output/" + "a-long-name-" * 10]):
        reading, writing = pty.openpty()
        size = {"COLUMNS": str(columns), "LINES": "50", "TERM": "dumb"}
        process = command.start("status", *arguments, env=size, stdout=writing)
        os.close(writing)
        shown = b""
        while chunk := _read(reading):
            shown += chunk
        assert process.wait() == 0
        lines = shown.decode().splitlines()
        assert any("20" in line for line in lines)
        assert max(map(len, lines)) <= columns, lines


def _read(descriptor: int) -> bytes:
    """Read from a terminal; empty when nobody writes to it any more, which Linux tells as an error."""
    try:
        return os.read(descriptor, 4096)
    except OSError:
        os.close(descriptor)
        return b""


@pytest.mark.thorough
def test_a_reader_that_has_enough_ends_the_watch(tmp_path, command):
    with LocalServer(site) as server:
        crawl = command.start("crawl", server.url("/"), "--job", "job", "--quiet", *POLITE_ENOUGH)
        wait_until((tmp_path / "job" / "state" / "CURRENT").exists)
        watch = command.start("status", "job", "--watch", "--json")
        assert msgspec.json.decode(watch.stdout.readline())["folder"] == "job"
        watch.stdout.close()
        assert watch.wait() == 0
        assert crawl.poll() is None
