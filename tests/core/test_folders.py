"""Folders and files that a crawl makes are still there after a power loss: their names are synced."""

import os
from pathlib import Path

import pytest

from crawler import CrawlConfig, Crawler, FakeTransport
from crawler.core.folders import make_folder
from crawler.fetcher.transport.fake import answer


def test_each_folder_that_is_made_is_synced_in_the_one_above(tmp_path):
    assert make_folder(tmp_path / "a/b") == [tmp_path / "a", tmp_path / "a/b"]
    assert make_folder(tmp_path / "a/b") == []
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError):
        make_folder(tmp_path / "file")
    with pytest.raises(NotADirectoryError):
        make_folder(tmp_path / "file/a")


@pytest.mark.parametrize("output", ["a.jsonl", "a.parquet", "a.db"])
async def test_what_a_crawl_makes_and_renames_is_synced_where_its_name_is(tmp_path, monkeypatch, output):
    """Seen at the calls: after each mkdir and each rename comes an fsync of the folder that holds the new name."""
    events: list[tuple[str, str]] = []

    def noting(name: str, place: int) -> None:
        function = getattr(os, name)

        def call(*arguments, **named):
            result = function(*arguments, **named)
            events.append(("new", os.path.dirname(os.path.abspath(arguments[place]))))
            return result

        monkeypatch.setattr(os, name, call)

    noting("mkdir", 0)
    noting("rename", 1)
    noting("replace", 1)
    fsync = os.fsync

    def synced(fd: int) -> None:
        fsync(fd)
        events.append(("sync", os.readlink(f"/proc/self/fd/{fd}")))

    monkeypatch.setattr(os, "fsync", synced)
    config = CrawlConfig(
        job=tmp_path / "new/job", output=str(tmp_path / "out/far" / output), delay_s=0.0, strategy="async"
    )
    site = FakeTransport(lambda request: answer(request, "words"))
    await Crawler(config, ["http://a.example/"], transport=site).run()
    new = [
        (at, place) for at, (kind, place) in enumerate(events) if kind == "new" and Path(place).is_relative_to(tmp_path)
    ]
    assert {Path(place) for _, place in new} >= {tmp_path, tmp_path / "new", tmp_path / "new/job", tmp_path / "out"}
    assert [place for at, place in new if ("sync", place) not in events[at:]] == []
