"""The fields of a record, found in a page by selectors. Pure; `docs/fields.md` describes what they mean.

No page raises here. One that is made to take long (a regular expression that backtracks, a selector that looks at every
pair of elements) takes long; the deadline and the memory limit of its parser are for that.
"""

import math
import re
from collections.abc import Iterator
from decimal import Decimal
from itertools import chain
from typing import Any

from crawler.core.model import Field, FieldType
from crawler.page.fields.values import DATE_PARTS, date_of_parts, to_date, to_float, to_int
from crawler.page.html import without_controls
from crawler.page.page import Page

__all__ = ["MAX_CHARS", "convert", "find"]

MAX_CHARS = 16_000_000
"""The values of one page have at most so many characters together, each value counted as 16 more. What a page has
beyond that counts as not found: elements that stand in each other hold the same text again and again."""

_VALUE_CHARS = 16

# Elements that begin and end a line for a reader: HTML Standard §15.3, "Rendering".
_APART = (
    *("address", "article", "aside", "blockquote", "br", "caption", "center", "dd", "details", "dialog", "dir", "div"),
    *("dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header"),
    *("hgroup", "hr", "legend", "li", "listing", "main", "menu", "nav", "ol", "optgroup", "option", "p", "plaintext"),
    *("pre", "search", "section", "summary", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul", "xmp"),
)
_UNSEEN = ("script", "style", "template", "noscript")
_WALKED = (*_APART, *_UNSEEN)


def find(page: Page, fields: tuple[Field, ...]) -> dict[str, Any] | str:
    """Return the values of fields by name, in their order, or the name of a required one that the page does not have.

    Values are str, int, float, None, lists of them, and dicts and lists of dicts for fields with fields. Never raises,
    if the fields are such as `fields.lines` lets pass. By measurement a field takes some 5 µs beside the parse
    of the page, and 1 to 2 µs for each element inside the one whose text it is.
    """
    return _Finder(page).values(fields, page.document)


def convert(text: str, kind: FieldType) -> Any:
    """Return what a text means as a value of this type, None if nothing. Not for `url`, which needs a page."""
    if kind == "int":
        return to_int(text)
    if kind == "float":
        return to_float(text)
    line = _line(text)
    return (to_date(line) if kind == "date" else line) or None


class _Finder:
    """Looks into one page. Its state is how many characters its values may still have."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._left = MAX_CHARS

    def values(self, fields: tuple[Field, ...], context: Any) -> dict[str, Any] | str:
        values: dict[str, Any] = {}
        for field in fields:
            found = self._objects(field, context) if field.fields else self._converted(field, context)
            value: Any = list(found) if field.many else next(found, field.default)
            if field.required and (value is None or value == []):
                return field.name
            values[field.name] = value
        return values

    def _objects(self, field: Field, context: Any) -> Iterator[dict[str, Any]]:
        for node in _nodes(field, context):
            # A text that an XPath expression gives has nothing inside.
            values = "" if isinstance(node, str | bool | float) else self.values(field.fields, node)
            if isinstance(values, dict):
                self._left -= _VALUE_CHARS * (1 + len(values))
                yield values
            if self._left <= 0:
                return

    def _converted(self, field: Field, context: Any) -> Iterator[Any]:
        for node in _nodes(field, context):
            if self._left <= 0:
                return
            text = _picked(field.pick, node)
            value = None if text is None else self._value(field, text)
            if value is not None:
                self._left -= _VALUE_CHARS + (len(value) if isinstance(value, str) else 0)
                yield value

    def _value(self, field: Field, text: str) -> Any:
        """Return the value that a text stands for, None if none."""
        if field.regex:
            match = re.search(field.regex, text if field.pick == "html" else _line(text))
            if match is None:
                return None
            if field.type == "date" and "year" in match.re.groupindex:
                parts = match.groupdict()
                return date_of_parts({name: part for name in DATE_PARTS if (part := parts.get(name)) is not None})
            text = match[1 if match.re.groups else 0] or ""
        if field.type == "url":
            return self._page.urljoin(text.strip()) if text.strip() else None
        if field.type == "text" and field.pick != "text":
            return without_controls(text).strip() or None
        return convert(text, field.type)


def _nodes(field: Field, context: Any) -> Iterator[Any]:
    """Return what the selector finds in a document or an element: elements, and with XPath also texts and numbers."""
    if field.xpath:
        return iter(_evaluated(field.xpath, context))
    if not field.css:
        # A document is what it holds.
        itself = context if field.fields else getattr(context, "root", context)
        return iter(() if itself is None else (itself,))
    if field.many:
        return iter(context.select(field.css))
    first = context.select_one(field.css)
    # Mostly the first one is enough, and looking for the others is not needed.
    return iter(()) if first is None else chain((first,), _others(field.css, context))


def _others(css: str, context: Any) -> Iterator[Any]:
    yield from context.select(css)[1:]


def _evaluated(xpath: str, context: Any) -> list[Any]:
    try:
        result = context.xpath(xpath)
    except (ValueError, TypeError, re.error):
        # Something in it that was never reached when it was checked: it finds nothing.
        return []
    return result if isinstance(result, list) else [result]


def _picked(pick: str, node: Any) -> str | None:
    """Return the text that is taken of something found; None if it has none."""
    if isinstance(node, str):
        return node
    if isinstance(node, bool):
        return "true" if node else "false"
    if isinstance(node, float):
        # As XPath 1.0 §4.2 turns numbers into strings; what is not a number is nothing.
        digits = f"{Decimal(repr(node)):f}"
        return digits.removesuffix(".0") if math.isfinite(node) else None
    if pick == "html":
        return str(node.html)
    if pick.startswith("attr("):
        attribute = getattr(node, "attr", None)
        return None if attribute is None else attribute(pick[5:-1])
    # A comment, too, can be found by XPath.
    data = getattr(node, "data", None)
    return data if isinstance(data, str) else _text(node)


def _text(element: Any) -> str:
    """Return an element's text, a line feed wherever a block begins or ends; without scripts and styles."""
    for _ in element.iter_elements(_WALKED):
        break
    else:
        return str(element.text)
    pieces: list[str] = []
    waiting: list[Any] = [*reversed(element.children)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, str):
            pieces.append(node)
            continue
        tag = getattr(node, "tag", None)
        if tag is None:
            pieces.append(node.text)
        elif tag in _APART:
            pieces.append("\n")
            waiting.append("\n")
            waiting.extend(reversed(node.children))
        elif tag not in _UNSEEN:
            waiting.extend(reversed(node.children))
    return "".join(pieces)


def _line(text: str) -> str:
    return without_controls(" ".join(text.split())).strip()
