"""Jobs that earlier versions left on disk go on."""

import json
import tarfile
from collections import Counter
from pathlib import Path

from crawler import CrawlConfig, Crawler, FakeTransport, FetchRequest, FetchResult
from crawler.fetcher.transport.fake import answer

OLD_JOB = Path(__file__).parents[1] / "data" / "old_job.tar.gz"
"""Stopped after 20 of 42 pages, with 18 URLs due, one redirected and one that robots.txt denies, before the package had
folders (store schema 4)."""


def numbers(request: FetchRequest) -> FetchResult:
    """The web that the old job crawled: each page leads to its double and the one after."""
    path = request.url.removeprefix("http://old.example/")
    if path == "robots.txt":
        return answer(request, "User-agent: *\nDisallow: /13\n", headers=(("content-type", "text/plain"),))
    number = int(path)
    if number == 7:
        return answer(request, status=301, headers=(("location", "/77"),))
    links = "".join(f'<a href="/{n}">{n}</a>' for n in (number * 2, number * 2 + 1) if n <= 60)
    return answer(request, f"<title>Number {number}</title>{links}")


async def test_a_job_of_an_earlier_version_resumes_and_ends_with_each_page_once(tmp_path):
    with tarfile.open(OLD_JOB) as archive:
        archive.extractall(tmp_path / "job", filter="data")
    before = (tmp_path / "job" / "pages.jsonl").read_bytes()
    assert before.count(b"\n") == 20

    config = CrawlConfig(job=tmp_path / "job", delay_s=0.0, parsers=1)
    stats = await Crawler(config, transport=FakeTransport(numbers)).run()

    written = (tmp_path / "job" / "pages.jsonl").read_bytes()
    assert written.startswith(before)
    pages = Counter(json.loads(line)["url"] for line in written.splitlines())
    # What only the denied 13 leads to, and what 7 led to before it moved to 77.
    missing = {7, 13, 14, 15, *range(26, 32), *range(52, 61)}
    assert pages == Counter(f"http://old.example/{n}" for n in ({*range(1, 61), 77} - missing))
    assert stats.outcomes == {"fetched": 42, "redirected": 1, "skipped: robots": 1}
    assert stats.run_pages == 22
