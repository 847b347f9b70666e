"""Which share of a job's records has a value in each field, read from an output of its own on this machine."""

import contextlib
import csv
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator
from io import TextIOWrapper
from pathlib import Path
from typing import NamedTuple, TypeVar
from urllib.parse import quote

import msgspec
from msgspec import Struct

from crawler.core.errors import CrawlerError
from crawler.core.extras import needed
from crawler.ledger.sinks.coverage import NO_VALUE
from crawler.ledger.sinks.files.compressed import opened

__all__ = ["FieldShares", "field_shares"]

T = TypeVar("T")

MOST_RECORDS = 100_000
MOST_BYTES = 64_000_000
"""Read of an output, decoded. What is larger is sampled: at 64 places that are evenly spaced, or from its beginning."""
_PLACES = 64
_MOST_FIELDS = 500
_NOTHING_SQL = "('', '[]', '{}')"


class _Most(NamedTuple):
    """What is read of one file at most."""

    records: int
    bytes: int


class FieldShares(Struct):
    """What was read of an output: `records`, how many of them have a value for each field, and what part that is.

    `whole`: all records were read; else `sample` says which. State: all of it, while it is read.
    """

    output: str = ""
    records: int = 0
    fields: dict[str, int] = {}
    whole: bool = True
    sample: str = ""

    def count(self, name: str, number: int) -> None:
        """Count values of a field. Beyond 500 fields no more are told apart."""
        if name in self.fields or len(self.fields) < _MOST_FIELDS:
            self.fields[name] = self.fields.get(name, 0) + number

    def cut(self, sample: str) -> None:
        """Learn that not all records are read."""
        self.whole = False
        self.sample = sample


def field_shares(output: str, files: list[Path]) -> FieldShares:
    """Read the files of one output, or a sample of them.

    Raises `CrawlerError` if that cannot be read, with why.
    """
    found = FieldShares(output)
    chosen = files
    if len(files) > _PLACES:
        chosen = files[:: -(-len(files) // _PLACES)]
        found.cut(f"from {len(chosen)} of {len(files)} files")
    for file in chosen:
        read = _reader(file.name.lower())
        if read is None:
            raise CrawlerError(f"{file.name} holds no records that a report can read")
        try:
            read(file, found, _Most(MOST_RECORDS // len(chosen), MOST_BYTES // len(chosen)))
        except (OSError, EOFError, ValueError, zlib.error, csv.Error, sqlite3.Error) as error:
            raise CrawlerError(f"cannot read {file.name}: {error}") from error
    return found


Read = Callable[[Path, FieldShares, _Most], None]


def _reader(name: str) -> Read | None:
    plain = name.removesuffix(".gz").removesuffix(".zst")
    if plain.endswith((".jsonl", ".ndjson", ".json")):
        return _json_lines if plain == name else _compressed_json_lines
    if plain.endswith(".csv"):
        return _csv
    if name.endswith(".parquet"):
        return _parquet
    if name.endswith((".sqlite", ".sqlite3", ".db")):
        return _sqlite
    return None


# JSON lines

_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def _take_line(line: bytes, found: FieldShares) -> None:
    try:
        record = _decode(line)
    except msgspec.MsgspecError:
        return  # the last line of a crawl that runs, or none of ours
    found.records += 1
    for name, value in record.items():
        found.count(name, bytes(value) not in NO_VALUE)


def _json_lines(path: Path, found: FieldShares, most: _Most) -> None:
    whole = path.stat().st_size
    with path.open("rb") as file:
        if whole <= most.bytes:
            for line in file:
                _take_line(line, found)
            return
        found.cut(f"at {_PLACES} places of it")
        for place in range(_PLACES):
            file.seek(place * whole // _PLACES)
            if place:
                file.readline()
            end = file.tell() + most.bytes // _PLACES
            while file.tell() < end and (line := file.readline(most.bytes)):
                _take_line(line, found)


def _compressed_json_lines(path: Path, found: FieldShares, most: _Most) -> None:
    with opened(path) as file:
        size = most.bytes
        for number, line in enumerate(_whole(file)):
            if number >= most.records or size <= 0:
                found.cut("those at its beginning")
                return
            size -= len(line)
            _take_line(line, found)


def _whole(lines: Iterable[T]) -> Iterator[T]:
    """Give lines or rows up to where a crawl that runs has come: a compressed file may end in its middle."""
    with contextlib.suppress(EOFError):
        yield from lines


# Tables


def _csv(path: Path, found: FieldShares, most: _Most) -> None:
    limit = csv.field_size_limit(MOST_BYTES)
    try:
        with opened(path) as raw, TextIOWrapper(raw, encoding="utf-8-sig", newline="") as text:
            rows = csv.reader(text)
            names = next(rows, [])
            for name in names:
                found.count(name, 0)
            size = most.bytes
            for number, row in enumerate(_whole(rows)):
                if number >= most.records or size <= 0:
                    found.cut("those at its beginning")
                    return
                size -= sum(map(len, row))
                found.records += 1
                for name, value in zip(names, row, strict=False):
                    found.count(name, value not in {"", "[]", "{}"})
    finally:
        csv.field_size_limit(limit)


def _parquet(path: Path, found: FieldShares, most: _Most) -> None:
    parquet = needed("pyarrow.parquet", "arrow", "the coverage of fields in Parquet files")
    compute = needed("pyarrow.compute", "arrow", "the coverage of fields in Parquet files")
    types = needed("pyarrow.types", "arrow", "the coverage of fields in Parquet files")
    try:
        file = parquet.ParquetFile(path)
        groups = file.metadata.num_row_groups
        rows = file.metadata.num_rows
        every = max(1, -(-rows // most.records))
        chosen = list(range(0, groups, every))
        if len(chosen) < groups:
            found.cut("from row groups that are evenly spaced")
        for group in chosen:
            table = file.read_row_group(group)
            found.records += table.num_rows
            for name, values in zip(table.column_names, table.columns, strict=True):
                empty = None
                if types.is_string(values.type) or types.is_large_string(values.type):
                    empty = compute.equal(values, "")
                elif types.is_list(values.type) or types.is_large_list(values.type):
                    empty = compute.equal(compute.list_value_length(values), 0)
                without = 0 if empty is None else compute.sum(empty).as_py() or 0
                found.count(name, len(values) - values.null_count - without)
    except OSError:
        raise
    except Exception as error:
        raise ValueError(str(error)) from error


def _sqlite(path: Path, found: FieldShares, most: _Most) -> None:
    with contextlib.closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as database:
        names = [column[1] for column in database.execute("PRAGMA table_info(records)")]
        last = database.execute("SELECT max(_rowid_) FROM records").fetchone()[0] or 0
        if not names or not last:
            return
        step = max(1, -(-last // most.records))
        if step > 1:
            found.cut(f"each {step}th row")
        sums = ", ".join(
            f"sum({_quoted(name)} IS NOT NULL AND {_quoted(name)} NOT IN {_NOTHING_SQL})" for name in names
        )
        rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + ? FROM n WHERE i + ? <= ?) "
        told = database.execute(
            f"{rows} SELECT count(*), {sums} FROM records WHERE _rowid_ IN (SELECT i FROM n)",  # noqa: S608 - quoted
            (step, step, last),
        ).fetchone()
        found.records += told[0]
        for name, number in zip(names, told[1:], strict=True):
            found.count(name, number or 0)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
