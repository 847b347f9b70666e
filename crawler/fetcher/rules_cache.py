"""The rules of robots.txt files that are in memory, over all hosts."""

from collections import OrderedDict
from typing import Final

from crawler.web.robots import AgentRules

__all__ = ["RULES_BYTES", "RulesCache"]

RULES_BYTES: Final = 64 << 20
"""About 9,000 files of 80 rules (3 KB) each, as `bench/breadth.py` has them, which take 47 MiB in fact: what a pattern
with a wildcard needs is counted amply. The store has the texts of all.
"""
_ENTRY_BYTES: Final = 256


class RulesCache:
    """Rules by origin, up to so many bytes of them: those that were not needed for longest go first.

    State, of the event loop's thread alone: the rules, and their bytes. The newest stay even if they are larger than
    all may be.
    """

    def __init__(self, most_bytes: int = RULES_BYTES) -> None:
        self._most_bytes = most_bytes
        self._rules: OrderedDict[str, AgentRules] = OrderedDict()
        self.size_bytes = 0

    def get(self, origin: str) -> AgentRules | None:
        """Return the rules of an origin, None if they are not in memory."""
        rules = self._rules.get(origin)
        if rules is not None:
            self._rules.move_to_end(origin)
        return rules

    def put(self, origin: str, rules: AgentRules) -> None:
        """Keep rules, in place of those that were there."""
        before = self._rules.pop(origin, None)
        if before is not None:
            self.size_bytes -= _size(origin, before)
        self._rules[origin] = rules
        self.size_bytes += _size(origin, rules)
        while self.size_bytes > self._most_bytes and len(self._rules) > 1:
            self.size_bytes -= _size(*self._rules.popitem(last=False))


def _size(origin: str, rules: AgentRules) -> int:
    return rules.size_bytes + len(origin) + _ENTRY_BYTES
