"""What a crawl keeps of each request: when it started, how long it took, what went wrong, and who was asked."""

import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from crawler.core.config import CrawlConfig
from crawler.core.ip_address import packed_address
from crawler.frontier.row import UrlRow
from crawler.frontier.store import Store
from crawler.ring.crawler import Crawler
from tests.support.ports import closed_port
from tests.support.servers import RESET, Answer, LocalServer, html

HERE, THERE = packed_address("127.0.0.1"), packed_address("127.0.0.2")


PATHS = ("/", "/deadly", "/reset", "/old", "/packed", "/slow", "/closed", "/bad-spider")
BUSY = ("/busy", "/always-busy")


class Site:
    """Ten kinds of URLs; `asked` counts the requests for each."""

    def __init__(self) -> None:
        self.asked: dict[str, int] = {}

    def __call__(self, host: str, path: str) -> Answer | object:
        if path == "/robots.txt":
            return Answer("User-agent: *\nDisallow: /closed\n", headers={"content-type": "text/plain"})
        count = self.asked[path] = self.asked.get(path, 0) + 1
        match path:
            case "/busy":
                return Answer(status=503) if count < 2 else Answer(html())
            case "/always-busy":
                return Answer(html(), status=503)
            case "/reset":
                return RESET
            case "/old":
                return Answer(status=301, headers={"location": "/new"})
            case "/packed":
                return Answer(b"no gzip", headers={"content-encoding": "gzip"})
            case "/slow":
                return Answer(html(), delay_s=0.25)
        return Answer(html(*PATHS))


def rows_of(job: Path) -> dict[str, UrlRow]:
    with Store(job / "state", read_only=True) as store:
        return {row.url: row for _, row in store.all_urls()}


def parse(page):
    if page.url.endswith("/deadly") and multiprocessing.parent_process() is not None:
        os.kill(os.getpid(), signal.SIGKILL)
    if page.url.endswith("/bad-spider"):
        raise ValueError("what it says")
    return {"url": page.url}


@pytest.mark.parametrize("strategy", ["hybrid", "async", "threads"])
async def test_each_url_has_the_attempts_that_count(tmp_path, strategy):
    with LocalServer(Site(), ("127.0.0.1", "127.0.0.2")) as server:
        seeds = [*map(server.url, PATHS), *(server.url(path, "127.0.0.2") for path in BUSY)]
        config = CrawlConfig(
            job=tmp_path / "job",
            output=str(tmp_path / "pages.jsonl"),
            allow_private=("127.0.0.0/8",),
            delay_s=0.0,
            retries=1,
            parsers=1,
            strategy=strategy,
            spider=f"{__file__}:parse",
        )
        before = time.time()
        await Crawler(config, seeds).run()
        after = time.time()
    found = rows_of(tmp_path / "job")

    def whats(path: str) -> list[str]:
        url = server.url(path, "127.0.0.2" if path in BUSY else "127.0.0.1")
        return [attempt.what for attempt in found[url].log]

    assert whats("/") == whats("/old") == whats("/new") == whats("/slow") == [""]
    assert whats("/busy") == ["status 503", ""]
    assert whats("/always-busy") == ["status 503", ""], "the last answer was taken"
    assert whats("/reset") == ["reset", "reset"]
    assert whats("/packed") == whats("/bad-spider") == [""], "what was wrong showed in the parser"
    assert whats("/closed") == []
    for url, row in found.items():
        times = [attempt.at for attempt in row.log]
        assert times == sorted(times)
        assert all(before - 0.001 <= at <= after for at in times)
        assert all(attempt.elapsed_ms <= (after - attempt.at) * 1000 + 1 for attempt in row.log)
        assert {attempt.address for attempt in row.log} <= {THERE if "127.0.0.2" in url else HERE}
    assert found[server.url("/slow")].log[0].elapsed_ms >= 250
    deadly = found[server.url("/deadly")]
    assert deadly.reason == ("parser-died" if strategy == "hybrid" else "")
    assert whats("/deadly") == [""], "the page was there"
    bad, packed = found[server.url("/bad-spider")], found[server.url("/packed")]
    assert (bad.reason, packed.reason) == ("parser-error: ValueError", "encoding")
    assert "what it says" in bad.detail
    assert packed.detail
    assert not any(server.url("") in row.detail for row in found.values()), "the row has the URL already"


@pytest.mark.parametrize("strategy", ["async", "threads"])
async def test_a_host_that_does_not_answer_uses_up_no_attempt(tmp_path, strategy):
    """Its URL stays due; where such URLs are to end, none of the probes was an attempt."""
    with closed_port() as port:
        settings = {"job": tmp_path / "job", "allow_private": True, "strategy": strategy, "give_up_after_s": 0.5}
        await Crawler(CrawlConfig(**settings), [f"http://127.0.0.1:{port}/a"]).run()
        (row,) = rows_of(tmp_path / "job").values()
        assert (row.outcome, row.log) == ("", ())
        await Crawler(CrawlConfig(**settings, fail_unreachable=True), [f"http://127.0.0.1:{port}/a"]).run()
    (row,) = rows_of(tmp_path / "job").values()
    assert (row.reason, row.log, row.attempts) == ("host-down", (), 0)
    assert "does not answer" in row.detail


@pytest.mark.parametrize("strategy", ["async", "threads"])
async def test_the_address_that_broke_off_is_kept(tmp_path, strategy):
    """Of a URL whose own fault it is: the host has answered for another one meanwhile."""
    with LocalServer(Site()) as server:
        config = CrawlConfig(job=tmp_path / "job", allow_private=True, retries=0, strategy=strategy, delay_s=0.0)
        await Crawler(config, [server.url("/")]).run()
    row = rows_of(tmp_path / "job")[server.url("/reset")]
    (attempt,) = row.log
    assert (row.reason, attempt.what, attempt.address) == ("reset", "reset", HERE)
