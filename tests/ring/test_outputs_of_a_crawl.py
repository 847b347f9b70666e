"""Outputs of whole crawls: several at once, resumed, started over, moved."""

import json
from pathlib import Path

import pytest

from crawler.core.config import CrawlConfig
from crawler.core.errors import ConfigError, JobError
from crawler.core.model import Rotation
from crawler.core.stats import CrawlStats
from crawler.fetcher.transport.fake import FakeTransport, answer
from crawler.ledger.sinks.base import Position
from crawler.ring.crawler import Crawler
from tests.support.outputs import parts, rows

PAGES = 30
URLS = {f"http://site.example/{number}" for number in range(PAGES)}
SEED = "http://site.example/0"
ENDINGS = (".jsonl", ".jsonl.gz", ".csv", ".db", ".parquet")


def site(request):
    if request.url.endswith("/robots.txt"):
        return answer(request, status=404)
    number = int(request.url.rpartition("/")[2])
    links = "".join(f'<a href="/{to}">{to}</a>' for to in range(number + 1, min(number + 4, PAGES)))
    return answer(request, f"<title>{number}</title>{links}", headers=(("content-type", "text/html"),))


def config(job: Path, *outputs: Path, **settings) -> CrawlConfig:
    return CrawlConfig(job=job, output=tuple(map(str, outputs)) or None, delay_s=0.0, parsers=1, **settings)


async def crawl(settings: CrawlConfig, *seeds: str, **options) -> CrawlStats:
    return await Crawler(settings, list(seeds) or [SEED], transport=FakeTransport(site), **options).run()


def urls(output: Path) -> list[str]:
    return sorted(row["url"] for row in rows(output))


async def test_all_outputs_of_a_crawl_hold_the_same_records_also_after_a_second_run(tmp_path):
    outputs = [tmp_path / f"a{ending}" for ending in ENDINGS]
    await crawl(config(tmp_path / "job", *outputs, max_pages=10))
    assert [len(rows(output)) for output in outputs] == [10] * len(outputs)
    await crawl(config(tmp_path / "job", *outputs))
    for output in outputs:
        assert urls(output) == sorted(URLS), output.name


async def test_a_job_that_was_moved_goes_on_with_its_output(tmp_path):
    await crawl(config(tmp_path / "a", max_pages=10))
    (tmp_path / "a").rename(tmp_path / "b")
    await crawl(config(tmp_path / "b"))
    assert urls(tmp_path / "b/pages.jsonl") == sorted(URLS)


async def test_fresh_starts_every_output_over(tmp_path):
    """Also the files of a row that the new run would not come to."""
    outputs = [tmp_path / f"a{ending}" for ending in ENDINGS if ending != ".db"]
    await crawl(config(tmp_path / "job", *outputs, rotate=Rotation(records=4)))
    assert len(parts(outputs[0])) == 8
    await crawl(config(tmp_path / "job", *outputs, rotate=Rotation(records=4), max_pages=5), fresh=True)
    assert [len(parts(output)) for output in outputs[:3]] == [2] * 3
    assert [len(rows(output)) for output in outputs] == [5] * len(outputs)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("a.csv", {}),
        ("a.db", {}),
        ("a-00003.csv", {"rotate": Rotation(records=5)}),
        ("a.parquet/part-00001.parquet", {}),
    ],
    ids=["csv", "db", "row", "parquet"],
)
async def test_a_job_does_not_overwrite_what_it_did_not_write(tmp_path, name, settings):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("mine")
    output = tmp_path / f"a{path.suffix}"
    with pytest.raises(JobError, match=r"is there already and job .* did not write it"):
        await crawl(config(tmp_path / "job", output, **settings))
    assert path.read_text() == "mine"
    assert not (tmp_path / "job").exists()
    await crawl(config(tmp_path / "job", output, **settings), fresh=True)
    assert urls(output) == sorted(URLS)


async def test_an_output_that_cannot_be_leaves_no_job_behind(tmp_path):
    with pytest.raises(ConfigError, match="has no known ending"):
        await crawl(config(tmp_path / "job", tmp_path / "a.xls"))
    assert list(tmp_path.iterdir()) == []


class Tally:
    """A sink that notes what it is told."""

    name = "tally"

    def __init__(self) -> None:
        self.opened: Position | None = {"nothing": 0}
        self.calls: list[str] = []
        self.ended: list[str] = []

    def open(self, position):
        self.opened = position

    def write(self, finished):
        self.calls.append("write")
        self.ended += [one.url for one in finished]

    def flush(self, *, last=False):
        self.calls.append("last flush" if last else "flush")
        return {"told": len(self.ended)}

    def committed(self):
        self.calls.append("committed")

    def close(self):
        self.calls.append("close")


async def test_a_sink_is_told_of_all_that_ends_in_the_order_of_the_commit_protocol(tmp_path):
    """Its position comes back in the next run, also if a run without it was between."""
    first, second = Tally(), Tally()
    output = tmp_path / "a.jsonl"
    await crawl(config(tmp_path / "job", output, max_pages=10), sinks=[first])
    assert first.opened is None
    assert first.calls[-4:] == ["write", "last flush", "committed", "close"]
    assert first.calls[:-4] == ["write", "flush", "committed"] * (len(first.calls[:-4]) // 3)
    assert first.ended == [json.loads(line)["url"] for line in output.read_bytes().splitlines()]
    await crawl(config(tmp_path / "job", output, max_pages=20))
    await crawl(config(tmp_path / "job", output), sinks=[second])
    assert second.opened == {"told": 10}
    assert len(second.ended) == 10
