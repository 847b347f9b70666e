"""What other shards have been told of their URLs, so that it is told again only for a better way."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from crawler.frontier.database import Table
from crawler.frontier.reach import NOT_REACHED, Reach

__all__ = ["UNTOLD", "SentLinks", "Told"]

_PREFIX: Final = b"\xf4"
"""Stands before the key of a URL; `frontier.groups` has the ones before."""
_NAMED: Final = 0x80
_REACH_BYTES: Final = 8


class Told(Struct, frozen=True, gc=False):
    """The best way to a URL that its owner knows from here.

    `rank` is that of the reason why no way may be followed, -1 without one; `named`: a sitemap or a redirect led there.
    """

    reach: Reach
    rank: int
    named: bool

    def with_way(self, way: Reach, rank: int, *, named: bool) -> "Told":
        """Return what is known with one more way; equal to this if that brings nothing."""
        reach = self.reach.nearer(way)
        return Told(reach, max(self.rank, rank) if reach == NOT_REACHED else self.rank, self.named or named)


UNTOLD: Final = Told(NOT_REACHED, -1, named=False)


class SentLinks:
    """The table of what was told, by the key of the URL. Reads see what the open batch holds.

    It stands apart from the table of URLs, whose rows are each a URL of this shard. State: what the open batch is to
    hold; `write` puts that there.
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        self._pending: dict[bytes, bytes] = {}

    @property
    def pending_rows(self) -> int:
        """How many rows the next commit will write."""
        return len(self._pending)

    def values(self, keys: Sequence[bytes]) -> list[Told | None]:
        """Return what was told of each URL, None if nothing was."""
        pending = self._pending
        places = [_PREFIX + key for key in keys]
        stored = self._table.get_all(places)
        found = (pending.get(place, value) for place, value in zip(places, stored, strict=True))
        return [None if value is None else _told(value) for value in found]

    def put(self, key: bytes, told: Told) -> None:
        """Write or replace what was told of a URL."""
        flags = (told.rank + 1) | (_NAMED if told.named else 0)
        packed = told.reach.far << 32 | told.reach.chain
        self._pending[_PREFIX + key] = packed.to_bytes(_REACH_BYTES, "big") + bytes((flags,))

    def write(self) -> None:
        """Put all rows into the open batch."""
        self._table.put_all(self._pending)

    def forget(self) -> None:
        """Learn that the open batch was committed or dropped."""
        self._pending.clear()


def _told(value: bytes) -> Told:
    packed, flags = int.from_bytes(value[:_REACH_BYTES], "big"), value[_REACH_BYTES]
    return Told(Reach(packed >> 32, packed & 0xFFFF_FFFF), (flags & ~_NAMED) - 1, bool(flags & _NAMED))
