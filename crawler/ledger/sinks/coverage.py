"""In how many records fields have a value: counted as records are written, so that it is exact after any kill."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from crawler.core.expectation import Coverage
from crawler.core.model import Finished
from crawler.ledger.sinks.base import Position, record_lines

__all__ = ["NO_VALUE", "CoverageSink", "FieldCounter", "counted"]

NAME = "field coverage"
"""Under which the counts stand among the positions of the sinks. No output has such a name: it is no absolute path."""

NO_VALUE = frozenset({b"null", b'""', b"[]", b"{}"})
"""JSON of what is no value. `false` and 0 are values."""


class FieldCounter:
    """Counts the records in which each field has a value; only these fields of a record are decoded.

    A field is named by its path, `offers.price`: keys of objects, in lists of objects those of any of them. A key that
    has a dot in it is found by its whole name. Null, empty text, an empty list and an empty object are no value.

    State, of one thread: `records`, how many were counted, and `values` by path.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        self._paths = tuple((path, path.partition(".")[0]) for path in paths)
        names = list(dict.fromkeys(name for pair in self._paths for name in pair))
        # Fields of a struct have names of Python's, those of records any.
        self._attributes = {name: f"f{number}" for number, name in enumerate(names)}
        wanted = msgspec.defstruct(
            "Wanted",
            [(attribute, msgspec.Raw, msgspec.Raw(b"null")) for attribute in self._attributes.values()],
            rename={attribute: name for name, attribute in self._attributes.items()},
            gc=False,
        )
        self._decode = msgspec.json.Decoder(wanted).decode
        self.records = 0
        self.values = dict.fromkeys(paths, 0)

    def add_line(self, line: bytes) -> None:
        """Count a record, of which this is the JSON."""
        record = self._decode(line)
        self.records += 1
        for path, first in self._paths:
            raw = bytes(getattr(record, self._attributes[path]))
            if raw not in NO_VALUE:
                self.values[path] += 1
            elif first != path:
                inner = bytes(getattr(record, self._attributes[first]))
                if inner not in NO_VALUE and _has(msgspec.json.decode(inner), path.split(".")[1:]):
                    self.values[path] += 1

    def add_row(self, row: Mapping[str, Any]) -> None:
        """Count a record that is a row of a table, where lists and objects may be JSON text."""
        self.records += 1
        for path, first in self._paths:
            if _is_value(_cell(row.get(path))) or (
                first != path and _has(_cell(row.get(first), parsed=True), path.split(".")[1:])
            ):
                self.values[path] += 1


class CoverageSink:
    """Counts fields as a sink: its position in the store is the counts, committed with the records that they count.

    State, of the ledger's thread: the counter, and what earlier runs have counted of all fields: for each path the
    records with a value and all that were looked at.
    """

    name = NAME

    def __init__(self, paths: Sequence[str]) -> None:
        self._counter = FieldCounter(paths)
        self._before: dict[str, tuple[int, int]] = {}

    def open(self, position: Position | None) -> None:
        """Go on from what the last commit has counted."""
        self._before = _kept(position)

    def write(self, finished: Sequence[Finished]) -> None:
        """Count the records of what ended."""
        for line in record_lines(finished):
            self._counter.add_line(line)

    def flush(self, *, last: bool = False) -> Position:  # noqa: ARG002 - nothing is left open
        """Return the counts."""
        now = dict(self._before)
        for path, value in self._counter.values.items():
            values, records = self._before.get(path, (0, 0))
            now[path] = (values + value, records + self._counter.records)
        return {"fields": msgspec.json.encode(now).decode()}

    def committed(self) -> None:
        """Nothing is kept for the commit before."""

    def close(self) -> None:
        """Nothing is held open."""


def counted(position: Position | None, paths: Iterable[str], records: int) -> Coverage | None:
    """Return what a position says of fields, None unless each was counted in all `records` of the job."""
    kept = _kept(position)
    if any(kept.get(path, (0, 0))[1] != records for path in paths):
        return None
    return Coverage(records, {path: kept.get(path, (0, 0))[0] for path in paths})


def _kept(position: Position | None) -> dict[str, tuple[int, int]]:
    text = str((position or {}).get("fields", "{}"))
    return msgspec.json.decode(text, type=dict[str, tuple[int, int]])


def _cell(value: Any, *, parsed: bool = False) -> Any:
    """Return a cell of a table; JSON text of what is empty, or if asked for of anything, as what it says."""
    if parsed and isinstance(value, list):  # a column of lists has objects as text
        return [_cell(one, parsed=True) for one in value]
    if isinstance(value, str) and (parsed or value in ("[]", "{}")):
        try:
            return msgspec.json.decode(value)
        except msgspec.DecodeError:
            return value
    return value


def _has(value: Any, path: Sequence[str]) -> bool:
    """Whether there is a value at a path inside of another one."""
    if isinstance(value, list | tuple):
        return any(_has(one, path) for one in value)
    if not path:
        return _is_value(value)
    return isinstance(value, Mapping) and _has(value.get(path[0]), path[1:])


def _is_value(value: Any) -> bool:
    if isinstance(value, list | tuple | Mapping | str):
        return len(value) > 0
    return value is not None
