"""A place keeps what it was given, whole, and lets one of several create a file."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from crawler.core.errors import ConfigError, StorageError
from crawler.shards.local_folder import LocalFolder
from crawler.shards.place import Place
from tests.support.s3 import SECRET


def test_what_was_put_is_there_can_be_replaced_renamed_fetched_and_removed(address, tmp_path):
    place = Place(address).at("checkpoints/003")
    place.check()
    assert place.names() == []
    assert (place.read("a"), place.size("a")) == (None, None)
    file = tmp_path / "file"
    file.write_bytes(b"one")
    place.put(file, "b/1")
    place.put(file, "b/1")  # the same again
    other = tmp_path / "other"
    other.write_bytes(b"another")
    place.put(other, "b/1")
    place.write("a", b"")
    place.write("a", b"small")
    assert place.names() == ["a", "b"]
    assert place.names("b") == ["1"]
    assert (place.read("a"), place.size("b/1")) == (b"small", 7)
    assert place.rename("b/1", "c/2")
    assert not place.rename("b/1", "c/2")
    place.fetch("c/2", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == b"another"
    assert file.read_bytes() == b"one"
    assert Place(address).names("checkpoints/003/c") == ["2"]
    place.remove("c/2")
    place.remove("c/2")
    with pytest.raises(StorageError, match=r"cannot fetch .*c/2"):
        place.fetch("c/2", tmp_path / "none")
    assert place.names("b") == place.names("c") == []


def test_of_many_who_create_a_file_at_once_one_succeeds(address):
    place = Place(address)
    places = [Place(address) for _ in range(4)]
    start = threading.Barrier(4)

    def create(number: int) -> int | None:
        start.wait()
        return number if places[number].create("it", b"%d" % number) else None

    with ThreadPoolExecutor(4) as pool:
        (winner,) = [number for number in pool.map(create, range(4)) if number is not None]
    assert place.read("it") == b"%d" % winner
    assert not place.create("it", b"later")
    assert place.names() == ["it"]


def test_a_file_on_the_same_disk_is_linked_and_put_twice_leaves_nothing_beside(tmp_path):
    place = Place(f"file://{tmp_path}/job")
    file = tmp_path / "file"
    file.write_bytes(b"one")
    place.put(file, "a")
    place.put(file, "a")
    place.fetch("a", tmp_path / "back", link=True)
    assert file.stat().st_nlink == 3
    place.put(file, "b")
    assert place.rename("a", "b")  # two names of one file, which a rename would leave
    assert place.names() == ["b"]


def test_another_disk_gets_a_copy(tmp_path):
    if not os.access("/dev/shm", os.W_OK) or os.stat("/dev/shm").st_dev == tmp_path.stat().st_dev:
        pytest.skip("/dev/shm is not another file system here")
    file = Path("/dev/shm") / f"crawler-test-{os.getpid()}"
    try:
        file.write_bytes(b"one")
        Place(tmp_path / "job").put(file, "a")
    finally:
        file.unlink()
    assert Place(tmp_path / "job").read("a") == b"one"


def test_a_lost_answer_of_a_network_disk_does_not_make_a_stranger_of_its_own_file(tmp_path, monkeypatch):
    """NFS asks again when an answer was lost, and then meets the link that the first request has made."""
    link = os.link

    def lose_the_answer(*args, **options):
        link(*args, **options)
        link(*args, **options)

    monkeypatch.setattr(os, "link", lose_the_answer)
    assert LocalFolder(tmp_path, "").create("a", b"one")


def test_storages_that_cannot_keep_a_second_writer_out_are_refused(s3, tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match="creates a file only if it is not there, in one step"):
        Place("memory://somewhere/job").check()
    Place("memory://somewhere/job", called="output").check(exclusive=False)
    with pytest.raises(ConfigError, match="Protocol not known"):
        Place("nosuch://somewhere/job")

    place = Place(s3)  # as of a storage that does not heed If-None-Match
    monkeypatch.setattr(place._remote._fs, "pipe_file", lambda path, content, mode=None: None)
    with pytest.raises(ConfigError, match="does not keep a second writer"):
        place.check()

    def no_links(*_, **__):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    with pytest.raises(StorageError, match="no hard links"):
        Place(tmp_path / "job").check()


def test_a_bucket_that_is_not_there_is_found_out_at_the_start(s3):
    with pytest.raises(StorageError, match="cannot use s3://no-such-bucket-here/job"):
        Place("s3://no-such-bucket-here/job").check()


def test_no_error_shows_a_secret(s3, monkeypatch):
    place = Place(s3)

    def refuse(*_, **__):
        raise OSError(f"signature of {SECRET} does not match")

    monkeypatch.setattr(place._remote._fs, "cat_file", refuse)
    with pytest.raises(StorageError) as caught:
        place.read("a")
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_folder_that_cannot_be_written_is_found_out_at_the_start(tmp_path):
    (tmp_path / "job").write_text("a file")
    with pytest.raises(StorageError, match="choose another --job"):
        Place(tmp_path / "job").check()
