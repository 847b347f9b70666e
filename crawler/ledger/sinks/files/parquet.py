"""A folder of Parquet files.

A Parquet file cannot be appended to: it can be read only when it was closed. So records gather in a spool, a file of
JSON lines that takes part in the commit protocol as any other, and a full spool is sealed: made into a part.

    pages.parquet/part-00001.parquet     sealed parts, for whoever reads
    pages.parquet/_spool-00002.jsonl     what part 2 will be made of (readers of such folders leave out `_…`)
    pages.parquet/_part-00002.tmp        part 2 while it is made, and until it is in a commit

Killed at any instant, the next `open` makes it right from the position, part n with an offset:

    part n sealed, not committed            it and all behind it go; spool n is still there, and is cut to the offset
    committed, part n-1 not named so yet    it gets its name: it is whole since before the commit
    committed, spool n-1 still there        it goes: its records are in part n-1
"""

import contextlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from crawler.core.config import CrawlConfig
from crawler.core.errors import StorageError
from crawler.core.extras import needed
from crawler.core.file_lock import is_at
from crawler.core.folders import make_folder, sync_folder
from crawler.core.model import Finished
from crawler.core.printable import printable
from crawler.core.refusal import moved, refusal
from crawler.core.symlinks import open_unlinked, written_anew
from crawler.ledger.sinks.base import Position, record_lines
from crawler.ledger.sinks.files.file import write_all
from crawler.ledger.sinks.kind import SinkKind
from crawler.ledger.sinks.parts import FULL
from crawler.ledger.tables.batch import Batches, in_batches
from crawler.ledger.tables.schema import OTHER, Column, Inference, columns_of

__all__ = ["KIND", "ParquetSink"]

_ADVICE = "name a folder that can be written with --output"
_OURS = re.compile(r"part-(\d{5,})\.parquet|_spool-(\d{5,})\.jsonl|_part-(\d{5,})\.tmp")
# A batch is made in a few calls that hold the GIL: 1,000 pages made the event loop wait for up to 37 ms, 100 for 4 ms.
_BATCH_RECORDS = 100
_GROUP_BYTES = 32_000_000  # of a row group in memory: readers take one whole


class ParquetSink:
    """Writes records to the Parquet files of the folder `path`, each once. Other outcomes have no place there.

    Columns are those of `tables.schema.columns_of` the settings. A spider's are inferred from the records of the
    first part, and stay: all parts have one schema. What later records have beside them stands in the column `_other`.

    Sealing takes about 1 s for 64 MB, in which nothing is committed. The position holds `part`, the number of the open
    spool, its bytes as `offset`, its `records`, and `columns` once they were inferred. Parts get their
    names when they are in a commit, and are not looked at again: whoever reads them may take them away.

    `ended` has the numbers of the parts that this run has ended, with their records; whoever reads it may clear it.

    Raises `ConfigError` if pyarrow is not installed.
    """

    def __init__(self, path: Path, config: CrawlConfig, *, name: str | None = None) -> None:
        # Now and not when a part is sealed: it takes 0.3 s, in which the event loop would wait.
        self._parquet = needed("pyarrow.parquet", "arrow", f"output {printable(str(path))}")
        self.name = str(path.absolute()) if name is None else name
        self._path = path
        self._known = columns_of(config)
        self._full = config.rotate or FULL
        # State: the open spool, its number, bytes and records; lines not written to it; full spools not sealed yet.
        self._fd: int | None = None
        self._part = 1
        self._offset = 0
        self._records = 0
        self._lines: list[bytes] = []
        self._to_seal: list[int] = []
        self.ended: dict[int, int] = {}
        # The columns that were inferred, as JSON; the first part not in a commit yet.
        self._inferred = ""
        self._safe = 1
        self._flushed = False

    def part_path(self, number: int) -> Path:
        """Path of a part, from 1 on."""
        return self._path / f"part-{number:05}.parquet"

    def lies_at(self, number: int) -> Path:
        """Where that part is now: under another name before its commit."""
        made = self._made_path(number)
        return made if made.exists() else self.part_path(number)

    def open(self, position: Position | None) -> None:
        """Make the folder if needed, remove what was made after the last commit, cut the spool to its bytes.

        Raises `StorageError` if the spool is shorter: records that the job counts as written are missing.
        """
        position = position or {}
        self._part = self._safe = int(position.get("part", 1))
        self._offset = int(position.get("offset", 0))
        self._records = int(position.get("records", 0))
        self._inferred = str(position.get("columns", ""))
        try:
            make_folder(self._path)
        except FileExistsError as error:
            raise StorageError(
                f"cannot write {self._path}: it or a part of its path is a file; Parquet goes to a folder, {_ADVICE}"
            ) from error
        except OSError as error:
            raise refusal(f"write {self._path}", error, _ADVICE) from error
        self._clean()
        if self._offset:
            self._cut_spool()

    def write(self, finished: Sequence[Finished]) -> None:
        """Append the records to the spool; a full one is followed by the next."""
        for line in record_lines(finished):
            if self._is_full():
                self._next_spool()
            self._lines.append(line)
            self._offset += len(line)
            self._records += 1
        self._hand_over()

    def flush(self, *, last: bool = False) -> Position:
        """Seal what is full, with `last` all there is, and bring the rest to the device."""
        if self._fd is not None and not is_at(self._fd, self._spool_path(self._part)):
            raise moved(self._spool_path(self._part), "records")
        if self._is_full() or (last and self._records):
            self._next_spool()
        for number in self._to_seal:
            self._seal(number)
        self._to_seal.clear()
        if self._fd is not None:
            try:
                os.fsync(self._fd)
            except OSError as error:
                raise refusal(f"write {self._spool_path(self._part)}", error, _ADVICE) from error
        self._flushed = True
        position: Position = {"part": self._part, "offset": self._offset, "records": self._records}
        return position | {"columns": self._inferred} if self._inferred else position

    def seal(self) -> None:
        """End the open spool, if there is something in it: the next record begins another part."""
        if self._records:
            self._next_spool()

    def committed(self) -> None:
        """Name the parts that are in the commit, and remove their spools."""
        if self._safe == self._part:
            return
        try:
            for number in range(self._safe, self._part):
                self._made_path(number).replace(self.part_path(number))
            sync_folder(self._path)
            for number in range(self._safe, self._part):
                self._spool_path(number).unlink(missing_ok=True)
        except OSError as error:
            raise refusal(f"name the parts in {self._path}", error, _ADVICE) from error
        self._safe = self._part

    def close(self) -> None:
        """Close the spool."""
        self._close_spool()
        if not self._flushed:
            with contextlib.suppress(OSError):  # a start that failed leaves no empty folder behind
                self._path.rmdir()

    def _made_path(self, number: int) -> Path:
        return self._path / f"_part-{number:05}.tmp"

    # Spools

    def _spool_path(self, number: int) -> Path:
        return self._path / f"_spool-{number:05}.jsonl"

    def _is_full(self) -> bool:
        return self._full.is_full(self._records, self._offset)

    def _next_spool(self) -> None:
        self._hand_over()
        self._close_spool()
        self._to_seal.append(self._part)
        self.ended[self._part] = self._records
        self._part += 1
        self._offset = self._records = 0

    def _hand_over(self) -> None:
        """Write the lines that wait; a spool is made when there is something to write."""
        if not self._lines:
            return
        path = self._spool_path(self._part)
        if self._fd is None:
            try:
                self._fd = open_unlinked(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
                sync_folder(self._path)
            except OSError as error:
                raise refusal(f"write {path}", error, _ADVICE) from error
        write_all(self._fd, b"".join(self._lines), str(path))
        self._lines.clear()

    def _close_spool(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _cut_spool(self) -> None:
        path = self._spool_path(self._part)
        try:
            size = path.lstat().st_size if path.exists() else 0
            if size < self._offset:
                raise StorageError(
                    f"{path} has {size} bytes, but the job has committed {self._offset}: "
                    "put the file back, or start over with --fresh"
                )
            spool = open_unlinked(path, os.O_WRONLY)
            try:
                os.ftruncate(spool, self._offset)
            finally:
                os.close(spool)
        except OSError as error:
            raise refusal(f"write {path}", error, _ADVICE) from error

    def _clean(self) -> None:
        """Leave of our files the parts before the open spool, named, and that spool if the commit counts some of it."""
        try:
            for file in list(self._path.iterdir()):
                match = _OURS.fullmatch(file.name)
                if match is None:
                    continue
                part, spool, made = match.groups()
                if made and int(made) < self._part:
                    file.replace(self.part_path(int(made)))
                    continue
                is_kept = (part and int(part) < self._part) or (spool and int(spool) == self._part and self._offset)
                if not is_kept:
                    file.unlink()
        except OSError as error:
            raise refusal(f"clean the folder {self._path}", error, _ADVICE) from error

    # Sealing

    def _seal(self, number: int) -> None:
        """Make a part of a spool, under another name until it is in a commit."""
        spool, made = self._spool_path(number), self._made_path(number)
        try:
            into = self._batches(spool)
            with written_anew(made) as file:
                self._write_part(spool, into, file)
                file.flush()
                os.fsync(file.fileno())
            sync_folder(self._path)
        except OSError as error:
            raise refusal(f"write {made}", error, _ADVICE) from error

    def _batches(self, spool: Path) -> Batches:
        """What makes the batches of a part; the first part of a spider's records decides for all."""
        if self._known is not None:
            return Batches(self._known, other=False)
        if not self._inferred:
            inference = Inference()
            for record in _records(spool):
                inference.add(record)
            self._inferred = msgspec.json.encode(inference.columns()).decode()
        return Batches(msgspec.json.decode(self._inferred, type=tuple[Column, ...]), other=True)

    def _write_part(self, spool: Path, into: Batches, file: Any) -> None:
        pyarrow = needed("pyarrow", "arrow", "Parquet")
        with self._parquet.ParquetWriter(file, into.schema(), compression="zstd") as writer:
            group: list[Any] = []
            size = 0
            for rows in in_batches(_records(spool), _BATCH_RECORDS):
                batch = into.batch(rows)
                group.append(batch)
                size += batch.nbytes
                if size >= _GROUP_BYTES:
                    writer.write_table(pyarrow.Table.from_batches(group))
                    group, size = [], 0
            if group:
                writer.write_table(pyarrow.Table.from_batches(group))


def _records(spool: Path) -> Iterator[dict[str, Any]]:
    with spool.open("rb") as lines:
        yield from map(msgspec.json.Decoder(dict[str, Any]).decode, lines)


def _made(path: Path, config: CrawlConfig, name: str) -> ParquetSink:
    return ParquetSink(path, config, name=name)


def _files(path: Path, _rotated: bool) -> list[Path]:
    return sorted(file for name in ("part-*.parquet", "_part-*.tmp", "_spool-*.jsonl") for file in path.glob(name))


def _rows(path: Path, _rotated: bool, names: Sequence[str] | None) -> Iterator[bytes | Mapping[str, Any]]:
    """Give the columns `names` of each record, those that `_other` holds too; what is not sealed yet comes last."""
    parquet = needed("pyarrow.parquet", "arrow", f"reading {printable(str(path))}")
    for part in _files(path, False):
        if part.suffix == ".jsonl":
            with part.open("rb") as lines:
                yield from lines
            continue
        with parquet.ParquetFile(part) as file:
            there = file.schema_arrow.names
            columns = there if names is None else [name for name in (*names, OTHER) if name in there]
            for batch in file.iter_batches(_BATCH_RECORDS, columns=columns):
                for row in batch.to_pylist() if columns else [{}] * batch.num_rows:
                    # A value that did not fit its column is null there, and stands in the other one.
                    yield row | msgspec.json.decode(row.pop(OTHER, None) or "{}")


KIND = SinkKind((".parquet",), _made, _files, row=str, is_folder=True, records=_rows)
"""A folder of parts names itself, so it is the pattern of its row."""
