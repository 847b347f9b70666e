"""Outputs of one shard of many: closed with a checkpoint, found again after a kill, whole wherever they go on."""

import csv
import gzip
import io
import json
from pathlib import Path

import msgspec
import pyarrow.parquet
import pytest
from backports import zstd

from crawler.core.config import CrawlConfig
from crawler.core.errors import ConfigError, StorageError
from crawler.core.model import Finished, Rotation
from crawler.ledger.sinks.base import Parts
from crawler.ledger.sinks.outputs import output_names, part_endings, part_sinks, sink_at
from crawler.ledger.sinks.parts import note_public, parts_folder

ENDINGS = (".jsonl", ".jsonl.gz", ".jsonl.zst", ".csv", ".csv.gz", ".parquet")


def finished(number: int) -> Finished:
    return Finished(url="http://a.example/", outcome="fetched", at=0.0, records=b'{"n":%d}\n' % number)


def numbers(path: Path) -> list[int]:
    """What a part holds."""
    content = path.read_bytes()
    if path.suffix == ".parquet":
        return pyarrow.parquet.read_table(io.BytesIO(content))["n"].to_pylist()
    content = {".gz": gzip.decompress, ".zst": zstd.decompress}.get(path.suffix, bytes)(content)
    if ".csv" in path.name:
        return [int(row["n"]) for row in csv.DictReader(io.StringIO(content.decode()))]
    return [json.loads(line)["n"] for line in content.splitlines()]


class Shard:
    """A shard with one output, whose store is `position`."""

    def __init__(self, folder: Path, ending: str, position: dict | None = None, **settings) -> None:
        self.config = CrawlConfig(job=folder, output=f"/elsewhere/pages{ending}", spider="shop:parse", **settings)
        (self.sink,) = part_sinks(self.config, folder)
        self.position = position
        self.sink.open(position)

    def commit(self, *given: int, seal: bool = False) -> "Shard":
        self.sink.write([finished(number) for number in given])
        if seal:
            self.sink.seal()
        self.position = msgspec.json.decode(msgspec.json.encode(self.sink.flush()))
        self.sink.committed()
        return self

    def closed(self) -> dict[int, list[int]]:
        parts = self.sink.closed()
        for part in parts:
            path = Path(part.path)
            assert (part.bytes, part.records) == (path.stat().st_size, len(numbers(path)))
        return {part.number: numbers(Path(part.path)) for part in parts}


@pytest.mark.parametrize("ending", ENDINGS)
def test_each_part_holds_what_came_before_its_seal_and_none_is_empty(tmp_path, ending):
    shard = Shard(tmp_path, ending)
    assert isinstance(shard.sink, Parts)
    assert not isinstance(sink_at(tmp_path / f"own{ending}", shard.config, "own"), Parts), "its parts have no shard"
    shard.commit(seal=True).commit(1, 2).commit(3, seal=True).commit(seal=True).commit(4, 5)
    assert shard.closed() == {1: [1, 2, 3]}
    shard.commit(6, seal=True)
    assert shard.closed() == {1: [1, 2, 3], 2: [4, 5, 6]}
    assert shard.sink.name == output_names(shard.config)[0]
    assert [part.ending for part in shard.sink.closed()] == [ending] * 2


@pytest.mark.parametrize("ending", ENDINGS)
def test_killed_at_any_commit_the_closed_parts_are_known_with_their_records(tmp_path, ending):
    folder = tmp_path / "shard"
    shard = Shard(folder, ending, rotate=Rotation(records=2)).commit(1, 2, 3)
    shard.sink.write([finished(4), finished(5)])
    shard.sink.seal()
    shard.sink.flush()
    shard.sink.close()  # without a commit
    shard = Shard(folder, ending, shard.position, rotate=Rotation(records=2))
    assert shard.closed() == {1: [1, 2]}
    shard.commit(seal=True)
    assert shard.closed() == {1: [1, 2], 2: [3]}


@pytest.mark.parametrize("ending", ENDINGS)
def test_on_another_disk_the_next_part_follows_the_public_ones(tmp_path, ending):
    before = Shard(tmp_path / "lost", ending).commit(1, seal=True).commit(2, seal=True)
    note_public(parts_folder(tmp_path / "new", 0), 2)
    after = Shard(tmp_path / "new", ending, before.position)
    assert after.closed() == {}
    after.commit(3, seal=True)
    assert after.closed() == {3: [3]}


def test_what_is_public_is_forgotten_and_what_is_gone_before_is_told(tmp_path):
    shard = Shard(tmp_path, ".jsonl").commit(1, seal=True).commit(2, seal=True)
    first, second = (Path(part.path) for part in shard.sink.closed())
    note_public(parts_folder(tmp_path, 0), 1)
    assert not first.exists(), "it went with the note"
    assert shard.closed() == {2: [2]}
    assert shard.commit(3).position["closed"] == "2:1"
    second.unlink()
    with pytest.raises(StorageError, match=r"part-00002\.jsonl is gone"):
        shard.closed()


@pytest.mark.parametrize("output", ["pages.sqlite", "-", "s3://bucket/pages.db", "pages.txt"])
def test_outputs_without_parts_are_refused(tmp_path, output):
    config = CrawlConfig(job=tmp_path, output=("a.jsonl", output))
    with pytest.raises(ConfigError, match="a job of many shards writes a folder of parts: name it so that it ends"):
        part_sinks(config, tmp_path)


def test_endings_are_those_of_the_outputs(tmp_path):
    assert part_endings(CrawlConfig(job=tmp_path)) == [".jsonl"]
    outputs = ("s3://bucket/A.JSONL.GZ", "b/c.parquet", "d.warc.gz")
    assert part_endings(CrawlConfig(job=tmp_path, output=outputs)) == [".jsonl.gz", ".parquet", ".warc.gz"]
