"""Pages that other shards want to have read again for a seed, until the next look (`frontier.second_look`)."""

from typing import Final

from crawler.frontier.database import Table

__all__ = ["Rereads"]

_PREFIX: Final = b"\xffr"
_KEY_BYTES, _NUMBER_BYTES = 16, 8
_AFTER_ALL: Final = _PREFIX + b"\xff" * (_KEY_BYTES + _NUMBER_BYTES + 1)


class Rereads:
    """The table of them, by URL key and seed number. State: whether there is any, committed or not."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self.are_wanted = any(table.items(_PREFIX, _AFTER_ALL))

    def want(self, key: bytes, seed: int) -> None:
        """Put one down."""
        self._table.put(_place(key, seed), b"")
        self.are_wanted = True

    def all(self) -> list[tuple[bytes, int]]:
        """Return those that are committed, by URL key, and the seed of each."""
        start = len(_PREFIX)
        return [
            (place[start : start + _KEY_BYTES], int.from_bytes(place[start + _KEY_BYTES :], "big"))
            for place, _ in self._table.items(_PREFIX, _AFTER_ALL)
        ]

    def done(self, key: bytes, seed: int) -> None:
        """Take one out."""
        self._table.delete(_place(key, seed))


def _place(key: bytes, seed: int) -> bytes:
    return _PREFIX + key + seed.to_bytes(_NUMBER_BYTES, "big")
