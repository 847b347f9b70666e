"""The records of a job as a crawl gave them, read back from an output."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from crawler.core.dates import rfc3339
from crawler.core.errors import CrawlerError
from crawler.core.printable import SHOWN_CHARS, printable
from crawler.core.record import FIELDS
from crawler.jobs.inlinks import Rows

__all__ = ["read_back"]

_NUMBERS: Final = frozenset({"int", "float", "bool"})
_JSON: Final = frozenset(name for name, field in FIELDS.items() if field.many or field.column == "object") | {
    "seed",
    "headers",
}
_decode = msgspec.json.Decoder(dict[str, Any]).decode


def read_back(sources: Iterable[tuple[str, Rows | None]]) -> Iterator[dict[str, Any]]:
    """Give the records of the first of these outputs that can be read again.

    Where a table holds a field as text, it is what it was: a list, a number. A line that a crawl is at is left out.
    Raises `CrawlerError` if there is no such output, or where it cannot be read any further.
    """
    for output, rows in sources:
        if rows is None:
            continue
        try:
            for row in rows:
                if not isinstance(row, bytes):
                    yield _typed(row)
                elif row.endswith(b"\n"):
                    yield _decode(row)
        except Exception as error:
            why = printable(" ".join(str(error).split()), SHOWN_CHARS)
            raise CrawlerError(f"{printable(output, SHOWN_CHARS)} cannot be read any further: {why}") from error
        return
    raise CrawlerError("the job has no output that can be read again: a file of JSON lines, CSV, Parquet or SQLite can")


def _typed(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _value(name, value) for name, value in row.items()}


def _value(name: str, value: Any) -> Any:
    if isinstance(value, datetime):
        return rfc3339(value.timestamp())
    field = FIELDS.get(name)
    if field is None or not isinstance(value, str):
        return bool(value) if field is not None and field.column == "bool" and value is not None else value
    if value == "":
        return None
    return msgspec.json.decode(value) if name in _JSON or field.column in _NUMBERS else value
