"""The order of a sample: few pages show what a site has, and without a budget it is the crawl that it stands for."""

from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from crawler.core.config import CrawlConfig
from crawler.fetcher.transport.base import FetchRequest
from crawler.fetcher.transport.fake import FakeTransport, answer
from crawler.frontier.keyed_rows import keyed_rows
from crawler.frontier.store import Store
from crawler.ring.crawler import Crawler
from tests.support.servers import html

FOLDERS, PAGES = 10, 30
SITE = "http://example.test"


def folders(request: FetchRequest):
    """Ten folders whose names say nothing of their size, each with 30 pages that link to each other."""
    path = urlsplit(request.url).path
    if path == "/robots.txt":
        return answer(request, status=404)
    _, folder, page = f"{path}//".split("/")[:3]
    if not folder:
        return answer(request, html(*(f"/{chr(97 + n)}/" for n in range(FOLDERS)), title=path))
    if not page:
        return answer(request, html(*(f"/{folder}/page-{n}" for n in range(PAGES)), title=path))
    return answer(request, html(f"/{folder}/page-{(int(page[5:]) + 1) % PAGES}", "/", title=path))


async def crawled(job: Path, **settings: object) -> Counter[str]:
    """Return how many pages came from each folder."""
    config = CrawlConfig(job=job, delay_s=0, parsers=1, strategy="async", output=(), **settings)
    await Crawler(config, [f"{SITE}/"], transport=FakeTransport(folders)).run()
    with Store(job / "state", read_only=True) as store:
        return Counter(row.url.split("/")[3] for _, row in keyed_rows(store) if row.outcome == "fetched")


async def test_few_pages_of_a_sample_come_from_all_folders_and_depths(tmp_path: Path):
    plain = await crawled(tmp_path / "plain", max_pages_per_host=40)
    sample = await crawled(tmp_path / "sample", max_pages_per_host=40, sampled=True)
    assert sum(sample.values()) == sum(plain.values()) == 40
    below = {folder: number for folder, number in sample.items() if folder and number > 1}
    assert len(below) >= FOLDERS - 2, sample
    assert len([number for number in plain.values() if number > 1]) < len(below), plain


@pytest.mark.parametrize("depth", [None, 1])
async def test_a_sample_without_a_budget_reads_what_the_crawl_reads(tmp_path: Path, depth: int | None):
    plain = await crawled(tmp_path / "plain", depth=depth)
    assert await crawled(tmp_path / "sample", depth=depth, sampled=True) == plain


async def test_the_store_of_a_sample_keeps_all_links_of_each_page_and_no_other_store_keeps_any(tmp_path: Path):
    for sampled in (False, True):
        job = tmp_path / str(sampled)
        await crawled(job, sampled=sampled)
        with Store(job / "state", read_only=True) as store:
            lists = dict(store.link_lists.all())
            assert (len(lists) == 1 + FOLDERS + FOLDERS * PAGES) == sampled
            if sampled:
                home = store.keys.url(f"{SITE}/", "page")
                assert lists[home] == [store.keys.url(f"{SITE}/{chr(97 + n)}/", "page") for n in range(FOLDERS)]


async def test_a_sample_comes_to_the_depths_of_a_tree(tmp_path: Path):
    """Of 1,093 pages on seven levels, 100 are read; some on the last two, which are most, are among them."""

    def tree(request: FetchRequest):
        number = int(urlsplit(request.url).path.rpartition("/")[2].removesuffix("robots.txt") or 0)
        below = [f"/page/{n}" for n in range(3 * number + 1, 3 * number + 4) if n < 1_093]
        return answer(request, html(*below, title=str(number)))

    config = CrawlConfig(
        job=tmp_path, delay_s=0, parsers=1, strategy="async", output=(), max_pages_per_host=100, sampled=True
    )
    await Crawler(config, [f"{SITE}/"], transport=FakeTransport(tree, latency_s=0.03)).run()
    with Store(tmp_path / "state", read_only=True) as store:
        depths = Counter(row.depth for _, row in keyed_rows(store) if row.outcome == "fetched")
    assert depths[5] + depths[6], depths
