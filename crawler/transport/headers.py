"""Headers: what is sent with every request, and answers' headers fit to be stored and shown."""

import re
from collections.abc import Iterable, Mapping

from crawler.config import CrawlConfig
from crawler.transport.coding import OFFERED_CODINGS

__all__ = ["CONTROLS", "clean_headers", "content_encoding", "request_headers", "with_headers"]

_ACCEPT = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f]")
"""C0 without blanks, DEL and C1: whatever could move a terminal's cursor or break a line-based log."""

_BLANKS = re.compile(r"[\t-\r ]+")


def request_headers(config: CrawlConfig) -> dict[str, str]:
    """Headers of every request: the defaults, then the configuration's, which win whatever their case."""
    merged = {"user-agent": ("User-Agent", config.user_agent)}
    merged["accept"] = ("Accept", _ACCEPT)
    merged["accept-encoding"] = ("Accept-Encoding", OFFERED_CODINGS)
    for name, value in config.headers:
        merged[name.lower()] = (name, value)
    return dict(merged.values())


def with_headers(common: Mapping[str, str], extra: Iterable[tuple[str, str]]) -> dict[str, str]:
    """`common` with the pairs of `extra` added; a name that both have is taken from `extra`."""
    added = dict(extra)
    replaced = {name.lower() for name in added}
    return {name: value for name, value in common.items() if name.lower() not in replaced} | added


def clean_headers(pairs: Iterable[tuple[str, str]], codec: str, errors: str = "strict") -> tuple[tuple[str, str], ...]:
    """(lower-case name, value) pairs that can be stored and shown.

    `codec` and `errors` are how the library decoded the bytes on the wire: they are undone, then the value is read as
    UTF-8, or as Latin-1 if it is not UTF-8 (RFC 9110 §5.5 leaves it open). Control characters are dropped.
    """
    return tuple(
        (name.lower(), value) if value.isascii() and value.isprintable() else _cleaned(name, value, codec, errors)
        for name, value in pairs
    )


def _cleaned(name: str, value: str, codec: str, errors: str) -> tuple[str, str]:
    raw = value.encode(codec, errors)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    return name.lower(), _BLANKS.sub(" ", CONTROLS.sub("", text)).strip()


def content_encoding(headers: Iterable[tuple[str, str]]) -> str:
    """Value of Content-Encoding, "" if there is none; several headers of that name are one list (RFC 9110 §5.3)."""
    return ", ".join([value for name, value in headers if name == "content-encoding"])
