"""The operating system's limit on open files, which every connection needs one of."""

import resource

__all__ = ["affordable_concurrency"]

_RESERVED = 160
"""Descriptors for the store, sinks, pipes to parsers, DNS and whatever the surrounding program has open."""


def affordable_concurrency(wanted: int) -> int:
    """Raise the limit on open files to what `wanted` connections need; return how many it allows, at least 1."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + _RESERVED
    if soft != resource.RLIM_INFINITY and soft < needed:
        best = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (best, hard))
        except (OSError, ValueError):
            best = soft
        soft = best
    return wanted if soft == resource.RLIM_INFINITY else max(1, min(wanted, soft - _RESERVED))
