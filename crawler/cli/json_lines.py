"""What is said on standard error as JSON, one object a line, for whatever collects logs."""

import logging
import time
import traceback
from collections.abc import Mapping
from typing import Any

import msgspec

from crawler.core.json_line import json_line
from crawler.core.printable import printable

__all__ = ["said_as_json", "written_as_json"]

_PREFIXES = (("crawler: error: ", "error"), ("crawler: note: ", "info"))
"""How a line says what it is where people read it, and the level that it has here."""


def said_as_json(text: str, fields: Mapping[str, Any] | None = None, *, now: float | None = None) -> str:
    """Return what the command says to a person: `crawler: error: …` is an error, all else is information."""
    level, message = "info", text
    for prefix, of_level in _PREFIXES:
        if text.startswith(prefix):
            level, message = of_level, text.removeprefix(prefix)
    return _line(time.time() if now is None else now, level, "crawler.cli", message, fields or {})


def written_as_json(record: logging.LogRecord) -> str:
    """Return a record of the log. What its `figures` hold, a dict that `extra` has given, are keys of their own."""
    fields: dict[str, Any] = dict(getattr(record, "figures", {}))
    if record.exc_info and record.exc_info[0] is not None:
        fields["traceback"] = _safe("".join(traceback.format_exception(*record.exc_info)).rstrip("\n"))
    return _line(record.created, record.levelname.lower(), record.name, record.getMessage(), fields)


def _line(at: float, level: str, logger: str, message: str, fields: Mapping[str, Any]) -> str:
    """Return one line, without its end. The first four keys are always there, and no figure has their names."""
    whole, part = divmod(round(at * 1000), 1000)
    stamp = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(whole))}.{part:03}Z"
    own = {"time": stamp, "level": level, "logger": logger, "message": _safe(message)}
    return json_line({**own, **{name: one for name, one in _plain(fields).items() if name not in own}}).decode()[:-1]


def _safe(text: str) -> str:
    """Escape as on a terminal, where somebody may read it all the same; lines stay lines, JSON escapes their ends."""
    return "\n".join(printable(line) for line in text.split("\n"))


def _plain(value: Any) -> Any:
    """Return a figure as JSON has it, its text safe, a name that is a number as text."""
    match value:
        case str():
            return _safe(value)
        case Mapping():
            return {_safe(str(name)): _plain(one) for name, one in value.items()}
        case list() | tuple():
            return [_plain(one) for one in value]
        case msgspec.Struct():
            return _plain(msgspec.to_builtins(value))
        case float():
            return round(value, 3)
    return value
