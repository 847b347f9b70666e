"""The settings of a crawl as keyword arguments: what editors complete, and what becomes a `CrawlConfig`."""

import difflib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict, get_args

import msgspec

from crawler.core.config import CrawlConfig, DuplicateMode, RobotsMode, ScopeKind, StrategyKind
from crawler.core.errors import ConfigError
from crawler.core.model import Rotation
from crawler.core.printable import printable

__all__ = ["PathLike", "Seeds", "Settings", "config_of"]

PathLike = str | os.PathLike[str]
Seeds = PathLike | Iterable[PathLike]
"""One seed or several: http(s) URLs, `sitemap:URL`, paths of seed files."""


class Settings(TypedDict, total=False):
    """Keyword arguments of `crawler.crawl` beside those that it names itself. `CrawlConfig` describes each."""

    job: PathLike | None
    output: PathLike | Sequence[PathLike] | None
    rotate: Rotation | None
    scope: ScopeKind
    depth: int | None
    max_pages: int | None
    max_time_s: float | None
    include: Sequence[str]
    exclude: Sequence[str]
    sitemaps: bool
    max_links: int
    max_chain: int | None
    concurrency: int
    per_host: int
    per_address: int
    delay_s: float | None
    parsers: int
    parser_timeout_s: float
    parser_memory_bytes: int | None
    bytes_in_flight: int
    timeout_s: float
    max_body_bytes: int
    retries: int
    user_agent: str
    headers: Mapping[str, str] | Sequence[tuple[str, str]]
    robots: RobotsMode
    allow_private: bool | Sequence[str]
    cookies: bool
    insecure: bool
    ca_bundle: PathLike | None
    skip_duplicates: DuplicateMode
    strategy: StrategyKind
    strict: bool


_LISTS = frozenset({"include", "exclude", "allow_private", "fields"})
_SECRET = frozenset({"headers"})
_SHOWN_CHARS = 200
_WRONG = re.compile(r"(?P<what>.*?)(?: - at `\$\.(?P<name>\w+).*)?", re.DOTALL)
_EXPECTED = re.compile(r"Expected `(?P<kind>[^`]+)`(, got `.*)?")
_WORDS = {"null": "None", "array": "a list", "object": "a dict", "str": "text"}


def config_of(seeds: Seeds, settings: Mapping[str, Any]) -> CrawlConfig:
    """Return the configuration that these seeds and keyword arguments mean; lists and single texts become tuples.

    Raises `ConfigError` for a setting that is not known, with the closest one, and for a value of a wrong type or out
    of range.
    """
    known = CrawlConfig.__struct_fields__
    for name in settings:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            raise ConfigError(f"there is no setting {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
    plain = {name: _plain(name, value) for name, value in settings.items()}
    try:
        plain["seeds"] = [os.fspath(seed) for seed in ([seeds] if isinstance(seeds, str | os.PathLike) else seeds)]
    except TypeError as error:
        raise ConfigError(f"seeds: expected text or paths: {error}") from error
    try:
        return msgspec.convert(plain, CrawlConfig, dec_hook=_path)
    except msgspec.ValidationError as error:
        raise _mistake(str(error), {**settings, "seeds": seeds}) from None


def _plain(name: str, value: Any) -> Any:
    if name in _LISTS and isinstance(value, str):
        return [value]
    if name == "output" and value is not None:
        several = [value] if isinstance(value, str | os.PathLike) else value
        return [os.fspath(output) for output in several]
    if name == "headers" and isinstance(value, Mapping):
        return list(value.items())
    return value


def _path(kind: type, value: Any) -> Any:
    """Paths are what msgspec does not know by itself."""
    if kind is Path and isinstance(value, str | os.PathLike):
        return Path(value)
    raise TypeError("Expected `path`")


def _mistake(message: str, settings: Mapping[str, Any]) -> ConfigError:
    match = _WRONG.fullmatch(message)
    what, name = (match["what"], match["name"] or "seeds") if match else (message, "seeds")
    seen = "" if name in _SECRET else f", not {printable(repr(settings.get(name)), _SHOWN_CHARS)}"
    if what.startswith("Invalid enum value"):
        choices = _choices(CrawlConfig.__annotations__[name])
        return ConfigError(f"{name}: expected {', '.join(choices[:-1])} or {choices[-1]}{seen}")
    expected = _EXPECTED.fullmatch(what)
    if expected is None:
        return ConfigError(f"{name}: {what}")
    kinds = [_WORDS.get(kind, kind) for kind in expected["kind"].split(" | ")]
    return ConfigError(f"{name}: expected {' or '.join(kinds)}{seen}")


def _choices(kind: Any) -> list[str]:
    """The texts that a Literal allows, or a Literal or None."""
    return [one for part in get_args(kind) for one in (get_args(part) or (part,)) if isinstance(one, str)]
