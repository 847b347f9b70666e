"""Whoever may write in a folder can plant a link where a crawl will write: what it leads to stays as it was."""

import os
import sqlite3
from pathlib import Path

import pytest

from crawler.cli.new.spider import new_spider
from crawler.cli.report.summary import write_summary
from crawler.core.config import CrawlConfig
from crawler.core.errors import ConfigError, StorageError
from crawler.core.large_body import remove_left_over
from crawler.core.stats import CrawlStats
from crawler.core.symlinks import open_named
from crawler.frontier.store_files import MARK
from tests.ring.test_bystanders import refused, respond, tree
from tests.support.servers import LocalServer

IN_THE_JOB = ["lock", "state", "state.earlier", "state.gone", "large", "summary.json", "summary.json.tmp"]
ROW = ["-o", "pages.jsonl", "--rotate", "2"]
PLACES = {
    **{name: [] for name in [*IN_THE_JOB, "pages.jsonl"]},
    "_pages.jsonl.lock": ROW,
    "upload": ["-o", "memory://planted/a.jsonl"],
}
"""What a crawl makes with which options, in its working directory, which is its job too."""

OF_AN_OUTPUT = {
    "pages-00001.jsonl": ROW,
    "a.db-journal": ["-o", "a.db"],
    "a.db-wal": ["-o", "a.db"],
    "a.db-shm": ["-o", "a.db"],
    "_pages-00002.jsonl.tmp": ROW,
    "pages-00002.jsonl": ROW,
    "a.parquet/_spool-00001.jsonl": ["-o", "a.parquet"],
    "a.parquet/_part-00001.tmp": ["-o", "a.parquet"],
}
"""What may be left over from a crawl of before, or an earlier output. Some of these are removed when a crawl starts."""


@pytest.fixture(scope="module")
def server():
    with LocalServer(respond) as one:
        yield one


@pytest.fixture
def dear(tmp_path) -> Path:
    """Files that are dear to somebody, one without a byte in it, and the state of another job."""
    dear = tmp_path / "dear"
    for name in ("folder", "job"):
        (dear / name).mkdir(parents=True)
    (dear / "keys").write_text("dear")
    (dear / "empty").touch()
    (dear / "job" / MARK).touch()
    return dear


@pytest.mark.parametrize("name", PLACES)
def test_a_link_in_the_place_of_what_a_crawl_makes_is_refused(tmp_path, server, dear, name):
    """In one line that says what is there and what to do; it is there still, and so is all that it leads to."""
    for to in ("keys", "empty", "folder", "job", "nowhere"):
        job = tmp_path / to
        job.mkdir()
        (job / name).symlink_to(dear / to)
        before = tree(tmp_path)
        for fresh in ([], ["--fresh"]):
            code, said = refused(job, server.url("/"), "--job", ".", *PLACES[name], *fresh)
            assert code == 5, (to, said)
            assert f"is a symbolic link to {dear / to}, which is not followed; remove the link, or" in said
            assert said.count("\n") == 1
            assert tree(tmp_path) == before


@pytest.mark.thorough
@pytest.mark.parametrize("name", OF_AN_OUTPUT)
def test_a_link_among_the_files_of_an_output_is_refused_or_goes_alone(tmp_path, server, dear, name):
    before = tree(dear)
    for to, fresh in (("keys", ["--fresh"]), ("nowhere", [])):
        job = tmp_path / to
        (job / name).parent.mkdir(parents=True)
        (job / name).symlink_to(dear / to)
        code, said = refused(job, server.url("/"), "--job", ".", *OF_AN_OUTPUT[name], *fresh)
        assert code in (0, 2, 5), (to, said)
        assert tree(dear) == before
        # An early file gets its name before anybody looks what it is.
        there = [name, name.removeprefix("_").removesuffix(".tmp")]
        assert not code or any((job / one).is_symlink() for one in there), (to, said)


def test_a_link_inside_of_a_state_is_refused(tmp_path, server, dear):
    """RocksDB would follow it; a folder with its mark may have been planted, too."""
    state = tmp_path / "job/state"
    state.mkdir(parents=True)
    (state / MARK).touch()
    (state / "LOCK").symlink_to(dear / "nowhere")
    before = tree(tmp_path)
    code, said = refused(tmp_path, server.url("/"), "--job", "job")
    assert (code, tree(tmp_path)) == (5, before)
    assert "state/LOCK is a symbolic link to" in said


def test_a_summary_is_written_over_no_link_that_came_while_the_crawl_ran(tmp_path, dear):
    (tmp_path / "summary.json.tmp").symlink_to(dear / "keys")
    with pytest.raises(StorageError, match=r"summary.json.tmp is a symbolic link to .*keys, which is not followed"):
        write_summary(CrawlStats(), CrawlConfig(job=tmp_path))
    assert (dear / "keys").read_text() == "dear"


def test_links_that_people_name_are_followed(tmp_path, server):
    """The folder of a job, one above it, and an output; and the state of a job that was moved to another disk."""
    for name in ("disk", "real/job"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "way").symlink_to("real")
    (tmp_path / "job").symlink_to("way/job")
    for name in ("a.jsonl", "b.db"):
        (tmp_path / name).symlink_to(f"disk/{name}")
    command = [server.url("/"), "--job", "job", "-o", "a.jsonl", "-o", "b.db"]
    assert refused(tmp_path, *command) == (0, "")
    assert (tmp_path / "disk/a.jsonl").stat().st_size
    assert sqlite3.connect(tmp_path / "disk/b.db").execute("SELECT count(*) FROM records").fetchone()[0]
    (tmp_path / "real/job/state").rename(tmp_path / "disk/state")
    (tmp_path / "real/job/state").symlink_to(tmp_path / "disk/state")
    code, said = refused(tmp_path, *command)
    assert code == 0, said
    assert (tmp_path / "real/job/state").is_symlink()
    assert (tmp_path / "disk/state" / MARK).is_file()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make links of others")
def test_an_output_that_is_a_link_of_somebody_else_is_refused(tmp_path, server, dear):
    """As `/tmp` has them; what the owner of the folder has made counts as named."""
    os.lchown(tmp_path, 4711, -1)
    link = tmp_path / "a.jsonl"
    link.symlink_to(dear / "empty")
    os.lchown(link, 4712, -1)
    code, said = refused(tmp_path, server.url("/"), "--job", "job", "-o", "a.jsonl")
    assert code == 5
    assert "dear/empty, which is not followed, since another user has made it; remove the link, or name another" in said
    os.lchown(link, 4711, -1)
    os.close(open_named(link, os.O_WRONLY))


def test_what_a_killed_crawl_left_is_removed_behind_no_link(tmp_path, dear):
    left = dear / "folder" / "crawler-abcd1234.large"
    left.touch()
    (tmp_path / "large").symlink_to(dear / "folder")
    remove_left_over(tmp_path)
    assert left.exists()


def test_a_new_spider_is_written_behind_no_link(tmp_path, dear):
    (tmp_path / "spiders").mkdir()
    (tmp_path / "spiders/shop.py").symlink_to(dear / "nowhere")
    before = tree(tmp_path)
    with pytest.raises(ConfigError, match="is there already"):
        new_spider("shop", tmp_path)
    assert tree(tmp_path) == before
