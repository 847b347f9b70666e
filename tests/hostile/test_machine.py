"""Rows that end at the command line: file names, a full disk, the terminal."""

import json
import os
import pty
import re
import resource
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from tests.hostile.machine import ATTACKS, NAMES
from tests.support.ports import closed_port
from tests.support.thorough import first_quickly

ROOT = Path(__file__).parent.parent.parent
OPTIONS = ("--allow-private", "--delay", "0", "--per-host", "8", "--parsers", "1", "--retries", "0")
CONTROLS = re.compile(rb"[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]")


def crawler(folder: Path, *arguments: str, **more) -> subprocess.Popen:
    """Start the crawler's command line in `folder`."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("CRAWLER_")}
    env |= {"PYTHONPATH": str(ROOT), "TERM": "xterm-256color"}
    command = [sys.executable, "-m", "crawler", "crawl", *arguments, *OPTIONS]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | more
    return subprocess.Popen(command, cwd=folder, env=env, stdin=subprocess.DEVNULL, **pipes)


def run(folder: Path, *arguments: str, **more) -> tuple[int, bytes, bytes]:
    """Run it to its end: exit code, standard output, standard error."""
    process = crawler(folder, *arguments, **more)
    out, err = process.communicate(timeout=60)
    assert b"Traceback" not in err
    return process.returncode, out, err


def records(file: Path) -> list[dict]:
    return [json.loads(line.decode("utf-8")) for line in file.read_bytes().splitlines()]


# Row 42


def test_no_name_from_the_net_becomes_a_file(tmp_path, hostile):
    """Of the host, its URLs and Content-Disposition nothing but a cleaned host name is used for the job's folder."""
    code, _, _ = run(tmp_path, hostile.url("file_names"), "--quiet")
    assert code == 0
    files = [str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*") if file.is_file()]
    job = f"output/127.66.42.1-{hostile.places['port']}"
    unknown = [file for file in files if not re.fullmatch(rf"{job}/([a-z]+|[a-z]+\.jsonl?|state/[\w.-]+)", file)]
    assert unknown == []
    assert len(records(tmp_path / job / "pages.jsonl")) >= len(NAMES) - 2


@pytest.mark.parametrize(
    "path",
    first_quickly(["/../../../../tmp/x", "/%2e%2e%2f" * 20, "/a%00b", "/" + "n" * 5000]),
    ids=["dots", "escaped", "NUL", "long"],
)
def test_no_seed_leads_out_of_the_output_folder(tmp_path, hostile, path):
    seed = hostile.url("file_names").rstrip("/") + path
    code, _, _ = run(tmp_path, seed, "--quiet", "--scope", "page")
    assert code == 0
    assert [file.name for file in tmp_path.iterdir()] == ["output"]
    (job,) = (tmp_path / "output").iterdir()
    assert re.fullmatch(rf"127\.66\.42\.1-{hostile.places['port']}-[-.\w]{{1,80}}", job.name)


# Row 44


@pytest.mark.parametrize("room", first_quickly([700_000, 1_000_001]))
def test_a_disk_that_fills_up_in_a_record_stops_the_crawl_and_room_makes_it_whole(tmp_path, hostile, room):
    seed = hostile.url("fills_the_disk")

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))

    code, _, err = run(tmp_path, seed, "--job", "j", "--quiet", preexec_fn=limit)
    assert code == 5
    assert err.startswith(b"crawler: error: cannot write j/pages.jsonl")
    assert err.count(b"\n") == 1
    assert not (tmp_path / "j/pages.jsonl").read_bytes().endswith(b"\n")
    assert run(tmp_path, seed, "--job", "j", "--quiet") == (0, b"", b"")
    urls = [record["url"] for record in records(tmp_path / "j/pages.jsonl")]
    assert sorted(urls) == sorted({seed, *(f"{seed}{number}" for number in range(60))})


# Row 46


def test_nothing_that_a_terminal_would_obey_comes_out(tmp_path, hostile):
    """Neither in the records on standard output nor in a log that tells everything."""
    seed = hostile.url("terminal_escapes")
    code, out, err = run(tmp_path, seed, "--job", "j", "-o", "-", "--log-level", "debug")
    assert code == 0
    assert len([json.loads(line.decode("utf-8")) for line in out.splitlines()]) >= 5
    assert not CONTROLS.search(out), CONTROLS.search(out)
    assert not CONTROLS.search(err), CONTROLS.search(err)
    assert "\u202e".encode() not in err


def test_the_live_display_shows_nothing_of_the_attack(tmp_path, hostile):
    master, slave = pty.openpty()
    seen = bytearray()

    def watch() -> None:
        with suppress(OSError):
            while some := os.read(master, 65536):
                seen.extend(some)

    process = crawler(tmp_path, hostile.url("terminal_escapes"), "--job", "j", stderr=slave)
    os.close(slave)
    watcher = threading.Thread(target=watch)
    watcher.start()
    process.communicate(timeout=60)
    watcher.join(60)
    os.close(master)
    assert process.returncode == 0
    assert seen
    for attack in ATTACKS[:2] + ATTACKS[3:5] + ATTACKS[7:8]:
        assert attack.encode("utf-8", "surrogatepass") not in seen
    assert b"pwned" not in seen


def test_a_seed_with_escapes_is_shown_without_them(tmp_path):
    with closed_port() as port:
        code, _, err = run(tmp_path, f"http://127.0.0.1:{port}/\x1b]0;pwned\x07", "--job", "j", "--give-up-after", "1")
    assert code == 6
    assert not CONTROLS.search(err)
