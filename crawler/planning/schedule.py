"""How long a polite crawl takes: hosts that each have a pace, and what all of them share. Pure."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

__all__ = ["HostWork", "Machine", "Schedule", "schedule"]

_STEPS: Final = 60
_LEAST_S: Final = 1e-9


class HostWork(Struct, frozen=True):
    """What is asked of one host: so many `requests`, of which `pages` bring a page. By itself it takes so many
    `seconds`; an answer takes `latency_s`.
    """

    requests: float
    pages: float
    seconds: float
    latency_s: float = 0.0
    address: str = ""


class Machine(Struct, frozen=True):
    """What all hosts share. `concurrency` and `per_address` are the settings; `page_s` are the seconds that the busiest
    stage of this machine takes for a page; `start_s` those before the first request and after the last.
    """

    concurrency: int
    per_address: int
    page_s: float = 0.0
    start_s: float = 1.0


class Schedule(Struct, frozen=True):
    """When a crawl ends. `limit` names what it takes so long for: `hosts`, `concurrency`, `per-address`, `machine`,
    `max-pages` or `max-time`.
    """

    seconds: float
    pages: float
    limit: str


def schedule(
    hosts: Sequence[HostWork], machine: Machine, *, max_pages: int | None, max_time_s: float | None
) -> Schedule:
    """Say when a crawl ends: with the slowest host, or with what all share, or with a budget."""
    ends = {
        "hosts": max((host.seconds for host in hosts), default=0.0),
        "concurrency": sum(host.requests * host.latency_s for host in hosts) / machine.concurrency,
        "per-address": _by_address(hosts) / machine.per_address,
        "machine": sum(host.pages for host in hosts) * machine.page_s,
    }
    limit = max(ends, key=ends.__getitem__)
    seconds, pages = ends[limit], sum(host.pages for host in hosts)
    slowed = seconds / ends["hosts"] if ends["hosts"] else 1.0
    if max_pages is not None and pages > max_pages:
        limit, pages = "max-pages", max_pages
        seconds = slowed * _time_of(max_pages, hosts)
    seconds += machine.start_s
    if max_time_s is not None and seconds > max_time_s:
        pages = min(pages, _pages_at(max(0.0, max_time_s - machine.start_s) / slowed, hosts))
        limit, seconds = "max-time", max_time_s
    return Schedule(seconds, pages, limit)


def _by_address(hosts: Sequence[HostWork]) -> float:
    """Return the seconds of requests of the busiest address. Where hosts lie is not always known."""
    busy: defaultdict[str, float] = defaultdict(float)
    for host in hosts:
        if host.address:
            busy[host.address] += host.requests * host.latency_s
    return max(busy.values(), default=0.0)


def _pages_at(seconds: float, hosts: Sequence[HostWork]) -> float:
    """Return how many pages all hosts have brought by then, each at its own pace."""
    return sum(host.pages * min(1.0, seconds / max(host.seconds, _LEAST_S)) for host in hosts)


def _time_of(pages: float, hosts: Sequence[HostWork]) -> float:
    """Return when so many pages are there: by halving, since each host ends at another time."""
    early, late = 0.0, max(host.seconds for host in hosts)
    for _ in range(_STEPS):
        middle = (early + late) / 2
        if _pages_at(middle, hosts) < pages:
            early = middle
        else:
            late = middle
    return late
