r"""The rows of an outbox in the store: what other shards are told, until it is safe with them.

key                                        value
"\xffout:", destination, mark              mark of the row before it, letter (`frontier.letter`)
"""

from collections.abc import Iterator
from typing import Final

from crawler.core.shard import Mark
from crawler.frontier.database import Table

__all__ = ["OutboxRows"]

_PREFIX: Final = b"\xffout:"
"""Greater than any name in the table of named facts."""
_DESTINATION_BYTES, _INCARNATION_BYTES, _SEQ_BYTES = 2, 4, 8
_MARK_BYTES: Final = _INCARNATION_BYTES + _SEQ_BYTES


class OutboxRows:
    """Reads see what is committed. Has no state."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def put(self, destination: int, mark: Mark, after: Mark, letter: bytes) -> int:
        """Write a row with the next commit; return how many bytes it has."""
        value = _packed(after) + letter
        self._table.put(_place(destination) + _packed(mark), value)
        return len(value)

    def delete(self, destination: int, mark: Mark) -> None:
        """Remove a row with the next commit."""
        self._table.delete(_place(destination) + _packed(mark))

    def after(self, destination: int, mark: Mark) -> Iterator[tuple[Mark, Mark, bytes]]:
        """Give mark, mark of the one before and letter of the rows to a shard behind a mark, in order."""
        place = _place(destination)
        for key, value in self._table.items(place + _packed(mark) + b"\0", place + b"\xff" * (_MARK_BYTES + 1)):
            yield _mark(key[-_MARK_BYTES:]), _mark(value[:_MARK_BYTES]), value[_MARK_BYTES:]

    def sizes(self) -> Iterator[tuple[int, Mark, int]]:
        """Give destination, mark and bytes of each row, in order."""
        for key, value in self._table.items(_PREFIX, _PREFIX + b"\xff" * (_DESTINATION_BYTES + _MARK_BYTES + 1)):
            yield int.from_bytes(key[len(_PREFIX) : -_MARK_BYTES], "big"), _mark(key[-_MARK_BYTES:]), len(value)


def _place(destination: int) -> bytes:
    return _PREFIX + destination.to_bytes(_DESTINATION_BYTES, "big")


def _packed(mark: Mark) -> bytes:
    return mark.incarnation.to_bytes(_INCARNATION_BYTES, "big") + mark.seq.to_bytes(_SEQ_BYTES, "big")


def _mark(packed: bytes) -> Mark:
    return Mark(
        int.from_bytes(packed[:_INCARNATION_BYTES], "big"),
        int.from_bytes(packed[_INCARNATION_BYTES:], "big"),
    )
