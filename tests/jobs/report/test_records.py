import csv
import gzip
import json
import sqlite3
from pathlib import Path

import pytest

from crawler.core.errors import CrawlerError
from crawler.jobs.report import records
from crawler.jobs.report.records import field_shares
from crawler.ledger.sinks.files import compressed

RECORDS = [
    {
        "url": f"http://a.example/{n}",
        "title": "" if n % 4 else "T",
        "tags": [] if n % 2 else ["x"],
        "n": 0,
        "none": None,
    }
    for n in range(1000)
]
FOUND = {"url": 1000, "title": 250, "tags": 500, "n": 1000, "none": 0}


def lines() -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in RECORDS)


def write(path: Path) -> Path:
    if path.name.endswith(".jsonl"):
        path.write_bytes(lines())
    elif path.name.endswith(".jsonl.gz"):
        path.write_bytes(gzip.compress(lines()))
    elif path.name.endswith(".jsonl.zst"):
        path.write_bytes(compressed.zstd.compress(lines()))
    elif path.name.endswith(".csv"):
        with path.open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(RECORDS[0])
            rows.writerows([one["url"], one["title"], json.dumps(one["tags"]), one["n"], ""] for one in RECORDS)
    elif path.name.endswith(".sqlite"):
        database = sqlite3.connect(path)
        database.execute('CREATE TABLE records (url TEXT, title, "tags", n INTEGER, none)')
        rows = [(one["url"], one["title"], json.dumps(one["tags"]), one["n"], None) for one in RECORDS]
        database.executemany("INSERT INTO records VALUES (?, ?, ?, ?, ?)", rows)
        database.commit()
        database.close()
    else:
        pyarrow = pytest.importorskip("pyarrow")
        parquet = pytest.importorskip("pyarrow.parquet")
        columns = {name: [one[name] for one in RECORDS] for name in RECORDS[0]}
        columns["none"] = pyarrow.array([None] * 1000, pyarrow.string())
        parquet.write_table(pyarrow.table(columns), path, row_group_size=100)
    return path


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.jsonl.zst", "a.csv", "a.sqlite", "part-00001.parquet"])
def test_each_format_tells_which_fields_have_a_value_whole_or_of_a_sample(name, tmp_path, monkeypatch):
    path = write(tmp_path / name)
    found = field_shares(name, [path])
    assert (found.records, found.whole) == (1000, True)
    assert found.fields == FOUND

    monkeypatch.setattr(records, "MOST_RECORDS", 100)
    monkeypatch.setattr(records, "MOST_BYTES", 6_400)
    part = field_shares(name, [path])
    assert not part.whole
    assert part.sample
    assert 50 <= part.records <= 250
    assert part.fields["url"] == part.fields["n"] == part.records
    assert part.fields["none"] == 0


def test_what_a_running_crawl_has_not_written_whole_is_left_out(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(lines() + b'{"url": "htt')
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(lines()) + gzip.compress(lines())[:100])
    assert field_shares("a", [tmp_path / "a.jsonl"]).records == 1000
    assert 1000 <= field_shares("b", [tmp_path / "b.jsonl.gz"]).records < 2000


def refused(path: Path) -> str:
    with pytest.raises(CrawlerError) as caught:
        field_shares(path.name, [path])
    return str(caught.value)


def test_what_cannot_be_read_is_told_and_no_crash(tmp_path):
    (tmp_path / "a.jsonl.gz").write_bytes(b"no gzip")
    (tmp_path / "a.sqlite").write_bytes(b"no database, but of some length" * 100)
    (tmp_path / "a.warc.gz").write_bytes(b"")
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    for name in ("a.jsonl.gz", "a.sqlite", "a.parquet", "gone.jsonl"):
        assert refused(tmp_path / name).startswith(f"cannot read {name}: ")
    assert "no records" in refused(tmp_path / "a.warc.gz")


def test_of_a_long_row_of_files_some_are_read(tmp_path, monkeypatch):
    files = [write(tmp_path / f"a-{number:05}.jsonl") for number in range(70)]
    found = field_shares("a-*.jsonl", files)
    assert found.sample == "from 35 of 70 files"
    assert found.records == 35_000
