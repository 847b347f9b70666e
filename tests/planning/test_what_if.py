"""What other settings would have done to a job, against crawls that were made with them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from crawler.core.config import CRAWL_SETTINGS, CrawlConfig
from crawler.core.errors import ConfigError
from crawler.core.stats import CrawlStats
from crawler.fetcher.transport.base import FetchRequest
from crawler.fetcher.transport.fake import FakeTransport, answer
from crawler.planning.what_if import WhatIf, changed, what_if
from crawler.ring.crawler import Crawler
from tests.support.servers import html

SEED = "http://a.test/"
SETTINGS = {setting.field: setting for setting in CRAWL_SETTINGS}
PAGES = {
    "http://a.test/": ["/one/", "/two/", "/moved", "/closed", "http://b.test/"],
    "http://a.test/one/": [f"/one/{n}" for n in range(10)],
    "http://a.test/two/": [f"/two/{n}" for n in range(20)],
    **{f"http://a.test/two/{n}": [f"/two/{n}/deep"] for n in range(20)},
    "http://a.test/there": ["/behind"],
    "http://b.test/": ["/one"],
}


def respond(request: FetchRequest):
    if request.url.endswith("/robots.txt"):
        return answer(request, "User-agent: *\nDisallow: /closed\n", headers=(("content-type", "text/plain"),))
    if request.url == "http://a.test/moved":
        return answer(request, status=301, headers=(("location", "/there"),))
    return answer(request, html(*PAGES.get(request.url, []), title=request.url))


async def crawled(job: Path, **settings: object) -> CrawlStats:
    config = CrawlConfig(job=job, delay_s=0, strategy="async", output=(), **settings)
    return await Crawler(config, [SEED], transport=FakeTransport(respond)).run()


def judged(job: Path, before: CrawlConfig, **others: object) -> WhatIf:
    return what_if(job, changed(before, others, SETTINGS), {})


@pytest.mark.parametrize(
    "others",
    [
        {"exclude": ("/two/$",)},
        {"exclude": ("/moved",)},
        {"exclude": ("/there",)},
        {"include": ("/one",)},
        {"depth": 0},
        {"depth": 1},
        {"depth": 2},
        {"depth": 2, "exclude": ("/one/",)},
        {"scope": "page"},
        {"scope": "host", "max_pages_per_host": 7},
        {"max_pages": 5},
    ],
    ids=str,
)
async def test_what_is_kept_is_what_a_crawl_with_these_settings_takes(tmp_path: Path, others: dict[str, object]):
    """On a site where each page is linked from one other, so that what is behind others goes with them."""
    before = CrawlConfig(scope="any")
    whole = await crawled(tmp_path / "whole", scope="any")
    fewer = await crawled(tmp_path / "fewer", **{"scope": "any", **others})
    found = judged(tmp_path / "whole", before, **others)
    assert (found.pages, found.kept) == (whole.pages, fewer.pages)
    assert found.pages <= found.urls == whole.known - 1, "/closed was not asked for"
    out = sum(rule.urls for rule in found.left_out if rule.rule != "max-pages")
    assert found.urls - out - found.behind.urls >= found.kept
    assert all(rule.examples for rule in found.left_out if rule.rule != "max-pages")
    assert 0 <= found.kept_seconds <= found.seconds
    assert found.kept_bytes == pytest.approx(found.bytes * found.kept / found.pages)


@pytest.mark.parametrize(
    ("then", "others", "admitted"),
    [
        ({"depth": 1}, {"depth": None}, {"depth": 31}),
        ({"scope": "host"}, {"scope": "any"}, {"scope": 1}),
        ({"exclude": ("/two/$",)}, {"exclude": ()}, {"filter": 1}),
        ({}, {"robots": "ignore"}, {"robots": 1}),
        ({"depth": 1, "exclude": ("/one/$",)}, {"depth": 2}, {"depth": 21}),
    ],
    ids=str,
)
async def test_what_was_skipped_then_and_would_be_asked_for_is_told(
    tmp_path: Path, then: dict[str, object], others: dict[str, object], admitted: dict[str, int]
):
    stats = await crawled(tmp_path / "job", **then)
    found = judged(tmp_path / "job", CrawlConfig(**then), **others)
    assert {rule.rule: rule.urls for rule in found.admitted} == admitted
    assert (found.kept, found.left_out, found.behind.urls) == (stats.pages, (), 0)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: changed(CrawlConfig(), {"max_links": 3}, SETTINGS), "max_links: what a job keeps does not tell"),
        (lambda: changed(CrawlConfig(), {"delay_s": 3.0}, SETTINGS), "delay_s: what a job keeps does not tell"),
        (lambda: changed(CrawlConfig(), {"depth": None}, SETTINGS), "nothing would be other than it was"),
        (lambda: changed(CrawlConfig(robots="ignore"), {"robots": "obey"}, SETTINGS), "does not know what it says"),
    ],
)
def test_what_a_job_cannot_tell_is_refused(make: Callable[[], object], said: str):
    with pytest.raises(ConfigError, match=said):
        make()


async def test_a_pattern_that_may_take_for_ever_is_refused(tmp_path: Path):
    await crawled(tmp_path / "job")
    with pytest.raises(ConfigError, match="may take for ever"):
        judged(tmp_path / "job", CrawlConfig(), exclude=("(?=a)b",))
