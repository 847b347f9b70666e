"""The promises of a crawl on many machines, and whether a simulated one has kept them."""

from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from bench.simulation.servers import Servers
from bench.simulation.web import Web, domain_of, host_of
from crawler.web.shards import owner

__all__ = ["BrokenError", "Moves", "asked_by_owners", "delays", "ended_as", "public_lines", "public_set"]

_ROUNDING_S = 0.001
_DRIFT = 0.0102
_TRAVEL_S = 3.5
"""So long may an answer take to its crawler."""


Unheard = Callable[[str, float], bool]
"""Whether a process was killed before what came to it by some time was committed."""


class BrokenError(Exception):
    """A promise that was not kept."""


class Moves(NamedTuple):
    """A start of a shard: when it was ordered, by which epoch, and as of when it knows what hosts had said.

    `knows_until` is the time of the checkpoint that it started from, the same as `at` if that was the final one of a
    holder that had drained, or if it goes on from its own disk.
    """

    at: float
    shard: int
    epoch: int
    knows_until: float


def asked_by_owners(servers: Servers, of: int, moves: list[Moves]) -> None:
    """One owner for each domain: no request by another shard, none of an epoch after a later one was started."""
    started: dict[int, list[Moves]] = {}
    for move in moves:
        started.setdefault(move.shard, []).append(move)
    for log in servers.log.values():
        for asked in log:
            if owner(asked.url, of) != asked.shard:
                raise BrokenError(f"shard {asked.shard} asks for {asked.url}, which is for {owner(asked.url, of)}")
            for move in started.get(asked.shard, ()):
                if move.epoch > asked.epoch and move.at < asked.at:
                    raise BrokenError(
                        f"{asked.process} asks for {asked.url} at {asked.at:.3f} with epoch {asked.epoch}, "
                        f"after epoch {move.epoch} was given away at {move.at:.3f}"
                    )


def delays(servers: Servers, web: Web, delay_s: float, of: int, moves: list[Moves], unheard: Unheard) -> None:
    """Each delay is kept, across moves too.

    What only a holder whose disk was lost had heard counts no more, nor what a process heard that was killed before
    it could commit that (`unheard`).
    """
    for host, log in servers.log.items():
        shard = owner(host + "/", of)
        lost = [(move.knows_until, move.at) for move in moves if move.shard == shard and move.knows_until < move.at]
        for before, asked in pairwise(log):
            unknown = any(known - _TRAVEL_S < log[0].at or known <= before.at <= at for known, at in lost)
            least = delay_s if unknown else max(delay_s, web.crawl_delay[host])
            gap = asked.at - before.at
            if gap < least * (1 - _DRIFT) - _ROUNDING_S:
                raise BrokenError(
                    f"{host} asks for {least} s and got {gap:.3f} s: {before.url} by {before.process} at "
                    f"{before.at:.3f}, {asked.url} by {asked.process} at {asked.at:.3f}"
                )
        for at, wait_s, process in servers.told.get(host, ()):
            if unheard(process, at + _TRAVEL_S) or any(
                known <= at + _TRAVEL_S and at <= moved for known, moved in lost
            ):
                continue
            for asked in log:
                if at + _TRAVEL_S < asked.at < at + wait_s * (1 - _DRIFT) - _ROUNDING_S:
                    raise BrokenError(
                        f"{host} said at {at:.3f}: after {wait_s:g} s; {asked.process} asks at {asked.at:.3f}"
                    )


def public_lines(folder: Path) -> Counter[str]:
    """The URLs of all records that are public now: in files that do not begin with a `_` or a dot."""
    lines: Counter[str] = Counter()
    for path in sorted(folder.rglob("*.jsonl")):
        if not any(part.startswith(("_", ".")) for part in path.relative_to(folder).parts):
            lines.update(msgspec.json.decode(line)["url"] for line in path.read_bytes().splitlines())
    return lines


def public_set(public: Counter[str], wanted: dict[tuple[str, str], str], budget: int | None) -> None:
    """The public records are those of an undisturbed ring, or so many of them as the budget says."""
    pages = {url for (url, kind), end in wanted.items() if end == "fetched" and kind == "page"}
    twice = [url for url, number in public.items() if number > 1]
    if twice:
        raise BrokenError(f"{len(twice)} records are public twice: {twice[:3]}")
    if extra := public.keys() - pages:
        raise BrokenError(f"{len(extra)} records are public that should not be: {sorted(extra)[:3]}")
    if budget is None or budget >= len(pages):
        if missing := pages - public.keys():
            raise BrokenError(f"{len(missing)} of {len(pages)} records are missing: {sorted(missing)[:3]}")
    elif len(public) != budget:
        raise BrokenError(f"{len(public)} records are public, and the budget is {budget} (of {len(pages)} pages)")


def ended_as(stores: list[Any], wanted: dict[tuple[str, str], str], of: int) -> None:
    """Each URL has ended in one shard, its owner, and as the definition says."""
    ends: dict[tuple[str, str], str] = {}
    for shard, store in enumerate(stores):
        for _, row in store.all_urls():
            named = row.url, row.kind
            if owner(row.url, of) != shard:
                raise BrokenError(f"shard {shard} has a row of {row.url}, which is for {owner(row.url, of)}")
            if named in ends:
                raise BrokenError(f"{row.url} is known twice")
            ends[named] = f"{row.outcome}: {row.reason}".removesuffix(": ")
    for named in ends | wanted:
        if ends.get(named) != wanted.get(named):
            raise BrokenError(f"{named[0]} ends as {ends.get(named)!r}, and should as {wanted.get(named)!r}")


def domains_of(log_hosts: list[str]) -> set[str]:
    """The domains of hosts."""
    return {domain_of(host + "/") for host in map(host_of, (f"{host}/" for host in log_hosts))}
