"""JSON lines in a file, one record a line."""

import os
import stat
from pathlib import Path

from crawler.errors import StorageError
from crawler.refusal import refusal

__all__ = ["JsonlSink", "write_all"]

_ADVICE = "name a file that can be written with --output"
_sync = getattr(os, "fdatasync", os.fsync)  # macOS has no fdatasync


class JsonlSink:
    """A file of JSON lines. Exactly once: the file is cut back to the committed offset when it is opened.

    A path that is no regular file (`/dev/null`, a named pipe) cannot be cut: at least once there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        # State: the open descriptor and how many bytes stand in the file.
        self._fd: int | None = None
        self._offset = 0
        self._regular = True

    def open(self, committed: int) -> None:
        """Open the file, making it and its folder if needed, and cut it to `committed` bytes.

        Raises `StorageError` if it is shorter: records that the job counts as written are missing.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        except FileExistsError as error:
            raise StorageError(f"cannot write {self._path}: {self._path.parent} is no folder; {_ADVICE}") from error
        except OSError as error:
            raise refusal(f"write {self._path}", error, _ADVICE) from error
        try:
            self._fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
            status = os.fstat(self._fd)
            size = status.st_size
            self._offset = committed
            self._regular = stat.S_ISREG(status.st_mode)
            if not self._regular:
                return
            if size < committed:
                raise StorageError(
                    f"{self._path} has {size} bytes, but the job has committed {committed}: "
                    "put the file back, or start over with --fresh"
                )
            os.ftruncate(self._fd, committed)
            os.lseek(self._fd, committed, os.SEEK_SET)
        except OSError as error:
            raise refusal(f"write {self._path}", error, _ADVICE) from error

    def write(self, records: list[bytes]) -> None:
        """Append records, each with its line feed."""
        self._offset += write_all(self._fd, b"".join(records), str(self._path))

    def flush(self) -> int:
        """Wait until the file's bytes are on the device."""
        try:
            if self._fd is not None and self._regular:
                _sync(self._fd)
        except OSError as error:
            raise refusal(f"write {self._path}", error, _ADVICE) from error
        return self._offset

    def close(self) -> None:
        """Close the file."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def write_all(fd: int | None, data: bytes, name: str) -> int:
    """Write all of `data` to `fd`, however many calls it takes; return its length.

    Raises `StorageError` naming `name` if the device refuses, and lets BrokenPipeError through: a reader
    that has seen enough is no failure of storage.
    """
    if fd is None:
        raise StorageError(f"{name} is closed")
    left = memoryview(data)
    try:
        while left:
            left = left[os.write(fd, left) :]
    except BrokenPipeError:
        raise
    except OSError as error:
        raise refusal(f"write {name}", error, _ADVICE) from error
    return len(data)
