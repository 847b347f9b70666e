"""Nothing lost, nothing twice, and what was public stays: whatever dies, sleeps or is lost, at whatever operation."""

import itertools
import os
import shutil
import threading
from pathlib import Path

import pytest

from crawler.core.errors import StorageError
from tests.support.small_shard import STEP, Coordinator, Dead, Life, MortalPlace, SmallShard, check_job, public
from tests.support.thorough import first_quickly

UPTO = 9 * STEP
"""Three checkpoints."""
FEWER = int(os.environ.get("CRAWLER_FEWER_DEATHS", "8"))
"""One of so many operations is tried as the last of a process; 1 for all."""


def attempt(shard: SmallShard, upto: int) -> bool:
    """Run a holder; whether it lived to the end."""
    try:
        shard.run(upto)
    except Dead:
        return False
    finally:
        shard.life.is_dead = False
        shard.close()
    return True


def operations(tmp_path: Path, ending: str = ".jsonl") -> int:
    """How many there are in the life of a shard, and then in that of its next holder, on a new disk, as far."""
    coordinator = Coordinator()
    job = str(tmp_path / "counted")
    one = SmallShard(job, tmp_path / "one", coordinator, own=True, ending=ending)
    assert attempt(one, UPTO)
    return one.life.done


def die_and_go_on(tmp_path: Path, job: str, last: int, *, lost: bool, ending: str = ".jsonl") -> None:
    """Die at an operation, then at another one early in the next life, with the disk or without it; then go on."""
    coordinator = Coordinator()
    disks = (tmp_path / f"disk-{number}" for number in itertools.count())
    disk, own, seen = next(disks), True, {}
    for life in (Life(last), Life(last // 3), Life()):
        shard = SmallShard(job, disk, coordinator, own=own, ending=ending, life=life)
        lived = attempt(shard, UPTO)
        now = public(job, ending)
        assert seen.items() <= now.items(), "what was public stays"
        seen = now
        if lived:
            break
        own = not lost
        if lost:
            shutil.rmtree(disk, ignore_errors=True)
            disk = next(disks)
    check_job(job, coordinator, UPTO, next(disks), ending)


@pytest.mark.parametrize("lost", [False, True], ids=["own disk", "lost disk"])
@pytest.mark.parametrize("tenth", first_quickly(range(10), 1))
def test_killed_at_any_operation_nothing_is_lost_or_twice(tmp_path, tenth, lost):
    total = operations(tmp_path)
    for last in range(tenth, total, 10 * FEWER):
        die_and_go_on(tmp_path / str(last), str(tmp_path / str(last) / "job"), last, lost=lost)


@pytest.mark.thorough
@pytest.mark.parametrize("ending", [".jsonl.gz", ".csv", ".parquet"])
def test_so_it_is_with_each_kind_of_output(tmp_path, ending):
    total = operations(tmp_path, ending)
    for last in range(5, total, 53):
        die_and_go_on(tmp_path / str(last), str(tmp_path / str(last) / "job"), last, lost=last % 2 == 0, ending=ending)


@pytest.mark.thorough
def test_so_it_is_in_s3(tmp_path, s3):
    for last in range(11, operations(tmp_path), 131):
        die_and_go_on(tmp_path / str(last), f"{s3}/{last}", last, lost=True)


def sleep_and_wake(tmp_path: Path, job: str, last: int) -> None:
    """Let a holder sleep at an operation until the next one has ended the job, and then go on where it was."""
    coordinator = Coordinator()
    asleep, wake = threading.Event(), threading.Event()

    def sleep() -> None:
        asleep.set()
        assert wake.wait(60)

    sleeper = SmallShard(job, tmp_path / "sleeper", coordinator, own=True, life=Life(last, sleep))
    failures: list[StorageError] = []

    def work() -> None:
        try:
            sleeper.run(UPTO)
        except StorageError as error:  # what it wants to fetch has gone
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    assert asleep.wait(60)
    other = SmallShard(job, tmp_path / "other", coordinator, own=False)
    assert attempt(other, UPTO)
    before = public(job)
    wake.set()
    thread.join()
    sleeper.close()
    assert public(job) == before
    # What it has brought since it woke goes when the shard begins the next time.
    check_job(job, coordinator, UPTO, tmp_path / "third")


@pytest.mark.parametrize("tenth", first_quickly(range(10), 1))
def test_a_holder_that_slept_and_wakes_at_any_operation_changes_nothing_public(tmp_path, tenth):
    for last in range(tenth, operations(tmp_path), 10 * FEWER):
        sleep_and_wake(tmp_path / str(last), str(tmp_path / str(last) / "job"), last)


def test_what_a_storage_refuses_for_a_while_is_brought_later(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("crawler.shards.patience._FIRST_PAUSE_S", 0.001)
    refusals = iter([True] * 3 + [False] * 10_000)
    put = MortalPlace.put

    def refuse(self, *args):
        if next(refusals):
            raise StorageError("cannot upload to s3://bucket/job: no answer")
        put(self, *args)

    monkeypatch.setattr(MortalPlace, "put", refuse)
    coordinator = Coordinator()
    shard = SmallShard(str(tmp_path / "job"), tmp_path / "disk", coordinator, own=True)
    shard._safe._kept._patience.may_go_on = lambda: True
    shard._safe._publication._patience.may_go_on = lambda: True
    assert attempt(shard, UPTO)
    check_job(str(tmp_path / "job"), coordinator, UPTO, tmp_path / "other")
    assert caplog.text.count("it will be tried again") == 1


def test_without_a_wish_to_go_on_the_refusal_is_told(tmp_path, monkeypatch):
    def refuse(*_):
        raise StorageError("cannot upload to s3://bucket/job: no answer")

    monkeypatch.setattr(MortalPlace, "put", refuse)
    shard = SmallShard(str(tmp_path / "job"), tmp_path / "disk", Coordinator(), own=True)
    with pytest.raises(StorageError, match="no answer"):
        attempt(shard, UPTO)


def test_a_listing_or_a_file_that_is_gone_is_told(tmp_path):
    job, coordinator = str(tmp_path / "job"), Coordinator()
    assert attempt(SmallShard(job, tmp_path / "disk", coordinator, own=True), UPTO)
    kept = tmp_path / "job" / "checkpoints" / "003"
    (table,) = kept.glob("*MANIFEST*") if list(kept.glob("*MANIFEST*")) else [next(kept.glob("*OPTIONS*"))]
    table.write_bytes(table.read_bytes()[:-1])
    with pytest.raises(StorageError, match="when it was kept"):
        attempt(SmallShard(job, tmp_path / "other", coordinator, own=False), UPTO)
    table.unlink()
    with pytest.raises(StorageError, match="cannot fetch"):
        attempt(SmallShard(job, tmp_path / "other", coordinator, own=False), UPTO)
    next(kept.glob("*listing*")).unlink()
    with pytest.raises(StorageError, match="is gone, and the checkpoint with it"):
        attempt(SmallShard(job, tmp_path / "other", coordinator, own=False), UPTO)
