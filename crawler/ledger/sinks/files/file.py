"""A file that records are appended to, or a row of such files: what all endings but a few have in common."""

import os
import re
import select
import stat
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePath
from typing import Protocol

from crawler.core.errors import StorageError
from crawler.core.file_lock import is_at
from crawler.core.folders import make_folder, sync_folder
from crawler.core.model import Finished, Rotation
from crawler.core.refusal import moved, refusal
from crawler.core.symlinks import open_named, open_unlinked
from crawler.ledger.sinks.base import Position

__all__ = [
    "Compressor",
    "Encoder",
    "FileSink",
    "files_at",
    "make_folder_of",
    "numbered",
    "parts_there",
    "row_pattern",
    "split_name",
    "write_all",
]

_ADVICE = "name a file that can be written with --output"
_EARLY = ".tmp"
_sync = getattr(os, "fdatasync", os.fsync)  # macOS has no fdatasync


class Encoder(Protocol):
    """How what ended stands in a file. May keep what it learned from the first records in the position."""

    def encode(self, finished: Sequence[Finished]) -> Iterable[bytes]:
        """Give the bytes of each record; none of them is cut apart where one file ends and the next begins."""

    def head(self) -> bytes:
        """Bytes that each file begins with; asked for when the first record was encoded."""

    def state(self) -> Position:
        """What `restore` needs in a later run. Must not have the keys `part`, `offset` and `records`."""

    def restore(self, position: Position) -> None:
        """Go on from the position of the last commit, empty for a new job."""


class Compressor(Protocol):
    """An open stream of compressed bytes, as `zlib.compressobj` gives it."""

    def compress(self, data: bytes, /) -> bytes:
        """Take bytes; give what is ready."""

    def flush(self) -> bytes:
        """End the stream; give the rest of it."""


class FileSink:
    """Appends what `encoder` gives to a file. Exactly once: the file is cut to the committed offset when it is opened.

    With `rotation` the file is the first of a row: `pages.jsonl` stands for `pages-00001.jsonl`, `pages-00002.jsonl`
    and so on. One is full when it has at least so many bytes or records; the next one is made for the record after.

    With `compressor` all that is written between two commits is one stream (a gzip member, a zstd frame), so that the
    file ends with a whole one at each commit. Its bytes count for `rotation` as they leave the compressor.

    A path that is not a regular file (`/dev/null`, a named pipe) cannot be cut: at least once there.

    The position holds `part`, the number of the open file from 1 on, `offset`, its bytes, and `records`, those in it.
    Files before the open one are complete, and not looked at again: whoever reads them may take them away. So that
    nobody takes one whose end is in no commit yet, a file that is begun is `_pages-00002.jsonl.tmp` until `committed`:
    one with a successor by name is safe. Killed before that, the next `open` renames or removes it.

    `ended` has the numbers of the files that this run has ended, with their records; whoever reads it may clear it.
    """

    def __init__(
        self,
        path: Path,
        encoder: Encoder,
        *,
        name: str | None = None,
        rotation: Rotation | None = None,
        compressor: Callable[[], Compressor] | None = None,
    ) -> None:
        self.name = str(path.absolute()) if name is None else name
        self._path = path
        self._encoder = encoder
        self._rotation = rotation
        self._compressor = compressor
        # State: the open file, its number, its bytes and records; bytes not written to it yet, bytes not synced.
        self._fd: int | None = None
        self._regular = True
        self._part = 1
        self._named = 1  # the last file of the row under its own name
        self._offset = 0
        self._records = 0
        self._pending: list[bytes] = []
        self._stream: Compressor | None = None
        self._dirty = False
        self.ended: dict[int, int] = {}

    def part_path(self, number: int) -> Path:
        """Path of a file of the row, from 1 on; without rotation there is one."""
        return self._path if self._rotation is None else numbered(self._path, number)

    def lies_at(self, number: int) -> Path:
        """Where that file is now: under another name if it was begun after the last commit."""
        path = self.part_path(number)
        early = _early(path)
        return early if self._rotation is not None and early.exists() else path

    def open(self, position: Position | None) -> None:
        """Open the file, making it and its folder if needed, and cut it to the committed bytes.

        Raises `StorageError` if it is shorter: records that the job counts as written are missing.
        """
        position = position or {}
        self._part = self._named = int(position.get("part", 1))
        self._records = int(position.get("records", 0))
        self._encoder.restore(position)
        make_folder_of(self._path)
        self._drop_later_parts()
        self._open_part(int(position.get("offset", 0)))

    def write(self, finished: Sequence[Finished]) -> None:
        """Append what ended."""
        for record in self._encoder.encode(finished):
            if self._is_full():
                self._next_part()
            if not self._offset:
                self._append(self._encoder.head())
            self._append(record)
            self._records += 1
        self._hand_over()

    def flush(self, *, last: bool = False) -> Position:  # noqa: ARG002 - the file is whole at each commit
        """Wait until the file's bytes are on the device."""
        self._sync_part()
        self._check_place()
        position: Position = {"part": self._part, "offset": self._offset, "records": self._records}
        return position | self._encoder.state()

    def seal(self) -> None:
        """End the open file of a row, if there is something in it: the next record begins another one."""
        if self._rotation is not None and self._records:
            self._next_part()

    def _check_place(self) -> None:
        """See that the file has its name still: what goes elsewhere must not be committed."""
        path = self.part_path(self._part)
        if self._part > self._named:
            path = _early(path)
        if self._regular and self._fd is not None and not is_at(self._fd, path):
            raise moved(path, "records")

    def committed(self) -> None:
        """Give the files that were begun since the commit before their names: those before them are safe now."""
        if self._named == self._part:
            return
        path = self.part_path(self._part)
        try:
            for number in range(self._named + 1, self._part + 1):
                path = self.part_path(number)
                _early(path).replace(path)
            sync_folder(path.parent)
        except OSError as error:
            raise refusal(f"write {path}", error, _ADVICE) from error
        self._named = self._part

    def close(self) -> None:
        """Close the file."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _append(self, data: bytes) -> None:
        if self._compressor is not None:
            if self._stream is None:
                self._stream = self._compressor()
            data = self._stream.compress(data)
        self._pending.append(data)
        self._offset += len(data)

    def _hand_over(self) -> None:
        """Write what is pending."""
        data = b"".join(self._pending)
        self._pending.clear()
        if data:
            self._dirty = True
            write_all(self._fd, data, str(self.part_path(self._part)))

    def _sync_part(self) -> None:
        """End the compressed stream, write what is pending, and wait for the device."""
        if self._stream is not None:
            rest = self._stream.flush()
            self._stream = None
            self._pending.append(rest)
            self._offset += len(rest)
        self._hand_over()
        if not self._dirty or self._fd is None:
            return
        try:
            if self._regular:
                _sync(self._fd)
        except OSError as error:
            raise refusal(f"write {self.part_path(self._part)}", error, _ADVICE) from error
        self._dirty = False

    def _is_full(self) -> bool:
        return self._rotation is not None and self._rotation.is_full(self._records, self._offset)

    def _next_part(self) -> None:
        self._sync_part()
        self.close()
        self.ended[self._part] = self._records
        self._part += 1
        self._records = 0
        self._open_part(0)

    def _open_part(self, committed: int) -> None:
        """Open the file of this number and cut it to `committed` bytes."""
        path = self.part_path(self._part)
        if self._part > self._named:
            path = _early(path)
        self._offset = committed
        try:
            is_new = not path.exists()
            # Nobody has named the files of a row.
            opened = open_named if self._rotation is None else open_unlinked
            self._fd = opened(path, os.O_WRONLY | os.O_CREAT)
            status = os.fstat(self._fd)
            self._regular = stat.S_ISREG(status.st_mode)
            if not self._regular:
                return
            if status.st_size < committed:
                raise StorageError(
                    f"{path} has {status.st_size} bytes, but the job has committed {committed}: "
                    "put the file back, or start over with --fresh"
                )
            os.ftruncate(self._fd, committed)
            os.lseek(self._fd, committed, os.SEEK_SET)
            if is_new:
                sync_folder(path.parent)
        except OSError as error:
            raise refusal(f"write {path}", error, _ADVICE) from error

    def _drop_later_parts(self) -> None:
        """Remove the files that were begun after the last commit, and name those that were begun in it."""
        if self._rotation is None:
            return
        try:
            for early in parts_there(self._path, early=True):
                path = early.with_name(early.name[1:].removesuffix(_EARLY))
                if _number_of(path) <= self._part:
                    early.replace(path)
                else:
                    early.unlink()
            # The last one first: killed in between, what is left is still a row without a gap.
            for later in sorted(parts_there(self._path), key=_number_of, reverse=True):
                if _number_of(later) > self._part:
                    later.unlink()
        except OSError as error:
            raise refusal(f"remove what follows {self.part_path(self._part)}", error, _ADVICE) from error


def numbered(path: Path, number: int) -> Path:
    """Path of a file in a row: `pages.jsonl.gz` and 2 are `pages-00002.jsonl.gz`."""
    stem, ending = split_name(path.name)
    return path.with_name(f"{stem}-{number:05}{ending}")


def _number_of(part: Path) -> int:
    return int(split_name(part.name)[0].rpartition("-")[2])


def _early(path: Path) -> Path:
    """Path of a file of a row before the commit in which it was begun."""
    return path.with_name(f"_{path.name}{_EARLY}")


def parts_there(path: Path, *, early: bool = False) -> list[Path]:
    """Return the files of the row of `path` that are there, whatever their numbers; or `early` those without a commit.

    Raises `StorageError` if the folder cannot be read.
    """
    stem, ending = split_name(path.name)
    name = re.compile(f"{re.escape(stem)}-[0-9]{{5,}}{re.escape(ending)}")
    if early:
        name = re.compile(f"_{name.pattern}{re.escape(_EARLY)}")
    try:
        return sorted(one for one in path.parent.iterdir() if name.fullmatch(one.name))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise refusal(f"read the folder {path.parent}", error, _ADVICE) from error


def files_at(path: Path, rotated: bool) -> list[Path]:
    """Return the file of an output, or the files of its row, that are there."""
    return [*parts_there(path), *parts_there(path, early=True)] if rotated else [path]


def row_pattern(output: str) -> str:
    """Return the pattern of the names of a row of files: `a-*.jsonl.gz`."""
    path = PurePath(output)
    stem, ending = split_name(path.name)
    return output.removesuffix(path.name) + f"{stem}-*{ending}"


def split_name(name: str) -> tuple[str, str]:
    """Split a file's name before its ending: `a.b.jsonl.gz` is `a.b` and `.jsonl.gz`."""
    inner, outer = os.path.splitext(name)  # noqa: PTH122 - Path.suffix takes more names for endings
    if outer.lower() in (".gz", ".zst"):
        stem, ending = os.path.splitext(inner)  # noqa: PTH122 - as above
        return stem, ending + outer
    return inner, outer


def write_all(fd: int | None, data: bytes, name: str) -> int:
    """Write all of `data` to `fd`, however many calls it takes; return its length.

    One that does not block, as a pipe that another program has set so, is waited for.

    Raises `StorageError` naming `name` if the device refuses, and lets BrokenPipeError through: a reader
    that has seen enough is not a failure of storage.
    """
    if fd is None:
        raise StorageError(f"{name} is closed")
    left = memoryview(data)
    try:
        while left:
            try:
                left = left[os.write(fd, left) :]
            except BlockingIOError:  # in the middle of a record, as like as not
                _wait_for_room(fd)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise refusal(f"write {name}", error, _ADVICE) from error
    return len(data)


def _wait_for_room(fd: int) -> None:
    """Wait until a write would not fail for lack of room, or the reader has gone, which the next write says."""
    waiting = select.poll()
    waiting.register(fd, select.POLLOUT)
    waiting.poll()


def make_folder_of(path: Path) -> None:
    """Make the folder of an output if it is not there. Raises `StorageError` if that cannot be done."""
    try:
        make_folder(path.parent)
    except FileExistsError as error:
        raise StorageError(f"cannot write {path}: {path.parent} is not a folder; {_ADVICE}") from error
    except OSError as error:
        raise refusal(f"write {path}", error, _ADVICE) from error
