"""Outputs in object storage: memory, files, and a real S3 server; killed at any instant each record is there once."""

import gzip
import io
import json
import logging
import os
import sqlite3
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from itertools import product
from pathlib import Path

import fsspec
import msgspec
import pyarrow.parquet
import pytest

from crawler.core.config import CrawlConfig
from crawler.core.errors import ConfigError, JobError, StorageError
from crawler.core.model import Finished, Rotation
from crawler.ledger.sinks.outputs import sinks_for
from crawler.ledger.sinks.remote import remote
from crawler.ledger.sinks.remote.claim import Claim
from crawler.ledger.sinks.remote.object_storage import ObjectStorage
from crawler.ring.library import crawl
from tests.support.s3 import SECRET, new_bucket, s3_server
from tests.support.thorough import first_quickly

ROOT = Path(__file__).parents[3]
SPIDER = {"spider": "shop:parse"}
TWO = {"rotate": Rotation(records=2)}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A real S3 server on loopback."""
    with s3_server() as url:
        yield url


@pytest.fixture
def s3(server, monkeypatch) -> str:
    """The URL of a new bucket."""
    return f"{new_bucket(server, monkeypatch)}/crawl"


@pytest.fixture(params=["memory", "file", pytest.param("s3", marks=pytest.mark.thorough)])
def place(request, tmp_path) -> str:
    """The URL of an empty folder in each kind of storage."""
    if request.param == "s3":
        return request.getfixturevalue("s3")
    return f"file://{tmp_path}/there" if request.param == "file" else f"memory://{uuid.uuid4()}/crawl"


@pytest.fixture
def memory() -> str:
    return f"memory://{uuid.uuid4()}/crawl"


def finished(*numbers: int) -> Finished:
    lines = b"".join(b'{"n":%d}\n' % number for number in numbers)
    return Finished(url="http://a.example/", outcome="fetched", at=0.0, records=lines)


def there(place: str) -> dict[str, bytes]:
    """What is there: path below the place and content."""
    fs, root = fsspec.core.url_to_fs(place, skip_instance_cache=True)
    fs.invalidate_cache()
    found = {path.removeprefix(root).lstrip("/"): fs.cat_file(path) for path in sorted(fs.find(root))}
    return {path: content for path, content in found.items() if not path.endswith(".lock")}


def read(place: str) -> list[int]:
    found = []
    for name, content in there(place).items():
        if name.endswith(".parquet"):
            found += pyarrow.parquet.read_table(io.BytesIO(content))["n"].to_pylist()
        else:
            found += [json.loads(line)["n"] for line in content.splitlines()]
    return found


class Run:
    """A run of a job with one output, whose store is `position`."""

    def __init__(self, job: Path, url: str, position: dict | None = None, **settings) -> None:
        (self.sink,) = sinks_for(CrawlConfig(job=job, output=url, **SPIDER, **settings))
        self.position = position
        self.sink.open(position)

    def write(self, *numbers: int, last: bool = False) -> "Run":
        self.sink.write([finished(number) for number in numbers])
        self.flushed = msgspec.json.decode(msgspec.json.encode(self.sink.flush(last=last)))
        return self

    def commit(self, *numbers: int, last: bool = False) -> "Run":
        self.position = self.write(*numbers, last=last).flushed
        self.sink.committed()
        return self

    def end(self) -> dict:
        self.commit(last=True)
        self.sink.close()
        return self.position

    def wait(self, uploaded: int) -> "Run":
        """Until so many files of the row are there."""
        deadline = time.monotonic() + 60
        while self.sink._uploaded < uploaded:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return self

    def die(self) -> None:
        """What kill -9 ends: threads and descriptors, without another word to the disk."""
        self.sink._stop_thread()
        self.sink._local.close()


def local_files(job: Path) -> list[str]:
    return sorted(path.name for path in (job / "upload").glob("*/**/*") if path.is_file())


@pytest.mark.parametrize(
    ("name", "settings", "objects"),
    first_quickly(
        [
            ("pages.jsonl", {}, ["pages.jsonl"]),
            ("pages.jsonl", TWO, ["pages-00001.jsonl", "pages-00002.jsonl", "pages-00003.jsonl"]),
            ("p.parquet", {}, ["p.parquet/part-00001.parquet"]),
            ("p.parquet", TWO, [f"p.parquet/part-0000{number}.parquet" for number in (1, 2, 3)]),
        ],
        2,
    ),
    ids=["one file", "row", "parquet", "parquet row"],
)
def test_an_output_is_there_when_the_run_ends_and_again_after_the_next(tmp_path, place, name, settings, objects):
    url = f"{place}/{name}"
    position = Run(tmp_path / "job", url, **settings).commit(1, 2, 3).commit(4, 5).end()
    assert sorted(there(place)) == objects
    assert read(place) == [1, 2, 3, 4, 5]
    Run(tmp_path / "job", url, position, **settings).commit(6).end()
    assert read(place) == [1, 2, 3, 4, 5, 6]


def test_other_formats_are_uploaded_whole(tmp_path, memory):
    Run(tmp_path / "a", f"{memory}/a.jsonl.gz").commit(1).commit(2).end()
    Run(tmp_path / "b", f"{memory}/a.db").commit(1).commit(2).end()
    objects = there(memory)
    assert gzip.decompress(objects["a.jsonl.gz"]) == b'{"n":1}\n{"n":2}\n'
    (tmp_path / "a.db").write_bytes(objects["a.db"])
    with closing(sqlite3.connect(tmp_path / "a.db")) as database:
        assert database.execute("SELECT n FROM records").fetchall() == [(1,), (2,)]


def test_files_of_a_row_go_up_while_the_crawl_runs_and_leave_the_disk(tmp_path, place):
    run = Run(tmp_path, f"{place}/pages.jsonl", **TWO).commit(1, 2, 3, 4, 5).wait(2)
    assert read(place) == [1, 2, 3, 4]
    run.commit(6)
    assert local_files(tmp_path) == ["pages-00003.jsonl"]
    run.end()
    assert read(place) == [1, 2, 3, 4, 5, 6]


def test_parquet_leaves_nothing_in_the_folder_but_the_open_spool(tmp_path, place):
    """Not one file for each part: a crawl may be larger than the disk."""
    run = Run(tmp_path, f"{place}/p.parquet", **TWO).commit(1, 2, 3)
    assert "_spool-00001.jsonl" not in local_files(tmp_path)
    run.commit(4, 5).wait(2).commit()
    assert local_files(tmp_path) == ["_spool-00003.jsonl"]
    run.end()
    assert local_files(tmp_path) == []
    assert read(place) == [1, 2, 3, 4, 5]


def test_what_is_not_committed_is_not_uploaded_while_the_crawl_runs(tmp_path, memory):
    run = Run(tmp_path, f"{memory}/pages.jsonl", **TWO).commit(1)
    run.write(2, 3, 4, 5)
    run.die()
    assert there(memory) == {}


def test_a_run_with_nothing_new_uploads_nothing(tmp_path, memory, monkeypatch):
    position = Run(tmp_path, f"{memory}/pages.jsonl").commit(1).end()
    monkeypatch.setattr(ObjectStorage, "put", lambda *_: pytest.fail("uploaded"))
    assert Run(tmp_path, f"{memory}/pages.jsonl", position).end() == position


# Killed


def uploaded_not_committed(run: Run) -> None:
    run.commit(4, 5, 6).wait(2)
    assert run.position["uploaded"] < 2


def committed_not_removed(run: Run) -> None:
    run.commit(4, 5, 6).wait(2)
    run.sink._remove_uploaded = lambda _: None
    run.commit()
    assert run.position["uploaded"] in (2, 3)  # Parquet has closed the third as well


def ended_and_uploaded_not_committed(run: Run) -> None:
    run.write(90, 91, 92, last=True)


def ended_and_committed_not_told(run: Run) -> None:
    run.position = run.write(4, last=True).flushed


ON_S3 = pytest.param("s3", "p.parquet", ended_and_uploaded_not_committed, marks=pytest.mark.thorough)
KILLS = [uploaded_not_committed, committed_not_removed, ended_and_uploaded_not_committed, ended_and_committed_not_told]


@pytest.mark.parametrize(
    ("place", "name", "kill"),
    [*product(["memory", "file"], ["pages.jsonl", "p.parquet"], KILLS), ON_S3],
    indirect=["place"],
    ids=lambda value: value.__name__.replace("_", " ") if callable(value) else value,
)
def test_after_a_kill_each_committed_record_is_there_once_and_no_other(tmp_path, place, name, kill):
    job, url = tmp_path / "job", f"{place}/{name}"
    run = Run(job, url, **TWO).commit(1, 2, 3)
    kill(run)
    run.die()
    committed = {"uploaded_not_committed": 6, "committed_not_removed": 6, "ended_and_committed_not_told": 4}
    last = committed.get(kill.__name__, 3)
    # The next run finds nothing more: what was not committed must be gone all the same.
    position = Run(job, url, run.position, **TWO).end()
    assert read(place) == list(range(1, last + 1))
    Run(job, url, position, **TWO).commit(last + 1).end()
    assert read(place) == list(range(1, last + 2))


@pytest.mark.parametrize("settings", [{}, TWO], ids=["one file", "row"])
@pytest.mark.parametrize("name", ["pages.jsonl", "p.parquet"])
def test_a_kill_while_the_only_commit_ends_leaves_nothing_that_is_not_committed(tmp_path, memory, name, settings):
    job, url = tmp_path / "job", f"{memory}/{name}"
    run = Run(job, url, **settings)
    run.write(90, 91, 92, last=True)
    run.die()
    assert read(memory)
    Run(job, url, None, **settings).commit(1).end()
    assert read(memory) == [1]


def test_one_file_is_sent_again_if_the_end_of_a_run_was_not_committed(tmp_path, memory):
    url = f"{memory}/pages.jsonl"
    position = Run(tmp_path, url).commit(1).end()
    run = Run(tmp_path, url, position)
    run.write(90, last=True)
    run.die()
    assert read(memory) == [1, 90]
    Run(tmp_path, url, position).end()
    assert read(memory) == [1]


def test_a_file_that_waited_for_its_upload_and_is_gone_is_named(tmp_path, memory, monkeypatch):
    url = f"{memory}/pages.jsonl"
    monkeypatch.setattr(remote.RemoteSink, "_upload_on", lambda _: None)
    run = Run(tmp_path, url, **TWO).commit(1, 2, 3)
    run.die()
    next((tmp_path / "upload").rglob("pages-00001.jsonl")).unlink()
    with pytest.raises(StorageError, match=r"pages-00001\.jsonl is gone and was not uploaded to memory://"):
        Run(tmp_path, url, run.position, **TWO)


# Storage that refuses


def test_a_storage_that_fails_for_a_while_is_tried_again(tmp_path, memory, monkeypatch, caplog):
    monkeypatch.setattr(remote, "_RETRY_S", 0.01)
    put = ObjectStorage.put
    failures = iter([StorageError("no answer")] * 3)

    def put_at_last(self, *arguments):
        if (error := next(failures, None)) is not None:
            raise error
        put(self, *arguments)

    monkeypatch.setattr(ObjectStorage, "put", put_at_last)
    with caplog.at_level(logging.WARNING, "crawler"):
        Run(tmp_path, f"{memory}/pages.jsonl", **TWO).commit(1, 2, 3).wait(1).end()
    assert len([line for line in caplog.messages if "no answer; it will be tried again" in line]) == 1
    assert read(memory) == [1, 2, 3]


@pytest.mark.parametrize("settings", [{}, TWO], ids=["one file", "row"])
def test_an_upload_that_fails_at_the_end_is_made_up_for_by_the_same_command(tmp_path, memory, monkeypatch, settings):
    """The records are committed before the error is told."""
    monkeypatch.setattr(remote, "_PAUSE_S", 0)
    url = f"{memory}/pages.jsonl"
    run = Run(tmp_path, url, **settings).commit(1)
    with monkeypatch.context() as broken:
        broken.setattr(ObjectStorage, "put", lambda *_: (_ for _ in ()).throw(StorageError("no answer")))
        with pytest.raises(
            StorageError, match=r"no answer; what is not there yet is in .*: run the same command again"
        ):
            run.commit(2, 3, last=True)
    run.sink.close()
    assert there(memory) == {}
    Run(tmp_path, url, run.position, **settings).end()
    assert read(memory) == [1, 2, 3]


def test_a_bucket_that_does_not_exist_is_said_at_the_start(tmp_path, s3):
    with pytest.raises(StorageError, match=r"cannot use s3://no-such-bucket/pages\.jsonl: .*; check the name"):
        Run(tmp_path / "job", "s3://no-such-bucket/pages.jsonl")


def test_an_upload_that_arrives_cut_is_an_error(tmp_path, memory, monkeypatch):
    storage = ObjectStorage(f"{memory}/a")
    put_file = type(storage._fs).put_file

    def put_half(self, local, path, **_):
        half = Path(f"{local}.half")
        half.write_bytes(Path(local).read_bytes()[:3])
        put_file(self, str(half), path)

    monkeypatch.setattr(type(storage._fs), "put_file", put_half)
    (tmp_path / "a").write_bytes(b"123456")
    with pytest.raises(StorageError, match="a has 3 bytes there, and 6 here"):
        storage.put(tmp_path / "a", "a")


def test_what_another_wrote_is_not_overwritten(tmp_path, place):
    Run(tmp_path / "one", f"{place}/pages.jsonl").commit(1).end()
    Run(tmp_path / "two", f"{place}/p.parquet").commit(1).end()
    for name in ("pages.jsonl", "p.parquet"):
        with pytest.raises(JobError, match=r"is there already and job .* did not write it"):
            Run(tmp_path / "other", f"{place}/{name}")
    assert read(place) == [1, 1]


@pytest.mark.parametrize("name", ["pages.jsonl", "p.parquet"])
def test_a_job_that_starts_over_replaces_all_that_it_wrote(tmp_path, memory, name):
    url = f"{memory}/{name}"
    Run(tmp_path, url, **TWO).commit(1, 2, 3, 4, 5).end()
    fs, root = fsspec.core.url_to_fs(memory)
    fs.pipe_file(f"{root}/other-00001.jsonl", b'{"n":0}\n')
    Run(tmp_path, url, **TWO).commit(6).end()
    assert sorted(read(memory)) == [0, 6]


def test_a_start_that_failed_leaves_no_folder(tmp_path, memory):
    Run(tmp_path, f"{memory}/pages.jsonl").sink.close()
    assert list(tmp_path.iterdir()) == []


def test_no_thread_is_left(tmp_path, memory):
    before = set(threading.enumerate())
    run = Run(tmp_path, f"{memory}/pages.jsonl", **TWO).commit(1, 2, 3)
    assert any(thread.name == "upload" for thread in set(threading.enumerate()) - before)
    run.sink.close()
    run.sink.close()
    assert not set(threading.enumerate()) - before


# What cannot be written is said at the start


@pytest.mark.parametrize(
    ("url", "settings", "message"),
    [
        ("nosuch://a/b.jsonl", {}, "nosuch://a/b.jsonl cannot be used: Protocol not known: nosuch"),
        ("https://a.example/b.jsonl", {}, "https is for reading"),
        ("memory://a/b.txt", {}, "output memory://a/b.txt has no known ending"),
        ("memory://a/b.db", TWO, "rotate"),
        ("s3://me:hidden-word@a/b.jsonl", {}, "s3 takes no user and password from a URL"),
    ],
    ids=["scheme", "http", "ending", "rotate", "password"],
)
def test_an_output_that_cannot_be_written_is_refused(tmp_path, url, settings, message):
    with pytest.raises(ConfigError, match=message) as refused:
        Run(tmp_path / "job", url, **settings)
    assert "hidden" not in str(refused.value)
    assert not (tmp_path / "job").exists()


def test_an_output_without_a_job_that_stays_is_refused_before_anything_is_fetched(memory):
    """Else a failed upload at the end would lose all: the folder where files wait would be gone with the run."""
    with pytest.raises(ConfigError, match=r"pages\.jsonl needs a job: name a folder with `job`"):
        crawl("http://a.example/", output=f"{memory}/pages.jsonl")


@pytest.mark.parametrize(
    ("url", "package", "extra"), [("memory://a/b.jsonl", "fsspec", "remote"), ("s3://a/b.jsonl", "s3fs", "s3")]
)
def test_a_package_that_is_not_installed_is_named_with_its_extra(tmp_path, url, package, extra):
    program = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "from pathlib import Path\n"
        "from crawler.core.config import CrawlConfig\n"
        "from crawler.ledger.sinks.outputs import sinks_for\n"
        f"sinks_for(CrawlConfig(job=Path('job'), output={url!r}))"
    )
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    advice = f"pip install {package}, or in a checkout of the crawler pip install '.[{extra}]'"
    assert ended.stderr.endswith(f"ConfigError: output {url} needs {package}: {advice}\n")


# Secrets


def test_no_secret_gets_into_a_name_a_position_an_error_or_the_disk(tmp_path, monkeypatch, caplog):
    """The storage tells everything that it knows, in its error too."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setattr(remote, "_PAUSE_S", 0)
    monkeypatch.setattr(remote, "_RETRY_S", 0.01)
    monkeypatch.setattr(fsspec.config, "conf", {"memory": {"sas_token": "from-settings"}})
    hidden = ("top%2Fhidden", "top/hidden", SECRET, "from-settings")
    url = "ftp://me:top%2Fhidden@a.example/pages.jsonl"
    monkeypatch.setattr(fsspec.core, "url_to_fs", lambda *_, **__: (fsspec.filesystem("memory"), "/a/pages.jsonl"))

    def refuse(*_, **__):
        raise RuntimeError(f"cannot send {url} with {' '.join(hidden)}")

    monkeypatch.setattr(ObjectStorage, "names", lambda *_: [])
    memory_kind = type(fsspec.filesystem("memory"))
    monkeypatch.setattr(memory_kind, "put_file", refuse)
    with caplog.at_level(logging.DEBUG):
        run = Run(tmp_path, url, **TWO)
        run.commit(1, 2, 3)
        while "tried again" not in caplog.text:
            time.sleep(0.01)
        with pytest.raises(StorageError, match="cannot upload") as failed:
            run.commit(last=True)
        run.sink.close()
    assert run.sink.name == "ftp://…@a.example/pages.jsonl"
    told = [str(failed.value), repr(failed.value.__cause__), caplog.text, json.dumps(run.position)]
    told += [f"{path} {path.read_text() if path.is_file() else ''}" for path in tmp_path.rglob("*")]
    assert not [text for text in told for secret in hidden if secret in text]


def test_a_folder_may_be_named_like_what_the_environment_keeps(tmp_path, place, monkeypatch):
    """Settings with such names are hidden in errors; they say nothing about the URL."""
    monkeypatch.setenv("S3_KEY_PREFIX", "crawls")
    Run(tmp_path, f"{place}/crawls/pages.jsonl").commit(1).end()
    assert list(there(place)) == ["crawls/pages.jsonl"]


def test_a_folder_may_be_named_like_the_user(tmp_path, memory, monkeypatch):
    path = memory.removeprefix("memory:/")
    monkeypatch.setattr(fsspec.core, "url_to_fs", lambda *_, **__: (fsspec.filesystem("memory"), f"{path}/me/a.jsonl"))
    sinks_for(CrawlConfig(job=tmp_path, output="ftp://me:a@a.example/me/a.jsonl"))


def test_credentials_of_s3_stay_in_the_environment(tmp_path, s3, caplog, monkeypatch):
    """Wrong ones end in an error that does not show them."""
    with caplog.at_level(logging.INFO):
        Run(tmp_path, f"{s3}/pages.jsonl").commit(1).end()
    assert SECRET not in caplog.text
    files = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    assert not [content for content in files if SECRET.encode() in content]
    assert SECRET in os.environ["AWS_SECRET_ACCESS_KEY"]


# Two crawls, and an earlier one


def test_one_job_at_a_time_writes_an_output(tmp_path, place):
    """A killed one goes on, wherever it runs; any other is told whose the mark is, and what to do."""
    url = f"{place}/pages.jsonl"
    run = Run(tmp_path / "one", url).commit(1)
    with pytest.raises(
        JobError,
        match=r"is being written by job .*/one \(process \d+ on .*, since 20.*Z\): wait .* remove _pages\.jsonl\.lock",
    ):
        Run(tmp_path / "two", url)
    run.die()
    run = Run(tmp_path / "one", url, run.position).commit(2)
    run.end()
    assert read(place) == [1, 2]
    fs, root = fsspec.core.url_to_fs(place, skip_instance_cache=True)
    fs.invalidate_cache()
    assert not [path for path in fs.find(root) if path.endswith(".lock")]


def test_of_two_that_began_at_once_the_first_finds_out_before_it_uploads(tmp_path, memory, monkeypatch):
    url = f"{memory}/pages.jsonl"
    first = Run(tmp_path / "one", url).commit(1)
    with monkeypatch.context() as blind:
        blind.setattr(Claim, "_other", lambda _: None)
        second = Run(tmp_path / "two", url)
    second.commit(7).end()
    storage = ObjectStorage(url)
    storage.write("_pages.jsonl.lock", b'{"owner":"another","job":"/two"}')
    with pytest.raises(StorageError, match=r"being written by job /two .* too, which began later"):
        first.end()
    assert read(memory) == [7]


@pytest.mark.parametrize(("name", "settings"), [("pages.jsonl", {}), ("pages.jsonl", TWO), ("p.parquet", TWO)])
def test_an_earlier_output_stays_until_there_is_a_record(tmp_path, memory, name, settings):
    """Also the files of the earlier job that wait here, if the start fails or the process is killed in it."""
    url = f"{memory}/{name}"
    position = Run(tmp_path, url, **settings).commit(1, 2, 3, 4, 5).end()
    Run(tmp_path, url, **settings).sink.close()  # refused for another reason
    Run(tmp_path, url, **settings).die()
    assert read(memory) == [1, 2, 3, 4, 5]
    position = Run(tmp_path, url, position, **settings).commit(6).end()
    assert read(memory) == [1, 2, 3, 4, 5, 6]
    nothing = Run(tmp_path, url, **settings).commit().end()
    assert read(memory) == [1, 2, 3, 4, 5, 6]
    Run(tmp_path, url, nothing, **settings).commit(7).end()
    assert read(memory) == [7]
    assert not list((tmp_path / "upload").glob("*.earlier"))
