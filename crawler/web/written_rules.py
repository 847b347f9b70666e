"""The rules of one agent as a robots.txt has them, until it is worth while to compile them. Pure."""

import sys
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Final

from crawler.web.path_rules import MAX_WILDCARD_RULES, WILD_BYTES, PathRules, is_clear

__all__ = ["WrittenRules"]

_PLAIN_BYTES: Final = 12
_BLANKS: Final = " \t\v\f"


class WrittenRules:
    """Patterns, which may have blanks behind them. What they say of a path, `PathRules` tells.

    Most hosts are asked for one page, and compiling takes as long as reading the file. So the first path is held only
    against the patterns that may match it, and all are compiled for the second one; or when somebody says so, where
    that takes long.

    State: the patterns, one a line, and whether a path was judged by them; or the compiled rules. `size_bytes`: about
    what they take in memory then. Not for use from several threads at once.
    """

    __slots__ = ("_allowed", "_compiled", "_disallowed", "_is_first", "size_bytes")

    def __init__(self, disallowed: Sequence[str], allowed: Sequence[str]) -> None:
        self._disallowed = "\n".join(disallowed)
        self._allowed = "\n".join(allowed)
        self._compiled: PathRules | None = None
        wild = sum(text.count("*") + text.count("$") for text in (self._disallowed, self._allowed))
        self._is_first = wild <= MAX_WILDCARD_RULES
        count = len(disallowed) + len(allowed)
        self.size_bytes = sum(map(sys.getsizeof, (self._disallowed, self._allowed)))
        self.size_bytes += _PLAIN_BYTES * count + WILD_BYTES * min(wild, count)

    @property
    def allow_all(self) -> bool:
        """Whether there are none."""
        return self._compiled.allow_all if self._compiled is not None else not (self._disallowed or self._allowed)

    def allow(self, path: str) -> bool:
        """Say whether a path, which begins with `/`, with its query may be asked for. Never raises."""
        if self._is_first:
            self._is_first = False
            if all(map(is_clear, (path, self._disallowed, self._allowed))):
                return PathRules(self._that_may_match(path)).allow(path)
        return self.compiled().allow(path)

    def _that_may_match(self, path: str) -> Iterator[tuple[str, bool]]:
        """Give the rules that may match a path, and perhaps others, where nothing can be spelled in two ways."""
        begins = path.startswith
        for text, allows in ((self._disallowed, False), (self._allowed, True)):
            for one in [one for one in text.split("\n") if begins(one) or "*" in one or "$" in one]:
                if all(part in path for part in one.removesuffix("$").split("*")):
                    yield one, allows
        if "/index.htm" in self._allowed:
            yield from ((one, True) for one in self._allowed.split("\n") if "/index.htm" in one)

    def compiled(self) -> PathRules:
        """Return them compiled: from then on an answer takes no time to speak of."""
        if self._compiled is None:
            closed = ((one.rstrip(_BLANKS), False) for one in self._disallowed.split("\n"))
            opened = ((one.rstrip(_BLANKS), True) for one in self._allowed.split("\n"))
            self._compiled = PathRules(chain(closed, opened))
            self._disallowed = self._allowed = ""
            self._is_first = False
        return self._compiled
