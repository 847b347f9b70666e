"""A shard without a crawl: a store, one output, checkpoints and a coordinator's word; and a process that dies anywhere.

Its work is to count: each step writes records with the next numbers and commits them with the store, as a ledger does.
"""

import contextlib
import csv
import gzip
import io
import json
import os
import pathlib
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pyarrow.parquet

from crawler.core.config import CrawlConfig
from crawler.core.model import Finished
from crawler.core.shard import Mark
from crawler.frontier.row import ENDED, UrlRow
from crawler.frontier.store import Store
from crawler.ledger.cut import Cut
from crawler.ledger.sinks.outputs import part_endings, part_sinks
from crawler.shards.checkpoint import Checkpoint
from crawler.shards.outputs import output_places
from crawler.shards.place import Place
from crawler.shards.safe import Safe
from crawler.shards.states import States

SHARD = 3
STEP = 7
"""Records of a commit."""
COMMITS = 3
"""Between two checkpoints."""


class Dead(BaseException):
    """What kill -9 is to everything that runs: not even `finally` has a say."""


class Life:
    """Counts what a process does to disks and storages, and ends it, or has it sleep, at one of these operations."""

    def __init__(self, last: int | None = None, asleep: Callable[[], None] | None = None) -> None:
        self.done = 0
        self._last = last
        self._asleep = asleep
        self.is_dead = False

    def step(self) -> None:
        """Do something that others can see."""
        if self.is_dead:
            raise Dead
        if self.done == self._last:
            if self._asleep is None:
                self.is_dead = True
                raise Dead
            self._asleep()
        self.done += 1


class RealLife(Life):
    """The life of a process of its own, which ends it by SIGKILL."""

    def step(self) -> None:
        if self.done == self._last:
            os.kill(os.getpid(), signal.SIGKILL)
        self.done += 1


class MortalPlace(Place):
    """A place each of whose operations may be the last of a process, done or not done."""

    life: Life

    def at(self, folder: str) -> Place:
        inner = super().at(folder)
        inner.__class__ = MortalPlace
        return inner


def _mortal(name: str) -> Callable:
    of_place = getattr(Place, name)

    def call(self: MortalPlace, *args, **options):
        self.life.step()
        result = of_place(self, *args, **options)
        self.life.step()
        return result

    return call


for _name in ("put", "write", "create", "read", "size", "names", "rename", "remove", "fetch"):
    setattr(MortalPlace, _name, _mortal(_name))


@contextlib.contextmanager
def mortal_disk(life: Life) -> Iterator[None]:
    """Have each change of names on this machine's disks, in this thread, count as something that is done."""
    thread = threading.get_ident()
    before = {}

    def patched(of: object, name: str) -> None:
        plain = getattr(of, name)
        before[of, name] = plain

        def call(*args, **options):
            if threading.get_ident() == thread:
                life.step()
            return plain(*args, **options)

        setattr(of, name, call)

    for of, name in (
        *((pathlib.Path, name) for name in ("unlink", "replace", "rename", "mkdir")),
        *((os, name) for name in ("link", "rmdir")),
        (shutil, "rmtree"),
    ):
        patched(of, name)
    try:
        yield
    finally:
        for (of, name), plain in before.items():
            setattr(of, name, plain)


class Coordinator:
    """What is durable of one shard: the lease's epoch, the incarnation, the checkpoint that counts."""

    def __init__(self) -> None:
        self.epoch = 0
        self.incarnation = 0
        self.accepted: Checkpoint | None = None
        self._lock = threading.Lock()

    def begin(self, *, own: bool) -> int:
        """Give the shard to a new holder."""
        with self._lock:
            self.epoch += 1
            self.incarnation += not own
            return self.epoch

    def offer(self, checkpoint: Checkpoint, epoch: int) -> bool:
        """Whether the checkpoint counts from now on."""
        with self._lock:
            if epoch != self.epoch:
                return False
            self.accepted = msgspec.json.decode(msgspec.json.encode(checkpoint), type=Checkpoint)
            return True


class DurableCoordinator(Coordinator):
    """One whose word is in numbered states: what a process begins, the next one goes on with."""

    def __init__(self, job: str) -> None:
        super().__init__()
        self._states = States(Place(job).at("states"))
        number, content = self._states.latest() or (0, b"[0, 0, null]")
        self._number = number
        self.epoch, self.incarnation, accepted = msgspec.json.decode(content)
        self.accepted = None if accepted is None else msgspec.convert(accepted, Checkpoint, strict=False)

    def begin(self, *, own: bool) -> int:
        epoch = super().begin(own=own)
        self._save()
        return epoch

    def offer(self, checkpoint: Checkpoint, epoch: int) -> bool:
        counts = super().offer(checkpoint, epoch)
        self._save()
        return counts

    def _save(self) -> None:
        self._number += 1
        self._states.put(self._number, msgspec.json.encode([self.epoch, self.incarnation, self.accepted]))


class SmallShard:
    """One holder of the shard, with its folder on one machine; `run` counts up to a number, `close` leaves it."""

    def __init__(
        self,
        job: str,
        folder: Path,
        coordinator: Coordinator,
        *,
        own: bool,
        ending: str = ".jsonl",
        life: Life | None = None,
        patient: bool = False,
    ) -> None:
        self.life = life or Life()
        self._coordinator = coordinator
        self._epoch = coordinator.begin(own=own)
        self._own = own
        self._folder = folder
        place = MortalPlace(job)
        place.life = self.life
        config = CrawlConfig(job=folder, output=f"{job}/pages{ending}", spider="shop:parse")
        outputs = output_places(config, place)
        for output in outputs:
            output.__class__ = MortalPlace
            output.life = self.life
        self._safe = Safe(
            folder, place.at(f"checkpoints/{SHARD:03}"), outputs, shard=SHARD, epoch=self._epoch,
            incarnation=coordinator.incarnation, endings=part_endings(config), accepted=coordinator.accepted,
            may_go_on=lambda: patient,
        )  # fmt: skip
        (self._sink,) = part_sinks(config, folder)
        self._store: Store | None = None
        self.refused = False

    def run(self, upto: int) -> None:
        """Begin, count, make checkpoints; the last one has all."""
        with mortal_disk(self.life):
            if not self._own:
                self._safe.restore()
            self._safe.begin()
            self._store = store = Store(self._folder / "state")
            positions = store.meta("sinks") or {}
            self._sink.open(positions.get(self._sink.name))
            done = store.meta("done") or 0
            commits = 0
            while done < upto:
                numbers = range(done + 1, min(done + STEP, upto) + 1)
                done = numbers[-1]
                commits += 1
                is_cut = commits % COMMITS == 0 or done == upto
                self._commit(store, numbers, seal=is_cut)
                if is_cut and not self._checkpoint(store, done):
                    return
            if self._coordinator.accepted is None or self._coordinator.accepted.pages < upto:
                self._commit(store, range(0), seal=True)
                self._checkpoint(store, done)

    def _commit(self, store: Store, numbers: range, *, seal: bool) -> None:
        for number in numbers:
            row = UrlRow(f"http://a.example/{number}", 0, b"", 1, (), 0, number, 0.0)
            store.urls.put(number.to_bytes(16, "big"), ENDED, row)
            store.put_host(number.to_bytes(16, "big"), os.urandom(300))  # so that files are too large for a listing
            store.put_meta("done", number)
        lines = b"".join(b'{"n":%d,"by":%d}\n' % (number, self._epoch) for number in numbers)
        self._sink.write([Finished(url="http://a.example/", outcome="fetched", at=0.0, records=lines)] if lines else [])
        if seal:
            self._sink.seal()
        store.put_meta("sinks", {self._sink.name: self._sink.flush()})
        self.life.step()
        store.commit()
        self.life.step()
        self._sink.committed()

    def _checkpoint(self, store: Store, done: int) -> bool:
        store.checkpoint(self._safe.cut_folder)
        self.life.step()
        marks = {0: Mark(1, done)}
        cut = Cut(folder=self._safe.cut_folder, parts=self._sink.closed(), marks=marks, pages=done, sent=0, taken=0)
        checkpoint = self._safe.upload(cut)
        self.life.step()
        if not self._coordinator.offer(checkpoint, self._epoch):
            self.refused = True
            return False
        self.life.step()
        assert self._safe.accept() == checkpoint.number
        return True

    def close(self) -> None:
        """Let go of what a process holds."""
        self._sink.close()
        if self._store is not None:
            self._store.close()


def records(content: bytes, name: str) -> list[int]:
    """The numbers in a part."""
    if name.endswith(".parquet"):
        return pyarrow.parquet.read_table(io.BytesIO(content))["n"].to_pylist()
    if name.endswith(".gz"):
        content = gzip.decompress(content)
    if ".csv" in name:
        return [int(row["n"]) for row in csv.DictReader(io.StringIO(content.decode()))]
    return [json.loads(line)["n"] for line in content.splitlines()]


def public(job: str, ending: str = ".jsonl") -> dict[str, bytes]:
    """What readers see: the parts of the output, by name."""
    output = Place(f"{job}/pages{ending}")
    contents = {name: output.read(name) for name in output.names() if not name.startswith("_")}
    return {name: content for name, content in contents.items() if content is not None}


def check_job(job: str, coordinator: Coordinator, upto: int, elsewhere: Path, ending: str = ".jsonl") -> None:
    """See that all is there, once, that nothing else is, and that the shard can begin on a new disk."""
    checkpoint = coordinator.accepted
    assert checkpoint is not None
    parts = public(job, ending)
    assert sorted(parts) == [f"part-{SHARD:03}-{number:05}{ending}" for number in range(1, len(parts) + 1)]
    found = [number for name in sorted(parts) for number in records(parts[name], name)]
    assert found == list(range(1, upto + 1))
    (total,) = checkpoint.outputs
    assert (total.parts, total.records, total.bytes) == (len(parts), upto, sum(map(len, parts.values())))
    assert checkpoint.marks == {0: Mark(1, upto)}

    holder = SmallShard(job, elsewhere, coordinator, own=False, ending=ending)
    holder._safe.restore()
    holder._safe.begin()
    assert Place(f"{job}/pages{ending}").names("_staged") == []
    names = Place(job).names(f"checkpoints/{SHARD:03}")
    listing = holder._safe._known()
    assert sorted(names) == sorted({checkpoint.listing, *(file.stored_as for file in listing.files)} - {""})
    with Store(elsewhere / "state") as store:
        assert store.meta("done") == upto
        assert sum(1 for _ in store.all_urls()) == upto


def main(job: str, folder: str, own: str, last: str, upto: str) -> None:
    """Be a process that holds the shard, until it dies at an operation or has counted."""
    life = RealLife(int(last))
    shard = SmallShard(job, Path(folder), DurableCoordinator(job), own=own == "own", life=life, patient=True)
    shard.run(int(upto))
    shard.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
