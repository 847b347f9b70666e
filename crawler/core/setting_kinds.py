"""The kinds of values that settings take: from text, TOML or a keyword argument to the value of a field. Pure."""

import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from crawler.core.model import Rotation
from crawler.core.record import RECORD_FIELDS

__all__ = [
    "BYTES",
    "COUNT",
    "FILE",
    "FOLDER",
    "HEADERS",
    "NAMES",
    "NETWORKS",
    "OUTPUTS",
    "PARAMETERS",
    "PATTERNS",
    "ROTATION",
    "SECONDS",
    "SEED_LIST",
    "SELECTORS",
    "SPIDER",
    "SWITCH",
    "TEXT",
    "Kind",
    "MistakeError",
    "choice",
    "or_none",
    "some_of",
    "switch_or_choice",
    "switch_or_text",
]

ALL = "all"
"""The word that stands for every network."""

_SIZE = re.compile(r"([0-9_]{1,20}(?:\.[0-9]{1,20})?) ?([kmgt]?)(i?)b?", re.IGNORECASE)
_UNITS = (("GiB", 1 << 30), ("MiB", 1 << 20), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3))
_SWITCH = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


class MistakeError(ValueError):
    """A value of the right type that cannot be meant; the message says what is wrong with it."""


def _same(value: Any) -> Any:
    return value


def _nothing(value: Any) -> None:
    """Find nothing wrong with a value."""


class Kind(Struct, frozen=True, kw_only=True):
    """What values a setting takes, wherever they come from.

    `expects` names them in error messages, `metavar` in the help. `value` turns a TOML value into the field's and
    raises ValueError or TypeError. `text` turns text into a TOML value. `nothing` is the word that stands for None.
    `shown` writes a default for the help. `check` raises `MistakeError` for a field's value that cannot be meant.
    `argument` is the type of the keyword argument, if that is wider than the field's, and `plain` makes the one of the
    other. `choices` are all values that there are. `paths` says where in a value a path may stand, which in a settings
    file starts from the file's folder.

    Of the option: `many` says that it may be repeated. `bare` is what it means without a value, if it may stand alone.
    What follows it then is its value if `is_value` says so. `merged` makes one value of several, by default the last.
    `secret`: the value may hold a password and is not shown.
    """

    expects: str
    metavar: str
    value: Callable[[Any], Any]
    text: Callable[[str], Any] = str
    nothing: str = ""
    shown: Callable[[Any], str] = str
    check: Callable[[Any], None] = _nothing
    argument: str = ""
    plain: Callable[[Any], Any] = _same
    choices: tuple[str, ...] = ()
    paths: Literal["none", "itself", "outputs", "spider", "seeds"] = "none"
    many: bool = False
    bare: str = ""
    is_value: Callable[[str], bool] = bool
    merged: Callable[[Sequence[str]], str] = lambda given: given[-1]
    secret: bool = False

    def read(self, raw: Any, *, text: bool) -> Any:
        """Return the field's value of a TOML value, or with `text` of text; raise ValueError or TypeError."""
        if self.nothing and raw == self.nothing:
            return None
        return self.value(self.text(raw) if text and isinstance(raw, str) else raw)


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


def _selectors(value: Any) -> Any:
    """Return lines, or a table, of selectors. Who knows selectors reads them: see `page.fields.lines`."""
    return value if isinstance(value, dict) else _texts(value)


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


def _is_parameters(text: str) -> bool:
    """Whether text that follows the option is a list of names, rather than a seed or a file of seeds."""
    return not any(mark in text for mark in "./: ")


def _parameters(value: Any) -> bool | tuple[str, ...]:
    if isinstance(value, bool):
        return value
    names = {name.strip() for text in _texts(value) for name in text.split(",")}
    return tuple(sorted(names - {""})) or False


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


def _merged_some(given: Sequence[str]) -> str:
    return ALL if ALL in given else ",".join(given)


def _boolean(text: str) -> bool:
    return _SWITCH[text.strip().lower()] if text.strip().lower() in _SWITCH else _switch(text)


def switch_or_text(text: str) -> Any:
    """Return what a word for on or off means, and any other text as it is."""
    return _SWITCH.get(text.strip().lower(), text)


def _all_or_some(text: str) -> Any:
    return True if text.strip().lower() == ALL else switch_or_text(text)


# How a default is shown


def _shown_switch(value: Any) -> str:
    return "no" if value is False else str(value)


def _shown_count(value: int) -> str:
    return f"{value:_}"


def _shown_size(value: int) -> str:
    return next((f"{value // size}{unit}" for unit, size in _UNITS if value % size == 0), f"{value:_}")


def _shown_list(value: Any) -> str:
    return ",".join(map(str, value or ()))


# What is wrong with a field's value


def _check_text(value: str) -> None:
    if any(character in value for character in "\r\n\0"):
        raise MistakeError(f"expected a text on one line, not {value!r}")


def _check_path(value: Path) -> None:
    _check_paths((str(value),))


def _check_paths(value: str | Sequence[str]) -> None:
    for path in [value] if isinstance(value, str) else value:
        if "\0" in path:
            raise MistakeError(f"expected a path without NUL, not {path!r}")


def _check_patterns(value: Sequence[str]) -> None:
    for pattern in value:
        try:
            re.compile(pattern)
        except (re.error, OverflowError, RecursionError) as error:
            raise MistakeError(f"{pattern!r} is not a regular expression: {error}") from error


def _check_networks(value: bool | Sequence[str]) -> None:
    for network in () if isinstance(value, bool) else value:
        try:
            ip_network(network)
        except ValueError as error:
            raise MistakeError(f"{network!r} is not a network like '10.0.0.0/8': {error}") from error


def _check_headers(value: Sequence[tuple[str, str]]) -> None:
    for name, content in value:
        if not name or any(character in name + content for character in "\r\n\0"):
            raise MistakeError(f"header {name!r} has a line break or NUL in it, or no name")


# What a keyword argument may be beside the type of the field


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _listed_paths(value: Any) -> Any:
    if value is None:
        return None
    return [os.fspath(path) for path in ([value] if isinstance(value, str | os.PathLike) else value)]


def _listed_pairs(value: Any) -> Any:
    return list(value.items()) if isinstance(value, Mapping) else value


def or_none(kind: Kind, word: str = "none", *, metavar: str = "") -> Kind:
    """Return the kind of a setting that may also be None, for which `word` stands.

    With it an option can take back what a settings file has set.
    """
    comma = "," if "," in kind.expects else ""
    expects = f"{kind.expects}{comma} or '{word}'"
    return replace(kind, expects=expects, nothing=word, metavar=metavar or kind.metavar)


def choice(names: Sequence[str]) -> Kind:
    """Return the kind of a setting that takes one of `names`."""

    def value(given: Any) -> str:
        if given not in names:
            raise ValueError
        return str(given)

    return Kind(expects=f"one of {', '.join(names)}", metavar="|".join(names), value=value, choices=tuple(names))


def switch_or_choice(names: Sequence[str], *, off: str, on: str) -> Kind:
    """Return the kind of a switch with degrees: `names`, of which `off` and `on` are what the bare switch means."""
    degrees = tuple(name for name in names if name != off)

    def value(given: Any) -> str:
        word = {True: on, False: off}[given] if isinstance(given, bool) else given
        if word not in names:
            raise ValueError
        return str(word)

    return Kind(
        expects=f"{', '.join(map(repr, degrees[:-1]))}, {degrees[-1]!r} or false",
        metavar=f"[{'|'.join(name for name in degrees if name != on)}]",
        value=value,
        text=switch_or_text,
        bare=on,
        is_value=lambda text: text in names,
    )


def some_of(names: Sequence[str]) -> Kind:
    """Return the kind of a setting that is off, on for all (the bare option), or on for some of `names`."""

    def is_value(text: str) -> bool:
        return all(name.strip() in names for name in text.split(","))

    def value(given: Any) -> bool | tuple[str, ...]:
        if isinstance(given, bool):
            return given
        found = {name.strip() for text in _texts(given) for name in text.split(",")}
        if not found <= set(names):
            raise ValueError
        return tuple(name for name in names if name in found) or False

    return _switch_or_list(
        expects=f"true, false or some of {', '.join(names)}", metavar="[KIND,…]", value=value, is_value=is_value
    )


def _switch_or_list(**how: Any) -> Kind:
    """Return a kind that is off, on for all (the bare option), or on for what a list names; `how` is as for `Kind`."""
    return Kind(
        text=_all_or_some,
        shown=_shown_switch,
        argument="bool | Sequence[str]",
        plain=_listed,
        many=True,
        bare=ALL,
        merged=_merged_some,
        **how,
    )


COUNT = Kind(expects="a whole number", metavar="N", value=_integer, text=int, shown=_shown_count)
SECONDS = Kind(expects="a number of seconds", metavar="S", value=_seconds, text=float, shown="{:g}".format)
BYTES = Kind(expects="a size such as 10MB, 10MiB or 10_000_000", metavar="BYTES", value=_size, shown=_shown_size)
TEXT = Kind(expects="a text", metavar="TEXT", value=_any_text, check=_check_text)
SWITCH = Kind(expects="true or false", metavar="", value=_switch, text=_boolean, shown=_shown_switch)
OUTPUTS = Kind(
    expects="a path, a URL such as s3://bucket/pages.jsonl, or '-'",
    metavar="PATH",
    value=_texts,
    text=str.splitlines,
    check=_check_paths,
    many=True,
    paths="outputs",
    argument="PathLike | Sequence[PathLike] | None",
    plain=_listed_paths,
)
ROTATION = Kind(expects="a size such as 1GB, a number of records", metavar="SIZE|N", value=_rotation)
SPIDER = Kind(
    expects="package.module:function, path/to/file.py:function", metavar="MODULE:NAME", value=_spider, paths="spider"
)
SELECTORS = Kind(
    expects="a table, or texts like 'price=.price::text'",
    metavar="NAME=SELECTOR",
    value=_selectors,
    text=str.splitlines,
    shown=_shown_list,
    many=True,
)
FOLDER = Kind(
    expects="a path",
    metavar="DIR",
    value=lambda value: Path(_text(value)),
    check=_check_path,
    paths="itself",
    argument="PathLike | None",
)
FILE = replace(FOLDER, metavar="FILE")
SEED_LIST = Kind(
    expects="a list of texts",
    metavar="SEED",
    value=_texts,
    shown=_shown_list,
    plain=_listed_paths,
    many=True,
    paths="seeds",
)
PATTERNS = Kind(
    expects="a list of texts",
    metavar="REGEX",
    value=_texts,
    text=str.splitlines,
    shown=_shown_list,
    check=_check_patterns,
    argument="Sequence[str]",
    plain=_listed,
    many=True,
)
HEADERS = Kind(
    expects="a list of texts like 'Name: value'",
    metavar="'NAME: VALUE'",
    value=_headers,
    text=str.splitlines,
    shown=_shown_list,
    check=_check_headers,
    argument="Mapping[str, str] | Sequence[tuple[str, str]]",
    plain=_listed_pairs,
    many=True,
    secret=True,
)
NAMES = Kind(expects="a list of names, 'all' or 'default'", metavar="A,B,C", value=_names, plain=_listed)
PARAMETERS = _switch_or_list(
    expects="true, false or names of parameters", metavar="[NAME,…]", value=_parameters, is_value=_is_parameters
)
NETWORKS = _switch_or_list(
    expects="true, false or networks such as 10.0.0.0/8",
    metavar="[CIDR]",
    value=_networks,
    check=_check_networks,
    is_value=_is_network,
)
