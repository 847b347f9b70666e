"""The folder in which a shard works on one machine: made ready before its ring begins, with the settings it goes by."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from crawler.cluster.task import Task
from crawler.core.config import CrawlConfig
from crawler.core.errors import JobRunningError
from crawler.core.file_lock import try_lock
from crawler.core.refusal import refusal
from crawler.core.symlinks import open_unlinked
from crawler.frontier.store import Store
from crawler.ledger.sinks.outputs import part_endings
from crawler.shards.messages import Start
from crawler.shards.outputs import output_places
from crawler.shards.place import Place
from crawler.shards.safe import Safe

__all__ = ["Workplace", "seeds_name"]

_SEEDS: Final = "seeds.jsonl"


class Workplace:
    """The folder of a shard. Its methods block: for one thread at a time, not that of the event loop.

    `config` are the settings of the shard's ring, and `seeds` the sources of its seeds, once `prepare` has returned
    True. `safe` is where its checkpoints go. State: those, as `prepare` sets them.
    """

    def __init__(self, task: Task, start: Start, folder: Path, may_go_on: Callable[[], bool]) -> None:
        self._task = task
        self._start = start
        self._folder = folder
        self._place = Place(task.place)
        number = f"{start.shard:03}"
        self.config = shard_config(task.config, folder)
        self.seeds: tuple[str, ...] = ()
        outputs = output_places(task.config, self._place)
        self.safe = Safe(
            folder,
            self._place.at(f"checkpoints/{number}"),
            outputs,
            shard=start.shard,
            epoch=start.epoch,
            incarnation=start.incarnation,
            endings=part_endings(task.config),
            accepted=start.checkpoint,
            may_go_on=may_go_on,
        )

    def prepare(self) -> bool:
        """Make the folder ready; False if the shard is to go on from it, and it is not there as it was left.

        Raises `JobRunningError` if another process has its lock, and `StorageError` if a disk refuses.
        """
        if self._start.own and not self._is_mine():
            return False
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if not self._start.own:
                with _locked(self._folder):
                    self.safe.restore()
            self.safe.begin()
            self._fetch_seeds()
        except OSError as error:
            raise refusal(f"write {self._folder}", error, "make it writable, or give room") from error
        return True

    def size(self) -> int:
        """Return the bytes of the store and of the outputs."""
        total = 0
        for name in ("state", "parts"):
            for where, _, files in os.walk(self._folder / name):
                for file in files:
                    with contextlib.suppress(OSError):  # merged, or gone up, in this moment
                        total += (Path(where) / file).stat().st_size
        return total

    def _is_mine(self) -> bool:
        """Whether the store here is the one from which this shard is to go on."""
        path = self._folder / "state"
        if not (path / "CURRENT").exists():
            return False
        with _locked(self._folder), Store(path, read_only=True) as store:
            return store.incarnation == self._start.incarnation

    def _fetch_seeds(self) -> None:
        name = seeds_name(self._start.shard)
        if self._place.path is not None:
            path = self._place.path / name
        else:
            path = self._folder / _SEEDS
            path.unlink(missing_ok=True)
            if self._place.size(name) is not None:
                self._place.fetch(name, path)
        self.seeds = (str(path),) if path.exists() and path.stat().st_size else ()


def seeds_name(shard: int) -> str:
    """Return the name of the file with the seeds of a shard, at the place."""
    return f"seeds/{shard:03}.jsonl"


def shard_config(config: CrawlConfig, folder: Path) -> CrawlConfig:
    """Return the settings by which one shard goes. What the whole job has, the coordinator and the driver see to."""
    return replace(
        config,
        job=folder,
        cluster=False,
        shards=None,
        seeds=(),
        max_time_s=None,
        record_per_seed=False,
        retry_failed=False,
        dashboard=False,
        metrics=False,
        expect=(),
    )


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a job's folder, which its ring takes a moment later. Raises `JobRunningError` if it is held."""
    lock = open_unlinked(folder / "lock", os.O_RDWR | os.O_CREAT)
    try:
        if not try_lock(lock):
            raise JobRunningError(f"job {folder} is being run by another process")
        yield
    finally:
        os.close(lock)
