"""Which line of a robots.txt decides on a URL: for people who ask why. Pure.

The decision itself is that of `robots` and `path_rules`; this looks for the line that it follows from.
"""

import re
from collections.abc import Iterator

from msgspec import Struct

from crawler.web.path_rules import MAX_WILDCARD_RULES, NO_RULE, PathRules, octets
from crawler.web.robots import RobotsRules, names_agent, product_token, record_of

__all__ = ["RobotsLine", "deciding_line"]

_LINE_END = re.compile(r"\r\n|\r|\n")


class RobotsLine(Struct, frozen=True):
    """A line of a robots.txt: its number, from 1, and its text as written; what it says, and of which agent's group.

    `agent` is the name as the file has it, or `*`. `number` is 0 where no single line decides: a file with more than
    1,000 different patterns with wildcards counts as one that closes everything.
    """

    number: int
    text: str
    allows: bool
    agent: str


class _Rule(Struct, frozen=True):
    line: RobotsLine
    pattern: str


def deciding_line(body: bytes, url: str, user_agent: str) -> RobotsLine | None:
    """Return the line that decides whether an agent may fetch a URL in normal form; None if no line says anything.

    Of several with the same pattern it is the first. Never raises.
    """
    path = "/" + url.partition("://")[2].partition("/")[2].partition("#")[0]
    if path.partition("?")[0] == "/robots.txt":
        return None
    rules = _rules_of(RobotsRules.parse(body).text, product_token(user_agent).lower())
    best = PathRules((one.pattern, one.line.allows) for one in rules).rank(path)
    if best == NO_RULE:
        return None
    for one in rules:
        allows = one.line.allows
        # To compile a rule takes long, and a file may have many: those of this rank, and that of a folder's index page.
        may_decide = 2 * octets(one.pattern) + allows == best or "/index.htm" in one.pattern.lower()
        if may_decide and PathRules([(one.pattern, allows)]).rank(path) == best:
            return one.line
    return RobotsLine(0, f"more than {MAX_WILDCARD_RULES:,} patterns with * or $", False, rules[0].line.agent)


def _rules_of(text: str, name: str) -> list[_Rule]:
    """Return the rules that hold for an agent, with their lines, in the order of the file."""
    own, others = list[_Rule](), list[_Rule]()
    is_named = False
    groups: dict[str, list[_Rule]] = {}
    after_rule = False
    for number, written, kind, value in _records(text):
        if kind == "agent":
            if after_rule:
                groups, after_rule = {}, False
            if value.split(maxsplit=1)[:1] == ["*"]:
                groups["*"] = others
            elif names_agent(value, name):
                is_named = True
                groups[value] = own
        elif kind in {"allow", "disallow"}:
            after_rule = True
            for agent, group in groups.items() if value else ():
                line = RobotsLine(number, written.strip(), kind == "allow", agent)
                if not group or group[-1].line.number != number:
                    group.append(_Rule(line, value))
    return own if is_named else others


def _records(text: str) -> Iterator[tuple[int, str, str, str]]:
    """Give number, text, kind and value of each line that says something."""
    for number, line in enumerate(_LINE_END.split(text), start=1):
        kind, value = record_of(line.partition("#")[0])
        if kind:
            yield number, line, kind, value
