"""Who writes an output in object storage: an object beside it says so, since storages have no locks.

    _pages.jsonl.lock      {"owner": "…", "job": "/data/job", "host": "a", "process": 4711, "since": "2026-01-02T…"}

It is put there when a crawl begins and removed at its end. After `kill -9` it stays, and the same job takes it for its
own: a random `owner`, kept in the job's folder, says which job that is, whatever host or container runs it. Any other
job is refused until somebody removes it. Two crawls that begin in the same second may both put theirs there; the one
whose mark was replaced finds out when it is about to upload, before it replaces anything.
"""

import contextlib
import os
import secrets
import socket
import time
from pathlib import Path
from typing import Any

import msgspec

from crawler.core.errors import JobError, StorageError
from crawler.core.folders import make_folder, sync_folder
from crawler.core.printable import printable
from crawler.core.refusal import refusal
from crawler.ledger.sinks.remote.object_storage import ObjectStorage

__all__ = ["Claim"]

_OWNER = "owner"


class Claim:
    """The mark of a job on an output at `storage`; `folder` is where the job keeps what it uploads.

    State: which owner this job is, once it is known; whether the mark is there.
    """

    def __init__(self, storage: ObjectStorage, folder: Path, job: Path) -> None:
        self._storage = storage
        self._folder = folder
        self._job = job
        self._mark = f"_{storage.name}.lock"
        self._owner = ""
        self._is_there = False

    def take(self) -> None:
        """Put the mark there. Raises `JobError` if another job's is there, `StorageError` if the storage refuses."""
        other = self._other()
        if other is not None:
            raise JobError(
                f"{self._storage.shown} is being written by {_told(other)}: wait for its end, or use another --output; "
                f"if that crawl was killed, run it again, or remove {self._mark} there"
            )
        mark = {
            "owner": self._owned(),
            "job": str(self._job.absolute()),
            "host": socket.gethostname(),
            "process": os.getpid(),
            "since": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
        content = msgspec.json.encode({name: _text(value) for name, value in mark.items()}) + b"\n"
        self._storage.write(self._mark, content)
        self._is_there = True
        self.check()

    def check(self) -> None:
        """See that no other job has taken the output. Raises `StorageError`, before anything of it is replaced."""
        other = self._other()
        if other is not None:
            self._is_there = False
            raise StorageError(
                f"{self._storage.shown} is being written by {_told(other)} too, which began later: "
                "stop one of them, remove what is there, and run the other again"
            )

    def release(self) -> None:
        """Remove the mark."""
        if self._is_there:
            self._is_there = False
            with contextlib.suppress(StorageError):  # the same job takes it for its own
                self._storage.remove(self._mark)

    def forget(self) -> None:
        """Leave nothing in the folder of a job that could not begin."""
        with contextlib.suppress(OSError):
            (self._folder / _OWNER).unlink(missing_ok=True)
            self._folder.rmdir()

    def _other(self) -> dict[str, Any] | None:
        """What the mark of another job says, None if there is none."""
        content = self._storage.read(self._mark, or_forbidden=True)
        if not content:
            return None
        try:
            mark = msgspec.json.decode(content, type=dict[str, Any])
        except msgspec.MsgspecError:
            mark = {}
        return None if mark.get("owner") == self._owned() else mark

    def _owned(self) -> str:
        """The name of this job among all others, made when it is first needed."""
        if self._owner:
            return self._owner
        file = self._folder / _OWNER
        try:
            make_folder(self._folder)
            if not file.exists():
                with file.open("x") as made:
                    made.write(secrets.token_hex(16))
                    made.flush()
                    os.fsync(made.fileno())
                sync_folder(self._folder)
            self._owner = file.read_text()
        except OSError as error:
            raise refusal(f"write {file}", error, "choose another --job") from error
        return self._owner


def _told(mark: dict[str, Any]) -> str:
    job, host, process, since = (
        printable(str(mark.get(name, "?")), 100) for name in ("job", "host", "process", "since")
    )
    return f"job {job} (process {process} on {host}, since {since})"


def _text(value: object) -> object:
    """Text as JSON holds it: a path may have bytes that are not UTF-8."""
    return os.fsencode(value).decode("utf-8", "replace") if isinstance(value, str) else value
