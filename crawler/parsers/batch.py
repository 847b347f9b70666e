"""Pages on their way to a parser: what the pool keeps of each, and what travels together."""

from contextlib import suppress

import msgspec
from msgspec import Struct

from crawler.core.model import Attempt, Done, Download
from crawler.parsers.costs import Standing
from crawler.parsers.reading.whole_body import with_whole_body
from crawler.web.urls import authority
from crawler.web.warc import archived

__all__ = ["LIMITS", "Batch", "BatchLimits", "Item", "item_of", "kept"]


class Item(Struct, frozen=True):
    """A page in the pool: its host, what its `Done` needs if it fails here, and its msgpack.

    `body_bytes` is what is known of its size: of an encoded page that of what came. `is_large`: a parser has given it
    back, since it is one when decoded, and now it is its turn.
    """

    host: str
    key: bytes
    status: int
    body_bytes: int
    size: int
    raw: msgspec.Raw
    is_large: bool = False
    attempt: Attempt | None = None


class Batch(Struct, frozen=True):
    """Pages that go to a parser together. `retried`: one page, on its own because a parser died over it.
    `standing` is that of their hosts when they came.
    """

    items: list[Item]
    standing: Standing
    retried: bool = False

    @property
    def may_last(self) -> bool:
        """Whether they may take long, so that nothing quick is to stand behind them."""
        return self.standing != Standing.QUICK


class BatchLimits(Struct, frozen=True):
    """When an open batch is closed and may go: at so many bytes or pages, or at as many pages as a parser reads in
    `parse_s`, or when its first page has waited for `wait_s`. `eager`: also when no parser has anything to do.
    """

    bytes: int
    pages: int
    parse_s: float
    wait_s: float
    eager: bool = True


LIMITS = BatchLimits(bytes=256 << 10, pages=16, parse_s=0.05, wait_s=0.02)
"""What lies in one inbox no other parser can take, so that large batches of pages that take long (a heavy spider) leave
parsers idle at the end of a crawl: hence `parse_s`."""


def item_of(download: Download, encoder: msgspec.msgpack.Encoder) -> Item:
    """Encode a download for its way to a parser."""
    answer = download.answer
    try:
        raw = encoder.encode(download)
    except UnicodeEncodeError:
        # Header values are the only text here that came from the net as it was.
        headers = tuple((_scalar(name), _scalar(value)) for name, value in answer.headers)
        clean = msgspec.structs.replace(answer, headers=headers)
        raw = encoder.encode(msgspec.structs.replace(download, answer=clean))
    task = download.task
    size, attempt = len(raw), download.attempt
    return Item(
        authority(task.url), task.key, answer.status, answer.body_bytes, size, msgspec.Raw(raw), attempt=attempt
    )


def kept(done: Done, item: Item) -> Done:
    """Return how a page ended that no parser came back with, with what an archive keeps of it."""
    download = msgspec.msgpack.decode(item.raw, type=Download)
    with suppress(Exception):  # what ended a parser must not end the crawl
        return archived(done, with_whole_body(download))
    return done


def _scalar(text: str) -> str:
    """Return `text` with lone surrogates replaced, which UTF-8 cannot hold."""
    return text.encode("utf-8", "replace").decode("utf-8")
