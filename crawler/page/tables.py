"""Tables of a page as rows of cells of text, as large as they may get. Pure.

A cell that spans stands in each place that it spans, and rows are filled up to the longest: a few kilobytes can mean
millions of places. So they are counted first.
"""

import copy
from collections import defaultdict
from collections.abc import Iterator

from turbohtml import Document, Element

__all__ = ["MOST_PLACES", "tables_of"]

MOST_PLACES = 2_000_000
"""Rows times columns of all tables of a page together. As cells of their own, so many would be a page of 10 MB."""

_MOST_COLUMNS = 1_000  # HTML Standard §4.9.11: what a cell spans at most
_MOST_ROWS = 65_534


def tables_of(page: Document) -> tuple[tuple[tuple[str, ...], ...], ...]:
    """Return every `<table>` as rows of equal length, in page order. Leaves `page` as it is.

    Rows of a table that are too much, with those of the tables before it, are left out, with the tables in them.
    """
    if _may_have_too_many_places(page):
        page = copy.deepcopy(page)
        _cut(page)
    return tuple(tuple(map(tuple, table)) for table in page.tables())


def _may_have_too_many_places(page: Document) -> bool:
    rows = sum(1 for _ in page.iter_elements("tr"))
    return rows > 0 and rows * sum(map(_columns, page.iter_elements(("td", "th")))) > MOST_PLACES


def _cut(page: Document) -> None:
    """Take the rows out of a page that are too much."""
    rows: dict[Element, list[Element]] = defaultdict(list)
    for row in page.iter_elements("tr"):
        if (table := row.closest("table")) is not None:
            rows[table].append(row)
    left = MOST_PLACES
    for its_rows in rows.values():
        width = kept = 0
        for number, columns in enumerate(_widths(its_rows), 1):
            wider = max(width, columns)
            if number * wider > left:
                break
            width, kept = wider, number
        left -= kept * width
        for row in its_rows[kept:]:
            row.decompose()


def _widths(rows: list[Element]) -> Iterator[int]:
    """Count for each row of a table its columns: those of its cells, and of cells above that reach down to it."""
    hanging = 0
    ends: dict[int, int] = defaultdict(int)  # columns that reach down no further than to this row
    for number, row in enumerate(rows):
        hanging -= ends.pop(number, 0)
        columns = hanging
        for cell in row.children:
            if isinstance(cell, Element) and cell.tag in {"td", "th"}:
                span = _columns(cell)
                columns += span
                hanging += span
                ends[number + (_number(cell.attr("rowspan"), _MOST_ROWS) or len(rows))] += span
        yield columns


def _columns(cell: Element) -> int:
    return _number(cell.attr("colspan"), _MOST_COLUMNS) or 1


def _number(text: str | None, most: int) -> int:
    """Read what a cell says that it spans, 1 if it says nothing. Rather too much than too little."""
    if text is None:
        return 1
    digits = "".join(filter(str.isdigit, text[:100]))
    return min(int(digits[:9]), most) if digits else 1
