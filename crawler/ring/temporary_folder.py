"""Temporary folders of crawls: made, and swept when the crawl that made one was killed.

The folder of a crawl that runs holds a locked file `lock`: the job's own, or that of `temporary_folder`. A lock ends
with its process, so a folder whose lock is free has nobody any more.
"""

import contextlib
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from crawler.core.file_lock import try_lock
from crawler.core.symlinks import open_unlinked
from crawler.frontier.store_files import is_marked

__all__ = ["make_temporary", "sweep", "temporary_folder"]

_PREFIX = "crawler-"
_NAME = re.compile(rf"{_PREFIX}[a-z0-9_]{{8}}(-ended)?")
_YOUNG_S = 60.0
"""A crawl that begins makes its folder first, then the lock, and holds it a moment later."""
_NUMBER = re.compile(rb"\d{1,20}")
_OF_A_CRAWL = {"lock", "large", "state", "state.earlier", "state.gone", "pages.jsonl", "summary.json"}


def make_temporary() -> Path:
    """Make a folder for one crawl. Raises OSError."""
    return Path(tempfile.mkdtemp(prefix=_PREFIX))


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """Give a folder that is removed at the end, or if this process is killed by the next crawl. Raises OSError."""
    folder = make_temporary()
    try:
        lock = open_unlinked(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            with contextlib.suppress(OSError):  # without locks it is not swept, no more
                try_lock(lock)
            os.write(lock, str(os.getpid()).encode())
            yield folder
        finally:
            os.close(lock)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep() -> None:
    """Remove the temporary folders of this user that killed crawls have left. What cannot be removed stays."""
    with contextlib.suppress(OSError):
        for entry in list(os.scandir(tempfile.gettempdir())):
            if _NAME.fullmatch(entry.name):
                with contextlib.suppress(OSError):
                    _sweep(Path(entry.path))


def _sweep(folder: Path) -> None:
    """Remove a folder if it is a crawl's, of this user, and nobody holds its lock. Raises OSError."""
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        return
    lock = open_unlinked(folder / "lock", os.O_RDWR)
    try:
        is_old = os.fstat(lock).st_mtime < time.time() - _YOUNG_S
        if is_old and _is_of_a_crawl(folder, lock) and try_lock(lock):
            shutil.rmtree(folder)
    finally:
        os.close(lock)


def _is_of_a_crawl(folder: Path, lock: int) -> bool:
    """Whether nothing else is there than what a crawl makes: another program may give its folders such names."""
    names = set(os.listdir(folder))  # noqa: PTH208 - names are wanted
    if not names <= _OF_A_CRAWL or _NUMBER.fullmatch(os.pread(lock, 100, 0)) is None:
        return False
    return all(is_marked(folder / name) for name in names if name.startswith("state"))
