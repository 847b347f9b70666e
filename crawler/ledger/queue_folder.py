"""A folder of seed files that a crawl follows: whoever has seeds puts a file there, and the crawl takes it."""

import contextlib
import os
import stat
import time
from io import BufferedReader
from pathlib import Path
from typing import Final

from crawler.core.folders import make_folder, sync_folder
from crawler.core.symlinks import refuse_link
from crawler.ledger.inbox import Answer, Waiting, opened_regular

__all__ = ["QueueFolder"]

_END: Final = "end"
_TAKEN, _REFUSED = "taken", "refused"
_UNFINISHED: Final = (".tmp", ".part", ".crdownload", "~")
_STILL_S: Final = 2.0
"""A file that has changed within this time may still be written."""


class QueueFolder:
    """The folder behind `--follow`. Files that were taken go to `taken/` in it, those that are no seeds to `refused/`.

    Files are seed files (`frontier.seeds`), taken in the order of their names. A file called `end` says that no more
    will come; it goes to `taken/` when the crawl has ended for that. Names that begin with a dot, or end as files do
    that are being written, are left alone. All raise OSError. State: whether the end was seen, with nothing before it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.key = f"{folder.resolve()}/"
        self.is_open = True
        self._all_still = True

    def stamp(self) -> object:
        """Return what changes when a file comes; never twice the same as long as one is being written."""
        if not self._all_still:
            return None
        found = self._folder.stat()
        return found.st_mtime_ns, found.st_ino

    def waiting(self) -> tuple[list[Waiting], list[str]]:
        """Return the files to be taken, in the order of their names, and names of what is none."""
        found: list[Waiting] = []
        foreign: list[str] = []
        ends, self._all_still = False, True
        for entry in os.scandir(self._folder):
            if entry.name.startswith(".") or entry.name.endswith(_UNFINISHED) or entry.name in {_TAKEN, _REFUSED}:
                continue
            with contextlib.suppress(FileNotFoundError):
                of = entry.stat(follow_symlinks=False)
                if not stat.S_ISREG(of.st_mode):
                    foreign.append(entry.name)
                elif entry.name == _END:
                    ends = True
                elif abs(time.time() - of.st_mtime) < _STILL_S:
                    self._all_still = False
                else:
                    found.append(Waiting(entry.name, (of.st_ino, of.st_size, of.st_mtime_ns)))
        self.is_open = not ends or bool(found) or not self._all_still
        return sorted(found), sorted(foreign)

    def is_seeds(self, _name: str) -> bool:
        """Whether a file holds seeds: all do."""
        return True

    def open(self, name: str) -> BufferedReader:
        """Open a file."""
        return opened_regular(self._folder / name)

    def finish(self, name: str, answer: Answer) -> None:
        """Put a file that was taken aside."""
        self._put_aside(name, _REFUSED if answer.refused else _TAKEN)

    def sync(self) -> None:
        """Make that last."""
        sync_folder(self._folder)

    def close(self) -> None:
        """Learn that the crawl has ended since no more comes."""
        if not self.is_open:
            self._put_aside(_END, _TAKEN)
            self.sync()

    def _put_aside(self, name: str, where: str) -> None:
        refuse_link(self._folder / where)
        make_folder(self._folder / where)
        aside, number = self._folder / where / name, 1
        while aside.exists() or aside.is_symlink():
            number += 1
            aside = self._folder / where / f"{name}.{number}"
        with contextlib.suppress(FileNotFoundError):
            (self._folder / name).rename(aside)
        sync_folder(aside.parent)
