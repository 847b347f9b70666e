"""Crawls of hosts that do not answer: what stays due, how that is told, and what is tried again."""

import asyncio
import json
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

import crawler.frontier.reopening
from crawler import crawl
from crawler.cli.entry import main
from crawler.cli.exit_code import ExitCode
from crawler.core.config import CrawlConfig
from crawler.core.errors import StorageError
from crawler.fetcher.silence import Patience
from crawler.frontier.store import Store
from crawler.ring.crawler import Crawler
from tests.support.ports import closed_port
from tests.support.servers import RESET, Answer, LocalServer, html

LITTLE = Patience(
    doubt_s=0.05, first_sleep_s=0.1, longest_sleep_s=0.5, refusing_s=60.0, stranger_s=30.0, offline_sleep_s=0.2
)
NO_ROBOTS = Answer(status=404)


@pytest.fixture(autouse=True)
def little_patience(monkeypatch):
    monkeypatch.setattr("crawler.fetcher.silences.PATIENCE", LITTLE)


def config(job: Path, **settings) -> CrawlConfig:
    return CrawlConfig(**{"job": job, "allow_private": True, "delay_s": 0.0, "strategy": "async", **settings})


def urls(job: Path) -> Counter[str]:
    return Counter(json.loads(line)["url"] for line in (job / "pages.jsonl").read_bytes().splitlines())


class Site:
    """`pages` pages under one link each; `broken` ones reset their connection."""

    def __init__(self, pages: int, broken=()) -> None:
        self.broken = set(broken)
        self.links = html(*(f"/p{number}x" for number in range(pages)))

    def __call__(self, _host, path):
        if path == "/robots.txt":
            return NO_ROBOTS
        return RESET if path in self.broken else Answer(self.links)


def test_a_dead_host_among_healthy_ones_ends_the_run_as_unreachable(tmp_path, capsys):
    """With an exit code of its own, and its URLs stay due: the same command tries them again, and ends well."""
    job = str(tmp_path / "job")
    with LocalServer(Site(20)) as server, closed_port() as port:
        seeds = [server.url(), f"http://127.0.0.1:{port}/a", f"http://127.0.0.1:{port}/b"]
        command = ["crawl", *seeds, "--job", job, "--allow-private", "--delay", "0", "--strategy", "async"]
        code = main([*command, "--give-up-after", "1"])
        said = capsys.readouterr().err
        assert code == ExitCode.UNREACHABLE == 6
        assert f"2 URLs of 1 host cannot be reached (127.0.0.1:{port}: connect: " in said
        assert "the same command tries them again" in said
        assert main([*command, "--give-up-after", "0", "--quiet"]) == ExitCode.UNREACHABLE
        said = capsys.readouterr().err
        assert said.startswith("crawler: error: 2 URLs of 1 host cannot be reached")
        assert said.count("\n") == 1
        summary = json.loads((tmp_path / "job" / "summary.json").read_bytes())
        assert (summary["ended"], summary["queued"], summary["unreachable_hosts"]) == ("unreachable", 2, 1)
        assert main([*command, "--give-up-after", "0", "--fail-unreachable"]) == ExitCode.DONE
    summary = json.loads((tmp_path / "job" / "summary.json").read_bytes())
    assert summary["outcomes"] == {"fetched": 21, "failed: host-down": 2}
    assert len(urls(tmp_path / "job")) == 21


def test_a_loop_over_records_ends_when_only_dead_hosts_are_left():
    with LocalServer(Site(5)) as server, closed_port() as port:
        settings = {"allow_private": True, "delay_s": 0.0, "give_up_after_s": 0.5, "strategy": "async"}
        records = list(crawl([server.url(), f"http://127.0.0.1:{port}/"], **settings))
    assert len(records) == 6


async def test_a_server_that_comes_back_in_the_next_run_is_crawled_then(tmp_path):
    with closed_port() as port:
        pass
    job = config(tmp_path / "job", give_up_after_s=0.3)
    stats = await Crawler(job, [f"http://127.0.0.1:{port}/"]).run()
    assert (stats.ended, stats.queued, stats.outcomes) == ("unreachable", 1, {})
    served = await asyncio.start_server(_page, "127.0.0.1", port)
    stats = await Crawler(job, [f"http://127.0.0.1:{port}/"]).run()
    served.close()
    assert (stats.ended, stats.outcomes) == ("done", {"fetched": 1})


async def _page(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")
    await writer.drain()
    writer.close()


async def test_a_run_that_is_stopped_while_a_host_sleeps_leaves_its_urls_due(tmp_path):
    with closed_port() as port:
        made = Crawler(config(tmp_path / "job"), [f"http://127.0.0.1:{port}/{n}" for n in range(50)])
        run = asyncio.create_task(made.run())
        while made.stats().silent_hosts == 0:
            await asyncio.sleep(0.02)
        (silent,) = made.stats().silent
        assert silent.name == f"127.0.0.1:{port}"
        assert silent.why.startswith("connect: ")
        made.stop()
        stats = await run
    assert (stats.ended, stats.queued, stats.retrying, stats.outcomes) == ("interrupted", 50, 0, {})


async def test_urls_that_failed_are_tried_again_when_that_is_asked_for(tmp_path):
    """Those of the kinds that are named; the others, and what is in the records, stay as they are."""
    site = Site(40, broken={f"/p{number}x" for number in range(25)})
    with LocalServer(site) as server:
        job = config(tmp_path / "job", retries=0)
        seeds = [server.url(), "http://no-such-name.invalid/"]
        stats = await Crawler(job, seeds).run()
        assert stats.outcomes == {"fetched": 16, "failed: reset": 25, "failed: dns": 1}
        site.broken.clear()
        stats = await Crawler(job, seeds).run()
        assert (stats.run_pages, stats.outcomes["failed: reset"]) == (0, 25)
        stats = await Crawler(config(tmp_path / "job", retries=0, retry_failed=("reset",)), seeds).run()
        assert stats.outcomes == {"fetched": 41, "failed: dns": 1}
        stats = await Crawler(config(tmp_path / "job", retries=0, retry_failed=True), seeds).run()
    assert (stats.outcomes, stats.queued, stats.known) == ({"fetched": 41, "failed: dns": 1}, 0, 42)
    assert set(urls(tmp_path / "job").values()) == {1}
    assert len(urls(tmp_path / "job")) == 41


@pytest.mark.parametrize("commit", [1, 2, 3])
async def test_killed_while_they_are_made_due_each_is_tried_again_once(tmp_path, monkeypatch, commit):
    """A commit fails as if the process had been killed there: the same command does the rest."""
    site = Site(40, broken={f"/p{number}x" for number in range(40)})
    with LocalServer(site) as server:
        stats = await Crawler(config(tmp_path / "job", retries=0), [server.url()]).run()
        assert stats.outcomes == {"fetched": 1, "failed: reset": 40}
        site.broken.clear()
        again = config(tmp_path / "job", retries=0, retry_failed=True)
        monkeypatch.setattr(crawler.frontier.reopening, "ROWS_AT_ONCE", 15)
        with monkeypatch.context() as patch:
            left, real = [commit], Store.commit

            def dying(self):
                left[0] -= 1
                if left[0] == 0:
                    raise StorageError("planted")
                real(self)

            patch.setattr(Store, "commit", dying)
            with pytest.raises(StorageError):
                await Crawler(again, [server.url()]).run()
        stats = await Crawler(again, [server.url()]).run()
    assert (stats.outcomes, stats.queued) == ({"fetched": 41}, 0)
    assert set(urls(tmp_path / "job").values()) == {1}
    assert len(urls(tmp_path / "job")) == 41


async def test_a_delay_holds_from_run_to_run(tmp_path):
    """A Crawl-delay counts from the last request of the run before, however that ended."""
    robots = Answer("User-agent: *\nCrawl-delay: 2", headers={"content-type": "text/plain"})
    site = Site(5)
    respond = lambda host, path: robots if path == "/robots.txt" else site(host, path)  # noqa: E731 - a table
    with LocalServer(respond) as server:
        for pages in (1, 2, 3):
            await Crawler(config(tmp_path / "job", max_pages=pages), [server.url()]).run()
        (starts,) = server.starts.values()
    assert len(starts) == 4
    assert all(later - earlier > 1.8 for earlier, later in pairwise(starts)), starts


async def test_a_clock_that_is_set_back_holds_up_no_retry(tmp_path, monkeypatch):
    """What waits within a run goes by a clock that nobody can set."""
    real, set_back = time.time, [False]
    monkeypatch.setattr(time, "time", lambda: real() - 3600 * set_back[0])
    tries = []

    def respond(_host, path):
        if path == "/robots.txt":
            return NO_ROBOTS
        tries.append(path)
        set_back[0] = True
        return Answer(status=500) if len(tries) < 3 else Answer(html())

    with LocalServer(respond) as server:
        async with asyncio.timeout(60):
            stats = await Crawler(config(tmp_path / "job"), [server.url()]).run()
    assert stats.outcomes == {"fetched": 1}
    assert len(tries) == 3
