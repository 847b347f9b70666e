"""CSV: a header and one row a record, as RFC 4180 has it but for the line feed alone at the end of a row."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from crawler.core.config import CrawlConfig
from crawler.core.model import Finished
from crawler.core.page_fields import has_seed_records
from crawler.core.record import SEED_FIELDS
from crawler.ledger.sinks.base import Position, Sink, record_lines
from crawler.ledger.sinks.files.compressed import compressor_for, opened
from crawler.ledger.sinks.files.file import FileSink, files_at, row_pattern
from crawler.ledger.sinks.kind import SinkKind
from crawler.ledger.sinks.left_out import LeftOut
from crawler.ledger.tables.csv_row import csv_row
from crawler.ledger.tables.schema import MOST_COLUMNS, columns_of

__all__ = ["KIND", "CsvRows"]

_MOST_CELL = 1 << 30
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class CsvRows:
    """The `files.file.Encoder` of CSV, in UTF-8 without a byte order mark.

    Columns are known from the settings, but for a spider without `fields`: then they are the keys of the records of the
    first commit, in order of appearance, and those that a seed without a page may have. The position keeps them as
    `columns` (JSON text). What later records have beside them is left out, and a warning names it.

    Text stands as it is; numbers, `true` and `false` as in JSON; lists and objects as JSON text; null as nothing.
    """

    def __init__(self, config: CrawlConfig, name: str) -> None:
        described = columns_of(config)
        known = config.fields if described is None else tuple(column.name for column in described)
        self._known = known
        self._also = SEED_FIELDS if has_seed_records(config) else ()
        # State: the columns, once they are known; what was left out.
        self._columns = known
        self._left_out = LeftOut(name)

    def encode(self, finished: Sequence[Finished]) -> Iterable[bytes]:
        """Give each record's row."""
        records: Iterable[dict[str, Any]] = map(_decode, record_lines(finished))
        if self._columns is None:
            records = list(records)
            if not records:
                return
            learned = tuple(dict.fromkeys(name for record in records for name in record))[:MOST_COLUMNS]
            self._columns = tuple(dict.fromkeys((*learned, *self._also)))
        columns = self._columns
        known = frozenset(columns)
        for record in records:
            if not record.keys() <= known:
                self._left_out.note(name for name in record if name not in known)
            yield csv_row([record.get(name) for name in columns])

    def head(self) -> bytes:
        """The header."""
        return csv_row(self._columns or ())

    def state(self) -> Position:
        """The columns, if they were learned."""
        if self._known is not None or self._columns is None:
            return {}
        return {"columns": msgspec.json.encode(self._columns).decode()}

    def restore(self, position: Position) -> None:
        """Go on with the columns that were learned."""
        learned = position.get("columns")
        self._columns = self._known
        if learned is not None:
            self._columns = msgspec.json.decode(str(learned), type=tuple[str, ...])


def _made(path: Path, config: CrawlConfig, name: str) -> Sink:
    return FileSink(path, CsvRows(config, name), name=name, rotation=config.rotate, compressor=compressor_for(path))


def _records(path: Path, rotated: bool, _names: Sequence[str] | None) -> Iterator[Mapping[str, Any]]:
    before = csv.field_size_limit(_MOST_CELL)  # of the whole process
    try:
        for file in files_at(path, rotated):
            with opened(file) as data, io.TextIOWrapper(data, "utf-8", newline="") as text:
                yield from csv.DictReader(text)
    finally:
        csv.field_size_limit(before)


KIND = SinkKind((".csv", ".csv.gz"), _made, files_at, row_pattern, records=_records)
