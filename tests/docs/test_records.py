"""What documents say of the record's fields is what the table of them says.

`CRAWLER_WRITE_DOCS=1 pytest tests/docs/test_records.py` writes it.
"""

import os
import re
from pathlib import Path
from types import NoneType
from typing import Any, get_args

import msgspec

from crawler.core.record import DEFAULT_FIELDS, FIELDS, RECORD_FIELDS, Record, Redirect
from crawler.ledger.tables.schema import RECORD_COLUMNS, arrow_schema

DOCS = Path(__file__).parents[2] / "docs"
JSON_TYPES = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    tuple[str, ...]: "list of strings",
    dict[str, Any]: "object",
    tuple[Redirect, ...]: "list of objects",
}
OF_COLUMNS = {"fetched_at": "the same instant", "seed": "JSON text of the object", "headers": "JSON text of the object"}


def types_of(name: str) -> set[Any]:
    """The types that a field may have."""
    hint = Record.__annotations__[name].__origin__
    return {hint} if hint in JSON_TYPES else set(get_args(hint))


def row(name: str) -> str:
    field = FIELDS[name]
    (kind,) = types_of(name) - {NoneType}
    meaning = field.meaning if field.default else f"{field.meaning}; only if `--fields` asks for it"
    empty = f"{field.empty}; with `noindex`" if field.noindex else field.empty
    example = msgspec.json.format(msgspec.json.encode(field.example), indent=0).decode()
    return f"| `{name}` | {JSON_TYPES[kind]} | {meaning} | {empty} | `{example}` |\n"


def arrow_rows() -> str:
    """The columns of the same type, and of the same relation to the record, in one row."""
    names: dict[tuple[str, str], list[str]] = {}
    for column in arrow_schema(RECORD_COLUMNS.values()):
        kind = str(column.type).replace("element: ", "").replace("item: ", "")
        names.setdefault((kind, OF_COLUMNS.get(column.name, "as in the [record](records.md)")), []).append(column.name)
    return "".join(f"| {quoted(some)} | `{kind}` | {value} |\n" for (kind, value), some in names.items())


def quoted(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def shows(document: str, start: str, rows: str) -> str:
    """The text of a document with these rows in the table that begins so."""
    text = (DOCS / document).read_text("utf-8")
    before, found, rest = text.partition(start)
    assert found, f"docs/{document} has no table that begins: {start}"
    return before + found + rows + re.sub(r"\A(?:\|.*\n)*", "", rest)


def check(document: str, text: str) -> None:
    if os.environ.get("CRAWLER_WRITE_DOCS"):
        (DOCS / document).write_text(text, encoding="utf-8")
    assert (DOCS / document).read_text("utf-8") == text


def test_the_record_is_described_as_the_table_of_its_fields_says():
    start = "| field | type | meaning | null or empty when | example |\n| --- | --- | --- | --- | --- |\n"
    check("records.md", shows("records.md", start, "".join(map(row, RECORD_FIELDS))))


def test_the_columns_are_described_as_they_are():
    text = shows("arrow.md", "## Columns\n\n| column | type | value |\n| --- | --- | --- |\n", arrow_rows())
    others = quoted([name for name in RECORD_FIELDS if name not in DEFAULT_FIELDS])
    check("arrow.md", re.sub(r"by default all but [^.]+\.", f"by default all but {others}.", text))


def test_the_type_of_a_field_is_that_of_its_column_and_its_example():
    kinds = {"text": str, "int": int, "float": float, "bool": bool, "time": str}
    for name, field in FIELDS.items():
        one = Redirect if field.parts else dict[str, Any] if name in {"seed", "headers"} else kinds[field.column]
        expected = tuple[one, ...] if field.many else one
        assert types_of(name) - {NoneType} == {expected}, name
        assert msgspec.convert(field.example, Record.__annotations__[name]) is not None
        assert field.default is (msgspec.structs.fields(Record)[RECORD_FIELDS.index(name)].default is msgspec.NODEFAULT)
