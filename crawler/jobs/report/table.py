"""Tables of a report: the one form of its data, from which JSON, HTML and charts are made."""

from collections.abc import Iterator
from typing import Any, Literal

from msgspec import Struct

from crawler.core.quantity import count

__all__ = ["MOST_ROWS", "Column", "Kind", "Table", "Value", "cut_note"]

MOST_ROWS = 25
"""Hosts in a table, and other things of which there may be any number."""

Kind = Literal["text", "url", "urls", "count", "number", "share", "seconds", "milliseconds", "bytes", "rate", "time"]
"""What the values of a column are, which says how people read them.

`text`, `url` and `urls` (a tuple) may come from outside. A `share` is a part of 1, a `time` is unix time, a `rate` is
a number in a second.
"""

Value = str | int | float | tuple[str, ...] | None
"""A cell. None is a value that nobody knows, or that has no meaning in this row."""


class Column(Struct, frozen=True):
    """A column: its key in JSON, what stands above it, and the kind of its values."""

    name: str
    title: str
    kind: Kind = "count"


class Table(Struct, frozen=True):
    """Rows of values, with a name that is the same in each report.

    `note` says what a reader must know of the rows: that they are a sample, why there are none.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Value, ...], ...] = ()
    note: str = ""

    def column(self, name: str) -> list[Any]:
        """Return the values of a column. Raises KeyError if there is none of this name."""
        for place, column in enumerate(self.columns):
            if column.name == name:
                return [row[place] for row in self.rows]
        raise KeyError(name)

    def objects(self) -> Iterator[dict[str, Value]]:
        """Give each row by the names of the columns."""
        names = [column.name for column in self.columns]
        for row in self.rows:
            yield dict(zip(names, row, strict=True))


def cut_note(number: int, most: int, what: str) -> str:
    """Return the note of a table that shows the first of many things; empty if it shows all."""
    return f"the first {most} of {count(number)} {what}" if number > most else ""
