"""The disks of nodes: databases in memory that outlive their process, and can be copied into a folder and back.

A process that dies in a commit dies before or after all of it, as with a real store (`planted`).
"""

import itertools
import pickle
from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from crawler.frontier.store_files import MARK

__all__ = ["Database", "Disks"]

Rows = dict[bytes, bytes]
_CURRENT = "CURRENT"
"""Says that a store is in its folder; its rows are in memory, or in a file if it was put there as a copy."""


class _Kept:
    """The rows of one table, and their keys in order as soon as somebody asks for these. Outlives its process."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.ordered: list[bytes] | None = None

    def keys(self) -> list[bytes]:
        if self.ordered is None:
            self.ordered = sorted(self.rows)
        return self.ordered

    def put(self, key: bytes, value: bytes) -> None:
        if self.ordered is not None and key not in self.rows:
            if self.ordered and key > self.ordered[-1]:
                self.ordered.append(key)
            else:
                insort(self.ordered, key)
        self.rows[key] = value

    def delete(self, key: bytes) -> None:
        if self.rows.pop(key, None) is not None and self.ordered is not None:
            del self.ordered[bisect_left(self.ordered, key)]


class Disks:
    """What lies on all disks, by path. State: that, and what is done at a commit of a store."""

    def __init__(self) -> None:
        self.stores: dict[Path, dict[str, _Kept]] = {}
        self.numbers = itertools.count(1)  # no two files of rows have one name
        self.at_commit: dict[Path, Callable[[bool], None]] = {}

    def at(self, path: Path) -> dict[str, _Kept]:
        """Return the tables of a store: as they were, or as the folder holds a copy; none if somebody removed it."""
        path.mkdir(parents=True, exist_ok=True)
        for copy in path.glob("*.sst"):
            saved = pickle.loads(copy.read_bytes())
            self.stores[path] = {name: _Kept(rows) for name, rows in saved.items()}
            copy.unlink()
        if path not in self.stores or not (path / _CURRENT).exists():
            self.stores[path] = {}
        for name in (_CURRENT, MARK):
            (path / name).touch()
        return self.stores[path]

    def meta(self, path: Path, name: bytes) -> bytes | None:
        """Return a row of a store's meta without opening it; None if there is none."""
        if not (path / _CURRENT).exists():
            return None
        kept = self.at(path).get("meta")
        return None if kept is None else kept.rows.get(name)


class _Batch:
    def __init__(self) -> None:
        self.changes: list[tuple[_Kept, bytes, bytes | None]] = []
        self.ranges: list[tuple[_Kept, bytes, bytes]] = []

    def is_empty(self) -> bool:
        return not self.changes

    def len(self) -> int:
        return len(self.changes)


class Table:
    """As `frontier.database.Table`."""

    def __init__(self, database: "Database", kept: _Kept) -> None:
        self._database = database
        self._kept = kept

    def put(self, key: bytes, value: bytes) -> None:
        self._database.batch.changes.append((self._kept, key, value))

    def put_all(self, rows: Rows) -> None:
        kept = self._kept
        self._database.batch.changes += [(kept, key, value) for key, value in rows.items()]

    def delete(self, key: bytes) -> None:
        self._database.batch.changes.append((self._kept, key, None))

    def delete_range(self, start: bytes, end: bytes) -> None:
        keys = self._kept.keys()
        for key in keys[bisect_left(keys, start) : bisect_left(keys, end)]:
            self.delete(key)

    def get(self, key: bytes) -> bytes | None:
        return self._kept.rows.get(key)

    def get_all(self, keys: list[bytes]) -> Sequence[bytes | None]:
        return list(map(self._kept.rows.get, keys))

    def items(
        self, start: bytes | None = None, upper: bytes | None = None, *, backwards: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        """Give rows as of the last commit that was made before each of them is asked for; nothing is copied."""
        keys = self._kept.keys()
        rows = self._kept.rows
        if backwards:
            last = len(keys) if start is None else bisect_left(keys, start + b"\0")
            found = keys[:last][::-1]
        else:
            first = 0 if start is None else bisect_left(keys, start)
            if first < len(keys) and (upper is None or keys[first] < upper):
                return _from(rows, keys, first, upper)
            return iter(())
        return iter([(key, rows[key]) for key in found])

    def keys(self, start: bytes | None = None) -> Iterator[bytes]:
        return (key for key, _ in self.items(start))

    def values(self) -> Iterator[bytes]:
        return (value for _, value in self.items())

    def release(self) -> None:
        """Hold nothing."""


def _from(rows: Rows, keys: list[bytes], first: int, upper: bytes | None) -> Iterator[tuple[bytes, bytes]]:
    """Give rows from a place on. Most scans end after a few, so pieces of the list are copied as they are needed."""
    size = 64
    while first < len(keys):
        piece = keys[first : first + size]
        found = [(key, rows[key]) for key in piece]
        last = piece[-1]
        for key, value in found:
            if upper is not None and key >= upper:
                return
            yield key, value
        first = bisect_left(keys, last + b"\0")
        size = min(4 * size, 4_096)


class Database:
    """As `frontier.database.Database`, on one of the `Disks`, which `simulated` sets."""

    disks = Disks()

    def __init__(self, path: Path, _versions: dict[str, int], **_: bool) -> None:
        self.path = path
        self._tables = self.disks.at(path)
        self.batch: Any = _Batch()
        self.is_open = True

    def table(self, name: str) -> Table:
        return Table(self, self._tables.setdefault(name, _Kept({})))

    def commit(self) -> None:
        at_commit = self.disks.at_commit.get(self.path)
        if at_commit is not None:
            at_commit(False)
        for kept, key, value in self.batch.changes:
            if value is None:
                kept.delete(key)
            else:
                kept.put(key, value)
        self.forget()
        if at_commit is not None:
            at_commit(True)

    def forget(self) -> None:
        self.batch = _Batch()

    def checkpoint(self, folder: Path) -> None:
        """Put a copy of all that is committed into a new folder."""
        folder.mkdir(parents=True)
        rows = pickle.dumps({name: kept.rows for name, kept in self._tables.items()})
        (folder / f"{next(self.disks.numbers):06}.sst").write_bytes(rows)
        for name in (_CURRENT, MARK):
            (folder / name).touch()

    def close(self) -> None:
        self.forget()
