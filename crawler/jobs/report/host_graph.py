"""Which host leads to which: from the first link to each URL, as the store keeps it."""

from collections import Counter
from collections.abc import Sequence
from itertools import islice

from msgspec import Struct

from crawler.frontier.store import Store
from crawler.jobs.known_rows import KnownRows
from crawler.jobs.report.tally import Tally
from crawler.web.urls import authority

__all__ = ["HostGraph", "host_graph"]

_AT_ONCE = 1_024


class HostGraph(Struct, frozen=True):
    """URLs by the host that led to them and their own. `looked_at` of the `linked` URLs that a page led to."""

    ways: dict[tuple[str, str], int]
    looked_at: int
    linked: int


def host_graph(stores: Sequence[Store], tally: Tally) -> HostGraph:
    """Look up where the parents of the links in a tally are. With one host alone all of them are there.

    They may be in any store of a job that has several.
    """
    hosts_of: dict[bytes, list[str]] = {}
    for parent, host in tally.links:
        hosts_of.setdefault(parent, []).append(host)
    ways: Counter[tuple[str, str]] = Counter()
    keys = iter(sorted(hosts_of))
    looked_at = 0
    while some := list(islice(keys, _AT_ONCE)):
        for store in stores:
            for key, found in zip(some, KnownRows(store).find(some), strict=True):
                if found is not None and found.row is not None:
                    source = authority(found.row.url)
                    hosts = hosts_of.pop(key)
                    looked_at += len(hosts)
                    ways.update((source, host) for host in hosts)
            some = [key for key in some if key in hosts_of]
    return HostGraph(dict(ways), looked_at, tally.linked)
