"""RocksDB as the store uses it: tables (column families) of raw bytes, written in whole batches.

Everything put between two commits travels in one `WriteBatch`: after `kill -9` all of it is there or none.
"""

import contextlib
import ctypes
import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import rocksdict

from crawler.core.errors import JobError, UsageError
from crawler.core.fork import Birth
from crawler.core.printable import printable
from crawler.core.refusal import moved, refusal
from crawler.frontier.families import CACHE_BYTES, FAMILIES, options_of
from crawler.frontier.store_files import mark_store, prepare_store, refuse_foreign
from crawler.frontier.storing import DAMAGED
from crawler.frontier.view import opened_view

__all__ = ["Database", "Table"]


class Table:
    """One column family. Reads see what is committed; `put` and `delete` go into the open batch of the database."""

    def __init__(self, database: "Database", family: Any, handle: Any) -> None:
        self._database = database
        self._family = family
        self._handle = handle

    def put(self, key: bytes, value: bytes) -> None:
        """Write or replace one row with the next commit."""
        self._database.batch.put(key, value, self._handle)

    def put_all(self, rows: dict[bytes, bytes]) -> None:
        """Write or replace rows with the next commit."""
        put, handle = self._database.batch.put, self._handle
        for key, value in rows.items():
            put(key, value, handle)

    def delete(self, key: bytes) -> None:
        """Remove one row with the next commit."""
        self._database.batch.delete(key, self._handle)

    def delete_range(self, start: bytes, end: bytes) -> None:
        """Remove the rows with start <= key < end with the next commit."""
        self._database.batch.delete_range(start, end, self._handle)

    def get(self, key: bytes) -> bytes | None:
        """Return the committed value of a key, None if there is none."""
        value: bytes | None = self._family.get(key)
        return value

    def get_all(self, keys: list[bytes]) -> Sequence[bytes | None]:
        """Return the committed values of several keys at once."""
        values: Sequence[bytes | None] = self._family.get(keys)
        return values

    def items(
        self, start: bytes | None = None, upper: bytes | None = None, *, backwards: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        """Give committed (key, value) pairs in order, from `start` on, or back from it; those below `upper` only."""
        options: dict[str, Any] = {}
        if start is not None:
            options["from_key"] = start
        if backwards:
            options["backwards"] = True
        if upper is not None:
            options["read_opt"] = rocksdict.ReadOptions()
            options["read_opt"].set_iterate_upper_bound(upper)
            return _held(iter(self._family.items(**options)), upper)
        return iter(self._family.items(**options))

    def keys(self, start: bytes | None = None) -> Iterator[bytes]:
        """Give committed keys in order, from `start` on."""
        return iter(self._family.keys(**({} if start is None else {"from_key": start})))

    def values(self) -> Iterator[bytes]:
        """Give all committed values, in the order of their keys."""
        return iter(self._family.values())

    def flush(self) -> None:
        """Have all committed rows in files, and none in the log alone. May raise bare Exception, as rocksdict does."""
        self._family.flush()

    def release(self) -> None:
        """Let go of the database, which closes only when nobody holds its families."""
        self._family = self._handle = None


def _held(items: Iterator[tuple[bytes, bytes]], _bound: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Give the items, and hold their bound as long: RocksDB points to it, and rocksdict does not keep it."""
    yield from items


class _NoRows:
    """Reads as a table without rows does."""

    def get(self, key: Any) -> Any:
        return [None] * len(key) if isinstance(key, list) else None

    def items(self, **_: Any) -> tuple[()]:
        return ()

    keys = values = items


class Database:
    """The open database of one job, with the batch under construction. Not thread-safe."""

    def __init__(self, path: Path, versions: dict[str, int], *, read_only: bool = False) -> None:
        """Open the database at `path`, making it if needed (not if `read_only`), with `versions` as its format.

        Raises `StorageError` if the disk refuses and `JobError` if another version of the format made it, or if what is
        there is none of ours.
        """
        _begin_here()
        self._path = path
        self._versions = versions
        self.batch = rocksdict.WriteBatch(raw_mode=True)
        if not str(path).isascii() and not _is_utf8(path):
            raise JobError(f"{printable(str(path))}: the store's path must be UTF-8: choose another --job")
        try:
            (refuse_foreign if read_only else prepare_store)(path)
        except OSError as error:
            raise refusal(f"open the store {path}", error, DAMAGED) from error
        self._db = opened_view(path, FAMILIES) if read_only else self._opened()
        self._identity = path.stat()
        self._tables = {name: self._table(name) for name in FAMILIES}
        self._check_versions(read_only=read_only)

    def _opened(self) -> rocksdict.Rdict:
        """Open the database for writing; make it if it is not there."""
        self._refuse_other_families()
        cache = rocksdict.Cache(CACHE_BYTES)
        families = {name: options_of(name, cache) for name in FAMILIES}
        try:
            return rocksdict.Rdict(str(self._path), options_of("default", cache), column_families=families)
        except Exception as error:  # rocksdict raises bare Exception
            raise refusal(f"open the store {self._path}", error, DAMAGED) from error

    def _table(self, name: str) -> Table:
        try:
            return Table(self, self._db.get_column_family(name), self._db.get_column_family_handle(name))
        except Exception:  # noqa: BLE001 - rocksdict raises bare Exception: a store that is read may lack a table
            return Table(self, _NoRows(), None)

    def table(self, name: str) -> Table:
        """Return one of `FAMILIES`."""
        return self._tables[name]

    def commit(self) -> None:
        """Write the batch, whole, wait for the disk, and begin another one. Raises `StorageError`."""
        self._check_place()
        try:
            # Two steps on purpose: the write holds the GIL (about 1 µs a row), the wait for the disk does not.
            self._db.write(self.batch)
            self._db.flush_wal(sync=True)
        except Exception as error:  # rocksdict raises bare Exception
            self._check_place()
            raise refusal(f"write the store {self._path}", error, DAMAGED) from error
        self.forget()

    def checkpoint(self, folder: Path) -> None:
        """Make of all that is committed a database of its own in `folder`, which must not be there.

        Its files are links to those of this one, where they can be. Raises `StorageError`.
        """
        self._check_place()
        try:
            # One by one, and first: that lets go of the GIL. The checkpoint does not, and finds nothing to flush.
            for table in self._tables.values():
                table.flush()
            rocksdict.Checkpoint(self._db).create_checkpoint(str(folder))
            mark_store(folder)
        except Exception as error:  # rocksdict raises bare Exception
            raise refusal(f"make a checkpoint of the store {self._path}", error, DAMAGED) from error

    def _check_place(self) -> None:
        """See that the store has its name still: what is written to files without one is lost."""
        try:
            there = os.path.samestat(self._identity, self._path.stat())
        except OSError:
            there = False
        if not there:
            raise moved(self._path, "what the job knew")

    def forget(self) -> None:
        """Drop the batch and begin another one."""
        self.batch = rocksdict.WriteBatch(raw_mode=True)

    def close(self) -> None:
        """Close the database; what was not committed is dropped. Safe to call twice."""
        if self._tables:
            for table in self._tables.values():
                table.release()
            self._tables.clear()
            # A disk that is full refuses even here. What was committed is in the log on the disk: nothing is lost.
            with contextlib.suppress(Exception):
                self._db.close()

    def _check_versions(self, *, read_only: bool) -> None:
        meta = self._tables["meta"]
        found = meta.get(b"versions")
        if found is None and not read_only:
            meta.put(b"versions", msgspec.msgpack.encode(self._versions))
            self.commit()
        elif found is not None and msgspec.msgpack.decode(found) != self._versions:
            self.close()
            raise self._other_version(found)

    def _refuse_other_families(self) -> None:
        """Refuse a store with other families before it is opened for writing.

        That would add those it lacks, and then the version that made it could not open it any more.
        """
        try:
            families = set(rocksdict.Rdict.list_cf(str(self._path)))
            if families - {"default"} == set(FAMILIES) or "meta" not in families:
                return
            meta = opened_view(self._path, ["meta"])
            found: Any = meta.get_column_family("meta").get(b"versions")
            meta.close()
        except Exception:  # noqa: BLE001 - rocksdict raises bare Exception; opening it in full says what is wrong
            return
        if found is not None and msgspec.msgpack.decode(found) != self._versions:
            raise self._other_version(found)

    def _other_version(self, found: bytes) -> JobError:
        return JobError(
            f"{self._path}: made by another version of crawler (it has {msgspec.msgpack.decode(found)}, this one needs "
            f"{self._versions}): go on with that version, or start over with --fresh"
        )


_births: list[Birth] = []
"""The process in which RocksDB was used first: its threads run there, and in no process forked from it."""


def _begin_here() -> None:
    """Note that RocksDB's threads start here. Raises `UsageError` if they are those of a parent, which a fork lacks."""
    if not _births:
        c_library = ctypes.CDLL(None)
        _births.append(Birth())
        os.register_at_fork(after_in_child=partial(_leave_threads, c_library))
    elif not _births[0].is_here:
        raise UsageError(
            f"process {_births[0].pid} has crawled, and this one was forked from it: the store's threads did not come "
            'along; start processes that crawl with "spawn", or before the first crawl'
        )


def _leave_threads(library: ctypes.CDLL) -> None:
    """Let a child end without RocksDB's own end, which waits for threads that it does not have, or crashes.

    What the C library calls last at the exit it calls first: `_exit`, with the status. Python has ended by then.
    """
    if hasattr(library, "on_exit"):  # glibc's
        library.on_exit(library._exit, None)  # noqa: SLF001 - the name that the C library gives it


def _is_utf8(path: Path) -> bool:
    """Whether RocksDB can be told the path: it takes text."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True
