"""Bodies as they come from the wire: decoded piece by piece, never more in memory than was asked for."""

from collections.abc import Iterator
from io import BytesIO

from crawler.fetcher.transport.base import FetchRequest, FetchResult
from crawler.web.content_coding import decoders
from crawler.web.gzip_members import PIECE_BYTES

__all__ = ["Body"]


class Body:
    """Collects one body, decoding as it comes, and never holds more than `limit` bytes and a piece.

    `codings` are those that were applied to it, in that order, as in Content-Encoding ("" = none). Raises `CodingError`
    for more than two layers and for a coding that cannot be undone; `feed` raises it for a broken stream. `full`: what
    follows is of no use, stop reading.
    """

    def __init__(self, codings: str, limit: int) -> None:
        self._limit = limit
        self._bytes = BytesIO()  # what it holds can be had without a copy
        self._size = 0
        self.truncated = False
        self.full = False
        self._layers = decoders(codings)
        # What goes into a decoder is bounded too, or a stream that decodes to nothing would be read for ever.
        self._most_input = 2 * limit + PIECE_BYTES
        self._input_left = [self._most_input for _ in self._layers]

    def feed(self, chunk: bytes) -> Iterator[int]:
        """Take the next bytes from the wire, piece by piece: each step says how many decoded bytes it is to keep.

        They are kept, and the next piece is decoded, when the caller asks for the next step: so it can wait before.
        """
        for piece in self._decoded(chunk, 0) if self._layers else (chunk,):
            room = self._limit - self._size
            if len(piece) <= room:
                yield len(piece)
                self._size += self._bytes.write(piece)
                continue
            if room:
                yield room
                self._size += self._bytes.write(piece[:room])
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

    def __len__(self) -> int:
        """Decoded bytes held."""
        return self._size

    def finish(self) -> bytes:
        """All decoded bytes, after the last chunk. A stream that has begun and not ended makes `truncated` true."""
        for layer, left in zip(self._layers, self._input_left, strict=True):
            if left < self._most_input and not layer.complete:
                self.truncated = True
        return self._bytes.getvalue()

    def result(
        self,
        request: FetchRequest,
        status: int,
        headers: tuple[tuple[str, str], ...],
        *,
        latency_s: float,
        address: str | None,
        version: str,
        reason: bytes,
        raw_headers: tuple[tuple[bytes, bytes], ...],
    ) -> FetchResult:
        """The answer to `request` with this body, after its last chunk. The arguments are fields of `FetchResult`."""
        content = self.finish()
        return FetchResult(
            url=request.url,
            status=status,
            headers=headers,
            body=content,
            body_bytes=len(content),
            truncated=self.truncated,
            latency_s=latency_s,
            address=address,
            version=version,
            reason=reason,
            raw_headers=raw_headers,
        )
