"""What the disk said, as an error that names the next action: pure."""

import errno
from pathlib import Path

from crawler.core.errors import StorageError
from crawler.core.printable import printable

__all__ = ["moved", "refusal"]

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
# RocksDB reports in words only, as strerror has them.
_NO_ROOM_WORDS = ("No space left on device", "Disk quota exceeded", "File too large")
_UNLINK = "remove the link, or name another place"
_MAKE_ROOM = "make room and run the same command again: it resumes from the last commit"


def moved(path: Path, what: str) -> StorageError:
    """Return what is said of a file or folder that was taken away under a crawl; `what` is what had been there."""
    return StorageError(
        f"{printable(str(path))} was removed or renamed while the crawl ran, and {what} with it: "
        "put it back and run the same command again, or start over with --fresh"
    )


def refusal(what: str, error: Exception, advice: str, *, room: str = _MAKE_ROOM) -> StorageError:
    """Return `cannot <what>: <reason>; <advice>` on one line, for an `OSError` or an error of RocksDB.

    `advice` is for any reason but a lack of room, for which `room` is, and a symbolic link, which has its own.
    """
    if isinstance(error, OSError):
        reason = printable(error.strerror or str(error))
        full = error.errno in _NO_ROOM
        advice = _UNLINK if error.errno == errno.ELOOP else advice
    else:
        reason = " ".join(str(error).split())
        named = [words for words in _NO_ROOM_WORDS if words in reason]
        full = bool(named)
        reason = named[0] if named else reason
    return StorageError(f"cannot {what}: {reason}; {room if full else advice}")
