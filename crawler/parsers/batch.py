"""Pages on their way to a parser: what the pool keeps of each, and what travels together."""

from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from crawler.core.model import Done, Download
from crawler.web.warc import archived

__all__ = ["Batch", "BatchLimits", "Item", "item_of", "kept"]


class Item(Struct, frozen=True):
    """A page in the pool: what its `Done` needs if it fails here, and its msgpack."""

    key: bytes
    status: int
    body_bytes: int
    size: int
    raw: msgspec.Raw


class Batch(Struct, frozen=True):
    """Pages that go to a parser together. `retried`: one page, on its own because a parser died over its batch."""

    items: list[Item]
    retried: bool = False


class BatchLimits(Struct, frozen=True):
    """When an open batch is closed and may go: at so many bytes or pages, or at as many pages as a parser reads in
    `parse_s`, or when its first page has waited for `wait_s`. `eager`: also when no parser has anything to do.
    """

    bytes: int
    pages: int
    parse_s: float
    wait_s: float
    eager: bool = True


def item_of(page: Download, encoder: msgspec.msgpack.Encoder) -> Item:
    """Encode a page for its way to a parser."""
    try:
        raw = encoder.encode(page)
    except UnicodeEncodeError:
        # Header values are the only text here that came from the net as it was.
        headers = tuple((_scalar(name), _scalar(value)) for name, value in page.headers)
        raw = encoder.encode(msgspec.structs.replace(page, headers=headers))
    return Item(page.key, page.status, page.body_bytes, len(raw), msgspec.Raw(raw))


def kept(done: Done, item: Item) -> Done:
    """Return how a page ended that no parser came back with, with what an archive keeps of it."""
    page = msgspec.msgpack.decode(item.raw, type=Download)
    with suppress(Exception):  # what ended a parser must not end the crawl
        if page.body_file:
            page = msgspec.structs.replace(page, body=Path(page.body_file).read_bytes())
        return archived(done, page)
    return done


def _scalar(text: str) -> str:
    """Return `text` with lone surrogates replaced, which UTF-8 cannot hold."""
    return text.encode("utf-8", "replace").decode("utf-8")
