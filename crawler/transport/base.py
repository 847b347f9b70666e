"""The one network seam: a request goes in, an answer or a failure comes out; and what all transports share.

Every transport keeps these promises:

- A GET of an http(s) URL in normal form, nothing else. `fetch` raises nothing but `asyncio.CancelledError`.
- Redirects are not followed and their bodies are not read: a 3xx answer comes back with its `location` header.
- Nothing is sent to an address that `AddressGuard` refuses: the check is made where the socket is made.
- `timeout_s` covers everything from the name look-up to the last byte of the body.
- At most `max_body_bytes` decoded bytes are kept; a longer body is cut there, and the connection closed.
- No cookies, no proxies, no .netrc, no settings from the environment but those of OpenSSL (`SSL_CERT_FILE`).
"""

import re
import socket
import ssl
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol

import certifi
from msgspec import Struct

from crawler.config import CrawlConfig
from crawler.model import Failure

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
    "BODY_PIECE_BYTES",
    "Body",
    "CodingError",
    "FetchRequest",
    "FetchResult",
    "Transport",
    "clean_headers",
    "dns_failure",
    "is_redirect",
    "one_line",
    "request_headers",
    "tls_context",
    "tls_failure",
    "with_headers",
]

BODY_PIECE_BYTES = 65_536
"""A decoder hands out at most about this much at a time, however well the body was compressed."""

_MOST_LAYERS = 2
_MOST_MEMBERS = 1024
_ZSTD_WINDOW_LOG = 23  # 8 MiB, the most that RFC 9659 §3 lets a server ask for


class FetchRequest(Struct, frozen=True):
    """One GET. `url` is in normal form. `headers` are added to, or replace, those of the configuration.

    `timeout_s` is the total of seconds that the fetch may take; `max_body_bytes` counts decoded bytes.
    """

    url: str
    headers: tuple[tuple[str, str], ...] = ()
    timeout_s: float = 30.0
    max_body_bytes: int = 10_000_000


class FetchResult(Struct, frozen=True):
    """An answer, whatever its status.

    `headers` are (lower-case name, value) pairs in the order received, free of control characters and lone
    surrogates. `body` is decoded from its Content-Encoding, `body_bytes` its length. `truncated` says that there was
    more, or that the compressed stream broke off before its end. `latency_s` is the time from the start of the fetch
    to the complete headers (look-up and connecting included). `address` is the IP address that answered.
    """

    url: str
    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    body_bytes: int = 0
    truncated: bool = False
    latency_s: float = 0.0
    address: str | None = None

    def header(self, name: str) -> str | None:
        """Value of the first header called `name` (lower case), or None."""
        for key, value in self.headers:
            if key == name:
                return value
        return None


class Transport(Protocol):
    """What downloads. The promises stand at the top of this module."""

    async def fetch(self, request: FetchRequest) -> FetchResult | Failure:
        """Ask once. A bad server is a `Failure`, never an exception."""
        ...

    async def address(self, url: str) -> str | None:
        """IP address that a fetch of `url` would try first.

        None if it cannot be told, or the look-up failed: then `fetch` says why. Raises only `asyncio.CancelledError`.
        """
        ...

    async def close(self) -> None:
        """End connections and threads; fetches under way fail. Idempotent."""
        ...


# --- headers ---------------------------------------------------------------------------------------------------------

ACCEPT = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
ACCEPT_ENCODING = ", ".join(
    ["gzip", "deflate", *(["br"] if brotli is not None else []), *(["zstd"] if zstd is not None else [])]
)

# C0 without blanks, DEL and C1: whatever could move a terminal's cursor or break a line-based log.
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f]")
_BLANKS = re.compile(r"[\t-\r ]+")


def request_headers(config: CrawlConfig) -> dict[str, str]:
    """Headers of every request: the defaults, then the configuration's, which win whatever their case."""
    merged = {"user-agent": ("User-Agent", config.user_agent)}
    merged["accept"] = ("Accept", ACCEPT)
    merged["accept-encoding"] = ("Accept-Encoding", ACCEPT_ENCODING)
    for name, value in config.headers:
        merged[name.lower()] = (name, value)
    return dict(merged.values())


def with_headers(common: Mapping[str, str], extra: Iterable[tuple[str, str]]) -> dict[str, str]:
    """`common` with the pairs of `extra` added; a name that both have is taken from `extra`."""
    added = dict(extra)
    replaced = {name.lower() for name in added}
    return {name: value for name, value in common.items() if name.lower() not in replaced} | added


def clean_headers(pairs: Iterable[tuple[str, str]], codec: str, errors: str = "strict") -> tuple[tuple[str, str], ...]:
    """(lower-case name, value) pairs that can be stored and shown.

    `codec` and `errors` are how the library decoded the bytes on the wire: they are undone, then the value is read as
    UTF-8, or as Latin-1 if it is not UTF-8 (RFC 9110 §5.5 leaves it open). Control characters are dropped.
    """
    return tuple(
        (name.lower(), value) if value.isascii() and value.isprintable() else _cleaned(name, value, codec, errors)
        for name, value in pairs
    )


def _cleaned(name: str, value: str, codec: str, errors: str) -> tuple[str, str]:
    raw = value.encode(codec, errors)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    return name.lower(), _BLANKS.sub(" ", _CONTROLS.sub("", text)).strip()


def is_redirect(status: int, headers: Iterable[tuple[str, str]]) -> bool:
    """Whether an answer only points elsewhere: its body says nothing and is not read (RFC 9110 §15.4)."""
    return 300 <= status < 400 and any(name == "location" for name, _ in headers)


# --- bodies ----------------------------------------------------------------------------------------------------------


class CodingError(Exception):
    """A body's Content-Encoding cannot be undone. Stays inside the transports: it becomes `Failure("encoding")`."""


class _Decoder(Protocol):
    """Undoes one coding, a piece at a time. `complete` says whether its stream has come to a proper end."""

    complete: bool

    def decode(self, data: bytes) -> Iterator[bytes]: ...


class _Gzip:
    """RFC 1952: any number of members; what follows the last one and is no member is ignored, as browsers do."""

    def __init__(self) -> None:
        self.complete = False
        self._stream = zlib.decompressobj(zlib.MAX_WBITS | 16)
        self._members = 1
        self._held = b""  # a first byte that may begin another member
        self._ignore = False

    def decode(self, data: bytes) -> Iterator[bytes]:
        while not self._ignore:
            if self.complete:
                data = self._held + data
                self._held = b""
                if data in (b"", b"\x1f"):
                    self._held = data
                    return
                if not data.startswith(b"\x1f\x8b"):
                    self._ignore = True
                    return
                self._members += 1
                if self._members > _MOST_MEMBERS:
                    raise CodingError(f"more than {_MOST_MEMBERS:,} gzip members")
                self._stream = zlib.decompressobj(zlib.MAX_WBITS | 16)
                self.complete = False
            yield from _inflate(self._stream, data)
            if not self._stream.eof:
                return
            self.complete = True
            data = self._stream.unused_data


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
        yield from _inflate(self._stream, data)
        self.complete = self._stream.eof


def _inflate(stream: "zlib._Decompress", data: bytes) -> Iterator[bytes]:
    try:
        while True:
            piece = stream.decompress(data, BODY_PIECE_BYTES)
            if piece:
                yield piece
            data = stream.unconsumed_tail
            # A full piece may leave output behind in zlib although all input is used up.
            if stream.eof or (not data and len(piece) < BODY_PIECE_BYTES):
                return
    except zlib.error as error:
        raise CodingError(str(error)) from error


class _Brotli:
    """RFC 7932."""

    def __init__(self) -> None:
        self.complete = False
        self._stream = brotli.Decompressor()

    def decode(self, data: bytes) -> Iterator[bytes]:
        try:
            while not self.complete:
                piece = self._stream.process(data, output_buffer_limit=BODY_PIECE_BYTES)
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
                piece = self._stream.decompress(data, BODY_PIECE_BYTES)
                if piece:
                    yield piece
                data = b""
                if self._stream.eof:
                    data = self._stream.unused_data
                    self._stream = None
                    self.complete = True
        except zstd.ZstdError as error:
            raise CodingError(str(error)) from error


_DECODERS: dict[str, Callable[[], _Decoder]] = {"gzip": _Gzip, "x-gzip": _Gzip, "deflate": _Deflate}
if brotli is not None:
    _DECODERS["br"] = _Brotli
if zstd is not None:
    _DECODERS["zstd"] = _Zstd
# Registered codings that nobody asked for. Other unknown names ("utf-8", "none") are servers' mistakes: the body is
# plain, and browsers take it so.
_UNDECODABLE = frozenset({"aes128gcm", "br", "compress", "dcb", "dcz", "exi", "pack200-gzip", "x-compress", "zstd"})


class Body:
    """Collects one body, decoding as it comes, and never holds more than `limit` bytes and a piece.

    `content_encoding` is the header's value ("" = none). Raises `CodingError` for more than two layers and for a
    coding that cannot be undone; `feed` raises it for a broken stream.
    """

    def __init__(self, content_encoding: str, limit: int) -> None:
        self._limit = limit
        self._bytes = bytearray()
        self.truncated = False
        self._layers: list[_Decoder] = []
        # What goes into a decoder is bounded too, or a stream that decodes to nothing would be read for ever.
        self._input_left: list[int] = []
        if content_encoding:
            names = [name.strip().lower() for name in content_encoding.split(",")]
            for name in names:
                if name in _UNDECODABLE and name not in _DECODERS:
                    raise CodingError(f"Content-Encoding {name!r} is not supported")
            known = [name for name in names if name in _DECODERS]
            if len(known) > _MOST_LAYERS:
                raise CodingError(f"{len(known)} layers of Content-Encoding, at most {_MOST_LAYERS} are undone")
            # Codings are listed in the order in which they were applied (RFC 9110 §8.4).
            self._layers = [_DECODERS[name]() for name in reversed(known)]
            self._input_left = [2 * limit + BODY_PIECE_BYTES for _ in known]

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


# --- failures -----------------------------------------------------------------------------------------------------


def one_line(text: str) -> str:
    """A library's message, fit for `Failure.detail`."""
    whole = text.encode("utf-8", "replace").decode("utf-8")  # no lone surrogates
    return " ".join(_CONTROLS.sub("", whole).split())[:200]


def tls_context() -> ssl.SSLContext:
    """Verify certificates and names, trusting the system's authorities and Mozilla's list (certifi).

    Both, because a small container has no system store and a company's own authority is not in Mozilla's.
    """
    context = ssl.create_default_context()
    context.load_verify_locations(cafile=certifi.where())
    return context


def tls_failure(error: ssl.SSLError | ssl.CertificateError) -> Failure:
    """`Failure("tls")` with OpenSSL's reason: "certificate has expired", "self-signed certificate" and so on."""
    reason = getattr(error, "reason", None) or ""
    detail = getattr(error, "verify_message", None) or reason.replace("_", " ").lower() or str(error)
    broke_off = isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError)
    return Failure("tls", str(detail), retryable=broke_off)


# Values of c-ares (ares.h, part of its ABI): no data, no such name, bad name.
_ARES_FINAL = frozenset({1, 4, 8})
_EAI_FINAL = frozenset(
    value
    for name in ("EAI_NONAME", "EAI_NODATA", "EAI_ADDRFAMILY", "EAI_FAMILY")
    if (value := getattr(socket, name, None)) is not None
)


def dns_failure(host: str, error: BaseException) -> Failure:
    """`Failure("dns")` for a look-up by the C library or c-ares; trying again helps unless the name is unknown."""
    code = error.args[0] if error.args else None
    final = _EAI_FINAL if isinstance(error, socket.gaierror) else _ARES_FINAL
    text = str(error.args[-1]) if error.args else str(error)
    return Failure("dns", f"{host}: {text}", retryable=not isinstance(error, UnicodeError) and code not in final)
