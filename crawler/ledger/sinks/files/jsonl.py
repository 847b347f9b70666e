"""JSON lines: one record a line, as the parsers wrote it."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from crawler.core.config import CrawlConfig
from crawler.core.model import Finished
from crawler.ledger.sinks.base import Position, Sink, record_lines
from crawler.ledger.sinks.files.compressed import compressor_for, opened
from crawler.ledger.sinks.files.file import FileSink, files_at, row_pattern
from crawler.ledger.sinks.kind import SinkKind

__all__ = ["KIND", "JsonLines"]


class JsonLines:
    """The `files.file.Encoder` of JSON lines. Has no state."""

    def encode(self, finished: Sequence[Finished]) -> Iterable[bytes]:
        """Give each record's line."""
        return record_lines(finished)

    def head(self) -> bytes:
        """JSON lines begin with the first record."""
        return b""

    def state(self) -> Position:
        """Nothing is learned."""
        return {}

    def restore(self, position: Position) -> None:
        """Nothing is needed."""


def _made(path: Path, config: CrawlConfig, name: str) -> Sink:
    return FileSink(path, JsonLines(), name=name, rotation=config.rotate, compressor=compressor_for(path))


def _records(path: Path, rotated: bool, _names: Sequence[str] | None) -> Iterator[bytes]:
    for file in files_at(path, rotated):
        with opened(file) as lines:
            yield from lines


KIND = SinkKind((".jsonl", ".jsonl.gz", ".jsonl.zst"), _made, files_at, row_pattern, records=_records)
