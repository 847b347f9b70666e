"""Pairs of URLs that differ in one parameter alone, as pages come in."""

from typing import NamedTuple

from xxhash import xxh3_64_digest

from crawler.core.model import Done
from crawler.frontier.groups import ABSENT, Group, Groups
from crawler.frontier.keys import Keys
from crawler.frontier.lessons import LEARNT, OPEN, HostLessons, Ways
from crawler.web.parameters import Query

__all__ = ["Brought", "Evidence", "Pair"]

_MOST_OTHERS = 16
_GONE = b"gone"
"""Stands for what a URL brought that leads to nothing: it differs from any page, and is none."""
_NO_ANSWER = frozenset({401, 403, 408, 425, 429})
"""Statuses that say nothing of the URL: who asks, or how often, may be the reason."""
_ALL_OF, _THEN_ONE_IN = 4_096, 8
"""So many URLs of a host are compared with all that they make pairs with, then with one in so many of those: what is
to be learnt of a large site shows there as well, and what cannot be costs little.
"""
_HASH_BYTES, _VALUE_BYTES = 8, 4


class Brought(NamedTuple):
    """What a URL has brought: a hash of a page, or of the URL that it redirects to, which is `target`."""

    content: bytes
    target: str = ""

    @classmethod
    def by(cls, done: Done) -> "Brought | None":
        """Return what a task has brought, None if that says nothing of its URL."""
        if done.outcome == "redirected" and done.links:
            target = done.links[0].url
            return cls(xxh3_64_digest(target.encode()), target)
        if done.outcome != "fetched" or done.status >= 500 or done.status in _NO_ANSWER:
            return None
        if not 200 <= done.status < 300:
            return cls(_GONE)
        content = (done.body_key or done.body_hash)[:_HASH_BYTES]
        return cls(content) if content else None


class Pair(NamedTuple):
    """Two URLs that differ in `names` alone: whether they brought the same, and hashes of what they have there."""

    names: frozenset[str]
    agree: bool
    values: tuple[bytes, ...] = ()


class Evidence:
    """Compares what URLs bring with what the store has of others. Has no state of its own."""

    def __init__(self, groups: Groups, keys: Keys) -> None:
        self._groups = groups
        self._keys = keys

    def take(self, known: HostLessons, ways: Ways, query: Query, key: bytes, brought: Brought) -> list[Pair]:
        """Return the pairs that a URL makes, and note what it brought for those to come.

        URLs that differ in what is learnt as well count as one: as the URL without that.
        """
        states = {name: known.state(ways, name) for name in query.names}
        learnt = frozenset([name for name, state in states.items() if state == LEARNT])
        base = query.without(learnt)
        rests = {base: ""}
        for name, state in states.items():
            if state == OPEN:
                rests.setdefault(query.without(learnt | {name}), name)
        known.taken += 1
        kept = {rest: self._keys.url(rest, "page") for rest in rests}
        if known.taken > _ALL_OF:
            kept = {
                rest: one for rest, one in kept.items() if not one[0] % _THEN_ONE_IN or (known.learnt and rest == base)
            }
        groups = dict(zip(kept, self._groups.get(list(kept.values())) if kept else (), strict=True))
        before = {rest: _size(group) for rest, group in groups.items()}
        pairs = []
        for rest, group in groups.items():
            if rest == base:
                if group.first != key and brought.target != base:
                    pairs += _with_its_own(group, key, {name: _value(query, name) for name in learnt}, brought)
            else:
                value = _value(query, rests[rest])
                pairs += _with_one_less(group, rests[rest], value, brought, moved_there=brought.target == rest)
        self._groups.put([(kept[rest], group) for rest, group in groups.items() if _size(group) != before[rest]])
        return [pair for pair in pairs if not pair.agree or brought.content != _GONE]


def _value(query: Query, name: str) -> bytes:
    return xxh3_64_digest(query.value(name).encode())[:_VALUE_BYTES]


def _size(group: Group) -> tuple[int, int, int]:
    """Return what grows when something is noted in a group."""
    return len(group.content), len(group.met), len(group.others)


def _with_its_own(group: Group, key: bytes, own: dict[str, bytes], brought: Brought) -> list[Pair]:
    """Compare a URL with the first of its group, or with those that have one parameter more; `own` is as there."""
    if not group.content:
        group.first, group.content, group.own = key, brought.content, own
        return [
            Pair(frozenset([name]), content == brought.content, (value, ABSENT))
            for name, (value, content) in group.others.items()
        ]
    differs = {name for name in own.keys() | group.own if own.get(name, ABSENT) != group.own.get(name, ABSENT)}
    if group.content != brought.content:
        return [Pair(frozenset(differs), False)]
    if brought.content != _GONE:
        group.met = sorted(differs.union(group.met))
    return [Pair(frozenset([name]), True) for name in differs]


def _with_one_less(group: Group, name: str, value: bytes, brought: Brought, *, moved_there: bool) -> list[Pair]:
    """Compare a URL with the one that lacks a parameter of its own, and with another one that has it."""
    only = frozenset([name])
    if moved_there:
        return [Pair(only, True, (value, ABSENT))]
    pairs = []
    if group.content:
        pairs.append(Pair(only, group.content == brought.content, (value, ABSENT)))
    other = group.others.get(name)
    if other is None:
        if len(group.others) < _MOST_OTHERS:
            group.others[name] = value, brought.content
    elif other[0] != value:
        pairs.append(Pair(only, other[1] == brought.content, (value, other[0])))
    return pairs
