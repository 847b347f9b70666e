"""An output in object storage: written to a file in the job's folder first, and uploaded from there.

Objects cannot be appended to, so a file goes up when nothing more will be written to it. Of a row of files
(`--rotate`, Parquet) each one goes when the commit that closes it is safe; a thread uploads one after the other while
the crawl goes on, and a file is removed here when a commit says that it is there. A single file, and the last one of
a row, goes when the run ends; it stays here too, because a later run of the job may append to it.

    <job>/upload/1a2b3c4d/pages-00003.jsonl     a file on its way; the folder is named after the URL
    <job>/upload/1a2b3c4d/_sending              the end of a run is going up, and not in a commit yet

Names are always the same, so that a file can go up twice. Killed at any instant, the next `open` makes it right:

    sealed here, not committed          the local sink takes it back; it did not go up
    uploaded, but no commit says so     it goes up again, under the same name
    a commit says so, but still here    it goes
    killed while a run ended            what went up may hold more than was committed: it goes up again when this run
                                        ends, and files of a row that were not closed in the commit are removed there
"""

import contextlib
import logging
import re
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol, runtime_checkable

import msgspec
from xxhash import xxh3_64_hexdigest

from crawler.core.config import CrawlConfig
from crawler.core.errors import ConfigError, JobError, StorageError
from crawler.core.folders import make_folder, sync_folder
from crawler.core.model import Finished
from crawler.core.refusal import refusal
from crawler.core.symlinks import refuse_link, written_anew
from crawler.ledger.sinks.base import Position, Sink
from crawler.ledger.sinks.remote.claim import Claim
from crawler.ledger.sinks.remote.earlier import EarlierFiles
from crawler.ledger.sinks.remote.object_storage import ObjectStorage

__all__ = ["RemoteSink"]

_log = logging.getLogger(__name__)
_ATTEMPTS = 3  # at the end of a run; a driver makes some of its own
_PAUSE_S = 1.0
_RETRY_S = 30.0
_BEGUN = (("records", 0), ("rows", 0), ("part", 1))
"""Keys of the local position that say that there are records, when they are above this."""
_NUMBER = re.compile(r"(\d{5,})\.")


@runtime_checkable
class Row(Protocol):
    """A sink that may write a row of files."""

    def part_path(self, number: int) -> Path:
        """Path of a file of the row, from 1 on; the same for each number if there is one file."""

    def lies_at(self, number: int) -> Path:
        """Where that file is now: before its commit it may have another name."""


class RemoteSink:
    """Writes an output to `url`, a place in object storage; the ending decides the format as for a local path.

    `make(path, config, name)` gives the local sink. Its position, with two more keys, is the position: `uploaded` is
    how many files of the row are there, `sent` the local position whose open file was uploaded last.

    A storage that does not answer while the crawl runs is asked again every 30 s, with a warning; files wait in the
    job's folder, and take their room there. At the end three attempts are made; then `committed` raises `StorageError`:
    what did not go up is in the job, and the same command goes on with uploading. So a crawl needs a job that stays.

    Raises `ConfigError` as `make` does, for a scheme without a driver, if fsspec is not installed, and without a job.
    """

    def __init__(self, url: str, config: CrawlConfig, make: Callable[[Path, CrawlConfig, str], Sink]) -> None:
        self._storage = ObjectStorage(url)
        self.name = self._storage.shown
        if config.job is None:
            raise ConfigError(
                f"output {self.name} needs a job: name a folder with `job`, where files wait until they are uploaded"
            )
        self._config = config
        self._folder = config.job / "upload" / xxh3_64_hexdigest(self.name.encode())[:8]
        self._path = self._folder / self._storage.name
        try:
            self._local = make(self._path, config, self.name)
        except ConfigError as error:
            raise ConfigError(str(error).replace(str(self._path), self.name)) from None
        self._earlier = EarlierFiles(self._folder)
        self._mark = self._folder / "_sending"
        self._claim = Claim(self._storage, self._folder.parent, config.job)
        self._is_row = self._part(1) != self._part(2)
        self._is_new = False
        # State: the thread that uploads, if one runs, and the last file of the row that it shall upload.
        self._thread: threading.Thread | None = None
        self._changed = threading.Condition()
        self._wanted = 0
        self._stopping = False
        # How many files of the row are there; how many of them are gone here; which end of a run is there.
        self._uploaded = 0
        self._removed = 0
        self._sent = ""
        # Which start over this is; whether objects of an earlier output may be there; whether a record has come.
        self._anew = ""
        self._stale = False
        self._has_records = False
        # What `flush` gave last, and what went wrong in it that may be told when the rest is committed.
        self._flushed: Position | None = None
        self._failure: StorageError | None = None

    def open(self, position: Position | None) -> None:
        """Open the local sink, and take back what was uploaded without a commit.

        Raises `JobError` if a new job finds something in its place, `StorageError` if the storage does not answer or a
        file that waits for its upload is gone.
        """
        self._storage.check()
        _refuse_links(self._folder)
        self._is_new = position is None
        self._claim.take()
        self._earlier.recover(position)
        if position is None:
            self._begin()
        else:
            self._go_on(position)
        try:
            make_folder(self._folder)
        except OSError as error:
            raise refusal(f"write {self._folder}", error, "choose another --job") from error
        self._local.open(position)

    def write(self, finished: Sequence[Finished]) -> None:
        """Give what ended to the local sink."""
        self._local.write(finished)
        self._has_records = self._has_records or any(one.records for one in finished)

    def flush(self, *, last: bool = False) -> Position:
        """Flush the local sink; with `last` wait until everything is uploaded."""
        local = self._local.flush(last=last)
        if last:
            self._stop_thread()
            try:
                self._finish(local)
            except StorageError as error:  # the commit comes first: what was fetched must not be lost by this
                self._failure = error
        self._flushed = local | {"uploaded": self._uploaded, "sent": self._sent, "anew": self._anew}
        if self._stale:
            self._flushed["stale"] = 1
        return self._flushed

    def committed(self) -> None:
        """Tell the local sink; remove here what is safe there; have the files uploaded that the commit closed.

        Raises the `StorageError` with which the upload at the end of a run failed.
        """
        self._local.committed()
        position = self._flushed
        if position is None:
            return
        self._forget_earlier(position)
        self._remove_uploaded(int(position["uploaded"]))
        if self._failure is not None:
            raise StorageError(
                f"{self._failure}; what is not there yet is in {self._folder}: run the same command again to upload it "
                "(a temporary job, as that of `crawler extract`, is not kept: there begin anew)"
            )
        with contextlib.suppress(OSError):
            self._mark.unlink(missing_ok=True)
        last = self._last_closed(position)
        if last > self._wanted and not self._stopping:
            with self._changed:
                self._wanted = last
                self._changed.notify_all()
            if self._thread is None:
                self._thread = threading.Thread(target=self._upload_on, name="upload", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """End the upload that is under way, and close the local sink."""
        self._stop_thread()
        self._local.close()
        self._claim.release()
        if self._is_new and self._flushed is None:
            self._earlier.bring_back()  # a start that failed leaves everything as it was
            if not self._earlier.exist:
                self._claim.forget()

    # Opening

    def _begin(self) -> None:
        """Make room for the files of a new job. What an earlier one has there stays until there are records."""
        there = self._there()
        if there and not self._earlier.exist:
            raise JobError(
                f"{self.name} is there already and job {self._config.folder} did not write it: "
                "choose another --output, or remove it there"
            )
        self._stale = bool(there)
        self._anew = self._earlier.put_aside()

    def _forget_earlier(self, position: Position) -> None:
        """Remove what an earlier job of this folder has left: its files at once, its objects when there are records."""
        self._earlier.forget()
        if not self._stale or not self._has_records:
            return
        last = int(position.get("part", 1)) if self._sent else self._uploaded
        for relative in self._there() if self._is_row else ():
            if self._number(relative) > last:
                self._storage.remove(relative)
        self._stale = False

    def _go_on(self, position: Position) -> None:
        self._uploaded = self._wanted = int(position.get("uploaded", 0))
        self._sent = str(position.get("sent", ""))
        self._anew = str(position.get("anew", ""))
        self._stale = bool(position.get("stale", 0))
        self._has_records = any(int(position.get(name, 0)) > least for name, least in _BEGUN)
        if self._is_row:
            # They go in their order, so that the last ones may have been left; the next commit removes them.
            self._removed = self._uploaded
            while self._removed and self._lies_at(self._removed).exists():
                self._removed -= 1
        last = self._last_closed(position)
        for number in range(self._uploaded + 1, last + 1):
            if not self._lies_at(number).exists():
                raise StorageError(
                    f"{self._part(number)} is gone and was not uploaded to {self.name}: "
                    "put the file back, or start over with --fresh"
                )
        if self._mark.exists():
            self._sent = ""
            for relative in self._there():
                if self._number(relative) > last:
                    self._storage.remove(relative)

    def _there(self) -> list[str]:
        """The objects of this output that are there, as paths inside the storage's folder."""
        first = self._relative(1)
        folder, slash, _ = first.rpartition("/")
        names = self._storage.names(folder)
        if not self._is_row:
            return [first] if first in names else []
        return [f"{folder}{slash}{name}" for name in names if self._number(name)]

    # Files of the row

    def _part(self, number: int) -> Path:
        return self._local.part_path(number) if isinstance(self._local, Row) else self._path

    def _lies_at(self, number: int) -> Path:
        return self._local.lies_at(number) if isinstance(self._local, Row) else self._path

    def _relative(self, number: int) -> str:
        return self._part(number).relative_to(self._folder).as_posix()

    def _number(self, relative: str) -> int:
        """Which file of the row an object is; 0 if it is none."""
        name = relative.rpartition("/")[2]
        found = (int(digits) for digits in _NUMBER.findall(name)) if self._is_row else ()
        return next((number for number in found if self._part(number).name == name), 0)

    def _last_closed(self, position: Position) -> int:
        """The last file of the row to which nothing is added after this position; 0 if there is none."""
        return int(position.get("part", 1)) - 1 if self._is_row else 0

    def _remove_uploaded(self, last: int) -> None:
        try:
            for number in range(self._removed + 1, last + 1):
                self._part(number).unlink(missing_ok=True)
        except OSError as error:
            raise refusal(f"remove uploaded files in {self._folder}", error, "remove them by hand") from error
        self._removed = max(self._removed, last)

    # Uploading

    def _upload_on(self) -> None:
        """Upload one closed file after the other until told to stop."""
        warned = False
        while True:
            with self._changed:
                while self._uploaded >= self._wanted and not self._stopping:
                    self._changed.wait()
                if self._stopping:
                    return
            try:
                self._upload_part(self._uploaded + 1)
                warned = False
            except StorageError as error:
                if not warned:
                    _log.warning("%s; it will be tried again, and the file waits in %s", error, self._folder)
                    warned = True
                with self._changed:
                    self._changed.wait_for(lambda: self._stopping, _RETRY_S)

    def _upload_part(self, number: int) -> None:
        self._claim.check()
        self._storage.put(self._lies_at(number), self._relative(number))
        self._uploaded = number

    def _stop_thread(self) -> None:
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _finish(self, local: Position) -> None:
        """Upload what is not there yet: closed files, and the open one if it has changed."""
        for number in range(self._uploaded + 1, self._last_closed(local) + 1):
            _note_sending(self._mark)
            _patiently(partial(self._upload_part, number))
        number = int(local.get("part", 1))
        path = self._lies_at(number)
        state = msgspec.json.encode(local, order="sorted").decode()
        if state == self._sent or not path.is_file() or (self._is_row and not path.stat().st_size):
            return
        if self._stale and not self._has_records:
            return
        self._claim.check()
        _note_sending(self._mark)
        _patiently(partial(self._storage.put, path, self._relative(number)))
        self._sent = state


def _refuse_links(folder: Path) -> None:
    try:
        for one in (folder.parent, folder):
            refuse_link(one)
    except OSError as error:
        raise refusal(f"write {folder}", error, "choose another --job") from error


def _note_sending(mark: Path) -> None:
    """Note on the disk that what is there may be ahead of the commit."""
    try:
        written_anew(mark).close()
        sync_folder(mark.parent)
    except OSError as error:
        raise refusal(f"write {mark}", error, "choose another --job") from error


def _patiently(upload: Callable[[], None]) -> None:
    for attempt in range(_ATTEMPTS):
        if attempt:
            time.sleep(_PAUSE_S)
        try:
            upload()
        except StorageError:
            if attempt == _ATTEMPTS - 1:
                raise
        else:
            return
