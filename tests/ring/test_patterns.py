"""Patterns that people filter by, and servers that know them."""

import asyncio
import logging

import msgspec
import pytest

from crawler.core.config import CrawlConfig
from crawler.core.model import Failure
from crawler.fetcher.transport.base import FetchRequest, FetchResult
from crawler.fetcher.transport.fake import FakeTransport
from crawler.parsers.spiders.router import Router
from crawler.ring.crawler import Crawler

HOST = "http://a.test"
BAIT = f"{HOST}/{'a' * 60}!"
"""What `(a+)+$` tries to read in 2 to the power of 60 ways."""


def site(request: FetchRequest) -> FetchResult | Failure:
    """A page with links, and redirects to where a filter would like them to go, or not."""
    path = request.url.removeprefix(HOST)
    moved = {"/bait": BAIT, "/in": f"{HOST}/fine/aaa", "/out": f"{HOST}/private/aaa"}
    if path == "/robots.txt":
        return FetchResult(request.url, 404)
    if path in moved:
        return FetchResult(request.url, 302, (("location", moved[path]),))
    links = "".join(f"<a href={link}>x</a>" for link in ("/bait", "/in", "/out", "/fine/1")) if path == "/" else ""
    body = f"<title>{path}</title>{links}".encode()
    return FetchResult(request.url, 200, (("content-type", "text/html"),), body, len(body))


async def crawled(tmp_path, *, exclude: str, **settings) -> tuple[list[str], dict[str, int]]:
    """Crawl the site; return the paths of pages that were fetched, and how many URLs ended in which way."""
    config = CrawlConfig(job=tmp_path / "job", delay_s=0, exclude=(exclude,), parsers=1, **settings)
    stats = await Crawler(config, [f"{HOST}/"], transport=FakeTransport(site)).run()
    lines = (tmp_path / "job/pages.jsonl").read_bytes().splitlines()
    return sorted(msgspec.json.decode(line)["title"] for line in lines), stats.outcomes


async def test_a_redirect_cannot_stop_the_crawl_by_a_filter(tmp_path, caplog):
    """With a nested quantifier: the pattern says no more than it did, and at once."""
    titles, outcomes = await crawled(tmp_path, exclude=r"(a+)+$")
    assert titles == ["/", BAIT.removeprefix(HOST), "/fine/1"]
    assert outcomes == {"fetched": 3, "redirected": 3, "skipped: filter": 2}
    assert "not linear" not in caplog.text


async def test_what_only_a_parser_may_judge_is_judged_as_ever(tmp_path, caplog):
    """A pattern that looks behind is told at the start, in one line."""
    titles, outcomes = await crawled(tmp_path, exclude=r"(?<=/private/)(a+)$")
    assert titles == ["/", BAIT.removeprefix(HOST), "/fine/1", "/fine/aaa"]
    assert outcomes == {"fetched": 4, "redirected": 3, "skipped: filter": 1}
    told = (
        r"--exclude (?<=/private/)(a+)$: not linear: it looks ahead or behind. A URL can be made to take long; "
        "parsers judge it, and a page that takes them 10 s fails (--parser-timeout)"
    )
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == [told]


@pytest.mark.thorough
async def test_a_url_that_drags_out_a_costly_pattern_fails_alone(tmp_path):
    """The loop goes on meanwhile, and the other pages come."""
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0.01)
            turns += 1

    counting = asyncio.create_task(count())
    titles, outcomes = await crawled(tmp_path, exclude=r"(?<=/)(a+)+$", parser_timeout_s=5)
    counting.cancel()
    assert titles == ["/", "/fine/1"]
    assert outcomes == {"fetched": 2, "redirected": 2, "failed: parser-timeout": 1, "skipped: filter": 2}
    assert turns > 100  # of about 1,000: the parser was killed twice


def test_a_router_searches_as_filters_do():
    router = Router()

    @router.route(r"(a+)+$")
    @router.route(r"(?<=x)y")
    def parse(page):
        return page.url

    class Page:
        url = BAIT

    assert router(Page()) is None
    assert router.costly == (("(?<=x)y", "it looks ahead or behind"),)
