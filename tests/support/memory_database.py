"""A store's database in memory, for tests that open thousands of stores and kill them again and again."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence

__all__ = ["Disk", "MemoryDatabase"]

Disk = dict[str, dict[bytes, bytes]]
"""What has been committed, by family. It outlives the database that a kill ends."""


class _Batch:
    def __init__(self) -> None:
        self.changes: list[tuple[_Table, bytes, bytes | None]] = []

    def is_empty(self) -> bool:
        return not self.changes


class _Table:
    """As `frontier.database.Table`."""

    def __init__(self, database: "MemoryDatabase", rows: dict[bytes, bytes]) -> None:
        self._database = database
        self.rows = rows

    def put(self, key: bytes, value: bytes) -> None:
        self._database.batch.changes.append((self, key, value))

    def put_all(self, rows: dict[bytes, bytes]) -> None:
        self._database.batch.changes += [(self, key, value) for key, value in rows.items()]

    def delete(self, key: bytes) -> None:
        self._database.batch.changes.append((self, key, None))

    def get(self, key: bytes) -> bytes | None:
        return self.rows.get(key)

    def get_all(self, keys: list[bytes]) -> Sequence[bytes | None]:
        return [self.rows.get(key) for key in keys]

    def items(self, start: bytes | None = None, upper: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
        keys = sorted(self.rows)
        first = 0 if start is None else bisect_left(keys, start)
        last = len(keys) if upper is None else bisect_left(keys, upper)
        return iter([(key, self.rows[key]) for key in keys[first:last]])

    def keys(self, start: bytes | None = None) -> Iterator[bytes]:
        return (key for key, _ in self.items(start))

    def values(self) -> Iterator[bytes]:
        return (value for _, value in self.items())


class MemoryDatabase:
    """As `frontier.database.Database`, over a `Disk` in the place of the path."""

    def __init__(self, disk: Disk, versions: dict[str, int], *, read_only: bool = False) -> None:
        self._disk = disk
        self.batch = _Batch()

    def table(self, name: str) -> _Table:
        return _Table(self, self._disk.setdefault(name, {}))

    def commit(self) -> None:
        for table, key, value in self.batch.changes:
            if value is None:
                table.rows.pop(key, None)
            else:
                table.rows[key] = value
        self.forget()

    def checkpoint(self, folder: Disk) -> None:
        folder.update({family: dict(rows) for family, rows in self._disk.items()})

    def forget(self) -> None:
        self.batch = _Batch()

    def close(self) -> None:
        self.forget()
