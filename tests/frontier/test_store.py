"""The store: whole batches or nothing, and what scans and reads see before and after a commit."""

import random
import subprocess
import sys
import textwrap

import msgspec
import pytest
import rocksdict

from crawler.core.errors import JobError, StorageError
from crawler.core.model import SeedContext
from crawler.frontier import database, families
from crawler.frontier.known import waiting
from crawler.frontier.reach import Reach
from crawler.frontier.row import ENDED, QUEUED, UrlRow, queue_key, queue_place
from crawler.frontier.store import SCHEMA_VERSION, Store
from crawler.frontier.store_files import prepare_store
from crawler.web.urls import host_key, url_key
from tests.support.yardstick import processor_s


def row(url: str, depth: int = 0, seq: int = 1) -> UrlRow:
    return UrlRow(url, depth, b"", 1, (), 0, seq, 0.0)


def test_what_is_committed_is_there_after_closing_and_what_is_not_is_gone(tmp_path):
    """A commit is durable; without one nothing is."""
    a, b = "http://a/", "http://b/"
    with Store(tmp_path / "s") as store:
        store.urls.put(url_key(a), ENDED, row(a))
        store.put_meta("colour", "blue")
        store.commit()
        store.urls.put(url_key(b), ENDED, row(b))
        store.put_meta("colour", "red")
    with Store(tmp_path / "s") as store:
        found = store.urls.values([url_key(a), url_key(b)])
        assert found[0] is not None
        assert store.urls.row(found[0]).url == a
        assert found[1] is None
        assert store.meta("colour") == "blue"


def test_reads_of_urls_see_the_open_batch(tmp_path):
    """Test-and-set works within one batch."""
    with Store(tmp_path / "s") as store:
        key = url_key("http://a/")
        place = queue_key(b"h" * 8, 1, 2)
        store.urls.put_waiting(key, place, Reach(3, 4))
        (value,) = store.urls.values([key])
        assert value is not None
        assert (value[:1], *waiting(value)) == (QUEUED, place, Reach(3, 4))
        assert waiting(QUEUED + place) == (place, Reach(0, 0)), "as an earlier version put it"
        store.urls.put(key, ENDED, row("http://a/"))
        value = store.urls.values([key])[0]
        assert value is not None
        assert value[:1] == ENDED


def test_queue_is_in_order_of_host_depth_and_discovery(tmp_path):
    """A scan of a host gives its URLs breadth first, and none of another host."""
    a, b = host_key("http://a/"), host_key("http://b/")
    with Store(tmp_path / "s") as store:
        for depth, seq in ((2, 1), (0, 9), (1, 300), (1, 2)):
            store.queue.add(queue_key(a, depth, seq), bytes([depth, seq % 256]) * 8, row("http://a/"))
        store.queue.add(queue_key(b, 0, 1), b"b" * 16, row("http://b/"))
        store.commit()
        found = [queue_place(place) for place, _ in _scan(store, a)]
        assert found == [(0, 9), (1, 2), (1, 300), (2, 1)]
        assert {store.queue.next_host(bytes(8)), store.queue.next_host(max(a, b))} == {min(a, b), max(a, b)}


def test_scans_do_not_show_what_the_open_batch_removes(tmp_path):
    """A URL that ended is not handed out again before the commit that says so."""
    a = host_key("http://a/")
    with Store(tmp_path / "s") as store:
        store.queue.add(queue_key(a, 0, 1), b"1" * 16, row("http://a/1"))
        store.queue.add(queue_key(a, 0, 2), b"2" * 16, row("http://a/2"))
        store.commit()
        store.queue.remove(queue_key(a, 0, 1))
        assert [value[:16] for _, value in _scan(store, a)] == [b"2" * 16]
        store.queue.add(queue_key(a, 0, 1), b"1" * 16, row("http://a/1"))
        assert [value[:16] for _, value in _scan(store, a)] == [b"1" * 16, b"2" * 16]
        assert [store.queue.row(value).url for _, value in _scan(store, a)] == ["http://a/1", "http://a/2"]


def _scan(store: Store, host: bytes):
    return list(store.queue.scan(host + bytes(8), host + b"\xff" * 8))


def test_retries_come_back_when_their_time_has_come(tmp_path):
    """Only what is due is taken, the earliest first, and it is taken once."""
    with Store(tmp_path / "s") as store:
        store.retries.add(200.0, b"b" * 16, row("http://b/"))
        store.retries.add(100.5, b"a" * 16, row("http://a/"))
        store.commit()
        assert store.retries.next_due_at() == 100.5
        assert store.retries.take_due(100.0, 10) == []
        assert store.retries.take_due(150.0, 10) == [(b"a" * 16, row("http://a/"))]
        store.commit()
        assert store.retries.take_due(150.0, 10) == []
        assert store.retries.next_due_at() == 200.0


def test_a_scan_goes_up_to_its_bound_however_long_the_caller_holds_that(tmp_path):
    """RocksDB points to the bound of a scan: it must live as long."""
    with Store(tmp_path / "s") as store:
        for n in range(200):
            store.retries.add(n, url_key(f"http://a/{n}"), row(f"http://a/{n}", seq=n))
        store.commit()
        for now in range(0, 200, 20):
            due = store.retries.take_due(now + 0.5, 1_000)
            assert [row.seq for _, row in due] == list(range(now + 1)), "nothing was committed meanwhile"


def test_seeds_and_hosts_are_kept(tmp_path):
    with Store(tmp_path / "s") as store:
        context = SeedContext(7, ("http://a/",), b'{"x":1}')
        store.put_seed(context)
        store.put_host(b"h" * 8, b"state")
        store.commit()
        assert store.seed(7) == context
        assert store.host(b"h" * 8) == b"state"
        with pytest.raises(KeyError):
            store.seed(8)


def test_kill_in_the_middle_of_commits_leaves_whole_batches(tmp_path):
    """After kill -9 a batch of two families is there in both or in neither."""
    script = textwrap.dedent("""
        import os, signal, sys
        from pathlib import Path
        from crawler.frontier.store import Store
        from crawler.frontier.row import queue_key, UrlRow, ENDED
        store = Store(Path(sys.argv[1]))
        print("ready", flush=True)
        number = 0
        while True:
            number += 1
            for part in range(50):
                key = (number * 100 + part).to_bytes(16, "big")
                store.urls.put(key, ENDED, UrlRow("http://a/", 0, b"", 1, (), 0, number, 0.0))
                store.queue.add(queue_key(b"h" * 8, 0, number * 100 + part), key, UrlRow("", 0, b"", 1, (), 0, 1, 0.0))
            store.put_meta("number", number)
            store.commit()
            print(number, flush=True)
    """)
    process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "s")], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    seen = 0
    for line in process.stdout:
        if line.strip().isdigit() and (seen := int(line)) >= 20:
            process.kill()
            break
    process.stdout.close()
    process.wait()
    with Store(tmp_path / "s") as store:
        number = store.meta("number")
        assert number >= seen
        assert [state for state, _ in store.all_urls()] == [ENDED] * number * 50 + [QUEUED] * number * 50
        assert len(_scan(store, b"h" * 8)) == number * 50


def test_another_process_may_read_beside_the_writer(tmp_path):
    """A read-only open sees the writer's commits: that is what a status command stands on."""
    with Store(tmp_path / "s") as store:
        store.put_meta("x", 1)
        store.commit()
        script = (
            "import sys; from pathlib import Path; from crawler.frontier.store import Store\n"
            "with Store(Path(sys.argv[1]), read_only=True) as s: print(s.meta('x'))"
        )
        done = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path / "s")], capture_output=True, text=True, check=True
        )
        assert done.stdout == "1\n"


def test_a_store_of_another_version_is_refused(tmp_path):
    """The message says what the store has, what is needed and what to do."""
    with Store(tmp_path / "s") as store:
        store.put_meta("versions", {"schema": 99, "normal_form": 1})
        store.commit()
    with pytest.raises(JobError, match=r"99.*--fresh"):
        Store(tmp_path / "s")


def test_a_store_where_none_can_be_is_a_storage_error(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match="cannot open the store"):
        Store(tmp_path / "file" / "s")


def test_what_is_special_about_a_url_is_kept(tmp_path):
    """Kind, chain and time spent come back, the time to a millisecond."""
    special = UrlRow(
        "http://a/", 1, b"p" * 16, 2, (), 0, 3, 4.0, "", "", 0, is_sitemap=True, chain=300, spent_ms=29_999
    )
    with Store(tmp_path / "s") as store:
        store.urls.put(b"k" * 16, ENDED, special)
        store.urls.put(b"l" * 16, ENDED, row("http://a/"))
        store.commit()
        found, plain = (
            store.urls.row(value) for value in store.urls.values([b"k" * 16, b"l" * 16]) if value is not None
        )
    assert found == special
    assert (found.kind, found.chain, found.spent_s) == ("sitemap", 300, 29.999)
    assert (plain.kind, plain.chain, plain.spent_s) == ("page", 0, 0.0)


def test_an_ordinary_row_does_not_pay_for_what_others_need():
    """A page that is in no chain, was not redirected to and not asked for: 16 bytes for twelve fields."""
    plain = msgspec.msgpack.encode(row("http://a/"))
    fields = UrlRow.__struct_fields__
    before = list(msgspec.structs.astuple(row("http://a/")))[: fields.index("is_sitemap")]
    assert len(plain) == len(msgspec.msgpack.encode(before)) + 16


def test_a_body_is_new_once(tmp_path):
    """Within one call, within a batch, after the commit and after closing; without a commit it stays new."""
    x, y, z = (letter * 16 for letter in (b"x", b"y", b"z"))
    with Store(tmp_path / "s") as store:
        assert store.contents.add_bodies([]) == []
        assert not store.dirty
        assert store.contents.add_bodies([(x, b"1" * 16), (y, b"2" * 16), (x, b"3" * 16)]) == [None, None, b"1" * 16]
        assert store.contents.add_bodies([(y, b"4" * 16)]) == [b"2" * 16]
        store.commit()
        assert store.contents._pending == {}, "memory holds those of one batch"
        assert store.contents.add_bodies([(x, b"5" * 16), (z, b"6" * 16)]) == [b"1" * 16, None]
    with Store(tmp_path / "s") as store:
        assert store.contents.add_bodies([(z, b"7" * 16), (x, b"8" * 16)]) == [None, b"1" * 16]
        store.commit()
        assert store.contents.add_bodies([(z, b"9" * 16)]) == [b"7" * 16]
        assert dict(store._database.table("bodies").items()) == {x: b"1" * 16, y: b"2" * 16, z: b"7" * 16}


@pytest.mark.parametrize("more", [(), ("bodies", "later-invented")], ids=["fewer", "more"])
def test_a_store_with_other_families_is_refused_and_left_as_it_is(tmp_path, more):
    """The version that made it can go on with it: the message promises that."""
    families = ["default", "hosts", "later", "meta", "queue", "seeds", "urls", *more]
    versions = {"schema": SCHEMA_VERSION + (1 if more else -1), "normal_form": 1}
    options = rocksdict.Options(raw_mode=True)
    options.create_if_missing(True)
    options.create_missing_column_families(True)
    other = rocksdict.Rdict(
        str(tmp_path / "s"), options, column_families={name: options for name in families if name != "default"}
    )
    other.get_column_family("meta").put(b"versions", msgspec.msgpack.encode(versions))
    other.close()
    for read_only in (False, True):
        with pytest.raises(JobError, match=r"another version.*'schema': \d.*--fresh"):
            Store(tmp_path / "s", read_only=read_only)
    assert sorted(rocksdict.Rdict.list_cf(str(tmp_path / "s"))) == sorted(families)


def test_a_store_whose_making_was_cut_off_is_made_to_the_end(tmp_path):
    """Killed while the families were being made: nothing was in it yet."""
    options = rocksdict.Options(raw_mode=True)
    options.create_if_missing(True)
    options.create_missing_column_families(True)
    prepare_store(tmp_path / "s")
    rocksdict.Rdict(str(tmp_path / "s"), options, column_families={"meta": options, "urls": options}).close()
    with Store(tmp_path / "s") as store:
        assert store.contents.add_bodies([(b"x" * 16, b"1" * 16)]) == [None]
        assert store.meta("versions")["schema"] == SCHEMA_VERSION


def test_every_url_is_told_once_wherever_it_waits(tmp_path):
    """One that has ended, one that is due, one that waits for its retry: each with its row."""
    with Store(tmp_path / "s") as store:
        store.urls.put(b"e" * 16, ENDED, row("http://a/ended"))
        place = queue_key(b"h" * 8, 0, 1)
        store.urls.put_waiting(b"d" * 16, place, Reach(0, 0))
        store.queue.add(place, b"d" * 16, row("http://a/due"))
        store.urls.put_waiting(b"w" * 16, b"", Reach(0, 0))
        store.retries.add(100.0, b"w" * 16, row("http://a/waits"))
        store.commit()
        assert [(state, found.url) for state, found in store.all_urls()] == [
            (ENDED, "http://a/ended"),
            (QUEUED, "http://a/due"),
            (QUEUED, "http://a/waits"),
        ]


def test_a_store_whose_files_were_merged_in_another_way_has_all_its_rows(tmp_path, monkeypatch):
    """Earlier versions merged all families level by level; one of them may go on with the job later, too."""
    monkeypatch.setattr(families, "_MEMTABLE_BYTES", 64 << 10)
    monkeypatch.setattr(families, "_LEVEL_BYTES", 128 << 10)
    rng, rows = random.Random(1), {"urls": {}, "queue": {}}
    for merged_by_size in (frozenset(), frozenset({"urls", "queue"}), frozenset()):
        monkeypatch.setattr(families, "_MERGED_BY_SIZE", merged_by_size)
        with Store(tmp_path / "store") as store:
            for name, known in rows.items():
                table = store._database.table(name)
                assert dict(table.items()) == known
                for _ in range(2):
                    new = {rng.randbytes(16): rng.randbytes(40) for _ in range(2_000)}
                    new |= dict.fromkeys(rng.sample(sorted(known), len(known) // 9), b"replaced")
                    table.put_all(new)
                    known.update(new)
                    store.commit()
                gone = rng.sample(sorted(known), 500)
                for key in gone:
                    table.delete(key)
                    del known[key]
                store.commit()
                assert table.get_all(gone) == [None] * 500
    with Store(tmp_path / "store", read_only=True) as store:
        for name, known in rows.items():
            assert dict(store._database.table(name).items()) == known


@pytest.mark.thorough
def test_a_look_up_in_a_large_file_costs_about_what_one_in_a_small_file_costs(tmp_path, monkeypatch):
    """Filter and index of a file are cached in parts: whole, those of a million keys fit into no shard of the cache.

    The cache is smaller here, so that a file need not be as large.
    """
    monkeypatch.setattr(database, "CACHE_BYTES", 4 << 20)

    def look_ups_s(keys: int) -> float:
        with Store(tmp_path / str(keys)) as store:
            table = store._database.table("seeds")
            for number in range(keys):
                table.put(number.to_bytes(16, "little"), b"")
            store.commit()
            table._family.compact_range(None, None)  # into one file
            unknown = [[(number + (1 << 64)).to_bytes(16, "little")] for number in range(1_000)]
            return processor_s(lambda: [table.get_all(one) for one in unknown])

    assert look_ups_s(600_000) < 20 * look_ups_s(10_000)
