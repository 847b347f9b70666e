"""Nothing lost, nothing twice, and what was public stays: whatever dies, sleeps or is lost, at whatever operation."""

import itertools
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from crawler.core.errors import StorageError
from crawler.ledger.sinks.base import ClosedPart
from crawler.shards.checkpoint import OutputTotal
from crawler.shards.patience import Patience
from crawler.shards.place import Place
from crawler.shards.publication import Publication
from tests.support.small_shard import (
    SHARD,
    STEP,
    Coordinator,
    Dead,
    DurableCoordinator,
    Life,
    MortalPlace,
    SmallShard,
    check_job,
    public,
)
from tests.support.thorough import first_quickly

ROOT = Path(__file__).parents[2]
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


def process(job: str, disk: Path, *, own: bool, last: int, upto: int = UPTO) -> subprocess.Popen:
    """A process that holds the shard, and kills itself at an operation."""
    command = [sys.executable, "-m", "tests.support.small_shard", job, str(disk), "own" if own else "", str(last)]
    return subprocess.Popen([*command, str(upto)], cwd=ROOT)


@pytest.mark.parametrize("start", first_quickly((9, 53), 0))
def test_so_it_is_with_processes_that_are_killed(tmp_path, start):
    """Also what only the kernel and RocksDB do: locks, logs, threads."""
    job = str(tmp_path / "job")
    disks = (tmp_path / f"disk-{number}" for number in itertools.count())
    disk, own, seen = next(disks), True, {}
    for number, last in enumerate((start, start + 7, start + 14, -1)):
        code = process(job, disk, own=own, last=last).wait(timeout=60)
        assert code == (-signal.SIGKILL if last > 0 else 0)
        now = public(job)
        assert seen.items() <= now.items()
        seen = now
        own = number % 2 == 1
        disk = disk if own else next(disks)
    check_job(job, DurableCoordinator(job), UPTO, tmp_path / "other")


FULL_DISK = """
mkdir small && mount -t tmpfs -o size=60k none small || exit 77
"$@" &
for _ in $(seq 100); do sleep 0.1; grep -q "No space left" warnings && break; done
kill -0 $! && echo waits
mount -o remount,size=100m small
wait $! && cp -r small/job kept && echo done
"""


@pytest.mark.thorough
@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare to mount a small disk")
def test_a_place_that_is_full_is_waited_for_and_has_all_when_there_is_room(tmp_path):
    job, disk = str(tmp_path / "small" / "job"), str(tmp_path / "disk")
    command = [sys.executable, "-m", "tests.support.small_shard", job, disk, "own", "-1", str(UPTO)]
    with (tmp_path / "warnings").open("w") as warnings:
        run = subprocess.run(
            ["unshare", "--mount", "sh", "-c", FULL_DISK, "sh", *command], cwd=tmp_path, text=True, check=False,
            stdout=subprocess.PIPE, stderr=warnings, env=os.environ | {"PYTHONPATH": str(ROOT)}, timeout=120,
        )  # fmt: skip
    if run.returncode == 77:
        pytest.skip("this user may not mount")
    assert run.stdout == "waits\ndone\n"
    assert "; it will be tried again" in (tmp_path / "warnings").read_text()
    kept = str(tmp_path / "kept")
    check_job(kept, DurableCoordinator(kept), UPTO, tmp_path / "other")


def sleep_and_wake(tmp_path: Path, job: str, last: int, at: int) -> None:
    """Let a holder sleep at an operation until the next one is `at` one of its own, and then go on where it was."""
    coordinator = Coordinator()
    asleep, wake = threading.Event(), threading.Event()
    failures: list[StorageError] = []

    def sleep() -> None:
        asleep.set()
        assert wake.wait(60)

    def work() -> None:
        try:
            sleeper.run(UPTO)
        except StorageError as error:  # what it wants to fetch has gone
            failures.append(error)

    def wake_it() -> None:
        wake.set()
        thread.join()

    sleeper = SmallShard(job, tmp_path / "sleeper", coordinator, own=True, life=Life(last, sleep))
    thread = threading.Thread(target=work)
    thread.start()
    assert asleep.wait(60)
    before = public(job)
    other = SmallShard(job, tmp_path / "other", coordinator, own=False, life=Life(at, wake_it))
    assert attempt(other, UPTO)
    wake_it()
    sleeper.close()
    assert before.items() <= public(job).items()
    # What it has brought since it woke goes when the shard begins the next time.
    check_job(job, coordinator, UPTO, tmp_path / "third")


@pytest.mark.parametrize("tenth", first_quickly(range(10), 1))
def test_a_holder_that_slept_and_wakes_at_any_operation_changes_nothing_public(tmp_path, tenth):
    total = operations(tmp_path)
    for last in range(tenth, total, 10 * FEWER):
        at = 7 * last % (total + 10)
        sleep_and_wake(tmp_path / str(last), str(tmp_path / str(last) / "job"), last, at)


def test_a_late_upload_of_an_earlier_holder_is_not_what_a_later_one_makes_public(tmp_path):
    """Both bring a part 1 with their checkpoint 1."""
    output = Place(tmp_path / "records")
    parts = {}
    for epoch in (1, 2, 1):
        file = tmp_path / f"{epoch}.jsonl"
        file.write_text(f"of holder {epoch}\n")
        closed = ClosedPart(output=0, number=1, path=str(file), ending=".jsonl", records=1, bytes=file.stat().st_size)
        publication = Publication([output], SHARD, epoch, Patience(lambda: False))
        parts[epoch] = publication, publication.stage(1, [closed], [OutputTotal(".jsonl")])
    publication, accepted = parts[2]
    publication.publish(accepted)
    assert output.read("part-003-00001.jsonl") == b"of holder 2\n"
    publication.publish(accepted)
    assert output.names("_staged") == ["00000001-003-00000001-00001.jsonl"]


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
    shard = SmallShard(str(tmp_path / "job"), tmp_path / "disk", coordinator, own=True, patient=True)
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
