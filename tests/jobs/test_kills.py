"""Kill -9 while a job is changed, in the command and in the crawl: nothing lost, nothing twice, and counters add up."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from crawler import Job
from crawler.ledger.inbox import Inbox
from tests.support.kill_driver import INBOX_POINTS
from tests.support.patience import wait_until
from tests.support.servers import Answer, LocalServer, html
from tests.support.thorough import first_quickly

DRIVER = Path(__file__).parents[1] / "support" / "kill_driver.py"
NONSENSE = Answer(b"no gzip at all", headers={"content-encoding": "gzip"})


class Site:
    """Pages without links. As long as it is `broken`, those below /bad cannot be decoded."""

    def __init__(self) -> None:
        self.broken = True

    def __call__(self, _host: str, path: str) -> Answer:
        if path == "/robots.txt":
            return Answer("", headers={"content-type": "text/plain"})
        return NONSENSE if self.broken and path.startswith("/bad") else Answer(html(title=path))


@pytest.fixture(scope="module")
def site() -> Site:
    return Site()


@pytest.fixture(scope="module")
def server(site):
    with LocalServer(site, ("127.0.0.1",)) as one:
        yield one


def started(*arguments: str, driver: tuple[str, ...] = ()) -> subprocess.Popen:
    command = [str(DRIVER), *driver] if driver else ["-m", "crawler"]
    return subprocess.Popen(
        [sys.executable, *command, *arguments],
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def killed(process: subprocess.Popen) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def crawl(server: LocalServer, job: Path, *options: str) -> tuple[str, ...]:
    told = ("--allow-private", "--delay", "0", "--retries", "0", "--quiet", "--strategy", "async", *options)
    return ("crawl", server.url("/first"), "--job", str(job), *told)


def paths(job: Path) -> Counter[str]:
    """Count the records of each path."""
    lines = (job / "pages.jsonl").read_bytes().splitlines()
    return Counter(urlsplit(json.loads(line)["url"]).path for line in lines)


def adds_up(job: Path) -> None:
    with Job(job) as opened:
        summary = json.loads((job / "summary.json").read_text())
        kinds = Counter(f"{one.outcome}: {one.reason}" if one.reason else one.outcome for one in opened.urls())
    assert dict(kinds) == summary["outcomes"]
    assert (summary["known"], summary["queued"]) == (kinds.total(), 0)


CASES = [(point, by) for point in INBOX_POINTS for by in ("command", "crawl") if (point, by) != ("in-putting", "crawl")]
CASES.sort(key=lambda case: case not in {("after-slice", "crawl"), ("before-removal", "command")})


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("point", "by"), first_quickly(CASES, 2))
def test_killed_at_a_point_on_its_way_each_row_is_added_once(server, tmp_path, point, by):
    """Each row has a record, equal ones as well; a file that was not put there whole adds none."""
    job, rows = tmp_path / "job", tmp_path / "rows.txt"
    options = ("--scope", "page")  # with a record for each row
    added = [f"/{point}-{by}-{number}" for number in range(25)]
    urls = [server.url(path) for path in (*added, *added[:5])]
    assert started(*crawl(server, job, *options)).wait() == 0
    count = "1" if point in {"in-putting", "before-removal", "after-removal"} else "2"
    if by == "command":
        rows.write_text("\n".join(urls))
        process = started("add", str(job), str(rows), driver=(point, count))
    else:
        Inbox(job).put_seeds(json.dumps({"url": url}).encode() + b"\n" for url in urls)
        process = started(*crawl(server, job, *options), driver=(point, count))
    assert process.wait(timeout=60) == -signal.SIGKILL
    process = started(*crawl(server, job, *options))
    assert process.wait(timeout=60) == 0
    wanted = Counter() if point == "in-putting" else Counter([*added, *added[:5]])
    assert paths(job) == wanted + Counter(["/first"])
    adds_up(job)
    assert [path for path in (job / "inbox").iterdir() if path.suffix == ".jsonl"] == []


@pytest.mark.thorough
@pytest.mark.timeout(180)
def test_killed_at_random_instants_what_is_added_retried_and_steered_is_done_once(server, site, tmp_path):
    """Commands and crawls alike. What a command said was added is there; of one that was killed, all or nothing."""
    rng, job, site.broken = random.Random(), tmp_path / "job", True
    bad = [f"/bad-{number}" for number in range(30)]
    (tmp_path / "bad.txt").write_text("".join(f"{server.url(path)}\n" for path in bad))
    assert started(*crawl(server, job)).wait() == 0
    assert started("add", str(job), str(tmp_path / "bad.txt")).wait() == 0
    assert started(*crawl(server, job)).wait() == 0
    site.broken = False
    said: dict[int, bool] = {}
    for number in range(3):
        crawling = started(*crawl(server, job))
        rows = tmp_path / f"{number}.txt"
        rows.write_text("".join(f"{server.url(f'/{number}-{one}')}\n" for one in range(40)))
        commands = [
            started("add", str(job), str(rows)),
            started("retry", str(job)),
            started("steer", str(job), "block" if number % 2 else "unblock", "other.test"),
        ]
        time.sleep(rng.uniform(0.2, 1.5))
        killed(rng.choice([crawling, *commands]))
        for process in commands:
            process.wait(timeout=60)
        said[number] = commands[0].returncode == 0
        killed(crawling)
    assert started("steer", str(job), "unblock", "other.test").wait(timeout=60) == 0
    assert started("retry", str(job)).wait(timeout=60) == 0
    process = started(*crawl(server, job))
    assert process.wait(timeout=60) == 0
    found = paths(job)
    assert set(found.values()) == {1}
    assert set(bad) <= set(found)
    for number, whole in said.items():
        of_it = [path for path in found if path.startswith(f"/{number}-")]
        assert len(of_it) in ({40} if whole else {0, 40})
    adds_up(job)
    wait_until(lambda: not list((job / "inbox").glob("*.jsonl")))
