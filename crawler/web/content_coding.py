"""Content-Encoding: what is offered to servers, and how it is undone, a piece at a time."""

import sys
import zlib
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import NamedTuple, Protocol

from crawler.core.model import Coding
from crawler.web.gzip_members import PIECE_BYTES, GzipError, GzipMembers, inflated

try:
    import brotli  # type: ignore[import-untyped]
except ImportError:  # an optional speed-up of aiohttp; without it br is not offered to servers
    brotli = None
try:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
except ImportError:
    zstd = None  # type: ignore[assignment]

__all__ = [
    "OFFERED_CODINGS",
    "CodingError",
    "Decoder",
    "Undoing",
    "Undone",
    "decoders",
    "layers",
    "most_input",
    "undone",
]

_MOST_LAYERS = 2
_MOST_MEMBERS = 1024
_ZSTD_WINDOW_LOG = 23  # 8 MiB, the most that RFC 9659 §3 lets a server ask for


class CodingError(Exception):
    """A body's Content-Encoding cannot be undone. Its URL ends as `failed: encoding`."""


class Decoder(Protocol):
    """Undoes one coding, a piece at a time. `complete` says whether its stream has come to a proper end."""

    complete: bool

    def decode(self, data: bytes) -> Iterator[bytes]:
        """Take the next bytes; give what they decode to. Raises `CodingError` for a broken stream."""
        ...


class _Gzip(GzipMembers):
    """RFC 1952; a stream that is broken, or has too many members, cannot be undone."""

    def __init__(self) -> None:
        super().__init__(_MOST_MEMBERS)

    def decode(self, data: bytes) -> Iterator[bytes]:
        try:
            yield from super().decode(data)
        except GzipError as error:
            raise CodingError(str(error)) from error


class _Deflate:
    """RFC 9110 §8.4.1.2 wants the zlib format; many servers send the bare deflate stream instead."""

    def __init__(self) -> None:
        self.complete = False
        self._stream: zlib._Decompress | None = None

    def decode(self, data: bytes) -> Iterator[bytes]:
        if self.complete or not data:
            return
        if self._stream is None:
            # Compression method 8 in the low half of the first byte is what tells zlib (RFC 1950 §2.2).
            self._stream = zlib.decompressobj(zlib.MAX_WBITS if data[0] & 0x0F == 8 else -zlib.MAX_WBITS)
        try:
            yield from inflated(self._stream, data)
        except zlib.error as error:
            raise CodingError(str(error)) from error
        self.complete = self._stream.eof


class _Brotli:
    """RFC 7932."""

    def __init__(self) -> None:
        self.complete = False
        self._stream = brotli.Decompressor()

    def decode(self, data: bytes) -> Iterator[bytes]:
        try:
            while not self.complete:
                piece = self._stream.process(data, output_buffer_limit=PIECE_BYTES)
                self.complete = self._stream.is_finished()
                if not piece:
                    return
                yield piece
                data = b""  # there may be more inside, even if it would accept more data
        except brotli.error as error:
            raise CodingError(str(error) or "broken brotli stream") from error


class _Zstd:
    """RFC 8878: any number of frames."""

    def __init__(self) -> None:
        self.complete = False
        self._members = 0
        self._stream: zstd.ZstdDecompressor | None = None

    def decode(self, data: bytes) -> Iterator[bytes]:
        try:
            while data or not (self._stream is None or self._stream.needs_input):
                if self._stream is None:
                    self._members += 1
                    if self._members > _MOST_MEMBERS:
                        raise CodingError(f"more than {_MOST_MEMBERS:,} zstd frames")
                    window = int(zstd.DecompressionParameter.window_log_max)
                    self._stream = zstd.ZstdDecompressor(options={window: _ZSTD_WINDOW_LOG})
                    self.complete = False
                piece = self._stream.decompress(data, PIECE_BYTES)
                if piece:
                    yield piece
                data = b""
                if self._stream.eof:
                    data = self._stream.unused_data
                    self._stream = None
                    self.complete = True
        except zstd.ZstdError as error:
            raise CodingError(str(error)) from error


_DECODERS: dict[str, Callable[[], Decoder]] = {"gzip": _Gzip, "x-gzip": _Gzip, "deflate": _Deflate}
if brotli is not None:
    _DECODERS["br"] = _Brotli
if zstd is not None:
    _DECODERS["zstd"] = _Zstd
# Registered codings that nobody asked for. Other unknown names ("utf-8", "none") are servers' mistakes: the body is
# plain, and browsers take it so.
_UNDECODABLE = frozenset({"aes128gcm", "br", "compress", "dcb", "dcz", "exi", "pack200-gzip", "x-compress", "zstd"})

OFFERED_CODINGS = ", ".join(name for name in _DECODERS if name != "x-gzip")
"""Value of Accept-Encoding: what can be undone here; `x-gzip` is an old name of `gzip`."""


def layers(content_encoding: str) -> list[str]:
    """Return the codings that have to be undone, in the order in which they were applied; none for a plain body.

    `content_encoding` is the header's value ("" = none). Raises `CodingError` for more than two layers and for a
    coding that cannot be undone.
    """
    if not content_encoding:
        return []
    names = [name.strip().lower() for name in content_encoding.split(",")]
    for name in names:
        if name in _UNDECODABLE and name not in _DECODERS:
            raise CodingError(f"Content-Encoding {name!r} is not supported")
    known = [name for name in names if name in _DECODERS]
    if len(known) > _MOST_LAYERS:
        raise CodingError(f"{len(known)} layers of Content-Encoding, at most {_MOST_LAYERS} are undone")
    return known  # they are listed in the order in which they were applied (RFC 9110 §8.4)


def decoders(content_encoding: str) -> list[Decoder]:
    """Return what undoes a body's codings, in the order in which it has to. Raises `CodingError` as `layers` does."""
    return [_DECODERS[name]() for name in reversed(layers(content_encoding))]


class Undoing:
    """Undoes the codings of one body, a piece at a time, and gives `most_bytes` decoded bytes of it at most.

    `codings` are those that were applied to it, in that order, as in Content-Encoding ("" = none). Raises `CodingError`
    for more than two layers and for a coding that cannot be undone; `feed` raises it for a broken stream.

    State: the layers, how much may still go into each, and the `size` of what was given. `full`: what follows is of no
    use. `truncated`: there was more.
    """

    def __init__(self, codings: str, most_bytes: int) -> None:
        self.size = 0
        self.truncated = False
        self.full = False
        self._most_bytes = most_bytes
        self._layers = decoders(codings)
        # What goes into a decoder is bounded too, or a stream that decodes to nothing would be read for ever.
        self._most_input = most_input(most_bytes)
        self._input_left = [self._most_input for _ in self._layers]

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take the next bytes; give what they decode to. The next piece is decoded when it is asked for."""
        for piece in self._decoded(data, 0) if self._layers else (data,):
            room = self._most_bytes - self.size
            if len(piece) <= room:
                self.size += len(piece)
                yield piece
                continue
            self.size = self._most_bytes
            if room:
                yield piece[:room]
            self._stop()
            return

    def _decoded(self, data: bytes, layer: int) -> Iterator[bytes]:
        self._input_left[layer] -= len(data)
        if self._input_left[layer] < 0:
            self._stop()
            return
        pieces = self._layers[layer].decode(data)
        if layer + 1 == len(self._layers):
            yield from pieces
            return
        for piece in pieces:
            yield from self._decoded(piece, layer + 1)
            if self.full:
                return

    def _stop(self) -> None:
        self.truncated = self.full = True

    def finish(self) -> None:
        """Learn that all has come. A stream that has begun and not ended makes `truncated` true."""
        for layer, left in zip(self._layers, self._input_left, strict=True):
            if left < self._most_input and not layer.complete:
                self.truncated = True


class Undone(NamedTuple):
    """A body without its codings, and the number of its bytes (which may be all that is wanted of it).

    `truncated`: there was more. `is_cut`: what followed was left out, since there was enough.
    """

    body: bytes
    size: int
    truncated: bool
    is_cut: bool


def undone(body: bytes, coding: Coding) -> Undone:
    """Return a body that has come without its codings. Raises `CodingError`."""
    undoing = Undoing(coding.names, coding.most_bytes)
    kept = BytesIO()  # what it holds can be had without a copy
    for start in range(0, len(body), PIECE_BYTES):
        for piece in undoing.feed(body[start : start + PIECE_BYTES]):
            if coding.is_read:
                kept.write(piece)
        if undoing.full:
            break
    undoing.finish()
    return Undone(kept.getvalue(), undoing.size, undoing.truncated, undoing.full)


def most_input(most_bytes: int) -> int:
    """Return how many bytes of an encoded body are taken, of which so many decoded ones are wanted at most."""
    return 2 * most_bytes + PIECE_BYTES
