"""A job: the folder that holds one crawl's state, its output and its summary.

<job>/state/        the store
<job>/pages.jsonl   the records, unless --output names another place
<job>/summary.json  counters at the end of the last run
<job>/lock          held by the process that runs the job
<job>/*.large       a large page on its way to a parser
"""

import contextlib
import fcntl
import os
import shutil
from typing import Any

import msgspec

from crawler.core.config import CRAWL_SETTINGS, CrawlConfig
from crawler.core.errors import JobError, StorageError
from crawler.core.large_body import SUFFIX
from crawler.core.refusal import refusal
from crawler.frontier.store import Store
from crawler.ledger.sinks.outputs import files_of, output_names

__all__ = ["Job"]

_MATTER = tuple(setting for setting in CRAWL_SETTINGS if setting.matters)
"""Settings that decide which URLs are crawled and what their records hold: they stay as a job began.

The store keeps them. None may hold a secret, as `headers` may.
"""
_NAMES = {setting.stored_name: setting.field for setting in _MATTER}
_ADVICE = "choose another --job, or make it writable"


class Job:
    """The folder of a job, locked for this process until `close`."""

    def __init__(self, config: CrawlConfig) -> None:
        """Make the folder if needed and lock it.

        Raises `JobError` if another process runs the job, `StorageError` if the folder cannot be written.
        """
        self._config = config
        self.path = config.folder
        self.state_path = self.path / "state"
        try:
            self._is_ours = not self.path.exists()
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise refusal(f"write the job folder {self.path}", error, _ADVICE) from error
        try:
            # flock ends with the process, however it ends: no stale lock after kill -9.
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            owner = os.read(self._lock, 20).decode(errors="replace").strip() or "unknown"
            os.close(self._lock)
            raise JobError(
                f"job {self.path} is being run by process {owner}: wait for it, or use another --job"
            ) from None
        with contextlib.suppress(OSError):
            for left_over in self.path.glob(f"*{SUFFIX}"):
                left_over.unlink()
        # Who runs the job is good to know, no more: a full disk may refuse to note it.
        with contextlib.suppress(OSError):
            os.ftruncate(self._lock, 0)
            os.pwrite(self._lock, str(os.getpid()).encode(), 0)

    @property
    def exists(self) -> bool:
        """True if the job has state from an earlier run."""
        try:
            return (self.state_path / "CURRENT").exists()
        except OSError as error:
            raise refusal(f"read the state in {self.state_path}", error, _ADVICE) from error

    def start_over(self) -> None:
        """Forget the state and the records of earlier runs; close the store first."""
        self._remove_state()
        try:
            for path in (self.path / "summary.json", *files_of(self._config)):
                path.unlink(missing_ok=True)
        except OSError as error:
            raise refusal(f"start over in {self.path}", error, _ADVICE) from error

    def discard(self) -> None:
        """Leave nothing behind of a job that could not begin; close the store first."""
        self._remove_state()
        if not self._is_ours:
            return
        # What else is in the folder was put there by somebody else: then it stays.
        with contextlib.suppress(OSError, StorageError):
            for output in files_of(self._config):
                if output.is_relative_to(self.path) and output.stat().st_size == 0:
                    output.unlink()
            (self.path / "lock").unlink(missing_ok=True)
            self.path.rmdir()

    def _remove_state(self) -> None:
        try:
            if self.state_path.is_dir():
                shutil.rmtree(self.state_path)
            else:
                self.state_path.unlink(missing_ok=True)
        except OSError as error:
            raise refusal(f"remove {self.state_path}", error, _ADVICE) from error

    def settle(self, store: Store, seeds: str) -> bool:
        """Note in a new store what the job is. False if it was begun with other settings but has no record yet:
        nothing is lost when it starts over.

        `seeds` is the fingerprint of the seeds, empty when a job is resumed without naming them. Raises `JobError` for
        a store with records that was made for something else, and for an output with records of somebody else.
        """
        config = self._config
        now: dict[str, Any] = {setting.stored_name: getattr(config, setting.field) for setting in _MATTER}
        now |= {"output": output_names(config), "seeds": seeds}
        now = _plain(now)
        then = store.meta("job")
        if then is None:
            self._check_output()
            store.put_meta("job", now)
            store.commit()
            return True
        # A setting that there was not yet when the job began had its default.
        then = _plain({setting.stored_name: setting.default for setting in _MATTER}) | then
        if not seeds:
            now["seeds"] = then["seeds"]
        changed = [
            "seeds are others than before"
            if name == "seeds"
            else f"{_NAMES.get(name, name)} was {then.get(name)!r} and is now {value!r}"
            for name, value in now.items()
            if then.get(name) != value
        ]
        if changed and (_has_pages(store) or not seeds):
            raise JobError(
                f"job {self.path} was begun with other settings ({'; '.join(changed)}): repeat the earlier command "
                "to resume it, choose another --job for a new crawl, or start this one over with --fresh"
            )
        if any(then.get(name) != now[name] for name in ("output", "rotate")):
            self._check_output()
        return not changed

    def _check_output(self) -> None:
        """Refuse to overwrite files that the job did not write."""
        for output in files_of(self._config):
            if output.stat().st_size > 0:
                raise JobError(
                    f"{output} is there already and job {self.path} did not write it, or has lost its state: "
                    "use another --output, or --fresh to overwrite it"
                )

    def close(self) -> None:
        """Release the lock. Safe to call twice."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def _plain(settings: dict[str, Any]) -> dict[str, Any]:
    """Return settings as they come back from the store: without tuples."""
    plain: dict[str, Any] = msgspec.msgpack.decode(msgspec.msgpack.encode(settings))
    return plain


def _has_pages(store: Store) -> bool:
    """Whether something would be lost if the job began anew."""
    return bool((store.meta("counters") or {}).get("pages"))
