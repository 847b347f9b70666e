"""The operating system's limit on open files, which every connection needs one of."""

import resource

from crawler.errors import UsageError

__all__ = ["affordable_concurrency"]

_RESERVED = 152
"""Descriptors for the store, sinks, DNS and whatever the surrounding program has open."""
_PER_PARSER = 4


def affordable_concurrency(wanted: int, parsers: int) -> int:
    """Raise the limit on open files to what `wanted` connections need; return how many it allows beside `parsers`.

    Raises `UsageError` if it does not allow one.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    reserved = _RESERVED + parsers * _PER_PARSER
    needed = wanted + reserved
    if soft != resource.RLIM_INFINITY and soft < needed:
        best = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
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
