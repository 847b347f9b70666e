"""Programs that fork, and workers that others have forked: what a crawl does for them, and what it refuses."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.support.patience import PATIENCE_S
from tests.support.servers import Answer, LocalServer, html

ROOT = Path(__file__).parents[2]

BEGIN = """
    import multiprocessing, os, sys, time
    from crawler import UsageError, crawl
    url = sys.argv[1]
    local = {"allow_private": True, "delay_s": 0, "parsers": 2}

    def child(work):
        pid = os.fork()
        if not pid:
            work()
            os._exit(99)
        return pid
"""


@pytest.fixture
def run(tmp_path):
    """Run a program, given the URL of a site; returns what it prints. It must print nothing else."""

    def respond(host: str, path: str) -> Answer:
        if path == "/robots.txt":
            return Answer(status=404)
        return Answer(html(*(f"/p{n}" for n in range(60)) if path == "/" else ()), delay_s=0.02)

    def ran(program: str) -> list[str]:
        script = tmp_path / "program.py"
        script.write_text(textwrap.dedent(BEGIN) + textwrap.dedent(program))
        done = subprocess.run(
            # From Python 3.12 on each fork beside a thread warns of what may come of it.
            [sys.executable, "-W", "error", "-W", "ignore:This process:DeprecationWarning", str(script), server.url()],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.splitlines()

    with LocalServer(respond) as server:
        yield ran


def test_a_child_forked_in_a_crawl_keeps_no_lock_and_ends_as_it_wants(run):
    """And its end, by which it runs all that the program does at its exit, leaves the parent's processor alone."""
    assert run("""
        with crawl(url, job="job", **local) as pages:
            next(pages)
            there, told = os.pipe()
            child(lambda: os.read(there, 1))  # lives on
            leaving = child(lambda: sys.exit(7))
            print(os.waitstatus_to_exitcode(os.waitpid(leaving, 0)[1]))
            before = time.process_time()
            time.sleep(1)
            print(time.process_time() - before < 0.5)
        print(len(list(crawl(url, job="job", **local))) > 50)
        os.write(told, b"x")
    """) == ["7", "True", "True"]


@pytest.mark.parametrize(
    ("when", "what", "why"),
    [
        ("next(pages)", "next(pages)", "these records are taken by process"),
        ("next(pages)", "next(crawl(url, **local))", "the store's threads did not come along"),
        ("list(pages)", "next(crawl(url, **local))", 'start processes that crawl with "spawn"'),
    ],
)
def test_a_forked_child_that_cannot_crawl_says_why(run, when, what, why):
    assert run(f"""
        pages = crawl(url, **local)
        {when}
        def work():
            try:
                {what}
            except UsageError as error:
                print({why!r} in str(error), flush=True)
                sys.exit(3)
        print(os.waitstatus_to_exitcode(os.waitpid(child(work), 0)[1]))
        pages.close()
    """) == ["True", "3"]


def test_workers_of_a_pool_crawl_with_parsers_of_their_own(run):
    """They are daemonic, which multiprocessing lets start no process."""
    assert run("""
        def spider(page):
            yield {"process": os.getpid()}
            yield page.follow()

        def work(number):
            processes = [record["process"] for record in crawl(url, spider=spider, **local)]
            return len(processes), os.getpid() in processes

        with multiprocessing.get_context("fork").Pool(2) as pool:
            print(pool.map(work, range(3)))
    """) == ["[(61, False), (61, False), (61, False)]"]
