"""Records as tables: of Arrow, pandas and polars. `docs/arrow.md` describes the columns.

    reader(records)     a stream of batches: whatever reads Arrow's C stream reads a crawl while it runs
    to_table(records)   all of them

`records` is any iterable of `Record`s, of other msgspec structs, or of dicts, all of one kind. `columns` says what they
hold (`tables.schema.columns_of` a crawl's settings). Without it `Record`s have their own columns, and for all
others the columns are inferred.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from crawler.core.extras import needed
from crawler.core.record import Record
from crawler.ledger.tables.batch import Batches, in_batches
from crawler.ledger.tables.schema import RECORD_COLUMNS, Column, Inference

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

__all__ = ["inferred", "reader", "to_pandas", "to_polars", "to_table"]

Rows = list[dict[str, Any]]
Columns = Sequence[Column] | None


def reader(records: Iterable[Any], columns: Columns = None, *, other: bool = False) -> "pa.RecordBatchReader":
    """Return a reader of batches of at most 1,000 records, each made when it is asked for.

    Columns that have to be inferred are those of the first batch, for which this call waits; what later records have
    beside them stands as JSON text in the column `_other`. An exception of `records` comes out of the reader.

    Raises `ConfigError` if pyarrow is not installed, before it takes a record.
    """
    pa = needed("pyarrow", "arrow", "a table of Arrow")
    known, rest = _known(records, columns)
    batches = in_batches(_dicts(rest))
    if known is not None:
        into = Batches(known, other=other)
    else:
        first = next(batches, [])
        into = Batches(inferred(first), other=True)
        batches = chain([first] if first else [], batches)
    return pa.RecordBatchReader.from_batches(into.schema(), map(into.batch, batches))


def to_table(records: Iterable[Any], columns: Columns = None) -> "pa.Table":
    """Return a table of all records. Memory: the table; while columns have to be inferred, the records as JSON too.

    Raises `ConfigError` if pyarrow is not installed, before it takes a record.
    """
    pa = needed("pyarrow", "arrow", "a table of Arrow")
    into, batches = _all(records, columns)
    return pa.Table.from_batches(list(map(into.batch, batches)), schema=into.schema())


def to_pandas(records: Iterable[Any], columns: Columns = None) -> "pd.DataFrame":
    """Return a DataFrame of all records, as pyarrow turns a table into one: times are `datetime64[ms, UTC]`.

    Raises `ConfigError` if pandas or pyarrow is not installed, before it takes a record.
    """
    needed("pandas", "pandas", "a DataFrame of pandas")
    needed("pyarrow", "pandas", "a DataFrame of pandas")
    frame: pd.DataFrame = to_table(records, columns).to_pandas()
    return frame


def to_polars(records: Iterable[Any], columns: Columns = None) -> "pl.DataFrame":
    """Return a DataFrame of all records: the columns of `to_table`, made without pyarrow.

    Raises `ConfigError` if polars is not installed, before it takes a record.
    """
    polars = needed("polars", "polars", "a DataFrame of polars")
    into, batches = _all(records, columns)
    schema = {column.name: _polars_type(polars, column) for column in into.columns}
    names = [*schema]
    frames = [
        polars.DataFrame(dict(zip(names, into.values(rows), strict=True)), schema=schema, strict=True)
        for rows in batches
    ]
    frame: pl.DataFrame = polars.concat([polars.DataFrame(schema=schema), *frames], rechunk=False)
    return frame


def _known(records: Iterable[Any], columns: Columns) -> tuple[Columns, Iterator[Any]]:
    """The columns, None if they have to be inferred, and all records."""
    rest = iter(records)
    if columns is not None:
        return columns, rest
    start = list(islice(rest, 1))
    known = tuple(RECORD_COLUMNS.values()) if start and isinstance(start[0], Record) else None
    return known, chain(start, rest)


def _all(records: Iterable[Any], columns: Columns) -> tuple[Batches, Iterator[Rows]]:
    """What makes the batches, and their rows. Without columns all records are read first, and kept as JSON."""
    known, rest = _known(records, columns)
    batches = in_batches(_dicts(rest))
    if known is not None:
        return Batches(known, other=False), batches
    inference = Inference()
    kept: list[bytes] = []
    for rows in batches:
        for row in rows:
            inference.add(row)
        kept.append(msgspec.json.encode(rows))
    return Batches(inference.columns(), other=False), (msgspec.json.decode(rows) for rows in kept)


def inferred(rows: Iterable[dict[str, Any]]) -> tuple[Column, ...]:
    """Return the columns that fit these records."""
    inference = Inference()
    for row in rows:
        inference.add(row)
    return inference.columns()


def _dicts(records: Iterable[Any]) -> Iterator[dict[str, Any]]:
    for record in records:
        if isinstance(record, Struct):
            yield msgspec.structs.asdict(record)
        elif isinstance(record, dict):
            yield record
        else:
            raise TypeError(f"a record is a dict or a msgspec Struct, not {type(record).__name__}")


def _polars_type(pl: Any, column: Column) -> Any:
    match column.kind:
        case "int":
            kind = pl.Int64
        case "float":
            kind = pl.Float64
        case "bool":
            kind = pl.Boolean
        case "time":
            kind = pl.Datetime("ms", "UTC")
        case "object":
            kind = pl.Struct({field.name: _polars_type(pl, field) for field in column.fields})
        case _:
            kind = pl.String
    return pl.List(kind) if column.many else kind
