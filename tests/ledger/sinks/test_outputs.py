"""What each ending writes, as other programs read it; what cannot be written is said before anything is made."""

import gzip
import json
import logging
import os
import re
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from crawler.core.config import CrawlConfig
from crawler.core.errors import ConfigError, StorageError
from crawler.core.model import Field, Finished, Rotation
from crawler.ledger.sinks import outputs
from crawler.ledger.sinks.base import Sink, record_lines
from crawler.ledger.sinks.outputs import endings, files_of, output_names, sinks_for, wants_exchange
from tests.support.outputs import parts, rows

PACKAGE = Path(__file__).parents[3] / "crawler"
ENDINGS = endings()
TEXT = [ending for ending in ENDINGS if ending.startswith((".jsonl", ".csv"))]
SPIDER = {"spider": "shop:parse"}


def finished(*records: dict, outcome: str = "fetched") -> Finished:
    """A URL that ended with these records."""
    lines = b"".join(msgspec.json.encode(record) + b"\n" for record in records)
    has_record = outcome == "fetched"
    return Finished(url="http://a.example/", outcome=outcome, at=0.0, records=lines if has_record else None)


def page(number: int, /, **fields: object) -> Finished:
    return finished({"url": f"http://a.example/{number}", **fields})


def sink_of(path: Path, **settings) -> Sink:
    (sink,) = sinks_for(CrawlConfig(job=path.parent / "job", output=str(path), **settings))
    return sink


def written(path: Path, *batches: list[Finished], **settings) -> dict:
    """Write batches, each with its own commit, then end in good order; return the last position."""
    sink = sink_of(path, **settings)
    sink.open(None)
    for batch in batches:
        sink.write(batch)
        sink.flush()
        sink.committed()
    position = sink.flush(last=True)
    sink.committed()
    sink.close()
    return position


def urls(path: Path) -> list[str]:
    return [row["url"] for row in rows(path)]


def test_the_lines_of_all_records_are_given_one_by_one():
    """A page may have none, one or several; line breaks within a value are not ends of lines."""
    several = finished({"a": "x\r\n\u2028y"}, {"a": 2})
    lines = list(record_lines([several, finished(), finished(outcome="failed"), page(1)]))
    assert [json.loads(line) for line in lines] == [{"a": "x\r\n\u2028y"}, {"a": 2}, {"url": "http://a.example/1"}]
    assert all(line.endswith(b"\n") for line in lines)


@pytest.mark.parametrize("ending", [ending for ending in ENDINGS if ending != ".warc.gz"])
def test_each_ending_holds_each_record_once_in_order(tmp_path, ending):
    path = tmp_path / f"a{ending}"
    batches = [[page(1, status=200), finished(outcome="failed")], [page(2, status=404), page(3, status=200)], []]
    written(path, *batches, fields=("url", "status"))
    assert urls(path) == [f"http://a.example/{number}" for number in (1, 2, 3)]
    assert [int(row["status"]) for row in rows(path)] == [200, 404, 200]


@pytest.mark.parametrize("rotation", [None, Rotation(records=2)], ids=["one file", "rotated"])
@pytest.mark.parametrize("ending", [*TEXT, ".db"])
def test_what_was_written_after_the_last_commit_is_cut_away(tmp_path, ending, rotation):
    """A run that breaks off at any point leaves what the position says, and the next goes on behind it."""
    if ending == ".db" and rotation:
        pytest.skip("a database is one file")
    path = tmp_path / f"a{ending}"
    settings = {"rotate": rotation, **SPIDER}
    position = None
    for number in range(5):
        sink = sink_of(path, **settings)
        sink.open(position)
        sink.write([page(number, part=number)])
        position = sink.flush()
        sink.write([page(100 + more) for more in range(number)])
        if number % 2:
            sink.flush()  # on the disk, but in no commit
        sink.close()
    sink = sink_of(path, **settings)
    sink.open(position)
    sink.flush(last=True)
    sink.close()
    assert urls(path) == [f"http://a.example/{number}" for number in range(5)]
    assert len(parts(path)) == (3 if rotation else 1)


@pytest.mark.parametrize("ending", [".jsonl", ".db"])
def test_a_job_without_a_commit_begins_with_an_empty_output(tmp_path, ending):
    path = tmp_path / f"a{ending}"
    for number in range(2):
        sink = sink_of(path, **SPIDER)
        sink.open(None)
        sink.write([page(number)])
        sink.flush()
        if number:
            sink.committed()
        sink.close()
    assert urls(path) == ["http://a.example/1"]


@pytest.mark.parametrize("ending", [".jsonl", ".csv.gz", ".db"])
def test_an_output_that_lost_what_was_committed_is_refused(tmp_path, ending):
    path = tmp_path / f"a{ending}"
    position = written(path, [page(1)], fields=("url",))
    path.unlink()
    with pytest.raises(StorageError, match=r"the job has committed .*: put the file back, or start over with --fresh"):
        sink_of(path, fields=("url",)).open(position)


# Rows of files


@pytest.mark.parametrize("ending", TEXT)
def test_a_file_is_full_after_so_many_records_and_none_is_empty(tmp_path, ending):
    path = tmp_path / f"a.b{ending}"
    written(path, [page(1), page(2), page(3)], [page(4)], [finished(outcome="failed")], rotate=Rotation(records=2))
    assert [part.name for part in sorted(tmp_path.iterdir())] == [f"a.b-00001{ending}", f"a.b-00002{ending}"]
    both = [rows(part) for part in sorted(tmp_path.iterdir())]
    assert [[row["url"][-1] for row in part] for part in both] == [["1", "2"], ["3", "4"]]


@pytest.mark.parametrize("ending", TEXT)
def test_a_file_is_full_after_so_many_bytes(tmp_path, ending):
    """Not with one record more than that, or with a commit that compresses to more."""
    path = tmp_path / f"a{ending}"
    batches = [[page(number * 10 + more, title=os.urandom(500).hex()) for more in range(10)] for number in range(6)]
    written(path, *batches, rotate=Rotation(bytes=5_000))
    found = parts(path)
    assert len(found) > 3
    assert urls_of(found) == [f"http://a.example/{number}" for number in range(60)]
    assert all(part.stat().st_size >= 5_000 for part in found[:-1])
    assert all(part.stat().st_size < 13_000 for part in found)


def urls_of(files: list[Path]) -> list[str]:
    return [url for file in files for url in urls(file)]


def test_sealed_files_of_a_row_may_be_taken_away(tmp_path):
    path = tmp_path / "a.jsonl"
    position = written(path, [page(1), page(2), page(3)], rotate=Rotation(records=1))
    (tmp_path / "a-00001.jsonl").unlink()
    sink = sink_of(path, rotate=Rotation(records=1))
    sink.open(position)
    sink.write([page(4)])
    sink.flush(last=True)
    sink.committed()
    sink.close()
    assert [part.name for part in parts(path)] == ["a-00002.jsonl", "a-00003.jsonl", "a-00004.jsonl"]


@pytest.mark.parametrize("ending", TEXT)
def test_files_with_a_successor_may_be_taken_away_before_a_kill(tmp_path, ending):
    """At any instant: a file that is full in no commit yet has no successor by name."""
    path, taken = tmp_path / f"a{ending}", tmp_path / "taken" / f"a{ending}"
    taken.parent.mkdir()
    settings = {"rotate": Rotation(records=2), **SPIDER}
    position, done = None, 0
    for committed in (3, 0, 4, 5, 0, 1):
        sink = sink_of(path, **settings)
        sink.open(position)
        if committed:
            sink.write([page(number) for number in range(done, done + committed)])
            position, done = sink.flush(), done + committed
            sink.committed()
        sink.write([page(number) for number in range(done, done + 5)])
        sink.flush()
        for part in parts(path)[:-1]:
            part.rename(taken.with_name(part.name))
        sink.close()
    sink = sink_of(path, **settings)
    sink.open(position)
    sink.close()
    assert sorted(urls(taken) + urls(path)) == sorted(f"http://a.example/{number}" for number in range(done))
    assert [file for file in tmp_path.iterdir() if file.name.startswith("_")] == []


@pytest.mark.parametrize("named", [0, 1, 2])
def test_a_kill_while_files_get_their_names_does_no_harm(tmp_path, named):
    path = tmp_path / "a.jsonl"
    sink = sink_of(path, rotate=Rotation(records=1))
    sink.open(None)
    sink.write([page(1), page(2), page(3)])
    position = sink.flush()
    sink.close()
    assert [part.name for part in parts(path)] == ["a-00001.jsonl"]
    for number in range(2, named + 2):
        (tmp_path / f"_a-0000{number}.jsonl.tmp").rename(tmp_path / f"a-0000{number}.jsonl")
    sink = sink_of(path, rotate=Rotation(records=1))
    sink.open(position)
    sink.close()
    assert urls(path) == [f"http://a.example/{number}" for number in (1, 2, 3)]


# Compressed files


def test_a_gzip_file_is_whole_at_each_commit(tmp_path):
    """Others can read it while the crawl runs."""
    path = tmp_path / "a.jsonl.gz"
    sink = sink_of(path)
    sink.open(None)
    for number in range(3):
        sink.write([page(number)])
        sink.flush()
        assert len(gzip.decompress(path.read_bytes()).splitlines()) == number + 1
    sink.close()


# CSV


def test_csv_holds_every_value_in_one_cell(tmp_path):
    path = tmp_path / "a.csv"
    awkward = 'a "b", c\nd\re\0f'
    record = {"text": awkward, "none": None, "number": 1.5, "yes": True, "list": [1, "a,b"], "object": {"k": "v"}}
    written(path, [page(1, **record)], **SPIDER)
    (row,) = rows(path)
    assert row == {
        "url": "http://a.example/1",
        "text": awkward,
        "none": "",
        "number": "1.5",
        "yes": "true",
        "list": '[1,"a,b"]',
        "object": '{"k":"v"}',
    }
    assert path.read_bytes().count(b"\n") == 3, "one in the header, one in the text, one at the end"


@pytest.mark.parametrize("text", ["a,b", 'a"b', "a\nb", "a\rb", " a ", "=1+1", "\u2028", "\ufeff"], ids=ascii)
def test_csv_reads_back_as_it_was(tmp_path, text):
    path = tmp_path / "a.csv"
    written(path, [finished({"title": text, "url": "u"})], fields=("title", "url"))
    assert rows(path) == [{"title": text, "url": "u"}]


def test_a_csv_row_with_nothing_in_it_is_no_blank_line(tmp_path):
    path = tmp_path / "a.csv"
    written(path, [finished({"title": None}), finished({"title": ""})], fields=("title",))
    assert path.read_bytes() == b'title\n""\n""\n'


def test_columns_of_a_spiders_csv_are_those_of_its_first_commit_and_others_are_named_once(tmp_path, caplog):
    path = tmp_path / "a.csv"
    with caplog.at_level(logging.WARNING):
        position = written(path, [page(1, a=1), page(2, b=2)], [page(3, c=3), page(4, a=4, c=4)], **SPIDER)
    assert [record.getMessage() for record in caplog.records] == [f"{path} has no column 'c', left out"]
    sink = sink_of(path, **SPIDER)
    sink.open(position)
    sink.write([page(5, b=5)])
    sink.flush(last=True)
    sink.close()
    assert [list(row.values())[1:] for row in rows(path)] == [["1", ""], ["", "2"], ["", ""], ["4", ""], ["", "5"]]


def test_columns_of_csv_are_the_fields_asked_for_or_found_by_selectors(tmp_path):
    price = Field(name="price", css=".price", type="float")
    for settings, header in (
        ({"fields": ("status", "url")}, b"status,url\n"),
        ({"select": (price,)}, b"url,seed,price\n"),
        ({"select": (price,), "fields": ("status",)}, b"status,price\n"),
        ({"select": (price,), "scope": "page", "fields": ("url", "reason")}, b"url,reason,price\n"),
        ({"select": (price,), "scope": "page"}, b"url,seed,outcome,reason,detail,price\n"),
        ({"fields": ("url", "b"), **SPIDER}, b"url,b\n"),
    ):
        path = tmp_path / "a.csv"
        written(path, [page(1)], **settings)
        assert path.read_bytes().startswith(header)


def test_each_csv_file_of_a_row_has_the_header(tmp_path):
    path = tmp_path / "a.csv"
    written(path, [page(1), page(2)], rotate=Rotation(records=1), fields=("url",))
    assert [part.read_bytes() for part in parts(path)] == [
        b"url\nhttp://a.example/1\n",
        b"url\nhttp://a.example/2\n",
    ]


# SQLite


def test_sqlite_keeps_values_as_they_are_and_adds_columns_as_they_come(tmp_path):
    """What the first record has in a column does not change what the others have there."""
    path = tmp_path / "a.db"
    first = page(1, price=None, name="007", seen=True, tags=["a", "b"], big=2**70)
    second = page(2, price=1.5, Name="x", stock=3)
    written(path, [first], [second], [page(3, note=None, _rowid_="r", stock="007", price="1.50")], **SPIDER)
    one, two, three = rows(path)
    assert one == {
        "url": "http://a.example/1",
        "name": "007",
        "seen": 1,
        "tags": '["a","b"]',
        "big": str(2**70),
        "price": None,
        "stock": None,
        "rowid": None,
        "note": None,
    }
    assert (two["price"], two["name"], two["stock"]) == (1.5, "x", 3)
    assert (three["rowid"], three["stock"], three["price"]) == ("r", "007", "1.50")


def test_fields_that_differ_only_in_case_are_one_sqlite_column(tmp_path):
    path = tmp_path / "a.db"
    fields = (Field(name="Price", css="p"), Field(name="price", css="b"))
    written(path, [page(1, Price="1", price="2")], select=fields)
    assert [row["Price"] for row in rows(path)] == ["2"]


def test_names_of_sqlite_columns_can_be_anything(tmp_path):
    path = tmp_path / "a.db"
    names = ['a"b', "a'; DROP TABLE records; --", "", "select", "\0", "ä", "Ä"]
    written(path, [finished(dict.fromkeys(names, 1))], [finished({})], **SPIDER)
    assert [list(row.values()) for row in rows(path)] == [[1] * 7, [None] * 7]


@pytest.mark.parametrize("record", [{}, {"a": None}])
def test_sqlite_takes_records_without_a_value(tmp_path, record):
    path = tmp_path / "a.db"
    written(path, [finished(record)], [finished({"b": 1})], **SPIDER)
    assert [row["b"] for row in rows(path)] == [None, 1]


def test_sqlite_leaves_out_keys_past_a_thousand_columns(tmp_path, caplog):
    path = tmp_path / "a.db"
    with caplog.at_level(logging.WARNING):
        written(path, [finished({f"k{number}": number for number in range(1_050)})], **SPIDER)
    assert len(rows(path)[0]) == 1_000
    assert len(caplog.records) == 20
    assert caplog.records[-1].getMessage().endswith("; others are no longer named")


def test_sqlite_has_an_index_on_url_and_is_one_file_at_the_end(tmp_path):
    path = tmp_path / "a.sqlite"
    written(path, [page(1)])
    assert [file.name for file in tmp_path.iterdir()] == ["a.sqlite"]
    with closing(sqlite3.connect(path)) as database:
        plan = database.execute("EXPLAIN QUERY PLAN SELECT * FROM records WHERE url = ?", ("x",)).fetchall()
        assert "USING INDEX records_url" in plan[0][3]
        assert database.execute("PRAGMA journal_mode").fetchone() == ("delete",)


def test_sqlite_can_be_read_while_it_is_written(tmp_path):
    """A reader in the middle of a query holds up neither a commit nor the end of the run."""
    path = tmp_path / "a.db"
    sink = sink_of(path)
    sink.open(None)
    sink.write([page(1)])
    sink.flush()
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM records").fetchone() == (1,)
        sink.write([page(2)])
        assert sink.flush(last=True) == {"rows": 2}
        assert reader.execute("SELECT count(*) FROM records").fetchone() == (1,)
    sink.close()
    assert len(rows(path)) == 2


def test_datasette_opens_the_database_as_it_is(tmp_path):
    path = tmp_path / "a.db"
    written(path, [page(1, price=1.5), page(2, price="007")], **SPIDER)
    command = [sys.executable, "-m", "datasette", str(path), "--get", "/a/records.json?_shape=array"]
    answer = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    assert [(row["rowid"], row["price"]) for row in json.loads(answer)] == [(1, 1.5), (2, "007")]


def test_a_file_that_is_no_database_is_refused(tmp_path):
    path = tmp_path / "a.db"
    path.write_bytes(b"no database" * 1_000)
    with pytest.raises(StorageError, match=r"cannot write .*a\.db: file is not a database; name a file"):
        sink_of(path).open({"rows": 1})


# Which outputs


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"output": "a.xls"}, "output a.xls has no known ending: name it .jsonl, .jsonl.gz, "),
        ({"output": "pages"}, "output pages has no known ending"),
        ({"output": ".jsonl"}, "output .jsonl has no known ending"),
        ({"output": ("a.jsonl", "./a.jsonl")}, r"output .*a\.jsonl is named twice"),
        ({"output": ("-", "-")}, "output - is named twice"),
        ({"output": "-", "rotate": Rotation(records=5)}, "output - cannot be rotated"),
        ({"output": "a.db", "rotate": Rotation(records=5)}, "output a.db cannot be rotated"),
        ({"output": "/dev/null", "rotate": Rotation(records=5)}, "output /dev/null is not a file: rotate needs one"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(map(str, value.values())),
)
def test_an_output_that_cannot_be_is_refused_by_name(settings, message):
    with pytest.raises(ConfigError, match=message):
        sinks_for(CrawlConfig(job=Path("job"), **settings))


def test_endings_do_not_heed_capitals_and_nothing_is_made_before_the_start(tmp_path):
    output = tuple(str(tmp_path / f"A{ending.upper()}") for ending in ENDINGS if ending != ".warc.gz")
    assert len(sinks_for(CrawlConfig(job=tmp_path / "job", output=output))) == len(output)
    assert list(tmp_path.iterdir()) == []


def test_standard_output_is_written_last():
    """What was printed cannot be taken back when another output refuses."""
    names = [sink.name for sink in sinks_for(CrawlConfig(job=Path("job"), output=("-", "/a.jsonl", "/b.csv")))]
    assert names == ["/a.jsonl", "/b.csv", "-"]


def test_a_device_or_a_pipe_takes_json_lines_whatever_its_name(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    got = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()), daemon=True)
    reader.start()
    written(pipe, [page(1)])
    reader.join(10)
    assert json.loads(got[0]) == {"url": "http://a.example/1"}


def test_the_default_output_has_a_name_that_stays_when_the_job_moves(tmp_path):
    """Else a job that was moved would lose its position, and with it its records."""
    assert output_names(CrawlConfig(job=tmp_path / "a")) == output_names(CrawlConfig(job=tmp_path / "b"))


def test_the_name_of_an_output_holds_no_password():
    names = output_names(CrawlConfig(job=Path("job"), output=("s3://key:secret@bucket/a.jsonl", "-")))
    assert names == ["s3://…@bucket/a.jsonl", "-"]


def test_files_of_an_output_are_its_own_only(tmp_path):
    for name in (
        "a.jsonl",
        "a-00001.jsonl",
        "_a-00002.jsonl.tmp",
        "a-12.jsonl",
        "ab-00001.jsonl",
        "a-00001.csv",
        "b.db",
        "b.db-wal",
        "c.db",
    ):
        (tmp_path / name).touch()
    (tmp_path / "d.parquet").mkdir()
    (tmp_path / "d.parquet/part-00001.parquet").touch()
    (tmp_path / "d.parquet/mine.parquet").touch()

    def names(*outputs: str, **settings) -> set[str]:
        output = tuple(str(tmp_path / name) for name in outputs)
        return {file.name for file in files_of(CrawlConfig(job=tmp_path, output=output, **settings))}

    assert names("a.jsonl") == {"a.jsonl"}
    assert names("a.jsonl", rotate=Rotation(records=1)) == {"a-00001.jsonl", "_a-00002.jsonl.tmp"}
    assert names("b.db", "d.parquet") == {"b.db", "b.db-wal", "part-00001.parquet"}


def test_each_ending_is_of_one_sink():
    assert len(set(ENDINGS)) == len(ENDINGS)
    assert not [(one, other) for one in ENDINGS for other in ENDINGS if one != other and one.endswith(other)]


def test_every_file_of_a_sink_that_says_its_kind_has_a_row():
    there = {
        ".".join(("crawler", *path.relative_to(PACKAGE).with_suffix("").parts))
        for path in PACKAGE.rglob("ledger/sinks/**/*.py")
        if re.search(r"^KIND = ", path.read_text("utf-8"), re.MULTILINE)
    }
    assert there == set(outputs._SINKS)


@pytest.mark.parametrize(
    ("named", "wanted"),
    [
        (("a.warc.gz",), True),
        (("a.jsonl", "B.WARC.GZ"), True),
        (("s3://bucket/a.warc.gz",), True),
        (("-", "a.jsonl.gz", "a.parquet"), False),
        (("a.warc",), False),
        ((), False),
    ],
)
def test_an_archive_alone_wants_the_exchanges(named, wanted):
    assert wants_exchange(named) == wanted


@pytest.mark.parametrize(
    ("name", "others"),
    [
        ("a.jsonl", {"csv_rows", "parquet", "warc", "sqlite", "sqlite3", "pyarrow", "warcio"}),
        ("a.csv", {"parquet", "warc", "sqlite", "sqlite3", "pyarrow", "warcio"}),
        ("a.db", {"pyarrow", "warcio"}),
    ],
)
def test_a_sink_loads_no_other_and_no_extra_of_another(name, others):
    code = (
        "import sys; from crawler.core.config import CrawlConfig; from crawler.ledger.sinks.outputs import sinks_for\n"
        f"sinks_for(CrawlConfig(output={name!r})); print(*{{name.rpartition('.')[2] for name in sys.modules}})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE.parent)
    assert not others & set(done.stdout.split())
