"""Keyword arguments of `crawler.crawl` that become a `CrawlConfig`. `keywords` has their types."""

import difflib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args, get_type_hints

import msgspec

from crawler.core.config import CRAWL_SETTINGS, CrawlConfig
from crawler.core.errors import ConfigError
from crawler.core.model import Field
from crawler.core.printable import printable
from crawler.ring.keywords import PathLike

__all__ = ["Seeds", "Select", "config_of"]

Seeds = PathLike | Iterable[PathLike]
"""One seed or several: http(s) URLs, `sitemap:URL`, paths of seed files."""

Select = Sequence[Field] | Sequence[str] | Mapping[str, Any]
"""Fields to find in each page: `Field`s, lines as `--select` takes them, or a dict as a settings file has it."""


_SETTINGS = {setting.field: setting for setting in CRAWL_SETTINGS}
_SHOWN_CHARS = 200
_WRONG = re.compile(r"(?P<what>.*?)(?: - at `\$\.(?P<name>\w+).*)?", re.DOTALL)
_EXPECTED = re.compile(r"Expected `(?P<kind>[^`]+)`(, got `.*)?")
_WORDS = {"null": "None", "array": "a list", "object": "a dict", "str": "text"}


def config_of(seeds: Seeds, settings: Mapping[str, Any], command: str = "crawl") -> CrawlConfig:
    """Return the configuration that these seeds and keyword arguments mean; lists and single texts become tuples.

    `command`: whose settings they are, `crawl` or `extract`.

    Raises `ConfigError` for a setting that it does not have, with the closest one, and for a value of a wrong type or
    out of range.
    """
    known = [name for name, setting in _SETTINGS.items() if setting.is_of(command)]
    for name in settings:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            raise ConfigError(f"there is no setting {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
    plain: dict[str, Any] = {}
    for name, value in {"seeds": seeds, **settings}.items():
        if name == "select" and value:
            plain[name] = _fields(value)
            continue
        try:
            plain[name] = _SETTINGS[name].kind.plain(value)
        except TypeError as error:
            raise ConfigError(f"{name}: expected text or paths{_seen(name, value)}") from error
    try:
        return msgspec.convert(plain, CrawlConfig, dec_hook=_path)
    except msgspec.ValidationError as error:
        raise _mistake(str(error), {**settings, "seeds": seeds}) from None


def _fields(select: Any) -> Any:
    """Return the fields that a dict or lines describe; what else is given, as it is."""
    given = [select] if isinstance(select, str) else select
    if not isinstance(given, Mapping | list | tuple):
        return given
    from crawler.page.fields.lines import read_field, read_fields  # noqa: PLC0415 - 30 ms, and most crawls have none

    try:
        if isinstance(given, Mapping):
            return read_fields(given)
        return [read_field(one) if isinstance(one, str) else one for one in given]
    except ConfigError as error:
        raise ConfigError(f"select: {error}") from error


def _path(kind: type, value: Any) -> Any:
    """Paths are what msgspec does not know by itself."""
    if kind is Path and isinstance(value, str | os.PathLike):
        return Path(value)
    raise TypeError("Expected `path`")


def _mistake(message: str, settings: Mapping[str, Any]) -> ConfigError:
    match = _WRONG.fullmatch(message)
    what, name = (match["what"], match["name"] or "seeds") if match else (message, "seeds")
    seen = _seen(name, settings.get(name))
    if what.startswith("Invalid enum value"):
        choices = _choices(get_type_hints(CrawlConfig)[name])
        return ConfigError(f"{name}: expected {', '.join(choices[:-1])} or {choices[-1]}{seen}")
    expected = _EXPECTED.fullmatch(what)
    if expected is None:
        return ConfigError(f"{name}: {what}")
    kinds = [_WORDS.get(kind, kind) for kind in expected["kind"].split(" | ")]
    return ConfigError(f"{name}: expected {' or '.join(kinds)}{seen}")


def _seen(name: str, value: Any) -> str:
    return "" if _SETTINGS[name].kind.secret else f", not {printable(repr(value), _SHOWN_CHARS)}"


def _choices(kind: Any) -> list[str]:
    """The texts that a Literal allows, or a Literal or None."""
    return [one for part in get_args(kind) for one in (get_args(part) or (part,)) if isinstance(one, str)]
