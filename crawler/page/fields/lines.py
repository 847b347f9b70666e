"""How fields are written: as lines of a command (`price:float=.price::text`) or as a table of a settings file. Pure.

    NAME [] :TYPE ! = SELECTOR ::PICK ::re(REGEX) ::default(VALUE)

Everything but name and selector may be left out. A selector that begins with `/`, `./` or `(` is XPath, and so is what
stands after `xpath:`; others are CSS. `docs/fields.md` describes each part.
"""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, cast, get_args

from crawler.core.errors import ConfigError
from crawler.core.model import Field, FieldType
from crawler.page.fields.find import convert
from crawler.page.fields.selectors import AXES, css_mistake, shown, xpath_mistake
from crawler.page.fields.values import DATE_PARTS

__all__ = ["check_fields", "read_field", "read_fields"]

_TYPES = get_args(FieldType)
_KEYS = ("css", "xpath", "many", "type", "regex", "default", "required", "fields")

_NAME = r"[^\W\d][\w-]*"
_LEFT = re.compile(rf"(?P<name>{_NAME})(?P<many>\[\])?(?::(?P<type>\w+))?(?P<required>!)?")
_XPATH_START = re.compile(r"\.{0,2}/|\(")
# What may stand before `::`: in XPath the name of an axis, then it is no end of the selector.
_COLONS = re.compile(r"\\.|\"[^\"]*\"|'[^']*'|(?P<before>[\w-]*)::", re.DOTALL)
_SUFFIX = re.compile(
    r"(?:::(?P<pick>text|html|attr\((?P<attribute>[^()\s]+)\)))?(?:::re\((?P<regex>.+?)\))?(?:::default\((?P<default>(?:(?!\)::).)*)\))?",
    re.DOTALL,
)
_PICK = re.compile(r"text|html|attr\([^()\s]+\)")
_SUFFIXES = "::text, ::html or ::attr(NAME), then ::re(REGEX), then ::default(VALUE)"


def read_fields(given: Sequence[str] | Mapping[str, Any]) -> tuple[Field, ...]:
    """Return the fields that lines, or a table of a settings file, describe.

    A table has for each name a line's right side, or a table with the keys `css` or `xpath` (with `::attr(…)` and the
    like as in a line), `many`, `type`, `regex`, `default`, `required` and `fields`, which is such a table again. Raises
    `ConfigError` with the field's name and what is wrong with it; for a selector that does not parse, where.
    """
    fields = tuple(_table(given, "")) if isinstance(given, Mapping) else tuple(_line(line) for line in given)
    check_fields(fields)
    return fields


def read_field(line: str) -> Field:
    """Return the field that one line describes. Raises `ConfigError` as `read_fields` does."""
    return read_fields([line])[0]


def check_fields(fields: Iterable[Field], inside: str = "") -> None:
    """Check fields that were made by hand: names, selectors, and what contradicts itself. Raises `ConfigError`.

    `inside` is the path of the field that has them, for messages.
    """
    names: set[str] = set()
    for field in fields:
        path = _path(inside, field.name)
        if re.fullmatch(_NAME, field.name) is None:
            raise ConfigError(f"{path}: a name has letters, digits, _ and -, and begins with a letter or _")
        if field.name in names:
            raise ConfigError(f"{path}: there are two fields of this name")
        names.add(field.name)
        mistake = _contradiction(field) or _broken(field)
        if mistake:
            raise ConfigError(f"{path}: {mistake}")
        check_fields(field.fields, path)


def _contradiction(field: Field) -> str | None:
    """Return what cannot be meant by a field, None if all can."""
    given, kind = field.default, field.type
    valued = field.pick != "text" or kind != "text" or field.regex or given is not None
    mistakes = {
        "css or xpath says where it stands, not both": field.css and field.xpath,
        "with fields in it, it is an object: it has no ::text and the like, type, regex or default": (
            field.fields and valued
        ),
        "a list that finds nothing is empty: it has no default": field.many and given is not None,
        "what is required has no default": field.required and given is not None,
        f"pick is text, html or attr(NAME), not '{shown(field.pick)}'": (_PICK.fullmatch(field.pick) is None),
        _unknown_type(kind): kind not in _TYPES,
        f"default is no {kind}: {shown(repr(given))}": (
            given is not None and type(given) is not {"int": int, "float": float}.get(kind, str)
        ),
    }
    return next((mistake for mistake, made in mistakes.items() if made), None)


def _broken(field: Field) -> str | None:
    """Return what is wrong with a field's selector or regular expression, None if nothing is."""
    if field.regex:
        try:
            groups = re.compile(field.regex).groupindex
        except (re.error, OverflowError, RecursionError) as error:
            near = shown(field.regex)
            column = f" at column {error.colno}" if isinstance(error, re.error) and error.colno else ""
            why = error.msg if isinstance(error, re.error) else "it is too large"
            return f"the regular expression '{near}' is wrong{column}: {why}"
        if field.type == "date" and (parts := groups.keys() & set(DATE_PARTS)) and not {*DATE_PARTS[:3]} <= parts:
            return "a regular expression with groups for a date needs those named year, month and day"
    if field.xpath:
        return xpath_mistake(field.xpath)
    return css_mistake(field.css) if field.css else None


def _line(line: str) -> Field:
    left, equals, right = line.partition("=")
    if not equals or not left.strip():
        raise ConfigError(f"'{shown(line)}': expected NAME=SELECTOR, as in price=.price::text")
    return _written(left.strip(), right.strip(), "")


def _written(left: str, right: str, inside: str) -> Field:
    """Return the field of both sides of a line."""
    match = _LEFT.fullmatch(left)
    if match is None:
        near = shown(left)
        raise ConfigError(f"{_path(inside, near)}: expected NAME, NAME[], NAME:TYPE, NAME! or NAME[]:TYPE! before =")
    path = _path(inside, match["name"])
    kind = _type(match["type"] or "text", path)
    parts = _right(right, path, kind)
    if "default" in parts:
        parts["default"] = _default(parts["default"], kind, path)
    return Field(name=match["name"], many=bool(match["many"]), type=kind, required=bool(match["required"]), **parts)


def _right(text: str, path: str, kind: FieldType, *, xpath: bool = False) -> dict[str, Any]:
    """Take a line's right side apart: `css` or `xpath`, and of `pick`, `regex` and `default` those that are there."""
    if text.startswith("xpath:"):
        text, xpath = text.removeprefix("xpath:").lstrip(), True
    xpath = xpath or _XPATH_START.match(text) is not None
    end = next(
        (
            colons.end() - 2
            for colons in _COLONS.finditer(text)
            if colons["before"] is not None and not (xpath and colons["before"] in AXES)
        ),
        len(text),
    )
    selector, suffix = text[:end].rstrip(), text[end:]
    match = _SUFFIX.fullmatch(suffix)
    if match is None:
        near = shown(suffix)
        raise ConfigError(f"{path}: '{near}': expected {_SUFFIXES}")
    if not selector and not suffix:
        raise ConfigError(f"{path}: there is no selector")
    if kind == "url" and not xpath and match["pick"] is None:
        raise ConfigError(f"{path}: say where the url is: ::attr(href), ::attr(src), or ::text")
    parts = {"xpath" if xpath else "css": selector}
    return parts | {part: match[part] for part in ("pick", "regex", "default") if match[part] is not None}


def _default(given: Any, kind: FieldType, path: str) -> Any:
    """Return a default as a value of its type, if it is a text or, from TOML, a date or a whole number."""
    if isinstance(given, date):
        given = given.isoformat()
    if kind == "float" and type(given) is int:
        return float(given)
    if not isinstance(given, str) or kind in {"text", "url"}:
        return given
    value = convert(given, kind)
    if value is None:
        raise ConfigError(f"{path}: default is no {kind}: '{shown(given)}'")
    return value


def _type(name: object, path: str) -> FieldType:
    if name not in _TYPES:
        raise ConfigError(f"{path}: {_unknown_type(name)}")
    return cast("FieldType", name)


def _unknown_type(name: object) -> str:
    return f"the types are {', '.join(_TYPES)}, not '{shown(str(name))}'"


def _table(table: Mapping[str, Any], inside: str) -> Iterable[Field]:
    for name, value in table.items():
        if isinstance(value, str):
            yield _written(name, value, inside)
        elif isinstance(value, Mapping):
            yield _keyed(name, value, inside)
        else:
            near = shown(repr(value))
            raise ConfigError(f"{_path(inside, name)}: expected a selector or a table with css or xpath, not {near}")


def _keyed(name: str, table: Mapping[str, Any], inside: str) -> Field:
    """Return the field that a table describes."""
    path = _path(inside, name)
    _check_keys(name, table, path)
    kind = _type(table.get("type", "text"), path)
    parts: dict[str, Any] = {}
    for way in ("css", "xpath"):
        if way in table:
            parts |= _right(table[way], path, kind, xpath=way == "xpath")
    if "css" in table and "xpath" in parts:
        raise ConfigError(f"{path}: css or xpath says where it stands, not both, and css takes no XPath")
    for key in ("regex", "default"):
        if key in table and key in parts:
            raise ConfigError(f"{path}: {key} stands there twice")
        if key in table:
            parts[key] = table[key]
    if "default" in parts:
        parts["default"] = _default(parts["default"], kind, path)
    if not table.keys() & {"css", "xpath", "fields"}:
        raise ConfigError(f"{path}: css, xpath or fields is missing")
    for key in ("many", "required"):
        parts[key] = table.get(key, False)
    return Field(name=name, type=kind, fields=tuple(_table(table.get("fields", {}), path)), **parts)


def _check_keys(name: str, table: Mapping[str, Any], path: str) -> None:
    if re.fullmatch(_NAME, name) is None and _LEFT.fullmatch(name):
        raise ConfigError(f"{path}: in a table, the keys many, type and required stand for [], :TYPE and !")
    for key, value in table.items():
        if key not in _KEYS:
            close = difflib.get_close_matches(key, _KEYS, 1)
            advice = f"did you mean '{close[0]}'?" if close else f"known are {', '.join(_KEYS)}"
            raise ConfigError(f"{path}: unknown key '{shown(key)}'; {advice}")
        wanted = {"many": bool, "required": bool, "fields": Mapping, "default": object}.get(key, str)
        if not isinstance(value, wanted) or value in ("", {}):
            names = {bool: "true or false", Mapping: "a table of fields", str: "a text"}
            expected = names.get(wanted, "a value")
            raise ConfigError(f"{path}: {key}: expected {expected}, not {shown(repr(value))}")


def _path(inside: str, name: str) -> str:
    return shown(f"{inside}.{name}" if inside else name, 60)
