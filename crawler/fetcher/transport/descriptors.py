"""The operating system's limit on open files, which every connection needs one of.

It holds for the whole program, and for processes that it starts. So a crawl takes it as it is, and only the command
line, which is a program, raises it.
"""

import resource
from contextlib import suppress

from crawler.core.errors import UsageError

__all__ = ["affordable_concurrency", "raise_limit", "spare_descriptors"]

_RESERVED = 152
"""Descriptors for the store, sinks, DNS and whatever the surrounding program has open."""
_PER_PARSER = 4
_KEPT = 16_384
"""Connections that are worth keeping open between two requests to a host: one for each host of the window."""


def raise_limit(wanted: int, parsers: int) -> None:
    """Raise the limit of this program, as far as it may, to what `wanted` connections and those that are kept need."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    best = wanted + _RESERVED + parsers * _PER_PARSER + _KEPT
    if soft != resource.RLIM_INFINITY and soft < best:
        best = best if hard == resource.RLIM_INFINITY else min(best, hard)
        with suppress(OSError, ValueError):  # then it stays as it is
            resource.setrlimit(resource.RLIMIT_NOFILE, (best, hard))


def affordable_concurrency(wanted: int, parsers: int) -> int:
    """Return how many of `wanted` connections the limit allows under way beside `parsers`.

    Raises `UsageError` if it does not allow one.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    reserved = _RESERVED + parsers * _PER_PARSER
    if soft == resource.RLIM_INFINITY:
        return wanted
    if soft <= reserved:
        raise UsageError(
            f"the limit on open files is {soft}, and this crawl needs more than {reserved}: raise it with `ulimit -n`, "
            "or in a program with resource.setrlimit"
        )
    return min(wanted, soft - reserved)


def spare_descriptors(concurrency: int, parsers: int) -> int:
    """How many connections may stay open beside `concurrency` new ones, so that none of these finds no descriptor."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return _KEPT
    return max(0, min(_KEPT, soft - _RESERVED - parsers * _PER_PARSER - concurrency))
