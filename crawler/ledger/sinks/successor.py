"""An output in the place of an earlier one, which stays there until the new one has a record in a commit.

Until then the new files lie in a folder beside, named after the output and a number of this crawl:

    pages.jsonl                          the earlier output, for whoever reads it
    .pages.jsonl.1a2b3c4d/pages.jsonl    the new one

They take their place after the commit that brought the first record. Killed at any instant, the next `open` makes it
right from the position: `staged` holds the number as long as the files lie beside, `moving` in the commit after which
they move. A crawl that brings no record leaves the earlier output as it is.
"""

import contextlib
import logging
import os
import re
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path

from crawler.core.errors import StorageError
from crawler.core.file_lock import try_lock
from crawler.core.folders import make_folder, sync_folder
from crawler.core.model import Finished
from crawler.core.printable import printable
from crawler.core.refusal import refusal
from crawler.core.symlinks import open_unlinked
from crawler.ledger.sinks.base import Position, Sink

__all__ = ["Successor"]

_log = logging.getLogger(__name__)
_ADVICE = "name a file that can be written with --output"


class Successor:
    """The sink of a local output, in its place or, as long as an earlier one stays there, beside it.

    `make(path)` gives the sink that writes there, `files(path)` the files that it may have made; `name` is its name.
    Whoever opens it has the lock on the output.

    State: the sink that writes, the number under which its files lie beside (empty if they do not), whether a record
    has come, the last position; the lock on the file that came into the place.
    """

    def __init__(
        self, path: Path, make: Callable[[Path], Sink], files: Callable[[Path], list[Path]], name: str
    ) -> None:
        self.name = name
        self._path = path
        self._make = make
        self._files = files
        self._sink = make(path)  # now, to hear what it refuses
        self._real = path
        self._number = ""
        self._has_records = False
        self._position: Position | None = None
        self._lock = -1

    def open(self, position: Position | None) -> None:
        """Open the output, beside an earlier one if the job is new and one is there. Raises `StorageError`."""
        own = dict(position or {})
        staged, moving = str(own.pop("staged", "")), str(own.pop("moving", ""))
        with_reason = f"write {self._path}"
        try:
            self._real = self._path.resolve()
            if position is None and any(file.stat().st_size for file in self._there(self._path)):
                staged = secrets.token_hex(4)
            self._clear(but=staged or moving)
            if moving and self._folder(moving).is_dir():
                self._take_place(moving)
            self._number = staged
            if staged:
                make_folder(self._folder(staged))
                self._sink = self._make(self._beside(staged))
        except OSError as error:
            raise refusal(with_reason, error, _ADVICE) from error
        self._sink.open(None if position is None else own)

    def write(self, finished: Sequence[Finished]) -> None:
        """Give what ended to the sink."""
        self._sink.write(finished)
        self._has_records = self._has_records or any(one.records for one in finished)

    def flush(self, *, last: bool = False) -> Position:
        """Flush the sink."""
        self._position = self._sink.flush(last=last)
        if not self._number:
            return self._position
        return self._position | {"moving" if self._has_records else "staged": self._number}

    def committed(self) -> None:
        """Tell the sink; take the place of the earlier output once there is a record."""
        self._sink.committed()
        if not self._number or not self._has_records:
            return
        number, self._number = self._number, ""
        self._sink.close()
        try:
            self._take_place(number)
        except OSError as error:
            raise refusal(f"write {self._path}", error, _ADVICE) from error
        self._sink = self._make(self._path)
        self._sink.open(self._position)

    def close(self) -> None:
        """Close the sink. What lies beside goes if nothing is in it."""
        self._sink.close()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1
        if not self._number:
            return
        if self._position is not None:
            _log.warning("%s is the earlier one still: no record has come to replace it", printable(str(self._path)))
        with contextlib.suppress(OSError):  # the next run removes it
            kept = [file for file in self._there(self._beside(self._number)) if file.stat().st_size]
            if self._position is None or not kept:
                self._clear(but="")
        self._number = ""

    # Places

    def _folder(self, number: str) -> Path:
        return self._real.with_name(f".{self._real.name}.{number}")

    def _beside(self, number: str) -> Path:
        return self._folder(number) / self._real.name

    def _there(self, path: Path) -> list[Path]:
        return [file for file in self._files(path) if file.is_file()]

    def _clear(self, *, but: str) -> None:
        """Remove what runs that broke off have left beside, but not what has this number."""
        ours = re.compile(rf"{re.escape(f'.{self._real.name}.')}([0-9a-f]{{8}})")
        if not self._real.parent.is_dir():
            return
        for folder in list(self._real.parent.iterdir()):
            match = ours.fullmatch(folder.name)
            if match is None or match[1] == but or not folder.is_dir():
                continue
            for file in self._there(folder / self._real.name):
                file.unlink()
            _remove_empty(folder / self._real.name, folder)

    def _take_place(self, number: str) -> None:
        """Move the files into their place; what is left of the earlier output's goes when the sink is opened there."""
        folder, file = self._folder(number), self._beside(number)
        if file.is_file():
            self._hold(file)
            for other in self._there(self._real):  # a journal would be taken for one of the new database
                if other != self._real:
                    other.unlink()
        make_folder(self._real if file.is_dir() else self._real.parent)
        for one in self._there(file):
            one.replace(self._real.parent / one.relative_to(folder))
        sync_folder(self._real if file.is_dir() else self._real.parent)
        _remove_empty(file, folder)

    def _hold(self, file: Path) -> None:
        """Lock the file that comes: the lock of the output is on the one that goes."""
        self._lock = open_unlinked(file, os.O_RDWR)
        with contextlib.suppress(OSError):  # a file system without locks: that was said when the output was opened
            if not try_lock(self._lock):
                raise StorageError(f"{file} is held by another process: choose another --output")


def _remove_empty(*folders: Path) -> None:
    with contextlib.suppress(OSError):
        for folder in folders:
            if folder.is_dir():
                folder.rmdir()
