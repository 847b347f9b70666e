"""Whether a CSS selector or an XPath expression can be run, and if not, where it goes wrong. Pure."""

import re
from collections.abc import Iterator

from crawler.core.printable import printable
from crawler.page.page import Page

__all__ = ["AXES", "css_mistake", "shown", "xpath_mistake"]

AXES = frozenset(
    {
        "ancestor",
        "ancestor-or-self",
        "attribute",
        "child",
        "descendant",
        "descendant-or-self",
        "following",
        "following-sibling",
        "namespace",
        "parent",
        "preceding",
        "preceding-sibling",
        "self",
    }
)
"""Names that stand before `::` in XPath."""

_NEAR_CHARS = 12
_WHY_CHARS = 80
_PROBE = "<!doctype html><title>x</title><p class=x>x"

_POSITION = re.compile(r"(?P<why>.*?) at (?:position|offset) (?P<offset>\d+)\b", re.DOTALL)
_XPATH_END = " at the end of the expression"
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
_BRACKETS = re.compile(r"[\[\]]")
_CALL = re.compile(r"(?<![\w.:-])[^\W\d][\w.-]*(?::[^\W\d][\w.-]*)?(?=\s*\()")
_PREFIX = re.compile(r"(?<![\w.:$-])([^\W\d][\w.-]*):[^\W\d][\w.-]*(?![\w.-])(?!\s*\()")
_NO_FUNCTIONS = frozenset({"text", "node", "comment", "processing-instruction", "and", "or", "div", "mod"})


def css_mistake(selector: str) -> str | None:
    """Return what keeps a CSS selector from being run, with its place; None if nothing does.

    turbohtml runs it. soupsieve has to accept it too: it sees mistakes that turbohtml passes over, because
    CSS Selectors 4 §4.2 wants it (in `:is()` and `:where()`) or out of leniency (`#1`).
    """
    try:
        Page.from_html(_PROBE).document.select(selector)
    except ValueError as error:
        why = str(error).removeprefix(f'invalid CSS selector "{selector}": ')
        match = _POSITION.match(why)
        why, offset = (match["why"], int(match["offset"])) if match else (why, 0)
        if why.startswith("unknown"):
            # It names the end of the word.
            offset = selector.rfind(":", 0, offset)
        return _told("CSS selector", selector, offset, why)
    return _second_opinion(selector)


def xpath_mistake(expression: str) -> str | None:
    """Return what keeps an XPath expression from being run, with its place; None if nothing does.

    turbohtml sees many mistakes only on a page that leads to them, an unknown function in a predicate say. So names are
    looked at by themselves, and each predicate is run by itself on an element that is there.
    """
    element = Page.from_html(_PROBE).document.select("p")[0]

    def complaint(part: str) -> str:
        try:
            element.xpath(part)
        except re.error as error:
            return f"a regular expression is wrong: {error.msg}"
        except (ValueError, TypeError) as error:
            return str(error).removeprefix("xpath: ")
        return ""

    def told(part: str, at: int, why: str) -> str:
        match = _POSITION.match(why)
        if match is not None:
            return _told("XPath expression", expression, at + int(match["offset"]), match["why"])
        if why.endswith(_XPATH_END):
            return _told("XPath expression", expression, at + len(part), why.removesuffix(_XPATH_END))
        return _told("XPath expression", expression, at, why)

    masked = _QUOTED.sub(lambda match: "'" + " " * (len(match[0]) - 2) + "'", expression)
    why = complaint(expression)
    if _POSITION.match(why) or why.endswith(_XPATH_END):
        return told(expression, 0, why)
    for call in _CALL.finditer(masked):
        if call[0] not in _NO_FUNCTIONS and complaint(f"{call[0]}()").startswith("unknown"):
            return told(call[0], call.start(), f"there is no function {call[0]}()")
    for name in _PREFIX.finditer(masked):
        if complaint(f"self::{name[1]}:x"):
            return told(name[0], name.start(), f"there is no namespace {name[1]}; names of HTML have none")
    if "$" in masked:
        return told(expression, masked.index("$"), "there are no variables here")
    for at, part in _predicates(expression, masked):
        if inner := complaint(part):
            return told(part, at, inner)
    return told(expression, 0, why) if why else None


def _predicates(expression: str, masked: str) -> Iterator[tuple[int, str]]:
    """Yield what stands between each pair of brackets, inner ones first, and where that begins."""
    opened: list[int] = []
    for bracket in _BRACKETS.finditer(masked):
        if bracket[0] == "[":
            opened.append(bracket.end())
        elif opened:
            start = opened.pop()
            yield start, expression[start : bracket.start()]


def _second_opinion(selector: str) -> str | None:
    import soupsieve  # noqa: PLC0415 - a tenth of the start of a crawl, and most have no selectors

    try:
        soupsieve.compile(selector)
    except soupsieve.SelectorSyntaxError as error:
        why = str(error).partition("\n")[0].partition(". ")[0]
        match = _POSITION.match(why)
        lines = selector.splitlines(keepends=True)[: (error.line or 1) - 1]
        return _told(
            "CSS selector", selector, len("".join(lines)) + (error.col or 1) - 1, match["why"] if match else why
        )
    except (NotImplementedError, RecursionError, ValueError) as error:
        return _told("CSS selector", selector, 0, str(error).partition("\n")[0])
    return None


def shown(text: str, limit: int = 40) -> str:
    """Return what a user wrote as an error message shows it: as `printable`, but an `@` is no sign of a password."""
    cut = text if len(text) <= limit else text[: limit - 1] + "…"
    return "@".join(map(printable, cut.split("@")))


def _told(kind: str, selector: str, offset: int, why: str) -> str:
    start = selector.rfind("\n", 0, offset) + 1
    line = selector.count("\n", 0, offset) + 1
    place = f"column {offset - start + 1}" if "\n" not in selector else f"line {line}, column {offset - start + 1}"
    near = f"before '{shown(selector[offset:], _NEAR_CHARS)}'" if selector[offset:].strip() else "its end"
    return f"the {kind} '{shown(selector)}' is wrong at {place}, {near}: {shown(why, _WHY_CHARS)}"
