"""Which of the configured headers any server may see, and which may hold a secret: pure.

Nobody can tell a secret from its value, so the names decide, and an unknown name counts as a secret. Names of those
that say what a client is, what it prefers and what it wants of caches are known; every server may see them.
"""

__all__ = ["HeaderPairs", "anywhere", "confidential"]

HeaderPairs = tuple[tuple[str, str], ...]
"""(name, value) pairs in the order in which they were given."""

_FIT_FOR_ALL = frozenset(
    {
        "accept",
        "accept-charset",
        "accept-datetime",
        "accept-encoding",
        "accept-language",
        "cache-control",
        "connection",
        "dnt",
        "from",
        "pragma",
        "priority",
        "range",
        "referer",
        "save-data",
        "sec-ch-ua",
        "sec-ch-ua-mobile",
        "sec-ch-ua-platform",
        "sec-fetch-dest",
        "sec-fetch-mode",
        "sec-fetch-site",
        "sec-fetch-user",
        "sec-gpc",
        "te",
        "upgrade-insecure-requests",
        "user-agent",
    }
)


def anywhere(headers: HeaderPairs) -> HeaderPairs:
    """Return the pairs that may be sent to every server. Names count in any case. Never raises."""
    return tuple(pair for pair in headers if _is_fit_for_all(pair[0]))


def confidential(headers: HeaderPairs) -> HeaderPairs:
    """Return the other pairs: for the origin (scheme, host and port) they were meant for, and for no other.

    Authorization, Cookie, X-Api-Key, Host and whatever else is not known to be harmless.
    """
    return tuple(pair for pair in headers if not _is_fit_for_all(pair[0]))


def _is_fit_for_all(name: str) -> bool:
    return name.strip().lower() in _FIT_FOR_ALL
