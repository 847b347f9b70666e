"""The files that hold a job's records, as a reader of tables is told of them."""

import asyncio
import json
from pathlib import Path

from crawler import CrawlConfig, Crawler, FakeTransport, Job
from crawler.fetcher.transport.fake import answer

SITE = "http://site.test"


def crawled(folder: Path, **settings) -> Path:
    config = CrawlConfig(job=folder, delay_s=0.0, strategy="async", **settings)
    crawler = Crawler(config, [f"{SITE}/"], transport=FakeTransport(lambda request: answer(request, "<a href='/a'>a")))
    asyncio.run(crawler.run())
    return folder


def test_a_job_names_the_files_of_its_outputs(tmp_path):
    names = ("out.jsonl", "out.csv.gz", "-")
    with Job(crawled(tmp_path / "job", output=[str(tmp_path / one) if one != "-" else one for one in names])) as job:
        parts = {part.kind: part for part in job.parts()}
    assert set(parts) == {"jsonl", "csv.gz"}
    assert all(part.bytes == Path(part.path).stat().st_size for part in parts.values())
    assert len([json.loads(line) for line in Path(parts["jsonl"].path).read_text().splitlines()]) == 2


def test_a_job_without_an_output_of_its_own_names_the_file_in_its_folder(tmp_path):
    with Job(crawled(tmp_path / "job")) as job:
        assert [part.path for part in job.parts()] == [str(tmp_path / "job" / "pages.jsonl")]
