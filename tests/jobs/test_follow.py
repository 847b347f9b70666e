"""A crawl goes on reading seeds, from a folder or from standard input, until it is told to end."""

import asyncio
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from crawler import Crawler
from crawler.core.config import CrawlConfig
from crawler.core.errors import SeedError
from crawler.fetcher.transport.fake import FakeTransport, answer
from tests.support.patience import PATIENCE_S


async def web(request):
    return answer(request, "x", status=404 if request.url.endswith("/robots.txt") else 200)


def crawler(job: Path, follow: Path | str, stdin=None, **settings: object) -> Crawler:
    told = {"delay_s": 0.0, "strategy": "async", "scope": "page", **settings}
    config = CrawlConfig(job=job, follow=str(follow), **told)
    return Crawler(config, [], transport=FakeTransport(web), stdin=stdin)


def records(job: Path) -> list[str]:
    lines = (job / "pages.jsonl").read_bytes().splitlines() if (job / "pages.jsonl").exists() else []
    return sorted(urlsplit(json.loads(line)["url"]).path for line in lines)


def put(folder: Path, name: str, *paths: str) -> None:
    """Put a file there that was written a while ago, as one is that is moved in."""
    aside = folder / f".{name}"
    aside.write_text("".join(f"http://h.test{path}\n" if path.startswith("/") else f"{path}\n" for path in paths))
    os.utime(aside, (1, 1))
    aside.rename(folder / name)


async def until(happens: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not happens():
            await asyncio.sleep(0.01)


async def test_files_that_come_into_a_folder_are_taken_until_one_says_end(tmp_path, caplog):
    """Each once; what is half written, hidden or no file is left alone."""
    job, folder = tmp_path / "job", tmp_path / "queue"
    folder.mkdir()
    put(folder, "1.txt", "/a", "/b")
    one = crawler(job, folder)
    run = asyncio.create_task(one.run())
    await until(lambda: one.stats().pages == 2)
    assert one.stats().following
    put(folder, "2.txt", "/c", "nonsense")
    put(folder, "3.txt.part", "/d")
    (folder / "link.txt").symlink_to(folder / "3.txt.part")
    (folder / "binary.txt").write_bytes(b"\0\1\2")
    os.utime(folder / "binary.txt", (1, 1))
    await until(lambda: one.stats().pages == 3)
    await until((folder / "refused" / "binary.txt").exists)
    put(folder, "1.txt", "/e")
    put(folder, "end")
    stats = await run
    assert (stats.ended, stats.bad_seeds) == ("done", 1)
    assert records(job) == ["/a", "/b", "/c", "/e", "nonsense"]
    assert sorted(path.name for path in (folder / "taken").iterdir()) == ["1.txt", "1.txt.2", "2.txt", "end"]
    assert sorted(path.name for path in folder.iterdir()) == ["3.txt.part", "link.txt", "refused", "taken"]
    assert "link.txt: it is left alone" in caplog.text


async def test_a_run_that_was_stopped_goes_on_following(tmp_path):
    job, folder = tmp_path / "job", tmp_path / "queue"
    folder.mkdir()
    one = crawler(job, folder)
    run = asyncio.create_task(one.run())
    await until(lambda: one.stats().following)
    one.stop()
    assert (await run).ended == "interrupted"
    put(folder, "1.txt", "/a", "/a")
    put(folder, "end")
    assert (await crawler(job, folder).run()).ended == "done"
    assert records(job) == ["/a", "/a"]


async def test_standard_input_is_followed_to_its_end(tmp_path):
    """What is written there is taken at once; bad lines are told; the rest of it is not waited for."""
    job = tmp_path / "job"
    reading, writing = os.pipe()
    with open(reading, "rb") as stdin, open(writing, "wb", buffering=0) as writer:
        one = crawler(job, "-", stdin)
        run = asyncio.create_task(one.run())
        writer.write(b"http://h.test/a\nnonsense\n")
        await until(lambda: one.stats().pages == 1 and one.stats().bad_seeds == 1)
        writer.write(b"http://h.test/b\n")
        await until(lambda: one.stats().pages == 2)
        assert not run.done()
        writer.close()
        assert (await run).ended == "done"
    reading, writing = os.pipe()
    with open(reading, "rb") as stdin, open(writing, "wb"):
        two = crawler(job, "-", stdin)
        run = asyncio.create_task(two.run())
        await until(lambda: two.stats().following)
        two.stop()
        assert (await run).ended == "interrupted"


async def test_a_stream_of_a_program_is_followed_as_well(tmp_path):
    stats = await crawler(tmp_path / "job", "-", io.BytesIO(b"http://h.test/a\nhttp://h.test/b\n")).run()
    assert (stats.ended, stats.pages) == ("done", 2)


@pytest.mark.parametrize(("follow", "why"), [("-", "no standard input"), ("nowhere", "there is no folder 'nowhere'")])
async def test_what_cannot_be_followed_is_refused_before_a_job_is_made(tmp_path, follow, why):
    with pytest.raises(SeedError, match=why):
        await crawler(tmp_path / "job", follow).run()
    assert not (tmp_path / "job").exists()
