"""From records to batches of columns. Each batch is small, so that a table of any length is made in bounded memory."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from crawler.core.extras import needed
from crawler.core.printable import SHOWN_CHARS, printable
from crawler.ledger.tables.schema import OTHER, Column, arrow_schema, split

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["BATCH_BYTES", "BATCH_RECORDS", "Batches", "in_batches"]

BATCH_RECORDS = 1_000
"""Records of a batch."""
BATCH_BYTES = 16 << 20
"""Characters of text that close a batch early: a string array of Arrow holds at most 2 GB."""

_log = logging.getLogger(__name__)


class Batches:
    """Makes batches of the same columns. One thread uses it.

    With `other` there is one more column, `OTHER`: what `columns` have no place for, keys and values that do not fit.
    Without it such a key is left out, and such a value is null; a warning names the column once.
    """

    def __init__(self, columns: Sequence[Column], *, other: bool) -> None:
        self.columns = (*columns, Column(OTHER)) if other else tuple(columns)
        self._described = tuple(columns)
        self._names = {column.name for column in columns}
        self._other = other
        # State: columns that a warning has named.
        self._warned: set[str] = set()

    def schema(self) -> "pa.Schema":
        """The schema of each batch. Raises `ConfigError` if pyarrow is not installed."""
        return arrow_schema(self.columns)

    def values(self, rows: Sequence[dict[str, Any]]) -> list[list[Any]]:
        """The values of each of `columns`, one for each row; times as `datetime`, objects as dict."""
        left: dict[int, dict[str, Any]] = {}

        def misfit(row: int, name: str, value: Any) -> None:
            if self._other:
                left.setdefault(row, {})[name] = value
            else:
                self._warn(name, value)

        found = list(split(self._described, rows, misfit))
        if self._other:
            for number, row in enumerate(rows):
                if not row.keys() <= self._names:
                    more = {name: value for name, value in row.items() if name not in self._names}
                    left.setdefault(number, {}).update(more)
            found.append([msgspec.json.encode(left[n]).decode() if n in left else None for n in range(len(rows))])
        return found

    def batch(self, rows: Sequence[dict[str, Any]]) -> "pa.RecordBatch":
        """The rows as a batch of Arrow; about 20 µs a page with a hundred links."""
        pa = needed("pyarrow", "arrow", "a table of Arrow")
        schema = self.schema()
        arrays = [pa.array(values, kind) for values, kind in zip(self.values(rows), schema.types, strict=True)]
        return pa.RecordBatch.from_arrays(arrays, schema=schema)

    def _warn(self, name: str, value: Any) -> None:
        if name not in self._warned:
            self._warned.add(name)
            shown = printable(repr(value), SHOWN_CHARS)
            _log.warning("column %s: %s does not fit its type and is null; so are others like it", name, shown)


def in_batches(records: Iterable[dict[str, Any]], most: int = BATCH_RECORDS) -> Iterator[list[dict[str, Any]]]:
    """Give records in lists of at most `most`, or of about `BATCH_BYTES`."""
    batch: list[dict[str, Any]] = []
    size = 0
    for record in records:
        batch.append(record)
        size += sum(len(value) for value in record.values() if isinstance(value, str))
        if len(batch) >= most or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
