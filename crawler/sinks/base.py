"""What the ledger asks of a sink."""

from typing import Protocol

__all__ = ["Sink"]


class Sink(Protocol):
    """A place for records that takes part in the commit protocol.

    The ledger calls `write` and then `flush`, and commits the offset that `flush` gave together with the URLs
    done. At the next start `open` gets the last committed offset and cuts away what was written after it, so that
    each record stands there once. A sink that cannot be cut (standard output) may repeat the records
    of the last commit after a crash; its docstring says so.

    All methods raise `crawler.errors.StorageError` when the device refuses. One thread uses a sink.
    """

    def open(self, committed: int) -> None:
        """Open the sink and cut it back to `committed`, the offset of the last commit (0 for a new job)."""

    def write(self, records: list[bytes]) -> None:
        """Append complete records."""

    def flush(self) -> int:
        """Bring everything written to the device; return the offset after it."""

    def close(self) -> None:
        """Release the sink. Records written after the last `flush` may be lost. Safe to call twice."""
