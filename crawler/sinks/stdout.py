"""JSON lines on standard output."""

from crawler.sinks.jsonl import write_all

__all__ = ["StdoutSink"]


class StdoutSink:
    """Standard output, or any descriptor that cannot be cut. At least once: after a crash, the records
    written since the last commit come again.
    """

    def __init__(self, fd: int = 1) -> None:
        self._fd = fd
        self._offset = 0

    def open(self, committed: int) -> None:
        """Go on counting from `committed`; what stands there already stays."""
        self._offset = committed

    def write(self, records: list[bytes]) -> None:
        """Write records. Raises BrokenPipeError if the reader has gone."""
        self._offset += write_all(self._fd, b"".join(records), "standard output")

    def flush(self) -> int:
        """Return the number of bytes written by all runs of the job; `write` has already handed them over."""
        return self._offset

    def close(self) -> None:
        """Leave the descriptor to its owner."""
