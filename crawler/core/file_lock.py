"""A lock on a file or a folder: `flock`, which ends with the process, however that ends, so that none is ever stale.

It is tied to an open file and not to a process: two crawls of one program keep each other out as two programs do. A
child made by fork has the open file too, and would hold the lock as long as it lives: so it lets go of it at once.
"""

import errno
import fcntl
import os
from contextlib import suppress
from pathlib import Path

__all__ = ["has_no_locks", "holder", "is_at", "is_held", "try_lock"]

_HELD = {errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES}
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL, errno.EBADF}
_LOCKS = Path("/proc/locks")

_locked: dict[int, tuple[int, int]] = {}
"""Descriptors that were locked, and device and inode of what they were of: by now they may be of something else."""


def _let_go() -> None:
    """Put nothing in the place of each locked file, in a child: whoever closes the descriptor there does no harm."""
    for fd, place in _locked.items():
        with suppress(OSError):
            there = os.fstat(fd)
            if (there.st_dev, there.st_ino) == place:
                nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
                os.dup2(nothing, fd, inheritable=False)
                os.close(nothing)
    _locked.clear()


os.register_at_fork(after_in_child=_let_go)


def try_lock(fd: int) -> bool:
    """Lock an open file or folder until it is closed, for this process alone. False if another holds it.

    Raises OSError if that cannot be known: see `has_no_locks`.
    """
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _HELD:
            return False
        raise
    there = os.fstat(fd)
    _locked[fd] = (there.st_dev, there.st_ino)
    return True


def has_no_locks(error: OSError) -> bool:
    """Whether the file system has no locks, as some network file systems, or none left."""
    return error.errno in _NO_LOCKS


def is_at(fd: int, path: Path) -> bool:
    """Whether the open file is the one that has this name now: between opening and locking another may have come."""
    try:
        there = path.stat()
    except OSError:
        return False
    return os.path.samestat(os.fstat(fd), there)


def holder(fd: int) -> int | None:
    """Return the id of the process that holds the lock on an open file; None if the system does not tell."""
    for owner in _owners(fd) or ():
        return owner or None
    return None


def is_held(path: Path) -> bool:
    """Whether somebody holds the lock on a file. Takes none itself, which could be in the way of who wants it.

    Where the system does not list its locks, it counts whether the process lives whose id the file holds.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        owners = _owners(fd)
        return bool(owners) if owners is not None else _is_alive(os.pread(fd, 20, 0))
    finally:
        os.close(fd)


def _owners(fd: int) -> list[int] | None:
    """Return the ids of the processes that lock an open file (0: of another container); None if nothing lists them."""
    inode = str(os.fstat(fd).st_ino)
    try:
        lines = _LOCKS.read_text().splitlines()
    except OSError:
        return None
    # 3: FLOCK  ADVISORY  WRITE 4711 fe:00:2622154 0 EOF; with "->" before its kind, one that waits
    words = [line.split() for line in lines]
    return [int(word[4]) for word in words if word[1:2] == ["FLOCK"] and word[5].rpartition(":")[2] == inode]


def _is_alive(noted: bytes) -> bool:
    try:
        os.kill(int(noted), 0)
    except PermissionError:
        return True
    except (ValueError, OSError):
        return False
    return True
