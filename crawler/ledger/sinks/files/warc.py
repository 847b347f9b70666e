"""What ended, as records of a WARC file."""

import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from crawler.core.config import CrawlConfig
from crawler.core.model import Finished
from crawler.ledger.sinks.base import Position
from crawler.ledger.sinks.files.file import FileSink, files_at, row_pattern
from crawler.ledger.sinks.kind import SinkKind
from crawler.web.warc import Capture, built, check_installed, metadata, revisit, warcinfo

__all__ = ["KIND", "WarcRecords", "WarcSink"]


class WarcSink(FileSink):
    """A file of WARC records, or with `config.rotate` a row of them, each with a `warcinfo` record of its own."""

    def __init__(self, path: Path, config: CrawlConfig, *, name: str | None = None) -> None:
        super().__init__(path, WarcRecords(config), name=name, rotation=config.rotate)


class WarcRecords:
    """Encodes each URL that ended as its records, ready compressed; each file begins with a `warcinfo` record.

    The records of one URL stay together; for `rotate` they count as one. Raises `ConfigError` without the extra `warc`.
    """

    def __init__(self, config: CrawlConfig) -> None:
        check_installed()
        self._user_agent = config.identification
        self._contact = config.contact
        self._robots = config.robots
        self._decode = msgspec.msgpack.Decoder(Capture).decode

    def encode(self, finished: Sequence[Finished]) -> Iterable[bytes]:
        """Give the records of each URL, joined."""
        return [self._records(one) for one in finished if one.url]

    def head(self) -> bytes:
        """The record that a file begins with."""
        return warcinfo(self._user_agent, self._robots, time.time(), operator=self._contact)

    def state(self) -> Position:
        """Nothing is learned from records."""
        return {}

    def restore(self, position: Position) -> None:
        """Nothing is to be remembered."""

    def _records(self, finished: Finished) -> bytes:
        if finished.archive is None:
            return metadata(finished, None)
        capture = built(self._decode(finished.archive))
        original = finished.duplicate
        answer = capture.response if original is None or original.near else revisit(capture, original)
        return metadata(finished, capture) + capture.request + answer


def _made(path: Path, config: CrawlConfig, name: str) -> WarcSink:
    return WarcSink(path, config, name=name)


KIND = SinkKind((".warc.gz",), _made, files_at, row_pattern, wants_exchange=True)
