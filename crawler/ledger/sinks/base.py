"""What the ledger asks of a sink."""

from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

from msgspec import Struct

from crawler.core.model import Finished

__all__ = ["ClosedPart", "Parts", "Position", "Sink", "record_lines"]

Position = dict[str, int | str]
"""Where a sink stands: what it needs to know to go on from a commit. Kept in the store, so it must be plain."""


class Sink(Protocol):
    """A place for what ends, which takes part in the commit protocol.

    For each commit the ledger calls `write` and then `flush`, puts the position that `flush` gave into the batch that
    says which URLs are done, and calls `committed` when that batch is safe. At the next start `open` gets the position
    of the last commit, and what was written after it is cut away, so that each record stands there once. A sink that
    cannot be cut (standard output) may repeat the records of the last commit after a crash; its docstring says so.

    All methods raise `StorageError` when the device refuses. One thread uses a sink.
    """

    @property
    def name(self) -> str:
        """Under which the position is kept: another one for each sink of a job, the same in each of its runs."""

    def open(self, position: Position | None) -> None:
        """Open the sink and cut it back to the last commit's position; None for a job that has none yet."""

    def write(self, finished: Sequence[Finished]) -> None:
        """Take URLs that ended, in order. Those with a record have it in `records`; others may have none."""

    def flush(self, *, last: bool = False) -> Position:
        """Bring everything written to the device; return the position after it.

        `last`: the run ends in good order. What a reader could not use as it is (an open part) is closed now.
        """

    def committed(self) -> None:
        """Learn that the position is in the store: what only the position before needed may go."""

    def close(self) -> None:
        """Release the sink. What was written after the last `flush` may be lost. Safe to call twice."""


class ClosedPart(Struct, frozen=True):
    """A file of an output to which nothing will be added, of a job of many shards.

    `output` counts the outputs of the job from 0, `number` the parts that this shard has in it from 1. `path` is where
    the file lies now, `ending` that of its name; `records` are URLs in an archive.
    """

    output: int
    number: int
    path: str
    ending: str
    records: int
    bytes: int


@runtime_checkable
class Parts(Protocol):
    """A sink whose output is made of parts that are public one by one, each with the checkpoint that has its URLs."""

    def seal(self) -> None:
        """End the open part with the next `flush`, so that the record after it begins another one."""

    def closed(self) -> tuple[ClosedPart, ...]:
        """Return the parts that are closed as of the last commit and not known to be public, in their order.

        Raises `StorageError` if one of them is gone.
        """


def record_lines(finished: Sequence[Finished]) -> Iterator[bytes]:
    """Give the records, one complete JSON line each, with its line feed."""
    for one in finished:
        records = one.records
        if not records:
            continue
        if records.find(b"\n") == len(records) - 1:
            yield records
        else:
            yield from records.splitlines(keepends=True)  # JSON has no other line ends in it than \n and \r, escaped
