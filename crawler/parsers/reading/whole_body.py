"""A page's body as a reader wants it: in memory, and without the codings with which it came."""

from pathlib import Path
from typing import Final

from msgspec import structs

from crawler.core.model import Answer, Coding, Download
from crawler.web.content_coding import undone

__all__ = ["LARGE_PAGE_BYTES", "with_small_body", "with_whole_body"]

LARGE_PAGE_BYTES: Final = 2_000_000
"""Pages from this size on are parsed one at a time: a tree takes many times the memory of its page."""


def with_whole_body(download: Download) -> Download:
    """Return a download as readers get it. Raises `CodingError`, and OSError if the file with its body is gone."""
    answer = download.answer
    if download.body_file:
        answer = structs.replace(answer, body=Path(download.body_file).read_bytes())
    elif answer.coding is None:
        return download
    if answer.coding is not None:
        answer = _decoded(answer, answer.coding)[0]
    return structs.replace(download, answer=answer, body_file="")


def with_small_body(download: Download) -> Download | None:
    """Return a download as readers get it; None if its body came encoded and shows to be that of a large page.

    One in a file is known to be large, and had its turn. Raises as `with_whole_body`.
    """
    coding = download.answer.coding
    if coding is None or download.body_file or not coding.is_read or coding.most_bytes < LARGE_PAGE_BYTES:
        return with_whole_body(download)
    answer, is_cut = _decoded(download.answer, structs.replace(coding, most_bytes=LARGE_PAGE_BYTES - 1))
    return None if is_cut else structs.replace(download, answer=answer)


def _decoded(answer: Answer, coding: Coding) -> tuple[Answer, bool]:
    """Return an answer without its coding, and whether that was given up because there was enough."""
    whole = undone(answer.body, coding)
    truncated = answer.truncated or whole.truncated
    plain = structs.replace(answer, body=whole.body, body_bytes=whole.size, truncated=truncated, coding=None)
    return plain, whole.is_cut
