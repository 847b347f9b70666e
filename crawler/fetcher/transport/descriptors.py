"""The operating system's limit on open files, which every connection needs one of."""

import resource

from crawler.core.errors import UsageError

__all__ = ["affordable_concurrency", "spare_descriptors"]

_RESERVED = 152
"""Descriptors for the store, sinks, DNS and whatever the surrounding program has open."""
_PER_PARSER = 4
_KEPT = 16_384
"""Connections that are worth keeping open between two requests to a host: one for each host of the window."""


def affordable_concurrency(wanted: int, parsers: int) -> int:
    """Raise the limit on open files, best to what `wanted` connections and those that are kept need.

    Return how many it allows under way beside `parsers`. Raises `UsageError` if it does not allow one.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    reserved = _RESERVED + parsers * _PER_PARSER
    best = wanted + reserved + _KEPT
    if soft != resource.RLIM_INFINITY and soft < best:
        best = best if hard == resource.RLIM_INFINITY else min(best, hard)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (best, hard))
        except (OSError, ValueError):
            best = soft
        soft = best
    if soft == resource.RLIM_INFINITY:
        return wanted
    if soft <= reserved:
        raise UsageError(
            f"the limit on open files is {soft}, and this crawl needs more than {reserved}: raise it with `ulimit -n`"
        )
    return min(wanted, soft - reserved)


def spare_descriptors(concurrency: int, parsers: int) -> int:
    """How many connections may stay open beside `concurrency` new ones, so that none of these finds no descriptor."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return _KEPT
    return max(0, min(_KEPT, soft - _RESERVED - parsers * _PER_PARSER - concurrency))
