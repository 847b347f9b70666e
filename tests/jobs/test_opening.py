"""A job is opened for reading whatever it is at, sees one instant in all tables, and is left as it was."""

import os
import subprocess
import sys
import tarfile
import time
from functools import partial
from pathlib import Path

import msgspec
import pytest
import rocksdict

from crawler import CrawlConfig, Crawler, FakeTransport, Job, JobError, StorageError, UsageError
from crawler.core.file_lock import is_held
from crawler.fetcher.transport.fake import answer
from crawler.frontier.database import Database
from crawler.frontier.store import Store
from tests.ring.test_old_jobs import OLD_JOB
from tests.support.commands import POLITE_ENOUGH, CommandLine
from tests.support.patience import PATIENCE_S, wait_until
from tests.support.servers import HANG, Answer, LocalServer, html

ROOT = Path(__file__).parents[2]
PAGES = 100
ROWS = 1_000
LEFT = 20
WRITER = f"""
import os, sys
from pathlib import Path
import msgspec, xxhash
from crawler.frontier.database import Database
database = Database(Path(sys.argv[1]), {{"schema": 4, "normal_form": 2}})
urls, queue, meta = map(database.table, ("urls", "queue", "meta"))
number = 0
print("open", flush=True)
while True:
    for row in range({ROWS}):
        key = xxhash.xxh3_128_digest(f"{{number}} {{row}}".encode())
        urls.put(key, b"e" + os.urandom(200))
        queue.put(number.to_bytes(8, "big") + key[:8], os.urandom(600))
    queue.delete_range(b"", max(0, number - {LEFT} + 1).to_bytes(8, "big"))
    number += 1
    meta.put(b"written", msgspec.msgpack.encode(number))
    database.commit()
"""
"""Commits batch after batch as fast as it can, so that files are written, merged and deleted all the time."""


def contents(folder: Path) -> dict[str, tuple[int, int]]:
    """What would change in a folder if anything in it were written, made or removed."""
    paths = [folder, *folder.rglob("*")]
    return {str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in paths}


def site(held: list[int], host: str, path: str) -> Answer | object:
    """A site of 100 pages, of which those above each number in `held` are never answered."""
    if path == "/robots.txt":
        return Answer(status=404)
    number = int(path[1:] or 1)
    if held and number > held[0]:
        return HANG
    return Answer(html(*(f"/{n}" for n in (number * 2, number * 2 + 1) if n <= PAGES)))


@pytest.mark.thorough
def test_a_view_sees_one_instant_in_all_tables_while_files_are_written_merged_and_deleted(tmp_path):
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path / "state")], cwd=ROOT, stdout=subprocess.PIPE)
    try:
        assert writer.stdout.readline() == b"open\n"
        views, seen, merged_under_it = 0, 0, 0
        deadline = time.monotonic() + PATIENCE_S
        while (views < 6 or not merged_under_it) and time.monotonic() < deadline:
            view = Database(tmp_path / "state", {"schema": 4, "normal_form": 2}, read_only=True)
            files = set(os.listdir(tmp_path / "state"))
            written = msgspec.msgpack.decode(view.table("meta").get(b"written") or b"\x00")
            rows = 0
            for rows, _ in enumerate(view.table("urls").items(), start=1):
                if rows % 2_000 == 0:
                    time.sleep(0.002)
            assert (rows, sum(1 for _ in view.table("queue").values())) == (written * ROWS, min(written, LEFT) * ROWS)
            gone = files - set(os.listdir(tmp_path / "state"))
            merged_under_it += any(name.endswith(".sst") for name in gone)
            view.close()
            assert written >= seen
            views, seen = views + 1, written
        assert merged_under_it, "no file was deleted while a view was open"
        assert writer.poll() is None
    finally:
        writer.kill()
        writer.communicate()


def test_a_job_answers_beside_a_crawl_of_another_process_and_is_left_alone(tmp_path):
    """Running, killed, ended: each time it sees what was committed, holds no lock, and writes nothing."""
    command = CommandLine(tmp_path)
    held = [40]
    with LocalServer(partial(site, held)) as server:
        arguments = ["crawl", server.url("/"), "--job", "job", "--quiet", *POLITE_ENOUGH]
        try:
            crawl = command.start(*arguments)
            wait_until((tmp_path / "job" / "state" / "CURRENT").exists)
            with Job(tmp_path / "job") as job:
                assert job.is_running

                def known() -> tuple[int, int, int]:
                    job.refresh()
                    ended = sum(1 for one in job.urls(due=False))
                    counters = job.answers.stores[0].meta("counters") or {"queued": 0, "known": 0}
                    assert (ended + sum(1 for one in job.urls(due=True))) == counters["known"]
                    return ended, counters["queued"], counters["known"]

                wait_until(lambda: known()[0] > 10)
                assert crawl.poll() is None
                held.clear()
                crawl.kill()
                crawl.wait()
                wait_until(lambda: not job.is_running)
                before = contents(tmp_path / "job")
                ended, due, in_all = known()
                assert ended + due == in_all
                assert contents(tmp_path / "job") == before
                done = command.run(*arguments)
                assert (done.code, done.err) == (0, "")
                assert known() == (PAGES, 0, PAGES)
                assert not job.is_running
        finally:
            command.close()
    assert not list(command.temporary.iterdir())


async def test_a_job_answers_within_the_process_that_crawls(tmp_path):
    seen = []

    def respond(request):
        if request.url.endswith("/3"):
            with Job(tmp_path) as job:
                seen.append(job.is_running)
                seen.append({one.url for one in job.urls()} >= {"http://a.example/"})
        return answer(request, '<a href="/2">2</a> <a href="/3">3</a>')

    config = CrawlConfig(job=tmp_path, delay_s=0.0, strategy="async")
    stats = await Crawler(config, ["http://a.example/"], transport=FakeTransport(respond)).run()
    assert (seen, stats.pages) == ([True, True], 3)
    with Job(tmp_path) as job:
        assert not job.is_running
        assert sorted(one.url for one in job.urls()) == [f"http://a.example/{path}" for path in ("", "2", "3")]


def test_a_job_of_an_earlier_version_answers_and_is_left_alone(tmp_path):
    with tarfile.open(OLD_JOB) as archive:
        archive.extractall(tmp_path / "job", filter="data")
    before = contents(tmp_path / "job")
    with Job(tmp_path / "job") as job:
        assert sum(1 for one in job.urls(outcome="fetched")) == 20
        assert sum(1 for one in job.urls(due=True)) == 18
        assert [one.url for one in job.urls(outcome="redirected")] == ["http://old.example/7"]
        assert [one.reason for one in job.urls(outcome="skipped")] == ["robots"]
    assert contents(tmp_path / "job") == before


async def test_a_store_that_was_put_aside_counts_until_another_has_begun(tmp_path):
    config = CrawlConfig(job=tmp_path, delay_s=0.0, strategy="async")
    await Crawler(config, ["http://a.example/"], transport=FakeTransport(lambda asked: answer(asked, "words"))).run()
    (tmp_path / "state").rename(tmp_path / "state.earlier")
    with Job(tmp_path) as job:
        assert [one.url for one in job.urls()] == ["http://a.example/"]


def test_what_is_no_job_is_refused_in_one_line_that_names_the_place(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    for name, said in (("nowhere", "there is no job"), ("file", "is a file"), ("folder", "is no job")):
        with pytest.raises(JobError, match=said) as told:
            Job(tmp_path / name)
        assert str(tmp_path / name) in str(told.value)
        assert "\n" not in str(told.value)


def test_a_job_of_a_later_version_and_a_damaged_one_are_refused(tmp_path):
    with Store(tmp_path / "later" / "state") as store:
        store.put_meta("versions", {"schema": 5, "normal_form": 2})
        store.commit()
    with pytest.raises(JobError, match="made by another version"), Job(tmp_path / "later") as job:
        list(job.urls())

    with Store(tmp_path / "damaged" / "state") as store:
        store.commit()
    manifest = tmp_path / "damaged" / "state" / (tmp_path / "damaged/state/CURRENT").read_text().strip()
    manifest.write_bytes(b"\x00" * 100)
    with pytest.raises(StorageError, match="cannot open the store"), Job(tmp_path / "damaged") as job:
        list(job.urls())


def test_a_filter_that_cannot_be_meant_is_told_with_its_name(tmp_path):
    with Store(tmp_path / "state") as store:
        store.commit()
    with Job(tmp_path) as job:
        for name, value in (("outcome", "broken"), ("kind", "image"), ("status", "6xx"), ("host", "a b")):
            with pytest.raises(UsageError, match=f"{name}: "):
                job.urls(**{name: value})


def test_nobody_is_kept_out_by_a_look_at_a_lock(tmp_path):
    path = tmp_path / "lock"
    assert not is_held(path)
    path.write_text(f"{os.getpid()}")
    assert not is_held(path)


def test_a_reader_needs_rocksdict_to_take_its_files_from_elsewhere(tmp_path):
    """The view leans on that: a database is found at a path of its own, with its files and logs at another."""
    with Store(tmp_path / "state") as store:
        store.put_meta("x", 1)
        store.commit()
    (tmp_path / "state" / "rocksdict-config.json").unlink()
    with Store(tmp_path / "state", read_only=True) as store:
        assert store.meta("x") == 1
    assert not (tmp_path / "state" / "rocksdict-config.json").exists(), rocksdict.__doc__
