"""The folder of a job, or an output, that is removed or renamed under a crawl: the end tells the truth, and goes on."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from crawler import CrawlConfig, Crawler, CrawlStats, FakeTransport
from crawler.cli.report.summary import write_summary
from crawler.core.errors import StorageError
from crawler.fetcher.transport.fake import answer
from tests.support.outputs import rows

SEEDS = [f"http://a.example/{number}" for number in range(40)]


def removed(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def renamed(path: Path) -> None:
    path.rename(path.with_name("moved"))


def made_anew(path: Path) -> None:
    """As an editor, or somebody's script, does."""
    path.rename(path.with_name("moved"))
    shutil.copytree(path.with_name("moved"), path) if path.with_name("moved").is_dir() else path.touch()


async def crawl(folder: Path, output: Path, taken: Callable[[], None] | None = None) -> CrawlStats:
    """Crawl all seeds; `taken` is called after some are in a commit."""
    fetched = 0

    async def respond(request):
        nonlocal fetched
        if request.url.endswith("robots.txt"):
            return answer(request, status=404)
        fetched += 1
        if fetched == 20 and taken is not None:
            await asyncio.sleep(0.6)  # a commit is made every quarter of a second
            taken()
        return answer(request, "words")

    config = CrawlConfig(
        job=folder / "job", output=str(output), delay_s=0.0, strategy="async", fields=("url",), per_host=1
    )
    return await Crawler(config, SEEDS, transport=FakeTransport(respond)).run()


@pytest.mark.parametrize("taking", [removed, renamed, made_anew])
@pytest.mark.parametrize("output", ["a.jsonl", "a.db", "a.parquet"])
async def test_an_output_that_is_taken_away_breaks_the_crawl_off(tmp_path, output, taking):
    """Put back, it is whole with the next run; what was said to be written is there."""
    path = tmp_path / output
    with pytest.raises(StorageError, match="was removed or renamed while the crawl ran, and records with it: put"):
        await crawl(tmp_path, path, lambda: taking(path))
    if taking is removed:
        with pytest.raises(StorageError, match="put the file back, or start over with --fresh"):
            await crawl(tmp_path, path)
        return
    if taking is made_anew:
        removed(path)
    (tmp_path / "moved").rename(path)
    assert (await crawl(tmp_path, path)).pages == len(SEEDS)
    assert sorted(row["url"] for row in rows(path)) == sorted(SEEDS)


@pytest.mark.parametrize("taking", [removed, renamed])
async def test_a_job_that_is_taken_away_breaks_the_crawl_off(tmp_path, taking):
    """Nobody says that anything is safe; moved back, the job goes on."""
    job, output = tmp_path / "job", tmp_path / "a.jsonl"
    with pytest.raises(StorageError) as told:
        await crawl(tmp_path, output, lambda: taking(job))
    assert "job/state was removed or renamed while the crawl ran, and what the job knew with it" in str(told.value)
    assert "safe" not in str(told.value)
    if taking is renamed:
        (tmp_path / "moved").rename(job)
        assert (await crawl(tmp_path, output)).pages == len(SEEDS)
        assert sorted(row["url"] for row in rows(output)) == sorted(SEEDS)


async def test_a_job_that_is_gone_at_the_end_is_not_said_to_be_safe(tmp_path):
    stats = await crawl(tmp_path, tmp_path / "a.jsonl")
    removed(tmp_path / "job")
    with pytest.raises(StorageError) as told:
        write_summary(stats, CrawlConfig(job=tmp_path / "job", output=str(tmp_path / "a.jsonl")))
    assert "job was removed or renamed while the crawl ran, and all that lay in it with it" in str(told.value)
