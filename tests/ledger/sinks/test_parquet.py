"""A folder of Parquet files: whole and with each record once, at whichever instant the program was killed before."""

import logging
import os
import resource
import shutil
import sys
from pathlib import Path

import duckdb
import msgspec
import polars as pl
import pyarrow.dataset
import pyarrow.parquet
import pytest

from crawler.core.config import CrawlConfig
from crawler.core.errors import ConfigError, StorageError
from crawler.core.model import Field, Finished, Rotation
from crawler.ledger.sinks.files.parquet import ParquetSink
from crawler.ledger.sinks.parts import FULL
from crawler.ledger.tables.schema import OTHER

SPIDER = {"spider": "shop:parse"}
TWO = {"rotate": Rotation(records=2)}


def finished(*records: dict, outcome: str = "fetched") -> Finished:
    lines = b"".join(msgspec.json.encode(record) + b"\n" for record in records)
    has_record = outcome == "fetched"
    return Finished(url="http://a.example/", outcome=outcome, at=0.0, records=lines if has_record else None)


def numbers(*some: int) -> list[Finished]:
    return [finished({"n": number}) for number in some]


class Run:
    """A run of a job with this sink: each commit takes the position over, as the store would."""

    def __init__(self, folder: Path, position: dict | None = None, **settings) -> None:
        self.sink = ParquetSink(folder, CrawlConfig(job=folder.parent / "job", **settings))
        self.position = position
        self.sink.open(position)

    def write(self, some: list[Finished], *, last: bool = False) -> "Run":
        """All of a commit but for `committed`."""
        self.sink.write(some)
        # The store has it as JSON: it must come back the same.
        self.flushed = msgspec.json.decode(msgspec.json.encode(self.sink.flush(last=last)))
        return self

    def commit(self, some: list[Finished], *, last: bool = False) -> "Run":
        self.write(some, last=last)
        self.position = self.flushed
        self.sink.committed()
        return self

    def end(self) -> dict:
        self.commit([], last=True)
        self.sink.close()
        return self.position

    def die(self) -> None:
        """What kill -9 leaves open is closed by the system."""
        if self.sink._fd is not None:
            os.close(self.sink._fd)


def read(folder: Path, column: str = "n") -> list:
    table = pyarrow.dataset.dataset(folder, format="parquet").to_table()
    return table[column].to_pylist()


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_records_come_back_from_the_parts_in_order(tmp_path):
    folder = tmp_path / "pages.parquet"
    run = Run(folder, **SPIDER, **TWO)
    run.commit([*numbers(1, 2, 3), finished(outcome="failed"), finished(), *numbers(4)]).commit(numbers(5)).end()
    assert files(folder) == ["part-00001.parquet", "part-00002.parquet", "part-00003.parquet"]
    assert read(folder) == [1, 2, 3, 4, 5]
    assert [pyarrow.parquet.read_metadata(folder / name).num_rows for name in files(folder)] == [2, 2, 1]


def test_several_records_of_a_page_count_one_by_one(tmp_path):
    Run(tmp_path / "a", **SPIDER, **TWO).commit([finished({"n": 1}, {"n": 2}, {"n": 3})]).end()
    assert files(tmp_path / "a") == ["part-00001.parquet", "part-00002.parquet"]


def test_a_part_is_full_by_its_bytes(tmp_path):
    run = Run(tmp_path / "a", **SPIDER, rotate=Rotation(bytes=20))
    run.commit([finished({"text": "x" * 30})] * 2 + [finished({"text": ""})]).end()
    assert len(files(tmp_path / "a")) == 3


def test_a_part_without_rotate_has_bounds_of_its_own(tmp_path):
    assert FULL.records
    Run(tmp_path / "a", **SPIDER).commit([finished({"n": number}) for number in range(FULL.records + 1)]).end()
    rows = [pyarrow.parquet.read_metadata(tmp_path / "a" / name).num_rows for name in files(tmp_path / "a")]
    assert rows == [FULL.records, 1]


def test_a_job_goes_on_with_the_next_part(tmp_path):
    folder = tmp_path / "a"
    position = Run(folder, **SPIDER).commit(numbers(1, 2)).end()
    assert files(folder) == ["part-00001.parquet"]
    Run(folder, position, **SPIDER).commit(numbers(3)).end()
    assert files(folder) == ["part-00001.parquet", "part-00002.parquet"]
    assert read(folder) == [1, 2, 3]


def test_a_run_without_records_leaves_nothing_in_the_folder(tmp_path):
    folder = tmp_path / "a"
    position = Run(folder, **SPIDER).commit(numbers(1)).end()
    assert Run(folder, position, **SPIDER).end() == position
    assert files(folder) == ["part-00001.parquet"]


# Killed


INSTANTS = {
    "records written, not flushed": lambda run: run.sink.write(numbers(4, 5)),
    "flushed, not committed": lambda run: run.write(numbers(4)),
    "sealed, not committed": lambda run: run.write(numbers(4, 5, 6, 7, 8)),
    "sealed at the end, not committed": lambda run: run.write(numbers(4), last=True),
    "committed, spools still there": lambda run: setattr(run, "position", run.write(numbers(4, 5, 6)).flushed),
    "committed at the end, spool still there": lambda run: setattr(
        run, "position", run.write(numbers(4), last=True).flushed
    ),
    "half a line written": lambda run: os.write(run.sink._fd, b'{"n": 4'),
    "half a part written": lambda run: (run.sink._path / "_part-00002.tmp").write_bytes(b"PAR1"),
}


@pytest.mark.parametrize("instant", INSTANTS)
def test_after_a_kill_each_committed_record_is_there_once_and_no_other(tmp_path, instant):
    folder = tmp_path / "a"
    run = Run(folder, **SPIDER, **TWO).commit(numbers(1, 2, 3))
    INSTANTS[instant](run)
    run.die()
    committed = [1, 2, 3, 4, 5, 6][: (run.position["part"] - 1) * 2 + run.position["records"]]
    if run.position["records"] == 0 and "end" in instant:
        committed = [1, 2, 3, 4]
    following = [n for n in range(4, 10) if n not in committed]
    Run(folder, run.position, **SPIDER, **TWO).commit(numbers(*following)).end()
    assert read(folder) == list(range(1, 10))
    assert all(name.startswith("part-") for name in files(folder))


@pytest.mark.parametrize("instant", INSTANTS)
def test_a_kill_before_the_first_commit_leaves_nothing_of_it(tmp_path, instant):
    folder = tmp_path / "a"
    run = Run(folder, **SPIDER, **TWO)
    run.write(numbers(1, 2, 3))
    INSTANTS[instant](run)
    run.die()
    Run(folder, None, **SPIDER, **TWO).commit(numbers(7, 8, 9)).end()
    assert read(folder) == [7, 8, 9]


def test_a_second_kill_while_the_folder_is_made_right_does_no_harm(tmp_path):
    folder = tmp_path / "a"
    run = Run(folder, **SPIDER, **TWO).commit(numbers(1, 2, 3))
    run.write(numbers(4, 5, 6, 7, 8))
    run.die()
    for half_done in range(3):
        copy = tmp_path / f"copy {half_done}"
        shutil.copytree(folder, copy)
        for name in ("_part-00002.tmp", "_part-00003.tmp", "_spool-00003.jsonl")[:half_done]:
            (copy / name).unlink()
        Run(copy, run.position, **SPIDER, **TWO).commit(numbers(4)).end()
        assert read(copy) == [1, 2, 3, 4]


def test_a_part_appears_only_when_it_is_whole_and_committed(tmp_path):
    """Else who takes it away before a kill would have its records twice."""
    folder = tmp_path / "a"
    run = Run(folder, **SPIDER, **TWO).commit(numbers(1))
    run.write(numbers(2))
    assert files(folder) == ["_part-00001.tmp", "_spool-00001.jsonl"]
    run.sink.committed()
    assert files(folder) == ["part-00001.parquet"]


def test_parts_that_have_their_names_may_be_taken_away_before_a_kill(tmp_path):
    folder, taken = tmp_path / "a", tmp_path / "taken"
    taken.mkdir()
    run = Run(folder, **SPIDER, **TWO)
    position, done = None, 0
    for committed in (3, 0, 4, 5, 0, 1):
        run = Run(folder, position, **SPIDER, **TWO).commit(numbers(*range(done, done + committed)))
        position, done = run.position, done + committed
        run.write(numbers(*range(done, done + 5)))
        for part in folder.glob("part-*.parquet"):
            part.rename(taken / part.name)
        run.die()
    run = Run(folder, position, **SPIDER, **TWO)
    run.end()
    assert sorted(read(folder) + read(taken)) == list(range(done))


@pytest.mark.parametrize("step", [0, 1, 2])
def test_a_kill_while_parts_get_their_names_does_no_harm(tmp_path, step):
    folder = tmp_path / "a"
    run = Run(folder, **SPIDER, **TWO).write(numbers(1, 2, 3, 4, 5))
    run.die()
    for number in range(1, step + 1):
        (folder / f"_part-0000{number}.tmp").rename(folder / f"part-0000{number}.parquet")
    Run(folder, run.flushed, **SPIDER, **TWO).commit(numbers(6)).end()
    assert files(folder) == ["part-00001.parquet", "part-00002.parquet", "part-00003.parquet"]
    assert read(folder) == [1, 2, 3, 4, 5, 6]


def test_a_spool_that_lost_committed_records_is_refused(tmp_path):
    folder = tmp_path / "a"
    run = Run(folder, **SPIDER).commit(numbers(1))
    run.die()
    (folder / "_spool-00001.jsonl").unlink()
    with pytest.raises(StorageError, match=r"has 0 bytes, but the job has committed 8: .*--fresh"):
        Run(folder, run.position, **SPIDER)


def test_sealed_parts_may_be_taken_away(tmp_path):
    folder = tmp_path / "a"
    position = Run(folder, **SPIDER).commit(numbers(1, 2)).end()
    (folder / "part-00001.parquet").unlink()
    Run(folder, position, **SPIDER).commit(numbers(3)).end()
    assert read(folder) == [3]


def test_files_of_others_in_the_folder_stay(tmp_path):
    folder = tmp_path / "a"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    (folder / "part-1.parquet").write_text("mine")
    Run(folder, **SPIDER).commit(numbers(1)).end()
    assert files(folder) == ["notes.txt", "part-00001.parquet", "part-1.parquet"]


def test_a_start_that_failed_leaves_no_folder(tmp_path):
    Run(tmp_path / "a" / "b").sink.close()
    assert not (tmp_path / "a" / "b").exists()


def test_a_file_where_the_folder_should_be_is_named(tmp_path):
    (tmp_path / "a").write_text("mine")
    with pytest.raises(StorageError, match="Parquet goes to a folder"):
        Run(tmp_path / "a")


def test_a_full_disk_is_named_with_what_to_do(tmp_path):
    """Here for files of more than 64 bytes: the spool has room, the part has not."""
    run = Run(tmp_path / "a", **SPIDER)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (64, hard))
        with pytest.raises(StorageError, match=r"a/_part-00001.tmp: .*; make room and run the same command again"):
            run.write(numbers(1), last=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_without_pyarrow_the_extra_is_named_at_the_start(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.delitem(sys.modules, "pyarrow.parquet", raising=False)
    with pytest.raises(ConfigError, match=r"needs pyarrow: pip install pyarrow, or .* '\.\[arrow\]'"):
        Run(tmp_path / "a")
    assert not (tmp_path / "a").exists()


# Columns


def test_all_parts_of_a_spider_have_the_columns_of_the_first(tmp_path):
    folder = tmp_path / "a"
    run = Run(folder, **SPIDER, **TWO)
    run.commit([finished({"n": 1, "tags": ["a"]}), finished({"n": 2})])
    run.commit([finished({"n": "three", "tags": []}), finished({"n": 4, "more": {"x": 1}})])
    run.die()
    Run(folder, run.position, **SPIDER, **TWO).commit([finished({"tags": ["b"], "n": 2.5})]).end()
    schemas = [pyarrow.parquet.read_schema(folder / name) for name in files(folder)]
    assert len(schemas) == 3
    assert all(schema == schemas[0] for schema in schemas)
    assert pyarrow.dataset.dataset(folder).to_table().to_pylist() == [
        {"n": 1, "tags": ["a"], OTHER: None},
        {"n": 2, "tags": None, OTHER: None},
        {"n": None, "tags": [], OTHER: '{"n":"three"}'},
        {"n": 4, "tags": None, OTHER: '{"more":{"x":1}}'},
        {"n": None, "tags": ["b"], OTHER: '{"n":2.5}'},
    ]


def test_columns_are_learned_again_if_the_first_part_was_not_committed(tmp_path):
    folder = tmp_path / "a"
    run = Run(folder, **SPIDER, **TWO)
    run.write(numbers(1, 2))
    run.die()
    Run(folder, None, **SPIDER, **TWO).commit([finished({"other": "x"})]).end()
    assert pyarrow.parquet.read_schema(folder / "part-00001.parquet").names == ["other", OTHER]


def test_a_record_without_any_key_has_a_row(tmp_path):
    Run(tmp_path / "a", **SPIDER).commit([finished({}), finished({})]).end()
    assert read(tmp_path / "a", OTHER) == [None, None]


def test_fields_found_by_selectors_have_their_types(tmp_path):
    selectors = (Field(name="price", type="float"), Field(name="o", fields=(Field(name="n", type="int"),)))
    Run(tmp_path / "a", select=selectors).commit([finished({"url": "u", "price": 3, "o": {"n": 1}})]).end()
    found = duckdb.sql(f"select typeof(price), typeof(o), o.n from '{tmp_path}/a/*.parquet'").fetchall()
    assert found == [("DOUBLE", "STRUCT(n BIGINT)", 1)]


def test_the_default_record_is_read_by_arrow_polars_and_duckdb(tmp_path, caplog):
    folder = tmp_path / "a"
    row = dict.fromkeys(["url", "parent", "title", "text", "seed"]) | {
        "url": "http://a.example/", "status": 200, "fetched_at": "2026-11-22T16:20:00.125Z",
        "links": ["http://b.example/"], "seed": {"team": "docs"},
    }  # fmt: skip
    with caplog.at_level(logging.WARNING):
        Run(folder).commit([finished(row)] * 3).end()
    assert not caplog.records
    (part,) = folder.iterdir()
    query = f"select count(*), sum(len(links)), any_value(seed->>'team'), typeof(any_value(fetched_at)) from '{part}'"
    assert duckdb.sql(query).fetchall() == [(3, 3, "docs", "TIMESTAMP WITH TIME ZONE")]
    assert pl.read_parquet(part).equals(pl.from_arrow(pyarrow.parquet.read_table(part)))
    assert pl.scan_parquet(folder).filter(pl.col("status") == 200).collect().height == 3
    assert pyarrow.parquet.read_schema(part).field("fetched_at").type == pyarrow.timestamp("ms", "UTC")


def test_readers_of_the_folder_see_sealed_parts_alone_while_the_crawl_runs(tmp_path):
    folder = tmp_path / "a"
    run = Run(folder, **SPIDER, **TWO).commit(numbers(1, 2, 3))
    assert "_spool-00002.jsonl" in files(folder)
    assert read(folder) == [1, 2]
    assert duckdb.sql(f"select n from '{folder}/*.parquet'").fetchall() == [(1,), (2,)]
    run.end()
