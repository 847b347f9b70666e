"""A checkpoint of a store is a store of its own, as of one commit, and shares its files with it."""

import os
import threading
import time
from pathlib import Path

import pytest

from crawler.core.errors import StorageError
from crawler.frontier.row import ENDED, UrlRow
from crawler.frontier.store import Store
from crawler.frontier.store_files import is_marked


def filled(store: Store, first: int, count: int) -> None:
    for number in range(first, first + count):
        url = f"http://a.example/{number}"
        store.urls.put(number.to_bytes(16, "big"), ENDED, UrlRow(url, 0, b"", 1, (), 0, number, 0.0))
        store.put_host(number.to_bytes(16, "big"), b"a host")
    store.put_meta("last", first + count - 1)
    store.commit()


def urls(folder: Path) -> list[str]:
    with Store(folder, read_only=True) as store:
        return sorted(row.url for _, row in store.all_urls())


def test_it_holds_what_was_committed_and_goes_on_apart(tmp_path):
    with Store(tmp_path / "state") as store:
        filled(store, 0, 1_000)
        store.put_meta("last", "not committed")
        store.checkpoint(tmp_path / "cut")
        store.forget()
        filled(store, 1_000, 10)
    assert is_marked(tmp_path / "cut")
    assert len(urls(tmp_path / "cut")) == 1_000
    with Store(tmp_path / "cut") as other:
        assert other.meta("last") == 999
        assert len(list(other.host_items())) == 1_000
        filled(other, 5_000, 1)
    assert len(urls(tmp_path / "state")) == 1_010
    assert len(urls(tmp_path / "cut")) == 1_001


def test_its_large_files_are_links_and_what_came_since_is_new(tmp_path):
    with Store(tmp_path / "state") as store:
        filled(store, 0, 20_000)
        store.checkpoint(tmp_path / "one")
        filled(store, 20_000, 200)
        store.checkpoint(tmp_path / "two")
        linked = {file.name: file.stat().st_nlink for file in (tmp_path / "one").glob("*.sst")}
        assert set(linked.values()) == {3}, "in the store and in both checkpoints"
        new = {file.name for file in (tmp_path / "two").glob("*.sst")} - set(linked)
        size = sum((tmp_path / "one" / name).stat().st_size for name in linked)
        assert sum((tmp_path / "two" / name).stat().st_size for name in new) < 0.1 * size
        assert not [log for log in (tmp_path / "two").glob("*.log") if log.stat().st_size], "all is in files"


def test_whoever_waits_for_the_interpreter_waits_much_less_than_it_takes(tmp_path):
    """Writing files lets go of the GIL: the event loop goes on meanwhile."""
    with Store(tmp_path / "state") as store:
        filled(store, 0, 50_000)
        beats: list[float] = []
        over = threading.Event()

        def beat() -> None:
            while not over.is_set():
                beats.append(time.perf_counter())
                time.sleep(0)

        heart = threading.Thread(target=beat)
        heart.start()
        started = time.perf_counter()
        store._database._tables["urls"].flush()
        flushed = time.perf_counter()
        over.set()
        heart.join()
        assert sum(started < at < flushed for at in beats) > 10


def test_a_folder_that_is_there_and_a_disk_that_refuses_are_told(tmp_path):
    with Store(tmp_path / "state") as store:
        filled(store, 0, 1)
        (tmp_path / "cut").mkdir()
        with pytest.raises(StorageError, match="cannot make a checkpoint of the store"):
            store.checkpoint(tmp_path / "cut")
        store.checkpoint(tmp_path / "other")
    assert "CURRENT" in os.listdir(tmp_path / "other")
