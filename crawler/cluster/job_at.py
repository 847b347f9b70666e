"""A job of many shards as a command finds it, or makes it: at its place, before anything runs."""

import secrets
import shutil
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from crawler.core.config import CrawlConfig
from crawler.core.errors import JobError
from crawler.core.job_place import is_url, url_of
from crawler.ledger.kept import Kept, kept_again, kept_of
from crawler.shards.outputs import output_places, refuse_filled
from crawler.shards.place import Place
from crawler.shards.state import ClusterState, decode, encode, new_state, opened
from crawler.shards.states import States

__all__ = ["JobAt", "kept_at"]

_FOLDERS: Final = ("states", "seeds", "checkpoints", "records", "shards", "inbox", "glances")
_FILES: Final = ("manifest.json",)


class JobAt:
    """The job that settings name. Its methods block. Has no state."""

    def __init__(self, config: CrawlConfig) -> None:
        self._config = config
        job = config.folder
        self.address = url_of(job) or str(job)
        self.place = Place(self.address)
        self.is_local = url_of(job) is None
        self._states = States(self.place.at("states"))

    def check(self) -> None:
        """Refuse a place that cannot have the job. Raises `ConfigError`, `StorageError`, and `JobError` for a folder
        that is the job of one ring.
        """
        if self.place.path is not None and (self.place.path / "state" / "CURRENT").exists():
            raise JobError(
                f"job {self.place.shown} was begun without --cluster, by one ring: leave that out, or choose another "
                "--job"
            )
        output_places(self._config, self.place)
        self.place.check()

    def state(self) -> ClusterState | None:
        """Return the last state of the job, None if it has none."""
        latest = self._states.latest()
        return None if latest is None else decode(latest[1])

    def check_shards(self, state: ClusterState | None, asked: int | None) -> None:
        """Refuse another number of shards than the job has."""
        if state is not None and asked is not None and asked != len(state.shards):
            raise JobError(
                f"job {self.place.shown} has {len(state.shards)} shards, which is fixed, not {asked}: leave --shards "
                "out; more machines take more of them by themselves"
            )

    def new_state(self, shards: int) -> ClusterState:
        """Return the state of a new job, not yet kept. Raises `JobError` if its outputs are somebody else's."""
        refuse_filled(output_places(self._config, self.place))
        return new_state(secrets.token_hex(8), shards, secrets.randbits(64), {})

    def open(self, state: ClusterState) -> None:
        """Keep the state with which the next run begins. Raises `ReplacedError` if somebody else does so just now."""
        begun = opened(state, max_pages=self._config.max_pages, max_time_s=self._config.max_time_s)
        begun = replace(begun, number=state.number + 1, config=kept_of(self._config))
        self._states.put(begun.number, encode(begun))

    def clear(self) -> None:
        """Remove the job, its records included, if there is one."""
        if self._states.latest() is None:
            return
        for output in output_places(self._config, self.place):
            for folder in ("_staged", ""):
                for name in output.names(folder):
                    if folder or name.startswith("part-"):
                        output.remove(f"{folder}/{name}" if folder else name)
        if self.place.path is not None:
            for folder in _FOLDERS:
                shutil.rmtree(self.place.path / folder, ignore_errors=True)
        else:
            for folder in _FOLDERS:
                self._remove(folder)
        for name in _FILES:
            self.place.remove(name)

    def _remove(self, name: str) -> None:
        """Remove what has a name in object storage, and all in it: a folder is a name with which others begin."""
        for inner in self.place.names(name):
            self._remove(f"{name}/{inner}")
        self.place.remove(name)


def kept_at(job: Path) -> Kept | None:
    """Return what the job of many shards at a place was last run with; None if there is none.

    Raises `StorageError` for a place that refuses, and `JobError` for a job of a later version.
    """
    if not is_url(job) and not (job / "states").is_dir():
        return None
    latest = States(Place(url_of(job) or job).at("states")).latest()
    return None if latest is None else kept_again(decode(latest[1]).config)
