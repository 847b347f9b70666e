"""JSON lines on standard output."""

from collections.abc import Sequence

from crawler.core.model import Finished
from crawler.ledger.sinks.base import Position, record_lines
from crawler.ledger.sinks.files.file import write_all

__all__ = ["StdoutSink"]


class StdoutSink:
    """Standard output, or any descriptor that cannot be cut. At least once: after a crash, the records
    written since the last commit come again.
    """

    name = "-"

    def __init__(self, fd: int = 1) -> None:
        self._fd = fd
        self._offset = 0

    def open(self, position: Position | None) -> None:
        """Go on counting; what stands there already stays."""
        self._offset = int((position or {}).get("offset", 0))

    def write(self, finished: Sequence[Finished]) -> None:
        """Write records. Raises BrokenPipeError if the reader has gone."""
        self._offset += write_all(self._fd, b"".join(record_lines(finished)), "standard output")

    def flush(self, *, last: bool = False) -> Position:  # noqa: ARG002 - `write` has already handed all over
        """Return the number of bytes written by all runs of the job."""
        return {"offset": self._offset}

    def committed(self) -> None:
        """Nothing is kept for the commit before."""

    def close(self) -> None:
        """Leave the descriptor to its owner."""
