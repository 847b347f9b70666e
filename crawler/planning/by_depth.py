"""URLs put down in any order and taken by depth: in a temporary file, since there may be millions of them."""

import struct
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from typing import Final, NamedTuple, Self

from crawler.core.refusal import refusal

__all__ = ["ByDepth", "Judged"]

_HELD_BYTES: Final = 16 << 10
_LAYOUT: Final = struct.Struct("16s16s16s8sBB")
NO_KEY: Final = bytes(16)


class Judged(NamedTuple):
    """A URL and what is thought of it: its key, that of the page where it was found, and of the last URL that
    redirected to it (zeros without one); its host's key, a letter for what it is, and the rule or the reason.
    """

    key: bytes
    parent: bytes
    hop: bytes
    host: bytes
    kind: int
    rule: str


class ByDepth:
    """Judged URLs, written by depth and read in its order; at one depth, those that were redirected to come last.

    State: a temporary file that has no name, what is to be written to it, and where the parts of each depth are; the
    rules by their numbers.
    """

    def __init__(self) -> None:
        """Make the file. Raises `StorageError` when the disk refuses."""
        try:
            self._file = tempfile.TemporaryFile(prefix="crawler-plan-")  # noqa: SIM115 - closed by `__exit__`
        except OSError as error:
            raise refusal("make a temporary file", error, "set TMPDIR to another folder") from error
        self._held: defaultdict[tuple[int, bool], bytearray] = defaultdict(bytearray)
        self._parts: defaultdict[tuple[int, bool], list[tuple[int, int]]] = defaultdict(list)
        self._rules: dict[str, int] = {}
        self._end = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._file.close()

    def put(self, depth: int, one: Judged) -> None:
        """Put a URL down. Raises `StorageError` when the disk refuses."""
        place = depth, bool(one.hop)
        held = self._held[place]
        rule = self._rules.setdefault(one.rule, len(self._rules))
        held += _LAYOUT.pack(one.key, one.parent, one.hop, one.host, one.kind, rule)
        if len(held) >= _HELD_BYTES:
            self._write(place)

    def all(self) -> Iterator[Judged]:
        """Give all that were put down. Raises `StorageError` when the disk refuses."""
        rules = list(self._rules)
        for place in sorted({*self._held, *self._parts}):
            for start, size in self._parts.get(place, ()):
                self._file.seek(start)
                yield from _read(self._file.read(size), rules)
            yield from _read(bytes(self._held.get(place, b"")), rules)

    def _write(self, place: tuple[int, bool]) -> None:
        held = self._held.pop(place)
        try:
            self._file.seek(self._end)
            self._file.write(held)
        except OSError as error:
            raise refusal("write a temporary file", error, "set TMPDIR to a folder with more room") from error
        self._parts[place].append((self._end, len(held)))
        self._end += len(held)


def _read(held: bytes, rules: list[str]) -> Iterator[Judged]:
    for key, parent, hop, host, kind, rule in _LAYOUT.iter_unpack(held):
        yield Judged(key, parent, hop, host, kind, rules[rule])
