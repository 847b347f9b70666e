"""Regular expressions that people give, searched in URLs that servers give.

No URL may hold up the crawl. So a pattern is judged in one of three ways, each with the answer of `re.search`:

- *brief*: without a repeat, or nearly; backtracking takes at most 200 steps at each character. By `re`, the fastest.
- *linear*: all others that an automaton can follow. By one for all of them together (`web.automaton`).
- *costly*: those that look ahead or behind, refer back, or are very large. Only backtracking can judge them, and that
  may take for ever. So it is for parser processes, each of which is killed then, and for nobody else.
"""

import re
from collections.abc import Callable, Sequence
from functools import partial

from crawler.web.automaton import Automaton
from crawler.web.pattern_tree import Choice, Node, NotRegularError, Term, effort, read, size

__all__ = ["UrlPatterns"]

_MOST_STEPS = 200
_MOST_PLACES = 1_000
"""Steps of the patterns that one automaton follows: at each character it may be in all of these places at once."""
_MOST_MEMO = 10_000
_MOST_MEMO_CHARS = 300


class UrlPatterns:
    """Says whether one of these patterns is found in a URL. Raises `re.error` for one that is none.

    `costly` are the patterns that only a parser process may judge, each with the reason. State: a bounded memo.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        self._compiled = [re.compile(pattern) for pattern in patterns]
        self._tests: list[Callable[[str], object]] = []
        costly: list[tuple[str, str]] = []
        linear: list[Node] = []
        for compiled in self._compiled:
            try:
                terms = _read(compiled.pattern)
            except NotRegularError as error:
                costly.append((compiled.pattern, str(error)))
                self._tests.append(compiled.search)
                continue
            if sum(effort(term.node) for term in terms) <= _MOST_STEPS:
                self._tests.append(compiled.search)
            elif len(terms) == 1:
                linear.append(terms[0].node)
            else:
                self._tests.append(partial(_all_hold, [(Automaton(term.node), term.wanted) for term in terms]))
        self._tests += [Automaton(Choice(tuple(nodes))).finds for nodes in _together(linear)]
        self.costly = tuple(costly)
        is_brief = self._tests == [compiled.search for compiled in self._compiled] and not costly
        self._memo: dict[str, bool] | None = None if is_brief else {}

    def __reduce__(self) -> tuple[type["UrlPatterns"], tuple[list[str]]]:
        """Go to another process as what it was made of: rows of an automaton hold each other."""
        return UrlPatterns, ([compiled.pattern for compiled in self._compiled],)

    def __bool__(self) -> bool:
        return bool(self._compiled)

    def found(self, url: str) -> bool:
        """Whether one of them is found in a URL in normal form."""
        if self._memo is None:
            return any(test(url) for test in self._tests)
        found = self._memo.get(url)
        if found is None:
            found = self._searched(url)
            if len(self._memo) >= _MOST_MEMO:
                self._memo.clear()
            if len(url) <= _MOST_MEMO_CHARS:
                self._memo[url] = found
        return found

    def _searched(self, url: str) -> bool:
        if not url.isascii() or not url or "\n" in url:  # no URL in normal form: automata know ASCII alone
            return any(compiled.search(url) for compiled in self._compiled)
        return any(test(url) for test in self._tests)


def _read(pattern: str) -> tuple[Term, ...]:
    terms = read(pattern)
    if sum(size(term.node) for term in terms) > _MOST_PLACES:
        raise NotRegularError(f"written out, it is longer than {_MOST_PLACES:,} characters")
    return terms


def _all_hold(terms: Sequence[tuple[Automaton, bool]], url: str) -> bool:
    return all(automaton.finds(url) == wanted for automaton, wanted in terms)


def _together(nodes: list[Node]) -> list[list[Node]]:
    """Put nodes together that one automaton follows."""
    groups: list[list[Node]] = []
    room = 0
    for node in nodes:
        if size(node) > room:
            groups.append([])
            room = _MOST_PLACES
        groups[-1].append(node)
        room -= size(node)
    return groups
