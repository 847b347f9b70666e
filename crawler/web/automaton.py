"""Search in time proportional to the text, whatever the pattern and whoever wrote the text.

Backtracking, as in Python's `re`, tries one way through a pattern after the other, and some patterns have more ways
through forty characters than can ever be tried. An automaton goes through the text once, and is in all places of the
pattern at once that the text may have led to (Thompson 1968). Each set of places that has come up is a *row*: it knows
which row each character leads to, once it was asked (lazy construction of the subsets). So most characters cost one
look into a list.
"""

from collections.abc import Iterator
from typing import Any

from crawler.web.pattern_tree import ASCII, Chain, Chars, Choice, Edge, Node, Repeat

__all__ = ["Automaton"]

_MOST_ROWS = 2_000
_FOUND = 1  # the lowest bit of a set of places: the end of the pattern
_WORD = frozenset(map(ord, filter(lambda char: char.isalnum() or char == "_", ASCII)))
# What stands beside a place: another character, a character of a word, nothing.
_OTHER, _OF_WORD, _NOTHING = range(3)

_Row = list[Any]
"""Rows by the number of a character, then whether it is found if the text ends here, the set of places, what is before.

None: not asked yet.
"""


class Automaton:
    """Finds a node of `pattern_tree` in ASCII texts.

    A text of n characters takes n looks, and at worst n steps over all `size(node)` places. State: rows, at most 2,000
    of them; then all are forgotten, which changes no answer. May be asked by several threads.
    """

    def __init__(self, node: Node) -> None:
        self._edges: list[list[tuple[int, str]]] = [[]]
        """From each state to those that need no character, with what must stand there; state 0 is the end."""
        self._reads: dict[int, int] = {}
        """Which place, from 1 on, each state has that reads a character."""
        self._after = [0]
        self._codes: list[frozenset[int]] = [frozenset()]
        self._start = self._add(node, 0)
        self._has_words = any("word" in kind for edges in self._edges for _, kind in edges)
        self._bytes = len(self._after) // 8 + 1
        self._sets: dict[tuple[int, int, int], int] = {}
        self._make_classes()
        self._starts_later = any(
            self._reached(self._start, before, then) for before in (_OTHER, _OF_WORD) for then in range(3)
        )
        self._found: _Row = []
        self._found += [self._found] * self._width + [True]
        self._lost: _Row = []
        self._lost += [self._lost] * self._width + [False]
        self._rows: dict[tuple[int, int], _Row] = {}
        self._first = self._row(0, _NOTHING)

    def finds(self, text: str) -> bool:
        """Whether it is found anywhere in an ASCII text."""
        row = self._first
        for kind in text.encode("ascii").translate(self._classes):
            row = row[kind] or self._led(row, kind)
        ends = row[self._width]
        return self._ended(row) if ends is None else bool(ends)

    # Made once

    def _add(self, node: Node, then: int) -> int:
        """Add a node after which `then` follows; return the state in which it begins."""
        match node:
            case Chars(codes):
                state = self._new_state()
                self._reads[state] = len(self._after)
                self._after.append(then)
                self._codes.append(codes)
                return state
            case Edge(kind):
                return self._new_state((then, kind))
            case Chain(parts):
                for part in reversed(parts):
                    then = self._add(part, then)
                return then
            case Choice(parts):
                return self._new_state(*((self._add(part, then), "") for part in parts))
            case Repeat(part, least, None):
                loop = self._new_state((then, ""))
                self._edges[loop].append((self._add(part, loop), ""))
                return self._add(Chain((part,) * least), loop)
            case Repeat(part, least, most):
                end = then
                for _ in range((most or 0) - least):
                    then = self._new_state((self._add(part, then), ""), (end, ""))
                return self._add(Chain((part,) * least), then)

    def _new_state(self, *edges: tuple[int, str]) -> int:
        self._edges.append(list(edges))
        return len(self._edges) - 1

    def _make_classes(self) -> None:
        """Give characters that no place tells apart one number; of each, the places that take it."""
        takes = [0] * len(ASCII)
        for place, codes in enumerate(self._codes):
            for code in codes:
                takes[code] |= 1 << place
        kinds = [(bits, _OF_WORD if self._has_words and code in _WORD else _OTHER) for code, bits in enumerate(takes)]
        numbers = {kind: number for number, kind in enumerate(dict.fromkeys(kinds))}
        self._kinds = list(numbers)
        self._width = len(numbers)
        self._classes = bytes(numbers[kind] for kind in kinds) + bytes(128)

    # Made when a text leads there

    def _row(self, places: int, before: int) -> _Row:
        """Return the row of these places, behind a character of this kind."""
        row = self._rows.get((places, before))
        if row is None:
            if len(self._rows) >= _MOST_ROWS:
                for one in self._rows.values():  # they hold each other
                    one[: self._width + 1] = [None] * (self._width + 1)
                self._rows.clear()
                self._rows[0, _NOTHING] = self._first
            row = self._rows[places, before] = [*[None] * (self._width + 1), places, before]
        return row

    def _led(self, row: _Row, kind: int) -> _Row:
        """Return the row to which a character leads, and note it."""
        takes, then = self._kinds[kind]
        reached = self._reached_from(row, then)
        if reached & _FOUND:
            led = self._found
        elif reached & takes or self._starts_later:
            led = self._row(reached & takes, then)
        else:
            led = self._lost
        row[kind] = led
        return led

    def _ended(self, row: _Row) -> bool:
        """Return whether it is found when the text ends here, and note it."""
        ends = bool(self._reached_from(row, _NOTHING) & _FOUND)
        row[self._width] = ends
        return ends

    def _reached_from(self, row: _Row, then: int) -> int:
        places, before = row[-2], row[-1]
        reached = self._reached(self._start, before, then)
        for at, byte in enumerate(places.to_bytes(self._bytes, "little")):
            if byte:
                key = (at << 8 | byte, before, then)
                some = self._sets.get(key)
                if some is None:
                    some = 0
                    for bit in _bits(byte):
                        some |= self._reached(self._after[8 * at + bit], before, then)
                    self._sets[key] = some
                reached |= some
        return reached

    def _reached(self, state: int, before: int, then: int) -> int:
        """Return the places that can be next in a state, between two characters of these kinds."""
        key = (-1 - state, before, then)
        reached = self._sets.get(key)
        if reached is None:
            reached = 0
            open_, seen = [state], {state}
            while open_:
                one = open_.pop()
                reached |= _FOUND if one == 0 else 1 << self._reads[one] if one in self._reads else 0
                for to, kind in self._edges[one]:
                    if to not in seen and _holds(kind, before, then):
                        seen.add(to)
                        open_.append(to)
            self._sets[key] = reached
        return reached


def _holds(kind: str, before: int, then: int) -> bool:
    match kind:
        case "start":
            return before == _NOTHING
        case "end":
            return then == _NOTHING
        case "word":
            return (before == _OF_WORD) != (then == _OF_WORD)
        case "not word":
            return (before == _OF_WORD) == (then == _OF_WORD)
    return True


def _bits(byte: int) -> Iterator[int]:
    return (bit for bit in range(8) if byte >> bit & 1)
