"""Tables of cases for pure functions: one test for all rows, which fails with every row that does not hold."""

import functools
import inspect
import traceback
from collections.abc import Callable, Iterable
from typing import Any

import pytest

__all__ = ["table"]

_MOST_SHOWN = 10
_Test = Callable[..., None]


def table(
    names: str | Iterable[str],
    rows: Iterable[Any],
    ids: Iterable[str] | Callable[[Any], object] | None = None,
) -> Callable[[_Test], _Test]:
    """Call the test with each row, as `pytest.mark.parametrize` does, but as one test.

    For many cases that need no fixture of their own: a test costs more than most of them. Tables above each other make
    a table of all their combinations. Arguments are those of `parametrize`; `ids` is not looked at, since a row that
    fails is shown as it is.
    """
    known = tuple(name.strip() for name in names.split(",")) if isinstance(names, str) else tuple(names)
    cases = [_values(row, len(known)) for row in rows]

    def decorate(test: _Test) -> _Test:
        @functools.wraps(test)
        def every_row(**others: Any) -> None:
            faults = []
            for case in cases:
                try:
                    test(**dict(zip(known, case, strict=True)), **others)
                except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001 - a row may fail as it likes
                    faults.append(_fault(known, case, error))
            if faults:
                shown = "\n".join(faults[:_MOST_SHOWN])
                pytest.fail(f"{len(faults)} of {len(cases)} rows do not hold:\n{shown}", pytrace=False)

        del every_row.__wrapped__  # pytest would look through it for the arguments
        signature = inspect.signature(test)
        left = [one for name, one in signature.parameters.items() if name not in known]
        every_row.__signature__ = signature.replace(parameters=left)
        return every_row

    return decorate


def _values(row: Any, number: int) -> tuple[Any, ...]:
    if hasattr(row, "marks"):  # a pytest.param
        return tuple(row.values)
    return (row,) if number == 1 else tuple(row)


def _fault(names: tuple[str, ...], case: tuple[Any, ...], error: BaseException) -> str:
    """The row, the line of the test that did not hold, and what it says."""
    row = ", ".join(f"{name}={ascii(value)[:200]}" for name, value in zip(names, case, strict=True))
    at = traceback.extract_tb(error.__traceback__)[1:]
    here = next((frame for frame in reversed(at) if "/tests/" in frame.filename), None)
    line = f"{here.filename.rpartition('/')[2]}:{here.lineno}: {here.line}\n    " if here else ""
    what = f"{type(error).__name__}: {error}".replace("\n", "\n    ")
    return f"- {row}\n    {line}{what[:2000]}"
