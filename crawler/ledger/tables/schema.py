"""Records as columns: which columns there are, of which types, and how a value becomes one of its column. Pure.

A column is described without pyarrow, so that polars can do without it, and a sink can keep columns in its position.

    kind     Arrow                     fits
    text     string                    any value; what is no string becomes JSON text
    int      int64                     whole numbers of 64 bits
    float    double                    numbers
    bool     bool                      true, false
    time     timestamp[ms, tz=UTC]     RFC 3339 text with an offset
    object   struct of its fields      objects
    (many)   list of it                lists of such values

Null fits everywhere. A value that does not fit is a misfit; where it goes is the caller's business (see `split`).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from crawler.core.config import CrawlConfig
from crawler.core.extras import needed
from crawler.core.model import Field, FieldType
from crawler.core.page_fields import page_fields
from crawler.core.record import FIELDS, ColumnKind

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "MOST_COLUMNS",
    "OTHER",
    "RECORD_COLUMNS",
    "Column",
    "Inference",
    "arrow_schema",
    "columns_of",
    "fits_64_bits",
    "split",
]

OTHER = "_other"
"""Column of what found no place in the columns that were inferred: JSON text of an object, null if there is nothing."""

MOST_COLUMNS = 1_000
"""More are not inferred: keys that are data (`{"2026-11-22": 4, …}`) would make a column each."""

_LEAST_INT, _MOST_INT = -(2**63), 2**63 - 1
_MOST_EXACT = 2**53  # whole numbers up to here are exact as doubles


class Column(Struct, frozen=True, omit_defaults=True):
    """A column of a table: of one kind, or with `many` of lists of that kind. `fields` are those of an object."""

    name: str
    kind: ColumnKind = "text"
    many: bool = False
    fields: tuple["Column", ...] = ()


RECORD_COLUMNS: dict[str, Column] = {
    name: Column(name, field.column, field.many, tuple(Column(part, kind) for part, kind in field.parts))
    for name, field in FIELDS.items()
}
"""The columns of the record that a page has without a spider, in the order of `RECORD_FIELDS`. `seed` and `headers` are
JSON text.
"""


def fits_64_bits(number: int) -> bool:
    """Whether a column of whole numbers takes this one; so it is with SQLite."""
    return _LEAST_INT <= number <= _MOST_INT


# Which columns there are


def columns_of(config: CrawlConfig) -> tuple[Column, ...] | None:
    """The columns of a crawl's records, None if only the records can tell: those of a spider.

    They are `page_fields`, before those that selectors find.
    """
    if config.spider:
        return None
    own = tuple(_column(field) for field in config.select)
    names = {column.name for column in own}
    return (*(RECORD_COLUMNS[name] for name in page_fields(config) if name not in names), *own)


_KINDS: dict[FieldType, ColumnKind] = {"text": "text", "int": "int", "float": "float", "date": "text", "url": "text"}


def _column(field: Field) -> Column:
    """The column of a field found by selectors; text if its default is of another kind than what it finds."""
    fields = tuple(_column(inner) for inner in field.fields)
    column = Column(field.name, "object" if fields else _KINDS[field.type], field.many, fields)
    return column if _fits(column, field.default) else Column(field.name)


class Inference:
    """The columns of records that nobody described, from the records themselves: in order of their first appearance.

    A column is of the kind of all its values. Whole numbers beside fractions make `float`; a list of values of one kind
    makes a list. Everything else is text: objects, lists with objects or lists in them, values of different kinds, and
    what was null in all records.
    """

    def __init__(self) -> None:
        # State: for each name the kind so far, as `_kind_of` gives it.
        self._kinds: dict[str, str] = {}

    def add(self, record: dict[str, Any]) -> None:
        """Learn from a record. Names after the first `MOST_COLUMNS` are left out, and so is `OTHER`."""
        kinds = self._kinds
        for name, value in record.items():
            known = kinds.get(name)
            if known is not None:
                kinds[name] = _join(known, _kind_of(value))
            elif len(kinds) < MOST_COLUMNS and name != OTHER:
                kinds[name] = _kind_of(value)

    def columns(self) -> tuple[Column, ...]:
        """The columns that hold every record seen, but for the names that were left out."""
        return tuple(_inferred(name, kind) for name, kind in self._kinds.items())


_LIST = "list of "
_MIXED = "mixed"
_NULL = "null"
_SIMPLE = {type(None): _NULL, str: "text", bool: "bool", int: "int", float: "float"}


def _kind_of(value: Any) -> str:
    """The kind of a value: a `ColumnKind`, `null`, `mixed`, or one of the first two as `list of`."""
    if isinstance(value, (list, tuple)):
        kind = _NULL
        for item in value:
            kind = _join(kind, _kind_of(item))
        return _MIXED if kind == _MIXED or kind.startswith(_LIST) else _LIST + kind
    if type(value) is int and not fits_64_bits(value):
        return _MIXED
    return _SIMPLE.get(type(value), _MIXED)


def _join(one: str, other: str) -> str:
    """The kind that holds values of both."""
    if other in (one, _NULL):
        return one
    if one == _NULL:
        return other
    if {one, other} == {"int", "float"}:
        return "float"
    if one.startswith(_LIST) and other.startswith(_LIST):
        kind = _join(one.removeprefix(_LIST), other.removeprefix(_LIST))
        return kind if kind == _MIXED else _LIST + kind
    return _MIXED


def _inferred(name: str, kind: str) -> Column:
    many = kind.startswith(_LIST)
    simple = kind.removeprefix(_LIST)
    if simple in (_MIXED, _NULL):
        return Column(name, many=many)
    return Column(name, msgspec.convert(simple, ColumnKind), many)


# How a value becomes one of its column

_MISFIT: Any = object()


def split(
    columns: Sequence[Column], rows: Sequence[dict[str, Any]], misfit: Callable[[int, str, Any], None]
) -> Iterator[list[Any]]:
    """Give the values of each column in turn, one for each row; null where a row has none, or one that does not fit.

    `misfit(row, name, value)` is told of the latter: `row` counts from 0. Times come as `datetime`.
    """
    for column in columns:
        fit = _LISTS if column.many else _FITS[column.kind]
        name = column.name
        values = [row.get(name) for row in rows]
        for number, value in enumerate(values):
            if value is None:
                continue
            fitted = fit(column, value)
            if fitted is _MISFIT:
                misfit(number, name, value)
                fitted = None
            values[number] = fitted
        yield values


def _fits(column: Column, value: Any) -> bool:
    if column.kind == "text" and not column.many:
        return value is None or isinstance(value, str)
    return _fit(column, value) is not _MISFIT


def _fit(column: Column, value: Any) -> Any:
    if value is None:
        return None
    return (_LISTS if column.many else _FITS[column.kind])(column, value)


def _fit_text(_: Column, value: Any) -> Any:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _fit_int(_: Column, value: Any) -> Any:
    if isinstance(value, float) and value.is_integer() and abs(value) <= _MOST_EXACT:
        return int(value)
    fits = isinstance(value, int) and not isinstance(value, bool) and fits_64_bits(value)
    return value if fits else _MISFIT


def _fit_float(_: Column, value: Any) -> Any:
    if isinstance(value, float):
        return value
    fits = isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _MOST_EXACT
    return float(value) if fits else _MISFIT


def _fit_bool(_: Column, value: Any) -> Any:
    return value if isinstance(value, bool) else _MISFIT


def _fit_time(_: Column, value: Any) -> Any:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return _MISFIT
    if not isinstance(value, datetime) or value.tzinfo is None:
        return _MISFIT
    return value.astimezone(UTC)


def _fit_object(column: Column, value: Any) -> Any:
    if not isinstance(value, dict):
        return _MISFIT
    fitted = {field.name: _fit(field, value.get(field.name)) for field in column.fields}
    return _MISFIT if any(one is _MISFIT for one in fitted.values()) else fitted


def _fit_list(column: Column, value: Any) -> Any:
    if not isinstance(value, (list, tuple)):
        return _MISFIT
    fit = _FITS[column.kind]
    fitted = [None if item is None else fit(column, item) for item in value]
    return _MISFIT if any(one is _MISFIT for one in fitted) else fitted


_Fit = Callable[[Column, Any], Any]
_FITS: dict[ColumnKind, _Fit] = {
    "text": _fit_text,
    "int": _fit_int,
    "float": _fit_float,
    "bool": _fit_bool,
    "time": _fit_time,
    "object": _fit_object,
}
_LISTS: _Fit = _fit_list


# As Arrow has it


def arrow_schema(columns: Iterable[Column]) -> "pa.Schema":
    """The same columns as a `pyarrow.Schema`; every column may be null.

    Raises `ConfigError` if pyarrow is not installed.
    """
    pa = needed("pyarrow", "arrow", "a table of Arrow")
    return pa.schema([pa.field(column.name, _arrow_type(pa, column)) for column in columns])


def _arrow_type(pa: Any, column: Column) -> Any:
    match column.kind:
        case "int":
            kind = pa.int64()
        case "float":
            kind = pa.float64()
        case "bool":
            kind = pa.bool_()
        case "time":
            kind = pa.timestamp("ms", tz="UTC")
        case "object":
            kind = pa.struct([pa.field(field.name, _arrow_type(pa, field)) for field in column.fields])
        case _:
            kind = pa.string()
    return pa.list_(kind) if column.many else kind
