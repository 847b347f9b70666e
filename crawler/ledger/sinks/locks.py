"""Locks on local outputs: two crawls that write one output would each count records that the other has cut away.

What is locked is the file itself, or the folder of Parquet parts, so that links to it are no way round. A row of files
has no file that is always there: it has an empty one beside it, `_pages.jsonl.lock`, as long as the crawl runs.
"""

import contextlib
import errno
import logging
import os
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from crawler.core.errors import JobError
from crawler.core.file_lock import has_no_locks, holder, is_at, try_lock
from crawler.core.folders import make_folder, remove_folders, sync_folder
from crawler.core.printable import printable
from crawler.core.refusal import refusal
from crawler.core.symlinks import open_named, open_unlinked, refuse_planted

__all__ = ["OutputLocks", "Place"]

_log = logging.getLogger(__name__)


class Place(Struct, frozen=True):
    """Where a local output lies: `path` is a file, the folder of parts (`is_folder`), or names a row (`is_row`)."""

    path: Path
    is_folder: bool
    is_row: bool


class OutputLocks:
    """Holds the locks on outputs from `take` to `close`. State: open files, and what was made for them."""

    def __init__(self) -> None:
        self._held: list[int] = []
        self._beside: list[Path] = []
        self._made: list[Path] = []
        self._made_folders: list[Path] = []

    def take(self, places: list[Place]) -> None:
        """Lock outputs, making their files and folders if needed. Raises `JobError` if another crawl writes one.

        What cannot be made or opened is passed over: the sink that opens it next says why. A file system that has no
        locks is warned of, no more. Raises `StorageError` for a link that may have been planted there.
        """
        for place in places:
            try:
                refuse_planted(place.path)
                self._take(place)
            except OSError as error:
                if error.errno == errno.ELOOP:
                    raise refusal(f"write {printable(str(place.path))}", error, "choose another --output") from error

    def _take(self, place: Place) -> None:
        path = place.path
        if place.is_folder:
            self._made_folders += make_folder(path)
            self._lock(path, path, os.O_RDONLY | os.O_DIRECTORY)
            return
        self._made_folders += make_folder(path.parent)
        file = path.parent.resolve() / f"_{path.name}.lock" if place.is_row else path
        self._lock(path, file, os.O_WRONLY)
        if place.is_row:
            self._beside.append(file)

    def _lock(self, output: Path, file: Path, flags: int) -> None:
        while True:
            fd = self._opened(output, file, flags | os.O_CLOEXEC)
            try:
                is_ours = _locked(fd, output) and is_at(fd, file)
            except BaseException:
                os.close(fd)
                raise
            if is_ours:
                self._held.append(fd)
                return
            os.close(fd)  # whoever held it has removed it

    def _opened(self, output: Path, file: Path, flags: int) -> int:
        if flags & os.O_DIRECTORY:
            return os.open(file, flags)
        try:
            fd = open_unlinked(file, flags | os.O_CREAT | os.O_EXCL)
        except FileExistsError:  # a link of the output that leads nowhere too, which is then followed
            return (open_named if file == output else open_unlinked)(file, flags | os.O_CREAT)
        self._made.append(file)
        sync_folder(file.parent)
        return fd

    def discard(self) -> None:
        """Remove what was made for an output that could not begin, as far as nothing is in it; release the locks."""
        for file in self._made:
            with contextlib.suppress(OSError):
                if file.stat().st_size == 0:
                    file.unlink()
        self.close()
        remove_folders(self._made_folders)

    def close(self) -> None:
        """Release the locks, after the sinks were closed. Safe to call twice."""
        for file in self._beside:
            with contextlib.suppress(OSError):
                file.unlink()
        for fd in self._held:
            os.close(fd)
        self._beside.clear()
        self._held.clear()


@contextlib.contextmanager
def _told(output: Path) -> Iterator[None]:
    """Warn of a file system that has no locks."""
    try:
        yield
    except OSError as error:
        if not has_no_locks(error):
            raise
        _log.warning(
            "%s cannot be locked, since its file system has no locks (%s): see to it that no other crawl writes there",
            printable(str(output)),
            error.strerror,
        )


def _locked(fd: int, output: Path) -> bool:
    """Lock an open file. Raises `JobError` if another crawl holds the lock."""
    with _told(output):
        if try_lock(fd):
            return True
        owner = holder(fd)
        who = "another process"
        if owner is not None:
            who = "another crawl of this process" if owner == os.getpid() else f"process {owner}"
        raise JobError(f"{printable(str(output))} is being written by {who}: wait for its end, or use another --output")
    return True
