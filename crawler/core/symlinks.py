"""Symbolic links in the way of what a crawl makes: not followed, since whoever may write in a folder can plant one.

A link that a person has named is another thing: the folder of a job may be one, and so may an output. That of an output
counts as named if this user has made it, or the owner of the folder that it lies in, as Linux has it for `/tmp`.
"""

import errno
import os
from pathlib import Path
from typing import BinaryIO

__all__ = ["open_named", "open_unlinked", "refuse_link", "refuse_planted", "written_anew"]

_IS_A_LINK = {errno.ELOOP, errno.EMLINK}  # FreeBSD says EMLINK


def open_unlinked(path: Path, flags: int, mode: int = 0o644) -> int:
    """Open a file for this process and its threads. Raises OSError if it is a link, or cannot be opened."""
    try:
        return os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
    except OSError as error:
        if error.errno in _IS_A_LINK:
            refuse_link(path)
        raise


def written_anew(path: Path) -> BinaryIO:
    """Open a file to be written from its start, made if it is not there. Raises OSError as `open_unlinked`."""
    return os.fdopen(open_unlinked(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "wb")


def open_named(path: Path, flags: int, mode: int = 0o644) -> int:
    """Open a file that a person has named, which may be a link of theirs. Raises OSError."""
    if not path.is_symlink():
        return open_unlinked(path, flags, mode)
    refuse_planted(path)
    return os.open(path, flags | os.O_CLOEXEC, mode)


def refuse_link(path: Path) -> None:
    """Raise OSError if a path is a link, with where it leads and what to do."""
    if path.is_symlink():
        raise _refused(path, "is not followed")


def refuse_planted(path: Path) -> None:
    """Raise OSError if a path is a link that neither this user has made nor the owner of its folder."""
    if path.is_symlink() and path.lstat().st_uid not in {os.geteuid(), path.parent.stat().st_uid}:
        raise _refused(path, "is not followed, since another user has made it")


def _refused(link: Path, why: str) -> OSError:
    return OSError(errno.ELOOP, f"{link} is a symbolic link to {link.readlink()}, which {why}", str(link))
