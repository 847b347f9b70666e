"""A table in an SQLite database."""

import contextlib
import errno
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from crawler.core.config import CrawlConfig
from crawler.core.errors import ConfigError, StorageError
from crawler.core.model import Finished
from crawler.core.printable import printable
from crawler.core.refusal import moved, refusal
from crawler.core.symlinks import refuse_link, refuse_planted
from crawler.ledger.sinks.base import Position, record_lines
from crawler.ledger.sinks.files.file import make_folder_of, row_pattern
from crawler.ledger.sinks.kind import SinkKind
from crawler.ledger.sinks.left_out import LeftOut
from crawler.ledger.tables.schema import MOST_COLUMNS, Column, columns_of, fits_64_bits

__all__ = ["KIND", "TABLE", "SqliteSink"]

TABLE = "records"
"""Name of the table."""

_ADVICE = "name a file that can be written with --output"
_BESIDE = ("-journal", "-wal", "-shm")
_PATIENCE_S = 30.0
_TYPES = {"int": "INTEGER", "bool": "INTEGER", "float": "REAL"}
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class SqliteSink:
    """Inserts records into the table `records`, each once; an index finds them by `url`.

    Columns are known from the settings, but for a spider: then each key becomes a column, up to 1,000 of them, without
    a type, so that each value stays what it is; names that differ only in case are one column to SQLite. Text, numbers
    and null stay what they are, true and false become 1 and 0, lists and objects JSON text; so does a whole number of
    more than 64 bits.

    Rows are numbered (`rowid`) from 1 on, and the position holds the last number as `rows`: rows with a higher one are
    removed when the database is opened. While the crawl runs others may read it (it is in WAL mode, with the files
    `-wal` and `-shm` beside it); after a run that ended in good order it is one file.
    """

    def __init__(self, path: Path, config: CrawlConfig, *, name: str | None = None) -> None:
        if config.rotate is not None:
            raise ConfigError(f"output {printable(str(path))} cannot be rotated: a database is one file")
        self.name = str(path.absolute()) if name is None else name
        self._path = path
        self._described = columns_of(config)
        # State: the connection, and whether it is set up for writing; the number of the last row; columns by their name
        # in small letters; what was left out.
        self._database: sqlite3.Connection | None = None
        self._identity: os.stat_result | None = None
        self._rows = 0
        self._columns: dict[str, str] = {}
        self._is_set_up = False
        self._left_out = LeftOut(self.name)

    def open(self, position: Position | None) -> None:
        """Open the database, making it and its folder if needed, and remove the rows after the last commit.

        Raises `StorageError` if the table is gone, or what is there is no database.
        """
        self._rows = int((position or {}).get("rows", 0))
        make_folder_of(self._path)
        try:
            refuse_planted(self._path)
            for ending in _BESIDE:  # SQLite makes them beside the file itself
                refuse_link(Path(f"{self._path.resolve()}{ending}"))
        except OSError as error:
            raise refusal(f"write {self._path}", error, _ADVICE) from error
        with self._refused(), contextlib.ExitStack() as undo:
            undo.callback(self.close)
            # One thread at a time uses it, which need not be the one that opened it.
            self._database = sqlite3.connect(
                self._path, timeout=_PATIENCE_S, isolation_level=None, check_same_thread=False
            )
            self._connection.execute("PRAGMA schema_version")  # opens the file
            self._identity = self._path.stat()
            there = self._connection.execute(f"PRAGMA table_info({TABLE})").fetchall()
            self._columns = {_key(column[1]): column[1] for column in there}
            if self._rows and not there:
                raise StorageError(
                    f"{self._path} has no table {TABLE}, but the job has committed {self._rows} rows: "
                    "put the file back, or start over with --fresh"
                )
            if there:
                self._run(f"DELETE FROM {TABLE} WHERE _rowid_ > ?", (self._rows,))  # noqa: S608 - a name of this module
            undo.pop_all()

    def write(self, finished: Sequence[Finished]) -> None:
        """Insert the records in an open transaction."""
        records = [_decode(line) for line in record_lines(finished)]
        if not records:
            return
        with self._refused():
            if not self._is_set_up:  # not before: it writes to the file, and a job that cannot begin leaves none
                self._run("PRAGMA journal_mode=WAL")
                self._run("PRAGMA synchronous=FULL")
                self._is_set_up = True
            if not self._connection.in_transaction:
                self._run("BEGIN IMMEDIATE")
            self._make_columns(records)
            names = ", ".join(map(_quoted, self._columns.values()))
            marks = ", ?" * len(self._columns)
            self._connection.executemany(
                f"INSERT INTO {TABLE} (_rowid_, {names}) VALUES (?{marks})",  # noqa: S608 - names are quoted
                self._rows_of(records),
            )

    def flush(self, *, last: bool = False) -> Position:
        """Commit the transaction; with `last` make one file of the database."""
        with self._refused():
            if self._connection.in_transaction:
                self._run("COMMIT")
            if not self._is_there():
                raise moved(self._path, "records")
        if last:
            with contextlib.suppress(sqlite3.OperationalError):  # somebody reads it: the next one to close it does this
                self._run("PRAGMA busy_timeout=0")
                self._run("PRAGMA journal_mode=DELETE")
                self._is_set_up = False
            with self._refused():
                self._run(f"PRAGMA busy_timeout={_PATIENCE_S * 1000:.0f}")
        return {"rows": self._rows}

    def committed(self) -> None:
        """Nothing is kept for the commit before."""

    def close(self) -> None:
        """Close the database; what was not committed is gone."""
        if self._database is not None:
            self._database.close()
            self._database = None

    @property
    def _connection(self) -> sqlite3.Connection:
        if self._database is None:
            raise StorageError(f"{self._path} is closed")
        return self._database

    def _run(self, statement: str, values: Sequence[Any] = ()) -> None:
        self._connection.execute(statement, values)

    # Columns

    def _make_columns(self, records: Sequence[dict[str, Any]]) -> None:
        """Make the columns that the records need and that are not there."""
        if self._described is not None:
            if not self._columns:
                self._add({column.name: _declared(column) for column in self._described})
            return
        new: dict[str, str] = {}
        left_out: set[str] = set()
        for record in records:
            for name in record:
                key = _key(name)
                if key in self._columns or key in new:
                    continue
                if len(self._columns) + len(new) < MOST_COLUMNS:
                    new[key] = name
                else:
                    left_out.add(name)
        self._left_out.note(sorted(left_out))
        if not self._columns and not new:  # a table needs one
            new["url"] = "url"
        self._add(dict.fromkeys(new.values(), ""))

    def _add(self, columns: dict[str, str]) -> None:
        """Add columns, with the types that are declared for them, to the table, which may not be there yet."""
        for name, declared in columns.items():
            if _key(name) in self._columns:  # differs from another only in case
                continue
            column = f"{_quoted(name)} {declared}".rstrip()
            if self._columns:
                self._run(f"ALTER TABLE {TABLE} ADD COLUMN {column}")
            else:
                self._run(f"CREATE TABLE {TABLE} ({column})")
            self._columns[_key(name)] = name
            if _key(name) == "url":
                self._run(f"CREATE INDEX {TABLE}_url ON {TABLE} (url)")

    def _rows_of(self, records: Sequence[dict[str, Any]]) -> Iterator[list[Any]]:
        """Give each record's values in the order of the columns, behind the number of its row."""
        places = {key: place for place, key in enumerate(self._columns, start=1)}
        for record in records:
            self._rows += 1
            row: list[Any] = [None] * (len(places) + 1)
            row[0] = self._rows
            for name, value in record.items():
                place = places.get(_key(name))
                if place is not None and value is not None:
                    row[place] = _stored(value)
            yield row

    def _is_there(self) -> bool:
        """Whether the database has its name still."""
        with contextlib.suppress(OSError):
            return self._identity is None or os.path.samestat(self._identity, self._path.stat())
        return False

    @contextlib.contextmanager
    def _refused(self) -> Iterator[None]:
        """Say what SQLite refuses as a `StorageError`."""
        try:
            yield
        except sqlite3.Error as error:
            if not self._is_there():
                raise moved(self._path, "records") from error
            reason: Exception = error
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
                reason = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            raise refusal(f"write {self._path}", reason, _ADVICE) from error


def _key(name: str) -> str:
    """What SQLite takes for one name of a column: it does not tell ASCII letters from capitals."""
    return _named(name).translate(_SMALL)


def _named(name: str) -> str:
    """A key as a column can be called: not with NUL in its name, nor as the number of the row is."""
    name = name.replace("\0", "\ufffd")
    return "rowid" if name.translate(_SMALL) == "_rowid_" else name


_SMALL = {ord(letter): letter.lower() for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}


def _quoted(name: str) -> str:
    return '"' + _named(name).replace('"', '""') + '"'


def _declared(column: Column) -> str:
    return "TEXT" if column.many else _TYPES.get(column.kind, "TEXT")


def _stored(value: Any) -> Any:
    """Return a value as SQLite takes it."""
    if isinstance(value, list | dict) or (isinstance(value, int) and not fits_64_bits(value)):
        return msgspec.json.encode(value).decode()
    return value


def _made(path: Path, config: CrawlConfig, name: str) -> SqliteSink:
    return SqliteSink(path, config, name=name)


def _files(path: Path, _rotated: bool) -> list[Path]:
    return [path, *(path.with_name(path.name + more) for more in ("-wal", "-shm", "-journal"))]


def _records(path: Path, _rotated: bool, names: Sequence[str] | None) -> Iterator[Mapping[str, Any]]:
    # Only read: what is not there is an error, and not made.
    with contextlib.closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
        there = {_key(column[1]): column[1] for column in database.execute(f"PRAGMA table_info({TABLE})")}
        wanted = there.values() if names is None else names
        known = {name: there[_key(name)] for name in wanted if _key(name) in there}
        columns = ", ".join(map(_quoted, known.values())) or "NULL"
        for row in database.execute(f"SELECT {columns} FROM {TABLE} ORDER BY _rowid_"):  # noqa: S608 - quoted
            yield dict(zip(known, row, strict=False))


KIND = SinkKind((".db", ".sqlite"), _made, _files, row_pattern, records=_records)
