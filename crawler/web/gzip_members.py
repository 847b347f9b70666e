"""Gzip, member after member, unpacked a piece at a time: what Content-Encoding and sitemaps are both made of."""

import zlib
from collections.abc import Iterator

__all__ = ["GZIP_MAGIC", "PIECE_BYTES", "GzipError", "GzipMembers", "TooManyMembersError", "inflated"]

PIECE_BYTES = 65_536
"""Not more than this comes out at a time, however well it was compressed."""

GZIP_MAGIC = b"\x1f\x8b"
"""How each member begins (RFC 1952 §2.3.1)."""


class GzipError(Exception):
    """The stream is broken; all that came before the break has been given."""


class TooManyMembersError(GzipError):
    """The stream has more members than are wanted: each costs as much as some kilobytes."""


class GzipMembers:
    """Unpacks RFC 1952: one member after the other, `most` of them, from bytes in any pieces.

    - Output comes in pieces of at most `PIECE_BYTES`, all that the input so far holds. Nothing bounds their sum: who
      takes them stops when there is enough.
    - A broken stream raises `GzipError` when all before the break has been given, a member too many
      `TooManyMembersError`.
    - A stream that ends within a member leaves `complete` false, and one without a byte as well.
    - What follows a member and is none itself is left out, with all behind it, as browsers and gzip do. `held` is a
      last byte that may be the first of another member: whether that has begun is for the caller to say.

    State: the member under way, written by `decode`. Not for use from several threads.
    """

    def __init__(self, most: int) -> None:
        self.complete = False
        self.held = b""
        self._most = most
        self._members = 1
        self._member = zlib.decompressobj(zlib.MAX_WBITS | 16)
        self._ignores = False

    def decode(self, data: bytes) -> Iterator[bytes]:
        """Take the next bytes; give what they unpack to."""
        while not self._ignores:
            if self.complete and not (data := self._next_member(data)):
                return
            try:
                yield from inflated(self._member, data)
            except zlib.error as error:
                raise GzipError(str(error)) from error
            if not self._member.eof:
                return
            self.complete = True
            data = self._member.unused_data

    def _next_member(self, data: bytes) -> bytes:
        """Begin the member that `data`, behind a complete one, begins with; return it, or nothing if there is none."""
        data = self.held + data
        self.held = b""
        if len(data) < len(GZIP_MAGIC) and GZIP_MAGIC.startswith(data):
            self.held = data
            return b""
        if not data.startswith(GZIP_MAGIC):
            self._ignores = True
            return b""
        self._members += 1
        if self._members > self._most:
            raise TooManyMembersError(f"more than {self._most:,} gzip members")
        self._member = zlib.decompressobj(zlib.MAX_WBITS | 16)
        self.complete = False
        return data


def inflated(stream: "zlib._Decompress", data: bytes) -> Iterator[bytes]:
    """Give what `data` adds to a stream, in pieces of at most `PIECE_BYTES`. Raises zlib.error if it is broken."""
    while True:
        piece = stream.decompress(data, PIECE_BYTES)
        if piece:
            yield piece
        data = stream.unconsumed_tail
        # A full piece may leave output behind in zlib although all input is used up.
        if stream.eof or (not data and len(piece) < PIECE_BYTES):
            return
