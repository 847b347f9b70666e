"""A row of CSV, as RFC 4180 has it but for the line feed alone at its end."""

import re
from collections.abc import Iterable
from typing import Any

import msgspec

__all__ = ["csv_row"]

_QUOTED = re.compile(r'[",\r\n]')


def csv_row(values: Iterable[Any]) -> bytes:
    """Return a row with its line feed, in UTF-8: text as it is, null as nothing, all else as JSON."""
    row = ",".join(map(_cell, values))
    # A row with nothing in it would be a blank line, which readers pass over.
    return (row or '""').encode(errors="replace") + b"\n"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return '"' + text.replace('"', '""') + '"' if _QUOTED.search(text) else text
