"""Headers: what is sent with every request, and answers' headers fit to be stored and shown."""

import re
from collections.abc import Collection, Iterable

from msgspec import Struct

from crawler.core.config import CrawlConfig
from crawler.fetcher.transport.base import is_redirect
from crawler.web import credentials
from crawler.web.content_coding import OFFERED_CODINGS, CodingError

__all__ = [
    "CONTROLS",
    "MAX_HEAD_CHARS",
    "MOST_INTERIM_ANSWERS",
    "Head",
    "HeadError",
    "clean_headers",
    "codings_of",
    "content_encoding",
    "is_clear_redirect",
    "one_length",
    "read_head",
    "request_headers",
    "with_one_length",
]

_ACCEPT = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

MOST_INTERIM_ANSWERS = 16
"""Answers 100 to 199 before the real one, more of which are a trap. Honest servers send one or two."""

CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f]")
"""C0 without blanks, DEL and C1: whatever could move a terminal's cursor or break a line-based log."""

MAX_HEAD_CHARS = 1_048_576
"""Longest headers of an answer, all together: sixteen of the longest that one may be."""

_MOST_DIGITS = 20  # of 2^64
_TRANSFER_CODINGS = frozenset({"gzip", "x-gzip", "deflate", "identity"})
_UNCLEAR = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_BLANKS = re.compile(r"[\t-\r ]+")


def request_headers(config: CrawlConfig) -> dict[str, str]:
    """Headers of every request: the defaults, then the configuration's, which win whatever their case.

    Of the configuration's only those that every server may see (`web.credentials`): a transport does not know
    whom the others are for.
    """
    merged = {"user-agent": ("User-Agent", config.identification)}
    merged["accept"] = ("Accept", _ACCEPT)
    merged["accept-encoding"] = ("Accept-Encoding", OFFERED_CODINGS)
    for name, value in credentials.anywhere(config.headers):
        merged[name.strip().lower()] = (name.strip(), value.strip())
    return dict(merged.values())


def clean_headers(pairs: Iterable[tuple[str, str]], codec: str, errors: str = "strict") -> tuple[tuple[str, str], ...]:
    """(lower-case name, value) pairs that can be stored and shown.

    `codec` and `errors` are how the library decoded the bytes on the wire: they are undone, then the value is read as
    UTF-8, or as Latin-1 if it is not UTF-8 (RFC 9110 §5.5 leaves it open). Control characters are dropped.
    """
    # Lists, here and below, and no generators: these run for each page.
    return tuple(
        [
            (name.lower(), value) if value.isascii() and value.isprintable() else _cleaned(name, value, codec, errors)
            for name, value in pairs
        ]
    )


def _cleaned(name: str, value: str, codec: str, errors: str) -> tuple[str, str]:
    return name.lower(), _BLANKS.sub(" ", CONTROLS.sub("", _text(value, codec, errors))).strip()


def _text(value: str, codec: str, errors: str) -> str:
    raw = value.encode(codec, errors)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def is_clear_redirect(pairs: Iterable[tuple[str, str]], codec: str, errors: str = "strict") -> bool:
    """Whether every Location came without control characters, line breaks and tabs among them.

    One that has some would lead somewhere else without them than with them, so it leads nowhere. `pairs`, `codec` and
    `errors` as for `clean_headers`.
    """
    return not any(
        name.lower() == "location" and _UNCLEAR.search(_text(value, codec, errors).strip(" \t"))
        for name, value in pairs
    )


class HeadError(Exception):
    """The head of an answer breaks a rule, of HTTP or of ours, that the library below a transport does not enforce."""


class Head(Struct, frozen=True):
    """An answer's headers, fit to be stored and shown, and whether it only points elsewhere (`is_redirect`)."""

    headers: tuple[tuple[str, str], ...]
    redirect: bool


def read_head(status: int, pairs: Collection[tuple[str, str]], codec: str, errors: str = "strict") -> Head:
    """Clean and check the head of an answer. `pairs`, `codec` and `errors` as for `clean_headers`.

    Raises `HeadError` for an interim status, for more than `MAX_HEAD_CHARS` and for a Location with control characters.
    """
    if status < 200:
        raise HeadError(f"status {status} without having been asked for")
    headers = clean_headers(pairs, codec, errors)
    if sum([len(name) + len(value) for name, value in headers]) > MAX_HEAD_CHARS:
        raise HeadError(f"headers of more than {MAX_HEAD_CHARS:,} characters")
    redirect = is_redirect(status, headers)
    if redirect and not is_clear_redirect(pairs, codec, errors):
        raise HeadError("control characters in Location")
    return Head(headers, redirect)


def content_encoding(headers: Iterable[tuple[str, str]]) -> str:
    """Value of Content-Encoding, "" if there is none; several headers of that name are one list (RFC 9110 §5.3)."""
    return ", ".join([value for name, value in headers if name == "content-encoding"])


def one_length(values: Iterable[str]) -> str | None:
    """The length that all these values of Content-Length give, several in one value too; None if they give no such one.

    RFC 9112 §6.3 lets a recipient take a length that is only repeated.
    """
    lengths = {length.strip(" \t") for value in values for length in value.split(",")}
    if len(lengths) != 1:
        return None
    (length,) = lengths
    return length if length.isascii() and length.isdigit() and len(length) <= _MOST_DIGITS else None


def with_one_length(head: bytes) -> bytes:
    """A head in which one Content-Length stands for several equal ones; the head itself if there is nothing to mend."""
    lines = head.split(b"\r\n")
    values = {at: line[15:] for at, line in enumerate(lines) if line[:15].lower() == b"content-length:"}
    length = one_length(value.decode("latin-1") for value in values.values())
    if length is None:
        return head
    first = min(values)
    lines[first] = b"Content-Length: " + length.encode()
    return b"\r\n".join([line for at, line in enumerate(lines) if at == first or at not in values])


def codings_of(headers: Collection[tuple[str, str]]) -> str:
    """The codings of a body in the order in which they were applied, as one list; "" if there are none.

    Content-Encoding, then Transfer-Encoding without `chunked`, which has been undone by now (RFC 9112 §7). Nobody asks
    for others, but some servers send `gzip, chunked`. Raises `HeadError` if `chunked` is not the last of them,
    `CodingError` for one that cannot be undone.
    """
    content = content_encoding(headers)
    transfer = [coding for name, value in headers if name == "transfer-encoding" for coding in value.lower().split(",")]
    if not transfer:
        return content
    codings = [name for coding in transfer if (name := coding.strip(" \t"))]
    while codings and codings[-1] == "chunked":  # some proxies name it twice, and apply it once
        codings.pop()
    for coding in codings:
        if coding == "chunked":
            raise HeadError("chunked is not the last Transfer-Encoding")
        if coding not in _TRANSFER_CODINGS:
            # Not its value: some servers write cookies there, and this text goes into logs.
            raise CodingError(f"a Transfer-Encoding that is none of {', '.join(sorted(_TRANSFER_CODINGS))}")
    return ", ".join([content, *codings]) if codings else content
