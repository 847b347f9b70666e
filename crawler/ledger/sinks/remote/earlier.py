"""The files of an earlier run of a job that wait to be uploaded, while the job starts over.

They go when the new crawl has its first commit, and come back if it has none: so says a number that its position holds.

    <job>/upload/1a2b3c4d            the files of the run
    <job>/upload/1a2b3c4d.earlier    those from before it started over
    <job>/upload/1a2b3c4d.anew       the number of the run that started over
"""

import contextlib
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from crawler.core.refusal import refusal
from crawler.core.symlinks import written_anew
from crawler.ledger.sinks.base import Position

__all__ = ["EarlierFiles"]


class EarlierFiles:
    """Puts the files of `folder` aside and brings them back. State: on the disk. Raises `StorageError`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._aside = folder.with_name(f"{folder.name}.earlier")
        self._number = folder.with_name(f"{folder.name}.anew")

    @property
    def exist(self) -> bool:
        """Whether this job has had files of this output."""
        return self._folder.exists() or self._aside.exists()

    def recover(self, position: Position | None) -> None:
        """Make right what a start that was broken off has left."""
        if not self._aside.exists():
            return
        with self._told():
            if position is not None and self._number.exists() and self._number.read_text() == position.get("anew"):
                shutil.rmtree(self._aside)
            else:
                self._bring_back()

    def put_aside(self) -> str:
        """Make room for new files; return the number of this start, for the positions of the run."""
        number = secrets.token_hex(4)
        with self._told():
            if not self._folder.exists():
                return number
            self._folder.rename(self._aside)
            with written_anew(self._number) as file:
                file.write(number.encode())
        return number

    def bring_back(self) -> None:
        """Have the earlier files again; without any, leave no folder."""
        with contextlib.suppress(OSError):  # the next start does it
            self._bring_back()

    def forget(self) -> None:
        """Remove the earlier files."""
        with self._told(), contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self._aside)
            self._number.unlink()

    def _bring_back(self) -> None:
        if self._folder.exists():
            shutil.rmtree(self._folder)
        if self._aside.exists():
            self._aside.rename(self._folder)
            self._number.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise refusal(f"replace {self._folder}", error, "remove it by hand") from error
