"""Nothing lost, nothing twice: kill -9 at random instants and at every named point, resume, compare.

The quick kills run with every test run; the long series (`make test-kill`) is marked slow.
"""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from crawler.ledger.sinks.outputs import endings
from tests.support.kill_driver import POINTS, SINK_POINTS
from tests.support.outputs import rows
from tests.support.patience import PATIENCE_S
from tests.support.record_numbers import check_record_numbers
from tests.support.servers import Answer, LocalServer, html
from tests.support.thorough import first_quickly

HOSTS = ("127.0.0.1", "127.0.0.2", "127.0.0.3")
PAGES_PER_HOST = 500
DRIVER = Path(__file__).parents[1] / "support" / "kill_driver.py"


def site() -> dict[str, tuple[str, ...]]:
    """Path -> links of one host: all reachable, with cross links, dead links and a redirect."""
    rng = random.Random(11)
    paths = [f"/p{number}" for number in range(PAGES_PER_HOST)]
    links: dict[str, list[str]] = {path: [] for path in paths}
    for number in range(1, PAGES_PER_HOST):
        links[paths[rng.randrange(max(0, number - 40), number)]].append(paths[number])
    for path in paths:
        links[path] += rng.choices(paths, k=10)
    links["/p3"] += ["/gone", "/moved"]
    return {path: tuple(found) for path, found in links.items()}


SITE = site()
LISTED = tuple(f"/only-listed-{number}" for number in range(60))
NO_PAGES = ("/robots.txt", "/map.xml", "/moved")
FILLER = "Words that make a page as long as a page is. " * 60


def respond(host: str, path: str):
    if path == "/robots.txt":
        return Answer("Sitemap: /map.xml\n", headers={"content-type": "text/plain"})
    if path == "/map.xml":
        listed = "".join(f"<url><loc>{page}</loc></url>" for page in LISTED)
        return Answer(f"<urlset>{listed}</urlset>", headers={"content-type": "application/xml"})
    if path in LISTED:
        return Answer(html(title="listed"))
    if path == "/moved":
        return Answer(status=301, headers={"location": "/target"})
    if path == "/target":
        return Answer(html("/p1"))
    if path not in SITE:
        return Answer("gone", status=404)
    return Answer(html(*SITE[path], title=path, text=FILLER), delay_s=0.02)  # so that a crawl takes 2 s


@pytest.fixture(scope="module")
def server():
    with LocalServer(respond, HOSTS) as one:
        yield one


DUPLICATES = len(HOSTS) * (len(SITE) + len(LISTED) + 2) - (len(SITE) + 1 + 2)
"""All hosts hold the same pages, and the listed ones are all the same."""


@pytest.fixture(scope="module")
def expected(server) -> set[str]:
    """Every URL that must have one record, from the model of the site."""
    paths = [*SITE, *LISTED, "/gone", "/target"]
    return {server.url(path, host) for host in HOSTS for path in paths}


class Job:
    """One job, run by the command line in a process group of its own."""

    def __init__(self, server: LocalServer, path: Path, *options: str) -> None:
        self.path = path
        seeds = [server.url("/p0", host) for host in HOSTS]
        self.arguments = [
            "crawl", *seeds, "--job", str(path), "--allow-private", "--sitemaps", "--delay", "0", "--per-host", "8",
            "--quiet", *options,
        ]  # fmt: skip

    def start(self, *driver: str) -> subprocess.Popen:
        command = [str(DRIVER), *driver] if driver else ["-m", "crawler"]
        return subprocess.Popen([sys.executable, *command, *self.arguments], start_new_session=True)

    def finish(self, expected: set[str], outputs: Sequence[Path] = ()) -> None:
        """Resume to the end and check the promise, of each output."""
        assert self.start().wait(timeout=90) == 0
        for output in outputs or (self.path / "pages.jsonl",):
            found = Counter(row["url"] for row in rows(output))
            assert [url for url, count in found.items() if count > 1] == [], output.name
            if output.name.endswith(".warc.gz"):  # it holds every answer that there was
                assert {urlsplit(url).path for url in set(found) - expected} == set(NO_PAGES), output.name
                assert set(found) > expected
            else:
                assert set(found) == expected, output.name
        summary = json.loads((self.path / "summary.json").read_text())
        assert summary["pages"] == len(expected)
        assert summary["duplicates"] == DUPLICATES
        assert summary["outcomes"]["fetched: sitemap"] == 2 * len(HOSTS)
        if not outputs:
            check_record_numbers(self.path, self.path / "pages.jsonl")


def kill_group(process: subprocess.Popen) -> None:
    with contextlib.suppress(ProcessLookupError):  # it may have reached its end by itself
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def kill_main_only(process: subprocess.Popen) -> None:
    """Kill the main process; its parsers must end by themselves."""
    try:
        children = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        children = []
    process.kill()
    process.wait()
    _, alive = psutil.wait_procs(children, timeout=PATIENCE_S)
    assert alive == [], "parsers outlived their parent"


def crash_at_random(job: Job, rng: random.Random, kills: int) -> int:
    """Start and kill `kills` times; how many runs were still going when they were killed."""
    hits = 0
    for number in range(kills):
        process = job.start()
        time.sleep(rng.uniform(0.3, 1.6))
        hits += process.poll() is None
        (kill_group if number % 2 else kill_main_only)(process)
    return hits


@pytest.mark.timeout(180)
def test_killed_at_random_instants_the_resumed_crawl_is_whole(server, expected, tmp_path):
    """The quick series: four kills of the group and of the main process alone, then a resumed run to the end."""
    job = Job(server, tmp_path / "job")
    assert crash_at_random(job, random.Random(), 4) > 0
    job.finish(expected)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("point", first_quickly(POINTS, 2))
def test_killed_at_a_named_point_the_resumed_crawl_is_whole(server, expected, tmp_path, point):
    """One kill at each point of the path, the second time it is reached (the first for points of start-up)."""
    job = Job(server, tmp_path / "job")
    if point.startswith("in-resume"):
        process = job.start("after-fetch", "300")
        assert process.wait(timeout=60) == -signal.SIGKILL
    process = job.start(point, "1" if point.startswith("in-resume") else "2")
    assert process.wait(timeout=60) == -signal.SIGKILL, f"{point} was never reached"
    job.finish(expected)


# Outputs

ENDINGS = endings()
ROTATED = [ending for ending in ENDINGS if ending not in (".db", ".sqlite")]


def job_with(server: LocalServer, path: Path, endings: Sequence[str], *options: str) -> tuple[Job, list[Path]]:
    """A job with an output of each of these endings."""
    outputs = [path / f"pages{ending}" for ending in endings]
    named = [word for output in outputs for word in ("-o", str(output))]
    return Job(server, path / "job", *named, *options), outputs


@pytest.mark.thorough
@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    ("endings", "options", "kills"),
    first_quickly(
        [
            (ENDINGS, (), ("in-record 5", "before-commit 2", "in-record 17", "after-commit 1", "in-seal 1")),
            (
                ROTATED,
                ("--rotate", "100"),
                ("in-next-part 3", "in-seal 1", "in-record 12", "before-commit 2", "before-clean 2"),
            ),
        ]
    ),
    ids=["one file each", "rotated"],
)
def test_killed_again_and_again_every_output_is_whole(server, expected, tmp_path, endings, options, kills):
    """One job writes all formats at once, so that each kill finds some of them behind the others."""
    stored = tmp_path / "stored/pages.jsonl.gz"  # as object storage has it
    job, outputs = job_with(server, tmp_path, endings, *options, "-o", stored.as_uri())
    for kill in kills:
        process = job.start(*kill.split())
        assert process.wait(timeout=60) == -signal.SIGKILL, f"{kill} was never reached"
    job.finish(expected, [*outputs, stored])


@pytest.mark.slow
@pytest.mark.parametrize("rotation", [(), ("--rotate", "100"), ("--rotate", "20kB")], ids=["one file", "100", "20kB"])
@pytest.mark.parametrize("ending", ENDINGS)
def test_long_series_of_kills_of_each_output(server, expected, tmp_path, ending, rotation):
    """Each point at which an output can be behind or ahead of the store, early and late, and random instants."""
    if rotation and ending not in ROTATED:
        pytest.skip("a database is one file")
    job, outputs = job_with(server, tmp_path, [ending], *rotation)
    reached = 0
    for count in (1, 2, 6):
        for point in SINK_POINTS:
            process = job.start(point, str(count))
            reached += process.wait(timeout=90) == -signal.SIGKILL
    assert reached > 3
    crash_at_random(job, random.Random(), 2)
    job.finish(expected, outputs)


@pytest.mark.slow
@pytest.mark.parametrize("series", range(10))
def test_long_series_of_random_kills(server, expected, tmp_path, series):
    """Forty random kills in ten jobs."""
    job = Job(server, tmp_path / "job")
    crash_at_random(job, random.Random(), 4)
    job.finish(expected)


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2, 5, 9])
@pytest.mark.parametrize("point", POINTS)
def test_long_series_of_named_points(server, expected, tmp_path, point, count):
    """Each named point, early and late; runs that end before the count is reached have nothing to resume."""
    job = Job(server, tmp_path / "job")
    process = job.start(point, str(count))
    assert process.wait(timeout=90) in {0, -signal.SIGKILL}
    process = job.start(point, str(count))
    assert process.wait(timeout=90) in {0, -signal.SIGKILL}
    job.finish(expected)
