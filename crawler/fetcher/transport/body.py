"""Bodies as they come from the wire, with what undoes them later; never more in memory than was asked for."""

from collections.abc import Iterator

import msgspec

from crawler.core.model import Coding, Failure
from crawler.fetcher.transport.base import FetchRequest, FetchResult
from crawler.web.content_coding import CodingError, Undoing, layers, most_input, undone

__all__ = ["Body", "without_coding"]

_LONG_PART = 16
"""Packed, HTML takes a fifth to a tenth of its size: what has come to this part of what is wanted may hold too much."""


class Body:
    """Collects one body as it comes, of which `limit` decoded bytes are wanted.

    `codings` are those that were applied to it, in that order, as in Content-Encoding ("" = none). They stay on it,
    since a parser undoes them: but what is long, or comes slowly, is to be looked at as it comes, or a stream without
    end would be read for longer than anybody wants it. Raises `CodingError` for more than two layers and for a coding
    that cannot be undone; `look` raises it for a broken stream.

    State: the pieces, how many of them were looked at, and by what. `full`: what follows is of no use, stop reading.
    """

    def __init__(self, codings: str, limit: int) -> None:
        self._coding = Coding(codings, limit) if layers(codings) else None
        self._long = limit // _LONG_PART
        self._most = limit if self._coding is None else most_input(limit)
        self._pieces: list[bytes] = []
        self._undoing: Undoing | None = None
        self._looked_at = 0
        self._size = 0
        self.truncated = False
        self.full = False

    def __len__(self) -> int:
        """Bytes held."""
        return self._size

    def size_with(self, chunk: bytes) -> int:
        """Return how many bytes it holds once it has taken the next ones."""
        return min(self._size + len(chunk), self._most)

    def add(self, chunk: bytes) -> None:
        """Take the next bytes from the wire."""
        room = self._most - self._size
        if len(chunk) > room:
            self.truncated = self.full = True
            chunk = b"" if self._coding is not None else chunk[:room]
        self._pieces.append(chunk)
        self._size += len(chunk)

    @property
    def is_long(self) -> bool:
        """Whether it is to be looked at for its length."""
        return self._coding is not None and self._size > self._long

    def look(self) -> Iterator[int]:
        """Undo what has come since the last look, to see whether it is enough: each step says how many bytes that gave.

        Nothing is kept of them: few bodies are so long, and to hold them decoded takes much more room.
        """
        if self._coding is None:
            return
        if self._undoing is None:
            self._undoing = Undoing(self._coding.names, self._coding.most_bytes)
        while self._looked_at < len(self._pieces):
            for piece in self._undoing.feed(self._pieces[self._looked_at]):
                yield len(piece)
            self._looked_at += 1
            if self._undoing.full:
                self.full = True
                return

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
        pieces = self._pieces
        content = pieces[0] if len(pieces) == 1 else b"".join(pieces)
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
            coding=self._coding if content else None,
        )


def without_coding(result: FetchResult) -> FetchResult | Failure:
    """Return an answer with its body decoded, for what is read here; a `Failure` if that cannot be done."""
    if result.coding is None:
        return result
    try:
        decoded = undone(result.body, result.coding)
    except CodingError as error:
        return Failure("encoding", str(error), retryable=False, answered=True)
    return msgspec.structs.replace(
        result,
        body=decoded.body,
        body_bytes=decoded.size,
        truncated=result.truncated or decoded.truncated,
        coding=None,
    )
