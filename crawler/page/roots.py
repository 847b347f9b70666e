"""Tags of the two elements that a page has once, kept to a number that a parser can bear. Pure.

A second `<html>` or `<body>` adds its attributes to those of the first (HTML Standard §13.2.6.4.7). turbohtml copies
all of them each time and keeps the copies until the page is let go of: 84 KB of such tags take 418 MB.
"""

import re
from itertools import islice

__all__ = ["MOST_ROOTS", "with_few_roots"]

MOST_ROOTS = 64
"""How many tags of `html` and `body` count in a page of up to 1 MB; in a larger one as many fewer, down to 8."""

_LEAST_ROOTS = 8
_FEWER_FROM_BYTES = 1 << 20
_SMALL_BYTES = 32_768  # a page of such tags alone takes 70 MB
_ROOT = re.compile(rb"<[hHbB][tToO][mMdD][lLyY](?=[\t\n\f\r />])")
_HEAD = b"<head"
# With the NUL bytes of UTF-16 between; to look for these takes half as long again.
_ROOT_WITH_NULS = re.compile(rb"<(\0?)[hHbB](\0?)[tToO](\0?)[mMdD](\0?)[lLyY](?=\0?[\t\n\f\r />])")
_HEAD_WITH_NULS = rb"<\1h\2e\3a\4d"


def with_few_roots(page: bytes) -> bytes:
    """Return a page in which further tags of `html` and `body` are called `head`, which a parser passes over.

    The tags that count bring all their attributes, so that what is lost is what the 65th says, and nobody before.
    """
    if len(page) <= _SMALL_BYTES:
        return page
    most = max(_LEAST_ROOTS, min(MOST_ROOTS, MOST_ROOTS * _FEWER_FROM_BYTES // len(page)))
    root, head = (_ROOT_WITH_NULS, _HEAD_WITH_NULS) if b"\0" in page else (_ROOT, _HEAD)
    last = next(islice(root.finditer(page), most - 1, None), None)
    if last is None:
        return page
    return page[: last.end()] + root.sub(head, page[last.end() :])
