"""Which answers may hold a page that links, texts and selectors are found in. Pure."""

import re

__all__ = ["is_readable"]

_READABLE = re.compile(r"text/|.*(html|xml|octet-stream)|[^/]*(;|$)|\*|unknown/", re.IGNORECASE)


def is_readable(content_type: str | None) -> bool:
    """Whether a page may come under this Content-Type, honest or not: a missing or malformed one too.

    Pages of other types (JSON, PDF, images) are for spiders alone: nothing else reads their bodies.
    """
    return _READABLE.match((content_type or "").strip()) is not None
