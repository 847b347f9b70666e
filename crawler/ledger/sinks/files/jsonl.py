"""JSON lines: one record a line, as the parsers wrote it."""

from collections.abc import Iterable, Sequence

from crawler.core.model import Finished
from crawler.ledger.sinks.base import Position, record_lines

__all__ = ["JsonLines"]


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
