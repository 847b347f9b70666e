"""Which cases of a long series `make test` tries, and which only `make check`."""

from collections.abc import Iterable
from typing import Any

import pytest

__all__ = ["first_quickly"]


def first_quickly(rows: Iterable[Any], number: int = 1) -> list[Any]:
    """Rows for `pytest.mark.parametrize`, of which all but the first `number` are marked `thorough`."""
    found = []
    for at, row in enumerate(rows):
        known = row if hasattr(row, "marks") else pytest.param(*(row if type(row) is tuple else (row,)))
        found.append(known if at < number else known._replace(marks=(*known.marks, pytest.mark.thorough)))
    return found
