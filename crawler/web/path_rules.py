"""Which paths the Allow and Disallow lines of one agent open and close (RFC 9309 §2.2.2, §2.2.3). Pure.

Our own, because a library answers the whole question, precedence included. Protego counts how long a pattern is after
it has escaped it, so that `Allow: /*?p=` (5 octets) opened what `Disallow: /search` (7) closes.
"""

import re
import sys
from array import array
from collections.abc import Callable, Iterable
from itertools import accumulate, islice, repeat
from string import ascii_letters, digits
from typing import Final

__all__ = ["MAX_WILDCARD_RULES", "NO_RULE", "WILD_BYTES", "PathRules", "is_clear", "octets"]

MAX_WILDCARD_RULES: Final = 1_000
"""Different patterns with `*` or `$` for one agent. A file with more is taken for an attack: all is disallowed."""

# What can be spelled in several ways: an escape, and what no URI may hold unescaped (RFC 3986 §2).
_UNCLEAR = re.compile(r"%[0-9A-Fa-f]{2}|[^A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+")
_CLEAR: Final = f"{ascii_letters}{digits}-._~:/?#[]@!$&'()*+,;=\n".encode()  # an end of a line is in no pattern
# Escapes that equal their character: of those that are not reserved, and of the two that are special in patterns.
_SPELLED = {f"%{ord(letter):02X}": letter for letter in f"{ascii_letters}{digits}-._~*$"}

NO_RULE: Final = 1
"""Rank of a path that no rule matches. Ranks that are odd allow."""

_Rule = tuple[int, str, tuple[str, ...], bool]
"""Rank of a pattern with a wildcard, the longest of its parts, the parts between stars, whether it ends with `$`."""

WILD_BYTES: Final = 400
"""About what a pattern with a wildcard takes in memory, beside its text."""


class PathRules:
    """The rules of one agent: pairs of a pattern, as written, and whether it allows what it matches.

    The longest match decides, Allow before Disallow if equally long. Counted are the octets of the pattern as it is
    written, `*` and `$` among them, with three for one that is not ASCII, since it stands for its escape. So counts
    the matcher that Google published with the RFC.

    Paths and patterns are compared in one spelling (§2.2.2): `%7E` is `~`, `%e4` is `%E4`, and what a URI may not hold
    is escaped. A reserved character is not the same as its escape (RFC 3986 §2.2): `%2F` is no `/`, and `/*%26` says
    nothing of `&`. But `%2A` and `%24` are the way to write a `*` or `$` of the path (§2.2.3). A surrogate stands for
    an octet that was not UTF-8. Since a pattern may hold a part of an escape, it may match a path as it came, too.
    `Allow: /x/index.html` allows `/x/` as well.

    Patterns without a wildcard take 12 bytes each beside their text, and a path costs a bisection of them. It costs one
    search more for each pattern with a wildcard: linear in the path, whatever the patterns are. Immutable.
    """

    __slots__ = ("_parents", "_ranks", "_starts", "_text", "_wild", "size_bytes")

    def __init__(self, rules: Iterable[tuple[str, bool]]) -> None:
        plain: dict[str, int] = {}
        wild: dict[tuple[tuple[str, ...], bool], int] = {}
        rules = list(rules)
        # Nearly all files hold nothing that can be spelled in two ways.
        clear = is_clear("".join([pattern for pattern, _ in rules]))
        canonical: Callable[[str], str] = str if clear else _canonical
        count: Callable[[str], int] = len if clear else octets
        for written, allows in rules:
            pattern = written
            while pattern:
                rank = 2 * count(pattern) + allows
                ends = pattern[-1] == "$"
                if not ends and "*" not in pattern:
                    prefix = pattern if clear else _canonical(pattern)
                    if prefix not in plain or rank > plain[prefix]:
                        plain[prefix] = rank
                else:
                    parts = tuple(map(canonical, (pattern[:-1] if ends else pattern).split("*")))
                    wild[parts, ends] = max(rank, wild.get((parts, ends), 0))
                pattern = _folder_of(pattern) if allows and pattern is written else ""
        if len(wild) > MAX_WILDCARD_RULES:
            plain, wild = {"/": 2}, {}
        self._keep(plain)
        found: list[_Rule] = [(rank, max(parts, key=len), parts, ends) for (parts, ends), rank in wild.items()]
        self._wild = tuple(sorted(found, reverse=True))
        arrays = sum(map(sys.getsizeof, (self._text, self._starts, self._parents, self._ranks)))
        self.size_bytes = arrays + sum(WILD_BYTES + 2 * sum(map(len, rule[2])) for rule in self._wild)

    def _keep(self, plain: dict[str, int]) -> None:
        """Keep patterns without a wildcard in order, as one text.

        For each: where it starts; which is the longest of the others that it begins with, -1 without one; and the
        highest rank of it and of all that it begins with. Those are all that match a path which it matches, but for
        longer ones.
        """
        prefixes = sorted(plain)
        parents: Iterable[int] = repeat(-1, len(prefixes))
        ranks: Iterable[int] = map(plain.__getitem__, prefixes)
        if any(map(str.startswith, islice(prefixes, 1, None), prefixes)):  # else none begins with another
            parents, ranks = _inherited(prefixes, ranks)
        self._text = "".join(prefixes)
        self._starts = array("I", accumulate(map(len, prefixes), initial=0))
        self._parents = array("i", parents)
        self._ranks = array("I", ranks)

    @property
    def allow_all(self) -> bool:
        """Whether there are none."""
        return not self._ranks and not self._wild

    def allow(self, path: str) -> bool:
        """Say whether a path, which begins with `/`, with its query may be asked for. Never raises."""
        return self.rank(path) % 2 == 1

    def rank(self, path: str) -> int:
        """Return the rank of the rule that decides on a path: odd if it allows, and `NO_RULE` if none matches.

        Of two rules, that with the higher rank decides: the longer one, and Allow before Disallow.
        """
        path = path if path.isascii() else path.encode("utf-8", "replace").decode()
        canonical = _canonical(path)
        best = self._best(canonical)
        if canonical != path:  # a pattern may hold a part of an escape: `*url%2*`
            best = max(best, self._best(path))
        return best

    def _best(self, path: str) -> int:
        """Return the highest rank of all rules that match a path in this spelling."""
        best = max(NO_RULE, self._best_plain(path))
        for rank, longest, parts, ends in self._wild:
            if rank <= best:
                break
            if longest in path and _matches(path, parts, ends=ends):  # most paths lack the longest part
                return rank
        return best

    def _best_plain(self, path: str) -> int:
        """Return the highest rank of the patterns without a wildcard that match a path; 0 if none does.

        The last pattern that does not stand behind the path in the order begins with all that match.
        """
        text, starts = self._text, self._starts
        low, high = 0, len(self._ranks)
        while low < high:
            middle = (low + high) // 2
            if path < text[starts[middle] : starts[middle + 1]]:
                high = middle
            else:
                low = middle + 1
        at = low - 1
        while at >= 0 and not path.startswith(text[starts[at] : starts[at + 1]]):
            at = self._parents[at]
        return self._ranks[at] if at >= 0 else 0


def _inherited(prefixes: Iterable[str], own: Iterable[int]) -> tuple[list[int], list[int]]:
    """Return, for sorted prefixes with ranks of their `own`, the parents and the ranks that `PathRules` keeps."""
    parents, ranks = [], []
    around: list[tuple[str, int, int]] = []  # the one before, and those that it begins with
    for number, (prefix, rank) in enumerate(zip(prefixes, own, strict=True)):
        while around and not prefix.startswith(around[-1][0]):
            around.pop()
        parent = -1
        if around:
            _, parent, others = around[-1]
            rank = max(rank, others)  # noqa: PLW2901 - that of all of them
        parents.append(parent)
        ranks.append(rank)
        around.append((prefix, number, rank))
    return parents, ranks


def is_clear(text: str) -> bool:
    """Whether nothing in it can be spelled in another way."""
    return text.isascii() and not text.encode().translate(None, _CLEAR)


def octets(pattern: str) -> int:
    """Return how long a pattern is, as it counts: in octets of what it stands for."""
    if pattern.isascii():
        return len(pattern)
    return 3 * len(pattern.encode("utf-8", "surrogateescape")) - 2 * len(pattern.encode("ascii", "ignore"))


def _folder_of(pattern: str) -> str:
    """Return the folder whose index page a pattern names, in a pattern for it alone; empty if it names none."""
    if "/index.htm" not in pattern and "%" not in pattern:
        return ""
    slash = pattern.rfind("/")
    return f"{pattern[: slash + 1]}$" if _canonical(pattern[slash:]).startswith("/index.htm") else ""


def _canonical(text: str) -> str:
    """Spell a path, or what stands between the wildcards of a pattern, in the one way in which both are compared."""
    return _UNCLEAR.sub(_spelled, text)


def _spelled(match: re.Match[str]) -> str:
    text = match[0]
    if len(text) == 3 and text[0] == "%":
        text = text.upper()
        return _SPELLED.get(text, text)
    return "".join([f"%{octet:02X}" for octet in text.encode("utf-8", "surrogateescape")])


def _matches(path: str, parts: tuple[str, ...], *, ends: bool) -> bool:
    """Whether a path holds these parts one after the other, the first at its start, and the last at its end if told."""
    first, *middle = parts
    if not path.startswith(first):
        return False
    if not middle:
        return path == first
    at, last = len(first), middle.pop()
    for part in middle:
        at = path.find(part, at)
        if at < 0:
            return False
        at += len(part)
    return at + len(last) <= len(path) and path.endswith(last) if ends else path.find(last, at) >= 0
