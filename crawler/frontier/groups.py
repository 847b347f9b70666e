"""URLs that differ in a parameter alone: what they brought, and which of them were not asked for. Kept in the store."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import msgspec
from msgspec import Struct

from crawler.frontier.database import Table

__all__ = ["ABSENT", "Group", "Groups"]

ABSENT = b""
"""Stands for the value of a parameter that a URL does not have."""
_GROUP, _SKIPPED, _LESSONS = b"\xf1", b"\xf2", b"\xf3"
"""Stand before the key of a group, of a host with a URL, and of a host; greater than what begins a text's place."""
_HOST_BYTES = 8
_KEPT_BYTES = 12
"""Of a URL's key, so many bytes tell a group from any other."""


class Group(Struct, array_like=True):
    """What came of a URL, and of those that are it but for parameters that do not change it.

    `content` is a hash of what the first of them brought, whose key is `first`; `own` are hashes of its values of such
    parameters. `met` are those in which another one differed from it that brought the same. `others` are URLs with one
    parameter more, by that: a hash of its value in the first of them, and of what that brought.
    """

    first: bytes = b""
    content: bytes = b""
    own: dict[str, bytes] = {}
    met: list[str] = []
    others: dict[str, tuple[bytes, bytes]] = {}


class Groups:
    """The groups of one job, the URLs that were not asked for since others of their group were, and hosts' lessons.

    Reads of groups and lessons see what the open batch holds, those of URLs what is committed. State: groups and
    lessons in the open batch.
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(Group).decode
        self._pending: dict[bytes, bytes] = {}

    def get(self, keys: Sequence[bytes]) -> list[Group]:
        """Return the groups of URLs by their keys; empty ones where nothing is known."""
        places = [_GROUP + key[:_KEPT_BYTES] for key in keys]
        return [Group() if value is None else self._decode(value) for value in self._values(places)]

    def put(self, groups: Iterable[tuple[bytes, Group]]) -> None:
        """Write or replace groups."""
        for key, group in groups:
            self._put(_GROUP + key[:_KEPT_BYTES], self._encode(group))

    def lessons(self, host: bytes) -> bytes | None:
        """Return what was put as the lessons of a host."""
        return self._values([_LESSONS + host])[0]

    def put_lessons(self, host: bytes, value: bytes) -> None:
        """Write or replace the lessons of a host."""
        self._put(_LESSONS + host, value)

    def hosts_with_lessons(self) -> Iterator[bytes]:
        """Give the keys of all hosts that have committed lessons."""
        for place, _ in self._table.items(_LESSONS, _LESSONS + b"\xff" * (_HOST_BYTES + 1)):
            yield place[1:]

    def add_skipped(self, host: bytes, key: bytes) -> None:
        """Note that a URL of a host was not asked for."""
        self._table.put(_SKIPPED + host + key, b"")

    def remove_skipped(self, host: bytes, key: bytes) -> None:
        """Take that back."""
        self._table.delete(_SKIPPED + host + key)

    def skipped(self, host: bytes, after: bytes, most: int) -> list[bytes]:
        """Return the keys of URLs of a host that were not asked for, from a key on, in order."""
        first = _SKIPPED + host
        places = self._table.items(first + after, first + b"\xff" * 17)
        return [place[len(first) :] for place, _ in islice(places, most)]

    def forget(self) -> None:
        """Learn that the open batch was committed or dropped."""
        self._pending.clear()

    def _values(self, places: list[bytes]) -> list[bytes | None]:
        pending = self._pending
        return [pending.get(place, value) for place, value in zip(places, self._table.get_all(places), strict=True)]

    def _put(self, place: bytes, value: bytes) -> None:
        self._pending[place] = value
        self._table.put(place, value)
