"""An output of one shard of many: files that are closed with each checkpoint, and leave this machine with it.

    <folder>/parts/0/part-00041.jsonl     a closed part, until it is public; then whoever published it removes it here
    <folder>/parts/0/part-00042.jsonl     the open one
    <folder>/parts/0/_public              "40": that and all before it are public, and not looked for here

The file `_public` may be behind, never ahead. Whoever opens a sink whose parts went elsewhere (a shard that was put
here from a checkpoint) writes it first. Parquet has its parts in a folder of their own, `parts/0/part.parquet/`.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from crawler.core.errors import StorageError
from crawler.core.folders import make_folder, sync_folder
from crawler.core.model import Finished, Rotation
from crawler.core.printable import printable
from crawler.core.refusal import refusal
from crawler.core.symlinks import written_anew
from crawler.ledger.sinks.base import ClosedPart, Position, Sink

__all__ = ["FULL", "PartsSink", "RowOfParts", "note_public", "parts_folder", "public_parts"]

FULL = Rotation(bytes=64_000_000, records=100_000)
"""When a part is full, unless the settings say: its bytes (of Parquet those of JSON lines), and how many records."""

_PUBLIC = "_public"
_PART = re.compile(r"part-(\d{5,})\.")
_ADVICE = "choose another --job, or make it writable"


@runtime_checkable
class RowOfParts(Sink, Protocol):
    """A local sink that writes a row of files, of which each can be ended.

    `ended` has the numbers of those that it has ended, with their records.
    """

    ended: dict[int, int]

    def part_path(self, number: int) -> Path:
        """Path of a file of the row, from 1 on, once it is in a commit."""

    def seal(self) -> None:
        """End the open file with the next flush."""


class PartsSink:
    """The output number `output` of a shard, written by `row`, whose files have this `ending`.

    The position is that of `row`, with the records of the closed parts that are not known to be public (`closed`, such
    as `41:1000 42:37`). State: these parts, with their records.
    """

    def __init__(self, row: RowOfParts, folder: Path, *, name: str, output: int, ending: str) -> None:
        self.name = name
        self._row = row
        self._folder = folder
        self._output = output
        self._ending = ending
        self._closed: dict[int, int] = {}

    def open(self, position: Position | None) -> None:
        """Open the row. Raises `StorageError`."""
        own = dict(position or {})
        pairs = (one.split(":") for one in str(own.pop("closed", "")).split())
        self._closed = {int(number): int(records) for number, records in pairs}
        self._row.open(own if position is not None else None)

    def write(self, finished: Sequence[Finished]) -> None:
        """Give what ended to the row."""
        self._row.write(finished)

    def seal(self) -> None:
        """End the open part with the next flush."""
        self._row.seal()

    def flush(self, *, last: bool = False) -> Position:
        """Flush the row."""
        position = self._row.flush(last=last)
        self._closed |= self._row.ended
        self._row.ended.clear()
        if self._closed:
            public = public_parts(self._folder)
            self._closed = {number: records for number, records in self._closed.items() if number > public}
        text = " ".join(f"{number}:{records}" for number, records in self._closed.items())
        return position | {"closed": text} if text else position

    def committed(self) -> None:
        """Tell the row."""
        self._row.committed()

    def close(self) -> None:
        """Close the row."""
        self._row.close()

    def closed(self) -> tuple[ClosedPart, ...]:
        """Return the closed parts that are not known to be public. Raises `StorageError` if one is gone."""
        parts = (self._part(number, records) for number, records in self._closed.items())
        return tuple(part for part in parts if part is not None)

    def _part(self, number: int, records: int) -> ClosedPart | None:
        path = self._row.part_path(number)
        try:
            size = path.stat().st_size
        except OSError as error:
            if number <= public_parts(self._folder):
                return None  # it has become so since the flush
            raise StorageError(
                f"{printable(str(path))} is gone, and the checkpoint that makes it public is not made "
                f"({error.strerror}): put it back and run the same command again"
            ) from error
        return ClosedPart(
            output=self._output, number=number, path=str(path), ending=self._ending, records=records, bytes=size
        )


def parts_folder(folder: Path, output: int) -> Path:
    """Return where the parts of an output lie in the folder of a shard."""
    return folder / "parts" / str(output)


def public_parts(folder: Path) -> int:
    """Return up to which number the parts of an output are known to be public; `folder` is that of the parts."""
    try:
        return int((folder / _PUBLIC).read_text())
    except (FileNotFoundError, ValueError):  # not there, or written in part: it is behind then
        return 0
    except OSError as error:
        raise refusal(f"read {folder / _PUBLIC}", error, _ADVICE) from error


def note_public(folder: Path, number: int) -> None:
    """Learn that the parts of an output are public up to a number: those go here; `folder` is that of the parts."""
    try:
        make_folder(folder)
        aside = folder / f"{_PUBLIC}.tmp"
        with written_anew(aside) as file:
            file.write(b"%d\n" % number)
        aside.replace(folder / _PUBLIC)
        sync_folder(folder)
        for path in (*folder.glob("part-*"), *folder.glob("part.*/part-*")):
            match = _PART.match(path.name)
            if match and int(match[1]) <= number:
                path.unlink(missing_ok=True)
    except OSError as error:
        raise refusal(f"write {folder / _PUBLIC}", error, _ADVICE) from error
