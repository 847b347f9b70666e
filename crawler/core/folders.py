"""Folders that survive a power loss: a name in a folder is safe when the folder itself is on the device."""

import contextlib
import errno
import os
from collections.abc import Iterable
from pathlib import Path

__all__ = ["make_folder", "remove_folders", "sync_folder"]

_CANNOT = {errno.EINVAL, errno.ENOTSUP, errno.EACCES}
"""What a file system that cannot sync a folder says, and one in which the folder may be written but not read."""


def make_folder(path: Path) -> list[Path]:
    """Make a folder, with those above it, that is still there after a power loss; return those made, the highest first.

    Raises OSError, FileExistsError if a file stands there.
    """
    missing: list[Path] = []
    at = path
    while not at.exists():
        missing.append(at)
        at = at.parent
    made: list[Path] = []
    for folder in reversed(missing):
        try:
            folder.mkdir()
        except FileExistsError:
            if not folder.is_dir():  # somebody else makes it too
                raise
        else:
            made.append(folder)
        sync_folder(folder.parent)
    if not path.is_dir():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    return made


def remove_folders(made: Iterable[Path]) -> None:
    """Remove folders that `make_folder` gave, as far as nothing is in them."""
    for folder in reversed(list(made)):
        with contextlib.suppress(OSError):
            folder.rmdir()


def sync_folder(path: Path) -> None:
    """Wait until the names in a folder are on the device, where the file system can do that. Raises OSError."""
    try:
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        if error.errno not in _CANNOT:
            raise
