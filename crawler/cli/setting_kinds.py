"""The kinds of values that settings take: from text or TOML to the value of a field. Pure."""

import math
import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, get_args

from msgspec import Struct

from crawler.core.config import DuplicateMode
from crawler.core.model import Field, Rotation
from crawler.core.record import RECORD_FIELDS

__all__ = [
    "BYTES",
    "BYTES_LIMIT",
    "COUNT",
    "DELAY",
    "DUPLICATES",
    "FIELDS",
    "FILE",
    "FOLDER",
    "HEADERS",
    "LIMIT",
    "NAMES",
    "NETWORKS",
    "OUTPUTS",
    "PATTERNS",
    "ROTATION",
    "SEED_LIST",
    "SPIDER",
    "SWITCHED",
    "TEXT",
    "TIME",
    "TIME_LIMIT",
    "Kind",
    "MistakeError",
    "choice",
]

ALL = "all"
"""The word that stands for every network."""

_SIZE = re.compile(r"([0-9_]{1,20}(?:\.[0-9]{1,20})?) ?([kmgt]?)(i?)b?", re.IGNORECASE)
_SWITCH = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


class MistakeError(ValueError):
    """A value of the right type that cannot be meant; the message says what to write instead."""


class Kind(Struct, frozen=True):
    """What values a setting takes.

    `expects` names them in error messages, `metavar` in the help. `value` turns a TOML value into the field's, and
    raises ValueError or TypeError; `text` turns text into a TOML value. `many`: the option may be repeated.
    `bare`: what the option means without a value, if it may stand alone; its value is then optional. What follows such
    an option belongs to it if `is_value` says so, and `merged` makes one value of several, by default the last one.
    `secret`: the value may hold a password and is not shown.
    """

    expects: str
    metavar: str
    value: Callable[[Any], Any]
    text: Callable[[str], Any] = str
    choices: tuple[str, ...] = ()
    many: bool = False
    bare: str = ""
    is_value: Callable[[str], bool] = bool
    merged: Callable[[Sequence[str]], str] = lambda given: given[-1]
    secret: bool = False


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value or "\0" in value:
        raise TypeError
    return value


def _any_text(value: Any) -> str:
    return "" if value == "" else _text(value)


def _integer(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError
    return value


def _seconds(value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise TypeError
    return float(value)


def _switch(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(_text(item) for item in ([value] if isinstance(value, str) else _items(value)))


def _items(value: Any) -> Sequence[Any]:
    if not isinstance(value, list | tuple):
        raise TypeError
    return value


def _names(value: Any) -> tuple[str, ...] | None:
    if value in ("all", "default"):
        return RECORD_FIELDS if value == "all" else None
    items = value.split(",") if isinstance(value, str) else _items(value)
    return tuple(name for item in items if (name := _any_text(item).strip()))


def _headers(value: Any) -> tuple[tuple[str, str], ...]:
    pairs = []
    for line in _texts(value):
        name, colon, content = line.partition(":")
        if not colon or not name.strip():
            raise ValueError
        pairs.append((name.strip(), content.strip()))
    return tuple(pairs)


def _size(value: Any) -> int:
    if not isinstance(value, str):
        return _integer(value)
    match = _SIZE.fullmatch(value.strip())
    if match is None:
        raise ValueError
    number, prefix, binary = match.groups()
    if binary and not prefix:
        raise ValueError
    size = Decimal(number) * (1024 if binary else 1000) ** " kmgt".index(prefix.lower() or " ")
    if size != int(size):
        raise ValueError
    return int(size)


def _rotation(value: Any) -> Rotation:
    """Return when a file is full. A number alone counts records, one with a unit bytes."""
    plain = str(value).strip().replace("_", "")
    if isinstance(value, int) or plain.isdecimal():
        return Rotation(records=_at_least_one(_integer(value) if isinstance(value, int) else int(plain)))
    return Rotation(bytes=_at_least_one(_size(value)))


def _at_least_one(number: int) -> int:
    if number < 1:
        raise ValueError
    return number


def _fields(value: Any) -> tuple[Field, ...]:
    from crawler.page.fields.lines import read_fields  # noqa: PLC0415 - half the start of a command, for the HTML parser

    return read_fields(value if isinstance(value, dict) else _texts(value))


def _spider(value: Any) -> str:
    place, colon, name = _text(value).rpartition(":")
    if not colon or not place or not name.isidentifier():
        raise ValueError
    return _text(value)


def _is_network(text: str) -> bool:
    """Whether text names networks: `10.0.0.0/8`, an address, several of them between commas.

    Bits set behind the prefix (`10.1.2.3/8`) are a mistake in a network, and no sign that something else is meant.
    """
    try:
        for name in text.split(","):
            ip_network(name.strip(), strict=False)
    except ValueError:
        return False
    return True


def _networks(value: Any) -> bool | tuple[str, ...]:
    if isinstance(value, bool):
        return value
    networks = {_network(name.strip()) for text in _texts(value) for name in text.split(",")}
    # In one order and spelling, so that a job knows the same networks again.
    ordered = sorted(networks, key=lambda network: (network.version, int(network.network_address), network.prefixlen))
    return tuple(map(str, ordered)) or False


def _network(name: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(name)
    except ValueError as error:
        if not _is_network(name):
            raise
        address, wide = name.partition("/")[0], ip_network(name, strict=False)
        raise MistakeError(
            f"{name} has bits set behind its prefix: write {wide}, or {address} for that address alone"
        ) from error


def _or_none(word: str, value: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Let `word` mean None, so that an option can take back what a settings file has set."""
    return lambda given: None if given == word else value(given)


def _or_word(word: str, text: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda given: word if given == word else text(given)


def choice(names: Sequence[str]) -> Kind:
    """Return the kind of a setting that takes one of `names`."""

    def value(given: Any) -> str:
        if given not in names:
            raise ValueError
        return str(given)

    return Kind(f"one of {', '.join(names)}", "|".join(names), value, choices=tuple(names))


def _merged_networks(given: Sequence[str]) -> str:
    return ALL if ALL in given else ",".join(given)


def _duplicates(value: Any) -> str:
    mode = {True: "exact", False: "no"}[value] if isinstance(value, bool) else value
    if mode not in get_args(DuplicateMode):
        raise ValueError
    return str(mode)


def _boolean(text: str) -> bool:
    return _SWITCH[text.strip().lower()] if text.strip().lower() in _SWITCH else _switch(text)


def _all_or_networks(text: str) -> Any:
    word = text.strip().lower()
    return True if word == ALL else _SWITCH.get(word, text)


COUNT = Kind("a whole number", "N", _integer, int)
LIMIT = Kind("a whole number or 'none'", "N", _or_none("none", _integer), _or_word("none", int))
TIME = Kind("a number of seconds", "S", _seconds, float)
TIME_LIMIT = Kind("a number of seconds or 'none'", "S", _or_none("none", _seconds), _or_word("none", float))
DELAY = Kind("a number of seconds or 'auto'", "S|auto", _or_none("auto", _seconds), _or_word("auto", float))
BYTES = Kind("a size such as 10MB, 10MiB or 10_000_000", "BYTES", _size)
BYTES_LIMIT = Kind("a size such as 10MB, 10MiB or 10_000_000, or 'none'", "BYTES", _or_none("none", _size))
TEXT = Kind("a text", "TEXT", _any_text)
OUTPUTS = Kind("a path, a URL such as s3://bucket/pages.jsonl, or '-'", "PATH", _texts, str.splitlines, many=True)
ROTATION = Kind(
    "a size such as 1GB, a number of records, or 'none'", "SIZE|N", _or_none("none", _rotation), _or_word("none", str)
)
SPIDER = Kind("package.module:function, path/to/file.py:function, or 'none'", "MODULE:NAME", _or_none("none", _spider))
FIELDS = Kind("a table, or texts like 'price=.price::text'", "NAME=SELECTOR", _fields, str.splitlines, many=True)
FOLDER = Kind("a path", "DIR", lambda value: Path(_text(value)))
FILE = Kind("a path or 'none'", "FILE", _or_none("none", lambda value: Path(_text(value))))
SEED_LIST = Kind("a list of texts", "SEED", _texts, many=True)
PATTERNS = Kind("a list of texts", "REGEX", _texts, str.splitlines, many=True)
HEADERS = Kind("a list of texts like 'Name: value'", "'NAME: VALUE'", _headers, str.splitlines, many=True, secret=True)
NAMES = Kind("a list of names, 'all' or 'default'", "A,B,C", _names)
NETWORKS = Kind(
    "true, false or networks such as 10.0.0.0/8",
    "[CIDR]",
    _networks,
    _all_or_networks,
    bare=ALL,
    is_value=_is_network,
    merged=_merged_networks,
)
DUPLICATES = Kind(
    "'exact', 'near' or false",
    "[near]",
    _duplicates,
    lambda text: _SWITCH.get(text.strip().lower(), text),
    bare="exact",
    is_value=lambda text: text in get_args(DuplicateMode),
)
SWITCHED = Kind("true or false", "", _switch, _boolean)
