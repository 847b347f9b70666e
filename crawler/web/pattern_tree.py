r"""A regular expression as a tree of a few kinds of nodes, as Python's own parser reads it.

The tree says which ASCII texts a pattern is found in, no more: groups, and what is greedy, change nothing there. What
one character stands for (`\w`, `[^/]`, `(?i)k`) Python's engine is asked itself, so that no meaning is copied.

Private, as of Python 3.11 to 3.14, and no other file names them:

- `re._parser.parse` gives the tree, a `SubPattern` of pairs: the name of a node and what belongs to it. A `State` holds
  its flags.
- `re._compiler.compile` takes such a tree as well as a text.
- The names of `re._constants`: those below, each with what belongs to it.

`tests/web/test_pattern_tree.py` looks whether each is there and means what it did; with a Python where it does not,
no pattern is read, and all are judged as if they were not linear.
"""

import math
import re
from collections.abc import Iterable
from importlib import import_module
from typing import Any

from msgspec import Struct

__all__ = ["Chain", "Chars", "Choice", "Edge", "Node", "NotRegularError", "Repeat", "Term", "effort", "read", "size"]

ASCII = "".join(map(chr, range(128)))

_SAID = {
    "ASSERT": "it looks ahead or behind",
    "ASSERT_NOT": "it looks ahead or behind",
    "GROUPREF": "it refers back to a group",
    "GROUPREF_IGNORE": "it refers back to a group",
    "GROUPREF_EXISTS": "it refers back to a group",
    "ATOMIC_GROUP": "it has an atomic group",
    "POSSESSIVE_REPEAT": "it repeats possessively",
}
_EDGES = {
    "AT_BEGINNING": "start",
    "AT_BEGINNING_STRING": "start",
    "AT_END": "end",
    "AT_END_STRING": "end",
    "AT_BOUNDARY": "word",
    "AT_NON_BOUNDARY": "not word",
}
_TYPE_FLAGS = re.ASCII | re.LOCALE | re.UNICODE


class NotRegularError(Exception):
    """The pattern has something that an automaton cannot follow; the message says what, as in `it looks ahead`."""


class Chars(Struct, frozen=True):
    """One character, of these codes."""

    codes: frozenset[int]


class Edge(Struct, frozen=True):
    """No character, but a place: `start` or `end` of the text, `word` (a boundary of one) or `not word`."""

    kind: str


class Chain(Struct, frozen=True):
    """One part after the other."""

    parts: "tuple[Node, ...]"


class Choice(Struct, frozen=True):
    """One of these; nothing is found if there are none."""

    parts: "tuple[Node, ...]"


class Repeat(Struct, frozen=True):
    """The same, `least` to `most` times; None: without end."""

    part: "Node"
    least: int
    most: int | None


Node = Chars | Edge | Chain | Choice | Repeat


class Term(Struct, frozen=True):
    """A node that is to be found in a text (`wanted`), or that is not to be."""

    node: Node
    wanted: bool = True


def read(pattern: str) -> tuple[Term, ...]:
    """Return what is to be found, and what is not, in an ASCII text without a line break in which `pattern` is found.

    There is one term but for patterns that begin like `^(?!...)`. Raises `NotRegularError`, and what `re.compile` does.
    """
    try:
        tree: Any = import_module("re._parser").parse(pattern)
        flags, nodes = tree.state.flags, list(tree)
        terms = []
        if nodes and str(nodes[0][0]) == "AT" and _EDGES.get(str(nodes[0][1])) == "start":
            # What stands at the start of the text may be asked for by itself.
            while len(nodes) > 1 and str(nodes[1][0]) in {"ASSERT", "ASSERT_NOT"} and nodes[1][1][0] > 0:
                kind, (_, ahead) = nodes.pop(1)
                node = Chain((Edge("start"), _chain(ahead, flags)))
                terms.append(Term(node, wanted=str(kind) == "ASSERT"))
        return (Term(_chain(nodes, flags)), *terms)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise NotRegularError("this version of Python reads it in another way") from error
    except RecursionError as error:
        raise NotRegularError("it is nested too deeply") from error


def size(node: Node) -> int:
    """Return how many steps of an automaton a node takes: about as many as it has characters, repeats written out."""
    match node:
        case Chars() | Edge():
            return 1
        case Chain(parts) | Choice(parts):
            return 1 + sum(map(size, parts))
        case Repeat(part, least, most):
            return 1 + size(part) * max(1, least if most is None else most)


def effort(node: Node) -> float:
    """Return how many steps backtracking may take from one place in the text on, at worst: inf if there is no bound."""
    return _effort(node)[1]


def _effort(node: Node) -> tuple[float, float]:
    """Return in how many ways a node may be found at one place, and the steps that it takes to try all."""
    match node:
        case Chars() | Edge():
            return 1, 1
        case Choice(parts):
            each = [_effort(part) for part in parts]
            return sum(ways for ways, _ in each), 1 + sum(steps for _, steps in each)
        case Chain(parts):
            return _in_turn(map(_effort, parts))
        case Repeat(part, least, most):
            if most is None or most > 64:
                return math.inf, math.inf
            ways, steps = _effort(part)
            return _in_turn([(ways, steps)] * least + [(1 + ways, 1 + steps)] * (most - least))


def _in_turn(parts: Iterable[tuple[float, float]]) -> tuple[float, float]:
    all_ways, all_steps = 1.0, 1.0
    for ways, steps in parts:
        all_steps += all_ways * steps
        all_ways *= ways
    return all_ways, all_steps


def _chain(nodes: Iterable[Any], flags: int) -> Node:
    parts = tuple(_node(str(name), belongs, flags) for name, belongs in nodes)
    return parts[0] if len(parts) == 1 else Chain(parts)


def _node(name: str, belongs: Any, flags: int) -> Node:
    match name:
        case "LITERAL" | "NOT_LITERAL" | "ANY" | "IN":
            return Chars(_codes(name, belongs, flags))
        case "AT":
            return Edge(_EDGES[str(belongs)])
        case "BRANCH":
            return Choice(tuple(_chain(branch, flags) for branch in belongs[1]))
        case "SUBPATTERN":
            _, added, removed, inner = belongs
            kept = flags & ~_TYPE_FLAGS if added & _TYPE_FLAGS else flags
            return _chain(inner, (kept | added) & ~removed)
        case "MAX_REPEAT" | "MIN_REPEAT":
            least, most, part = belongs
            return Repeat(_chain(part, flags), int(least), None if str(most) == "MAXREPEAT" else int(most))
        case "FAILURE":
            return Choice(())
    raise NotRegularError(_SAID.get(name, f"it has {name}"))


def _codes(name: str, belongs: Any, flags: int) -> frozenset[int]:
    """Return the ASCII characters that a node of one character stands for, as Python's engine has it."""
    if name == "LITERAL" and not flags & re.IGNORECASE:
        return frozenset({belongs} if belongs < len(ASCII) else ())
    parser = import_module("re._parser")
    state = parser.State()
    state.flags = flags
    one = parser.SubPattern(state, [(getattr(import_module("re._constants"), name), belongs)])
    return frozenset(map(ord, import_module("re._compiler").compile(one).findall(ASCII)))
