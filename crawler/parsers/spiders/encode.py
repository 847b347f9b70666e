"""Records of spiders: Python values in, lines of JSON out; what has no place in JSON is an error with its place.

What becomes what (`docs/spiders.md` has the table for people):

- None, booleans, whole numbers and text as they are. Text loses lone surrogates, which UTF-8 cannot hold (RFC 3629 §3).
- `float` as it is; NaN and the infinities become null, since JSON has no numbers for them (RFC 8259 §6).
- `Decimal` its digits as text: a number would lose some of them. `UUID` and paths as text, an `Enum` member its value.
- `datetime`, `date`, `time` and `timedelta` as ISO 8601 text.
- Mappings, dataclasses, msgspec structs, pydantic models, attrs classes and named tuples become objects. Keys are text;
  whole numbers become text.
- Lists and tuples become arrays. Sets do not: they have no order, so that two runs would not write the same.
"""

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields as dataclass_fields
from dataclasses import is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import msgspec

from crawler.core.json_line import json_line

__all__ = ["MAX_NESTING", "RecordError", "encode_record", "is_record", "plain_record"]

MAX_NESTING = 100
"""Levels of objects and arrays that a record may have."""

_SHOWN_CHARS = 100
_KEY_CHARS = 40


class RecordError(ValueError):
    """A record that cannot be written.

    `reason` says what is wrong where, in at most about 150 characters and without anything that a page holds: the
    type, and the keys above it as far as they are plain names (`set in .tags[]`). The message says it with the exact
    place.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def is_record(value: object) -> bool:
    """Whether a value is one record: a mapping, or an object with named fields. Lists and generators are several."""
    return _members(value) is not None


def plain_record(record: object) -> dict[str, Any]:
    """Return a record as JSON has it: dicts, lists, text, numbers, booleans and None. Raises `RecordError`."""
    members = _members(record)
    if members is None:
        name = type(record).__name__
        raise RecordError(f"{_bounded(name)} is no record", f"{name} is no record; a spider yields dicts or objects")
    return _object(members, ())


def encode_record(
    record: object, fields: Sequence[str] | None = None, beside: Mapping[str, Any] | None = None
) -> bytes:
    """Return a record as one line of JSON with its line feed; of `fields` alone, in that order, if given.

    A field that the record has not is that of `beside`, which is plain already; with `fields` else null. Raises
    `RecordError`.
    """
    plain = plain_record(record)
    for name, value in (beside or {}).items():
        plain.setdefault(name, value)
    if fields is not None:
        plain = {name: plain.get(name) for name in fields}
    return json_line(plain)


def _plain(value: Any, place: tuple[str | int, ...]) -> Any:
    """Return what stands at `place` (keys and indexes from the top) as JSON has it."""
    kind = type(value)
    if value is None or kind is bool or kind is int:
        return value
    if kind is str:
        return _text(value)
    if kind is float:
        return value if math.isfinite(value) else None
    if kind is list or kind is tuple:
        return _array(value, place)
    members = _members(value)
    if members is not None:
        return _object(members, place)
    return _scalar(value, place)


def _scalar(value: Any, place: tuple[str | int, ...]) -> Any:
    """The rarer kinds, and subclasses: text that an HTML library returns may hold on to its whole page, say."""
    match value:
        case Enum():
            found = _plain(value.value, place)
        case str():
            found = _text(str.__str__(value))
        case int():
            found = int(value)
        case float():
            found = _plain(float(value), place)
        case list() | tuple():
            found = _array(value, place)
        case Decimal() | UUID():
            found = str(value)
        case datetime() | date() | time():
            found = value.isoformat()
        case timedelta():
            found = msgspec.to_builtins(value)
        case os.PathLike():
            found = _plain(os.fspath(value), place)
        case _:
            raise _refused(f"{type(value).__name__} in", place)
    return found


def _object(members: Mapping[Any, Any], place: tuple[str | int, ...]) -> dict[str, Any]:
    _check_nesting(place)
    found = {}
    for key, value in members.items():
        name = key.value if isinstance(key, Enum) else key
        if isinstance(name, int) and not isinstance(name, bool):
            name = str(int(name))
        if not isinstance(name, str):
            raise _refused(f"{type(key).__name__} as a key in", place)
        name = _text(str.__str__(name))
        found[name] = _plain(value, (*place, name))
    return found


def _array(values: Sequence[Any], place: tuple[str | int, ...]) -> list[Any]:
    _check_nesting(place)
    return [_plain(value, (*place, index)) for index, value in enumerate(values)]


def _check_nesting(place: tuple[str | int, ...]) -> None:
    if len(place) >= MAX_NESTING:
        raise _refused(f"more than {MAX_NESTING} levels in", place[:3])


def _text(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "ignore").decode()
    return text


def _members(value: Any) -> Mapping[Any, Any] | None:
    """Return the named fields of what becomes an object; None for everything else.

    Looks at classes alone: objects of some libraries pretend to have any attribute.
    """
    kind = type(value)
    members: Any = None
    if kind is dict or isinstance(value, Mapping):
        members = value
    elif isinstance(value, msgspec.Struct):
        names = zip(kind.__struct_encode_fields__, kind.__struct_fields__, strict=True)
        members = {encoded: getattr(value, name) for encoded, name in names}
    elif is_dataclass(value) and not isinstance(value, type):
        members = {field.name: getattr(value, field.name) for field in dataclass_fields(value)}
    elif isinstance(value, tuple) and hasattr(kind, "_fields"):
        members = dict(zip(kind._fields, value, strict=True))
    elif hasattr(kind, "model_dump"):
        members = value.model_dump()
    elif hasattr(kind, "__attrs_attrs__"):
        members = {field.name: getattr(value, field.name) for field in kind.__attrs_attrs__}
    return members if isinstance(members, Mapping) else None


def _refused(what: str, place: tuple[str | int, ...]) -> RecordError:
    """Say what is wrong where. Only the message shows indexes, and keys of any form: a page may have chosen them."""
    exact = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place) or "the record"
    return RecordError(_bounded(f"{what} {''.join(_safe(place)) or 'the record'}"), f"{what} {exact}")


def _safe(place: tuple[str | int, ...]) -> Iterator[str]:
    for part in place:
        if isinstance(part, int):
            yield "[]"
        else:
            yield f".{part}" if part.isascii() and part.isidentifier() and len(part) <= _KEY_CHARS else ".…"


def _bounded(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARS else text[:_SHOWN_CHARS] + "…"
