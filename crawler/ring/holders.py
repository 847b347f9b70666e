"""The hosts that hold most of what all hosts share: pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from heapq import nlargest
from typing import Final, NamedTuple

from crawler.core.stats import Holder
from crawler.web.urls import authority

__all__ = ["Held", "Shared", "holders"]

_NAMED: Final = 3


class Held(NamedTuple):
    """What is held now: the URLs under way, and bytes of bodies and busy parsers by host."""

    urls: Iterable[str]
    body_bytes: Mapping[str, int]
    parsers: Mapping[str, float]


class Shared(NamedTuple):
    """What there is of each."""

    requests: int
    body_bytes: int
    parsers: int


def holders(held: Held, shared: Shared) -> tuple[Holder, ...]:
    """Return the few hosts with the largest part of anything, those first that hold most."""
    requests = Counter(map(authority, held.urls))

    def part(name: str) -> float:
        return max(
            requests[name] / max(1, shared.requests),
            held.body_bytes.get(name, 0) / max(1, shared.body_bytes),
            held.parsers.get(name, 0.0) / max(1, shared.parsers),
        )

    names = {*requests, *held.body_bytes, *held.parsers}
    return tuple(
        Holder(name, requests[name], held.body_bytes.get(name, 0), held.parsers.get(name, 0.0))
        for name in nlargest(_NAMED, names, key=part)
    )
