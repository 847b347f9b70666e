"""A job gets more: seeds of a list that has grown, a larger depth. What it has fetched stays as it is."""

import json

import pytest

from crawler.core.config import CrawlConfig
from crawler.core.errors import JobError
from crawler.fetcher.transport.fake import FakeTransport, answer
from crawler.ring.crawler import Crawler

LEADS_TO = {"/a": ["/a/1"], "/a/1": ["/a/2", "/nofollow"], "/a/2": ["/a/3"], "/b": ["/b/1"]}


@pytest.fixture
def crawl(tmp_path):
    """Return a function that runs the job: which URLs were asked for, in this run."""

    async def crawl(*seeds: str, **settings: object) -> list[str]:
        asked = []

        def web(request):
            path = request.url.removeprefix("http://h.test")
            if path == "/robots.txt":
                return answer(request, status=404)
            asked.append(path)
            links = (f'<a href="{to}" {"rel=nofollow" * (to == "/nofollow")}>x</a>' for to in LEADS_TO.get(path, []))
            return answer(request, f"<title>{path}</title>{''.join(links)}")

        config = CrawlConfig(job=tmp_path / "job", delay_s=0.0, parsers=1, **settings)
        await Crawler(config, seeds, transport=FakeTransport(web)).run()
        lines = (tmp_path / "job/pages.jsonl").read_bytes().splitlines()
        urls = [json.loads(line)["url"] for line in lines]
        assert len(urls) == len(set(urls))
        return sorted(asked)

    return crawl


@pytest.fixture
def seeds(tmp_path):
    """Return a function that writes a list of seeds."""

    def seeds(*lines: str) -> str:
        path = tmp_path / "seeds.txt"
        path.write_text("".join(f"http://h.test{line}\n" if line.startswith("/") else f"{line}\n" for line in lines))
        return str(path)

    return seeds


async def test_seeds_that_were_added_to_a_list_are_added_to_the_job(crawl, seeds):
    """Wherever in it; a comment adds nothing, and what was taken out stays in the job."""
    depth = {"depth": 1}
    assert await crawl(seeds("/a", "/c"), **depth) == ["/a", "/a/1", "/c"]
    assert await crawl(seeds("# a comment", "/a", "/c"), **depth) == []
    assert await crawl(seeds("/b", "/d", "/a"), **depth) == ["/b", "/b/1", "/d"]
    assert await crawl(seeds("/b", "/d", "/a"), **depth) == []
    assert await crawl(seeds("/e", "/d", "/a/2", "/e"), **depth) == ["/a/2", "/a/3", "/e"], "it was too deep before"


async def test_urls_of_a_command_may_be_more_and_not_others(crawl, seeds):
    assert await crawl("http://h.test/c") == ["/c"]
    assert await crawl("http://h.test/d", "http://h.test/c") == ["/d"]
    with pytest.raises(JobError, match="seeds are others than before"):
        await crawl("http://h.test/c", "http://h.test/e")
    with pytest.raises(JobError, match="seeds are others than before"):
        await crawl(seeds("/e", "/f"))
    assert await crawl("http://h.test/d", "http://h.test/c") == []


async def test_where_each_row_has_a_record_rows_are_added_at_the_end(crawl, seeds, tmp_path):
    rows = {"scope": "page", "record_per_seed": True}

    async def crawled(*lines: str) -> list[str]:
        config = CrawlConfig(job=tmp_path / "rows", delay_s=0.0, parsers=1, **rows)
        await Crawler(config, [seeds(*lines)], transport=FakeTransport(lambda request: answer(request, "x"))).run()
        records = (tmp_path / "rows/pages.jsonl").read_bytes().splitlines()
        return [json.loads(record)["url"][-1] for record in records]

    assert await crawled("/a", "/b") == ["a", "b"]
    assert await crawled("/a", "# a comment", "/b", "/a", "/c") == ["a", "b", "a", "c"]
    with pytest.raises(JobError, match="row 2 of the seeds is another"):
        await crawled("/a", "/new", "/b", "/a", "/c")


async def test_a_larger_depth_goes_on_where_the_smaller_one_ended(crawl):
    """But not to what was left out for another reason, too."""
    assert await crawl("http://h.test/a", depth=1) == ["/a", "/a/1"]
    assert await crawl("http://h.test/a", depth=2) == ["/a/2"]
    with pytest.raises(JobError, match="depth was 2 and is now 1"):
        await crawl("http://h.test/a", depth=1)
    assert await crawl("http://h.test/a") == ["/a/3"]
    assert await crawl("http://h.test/a") == []
