"""A database opened for reading alone, beside whoever writes it, in this process or another one.

What is seen is the store as it was at one instant, in all tables, as long as the view is open: RocksDB reads the list
of files and the log of what is not in files yet, and opens all files at once, so that it keeps them when the writer
merges and deletes them. It takes no lock. A secondary instance of RocksDB would see each table at another instant.

`rocksdict` writes a file of its own where it opens a database, for reading, too. So it is given a folder elsewhere,
with a copy of the list of files, and finds the files themselves by their place. Nothing is written into the store.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import rocksdict

from crawler.core.errors import StorageError
from crawler.core.refusal import refusal
from crawler.frontier.families import CACHE_BYTES, options_of
from crawler.frontier.storing import DAMAGED

__all__ = ["opened_view"]

_PATIENCE_S: Final = 20.0
"""How long to try while the writer merges files quicker than they are opened."""
_PAUSE_S: Final = 0.02
_NO_LIMIT: Final = 1 << 60


class _MovedOnError(Exception):
    """The writer has deleted a log while the view was opened: what was in it may be missing."""


def opened_view(path: Path, families: Sequence[str]) -> rocksdict.Rdict:
    """Open those of some families (tables) that the database at `path` has, as they are now.

    Raises `StorageError` if it cannot be read, or has no place for a few kilobytes in a temporary folder meanwhile.
    """
    path = path.resolve()
    give_up_at = time.monotonic() + _PATIENCE_S
    try:
        while True:
            before = _state(path)
            try:
                return _opened(path, families)
            except OSError:
                raise
            except Exception as error:  # rocksdict raises bare Exception
                # A file that is gone is no damage if the writer has put another in its place meanwhile.
                if before == _state(path) or time.monotonic() > give_up_at:
                    raise _refused(path, error) from error
            time.sleep(_PAUSE_S)
    except OSError as error:
        raise _refused(path, error) from error


def _refused(path: Path, error: Exception) -> StorageError:
    return refusal(f"open the store {path}", error, DAMAGED)


def _opened(path: Path, families: Sequence[str]) -> rocksdict.Rdict:
    """Open the database once. Raises `_MovedOnError`, OSError, and Exception as rocksdict does."""
    with tempfile.TemporaryDirectory(prefix="crawler-view-", ignore_cleanup_errors=True) as folder:
        logs = _logs(path)
        manifest = (path / "CURRENT").read_text("utf-8")
        try:
            shutil.copyfile(path / manifest.strip(), Path(folder, manifest.strip()))
        except FileNotFoundError as error:
            raise _MovedOnError(str(error)) from error
        Path(folder, "CURRENT").write_text(manifest, "utf-8")
        there = set(rocksdict.Rdict.list_cf(folder))
        cache = rocksdict.Cache(CACHE_BYTES)
        options = {name: _options(name, path, cache) for name in families if name in there}
        access = rocksdict.AccessType.read_only(False)
        view = rocksdict.Rdict(folder, _options("default", path, cache), column_families=options, access_type=access)
    # Logs are deleted the oldest first: if those of the beginning are there, all that were needed were there.
    if not logs <= _logs(path):
        view.close()
        raise _MovedOnError(f"{path}: a log was deleted while it was read")
    return view


def _options(family: str, path: Path, cache: rocksdict.Cache) -> rocksdict.Options:
    options = options_of(family, cache)
    options.create_if_missing(False)
    options.create_missing_column_families(False)
    options.set_max_open_files(-1)  # all at once, and for good
    options.set_db_paths([rocksdict.DBPath(str(path), _NO_LIMIT)])
    options.set_wal_dir(str(path))
    return options


def _logs(path: Path) -> frozenset[str]:
    return frozenset(name for name in os.listdir(path) if name.endswith(".log"))  # noqa: PTH208 - names are wanted


def _state(path: Path) -> object:
    """Return what changes with each file that the writer makes or deletes. Raises OSError."""
    manifest = (path / "CURRENT").read_text("utf-8").strip()
    try:
        return manifest, (path / manifest).stat().st_size, _logs(path)
    except FileNotFoundError:
        return object()  # replaced just now: nothing is equal to this
