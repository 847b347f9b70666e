r"""What the store has of redirects beside the rows of their URLs: in the table of seeds, behind these.

key                                 value
"\xffh", URL key                    with which HTTP status a URL of another shard redirected
"\xffm", URL key, seed number       the redirects by which a seed led to a URL that was due for another reason
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from crawler.frontier.database import Table

__all__ = ["Redirects"]

_HOP: Final = b"\xffh"
_MEETING: Final = b"\xffm"
_NUMBER_BYTES: Final = 8
_STATUS_BYTES: Final = 2


class Redirects:
    """Reads see what is committed. Has no state."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def put_meeting(self, key: bytes, seed: int, hops: tuple[str, ...]) -> None:
        """Keep that a seed redirected to a URL that is due for another reason. Replaces the seed's one before."""
        self._table.put(_MEETING + key + seed.to_bytes(_NUMBER_BYTES, "big"), msgspec.msgpack.encode(hops))

    def meetings(self, key: bytes) -> Iterator[tuple[int, tuple[str, ...]]]:
        """Give the seeds, with their redirects, that led to a URL which was due."""
        first = _MEETING + key
        for place, value in self._table.items(first, first + b"\xff" * (_NUMBER_BYTES + 1)):
            yield int.from_bytes(place[len(first) :], "big"), tuple(msgspec.msgpack.decode(value))

    def put_status(self, key: bytes, status: int) -> None:
        """Keep with which status a URL of another shard redirected."""
        self._table.put(_HOP + key, status.to_bytes(_STATUS_BYTES, "big"))

    def status(self, key: bytes) -> int:
        """Return with which status it did, 0 if nobody has told."""
        return int.from_bytes(self._table.get(_HOP + key) or b"", "big")
