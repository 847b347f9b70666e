"""Bodies as they come from the wire: decoded piece by piece, never more in memory than was asked for."""

from crawler.transport.base import FetchRequest, FetchResult
from crawler.transport.coding import PIECE_BYTES, decoders

__all__ = ["Body"]


class Body:
    """Collects one body, decoding as it comes, and never holds more than `limit` bytes and a piece.

    `content_encoding` is the header's value ("" = none). Raises `CodingError` for more than two layers and for a
    coding that cannot be undone; `feed` raises it for a broken stream.
    """

    def __init__(self, content_encoding: str, limit: int) -> None:
        self._limit = limit
        self._bytes = bytearray()
        self.truncated = False
        self._layers = decoders(content_encoding)
        # What goes into a decoder is bounded too, or a stream that decodes to nothing would be read for ever.
        self._input_left = [2 * limit + PIECE_BYTES for _ in self._layers]

    def feed(self, chunk: bytes) -> bool:
        """Take the next bytes from the wire. False = the rest is of no use, stop reading."""
        return self._pass_on(chunk, 0)

    def _pass_on(self, data: bytes, layer: int) -> bool:
        if layer == len(self._layers):
            room = self._limit - len(self._bytes)
            if len(data) > room:
                self._bytes += data[:room]
                self.truncated = True
                return False
            self._bytes += data
            return True
        self._input_left[layer] -= len(data)
        if self._input_left[layer] < 0:
            self.truncated = True
            return False
        return all(self._pass_on(piece, layer + 1) for piece in self._layers[layer].decode(data))

    def __len__(self) -> int:
        """Decoded bytes held."""
        return len(self._bytes)

    def finish(self) -> bytes:
        """All decoded bytes, after the last chunk. A stream without its end makes `truncated` true."""
        if self._bytes and not all(layer.complete for layer in self._layers):
            self.truncated = True
        return bytes(self._bytes)

    def result(
        self,
        request: FetchRequest,
        status: int,
        headers: tuple[tuple[str, str], ...],
        *,
        latency_s: float,
        address: str | None,
    ) -> FetchResult:
        """The answer to `request` with this body, after its last chunk."""
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
        )
