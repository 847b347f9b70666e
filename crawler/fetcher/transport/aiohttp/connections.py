"""Connections for the transport on aiohttp: guarded, watched, and with one answer for each request.

A request is written as the bytes that it is, and the answer read from aiohttp's parser: `ClientSession.get` would take
100 µs more a page for what no crawl uses (cookies, proxies, middlewares, tracing, redirects, bodies to send).

This is the one file that leans on what aiohttp does not promise, so that a new version of it has one file to break.
`pyproject.toml` admits the versions that it was tested with; tests/fetcher/transport/test_private_parts.py names what
has changed in another one. The parts are:

- `TCPConnector`: `_factory` makes the protocol of each connection, that of TLS too. `_resolve_host(host, port)` looks a
  name up as a connection does, and remembers; `_loop`; `_resolver`. `_get(key, traces)` takes a connection that was
  kept. `connect(request, traces, timeout)` does that first, and then makes one. It wants of a request what
  `ClientRequest` has, and gives a `Connection` with a `protocol`, which goes back through
  `_release(key, protocol, *, should_close)`, by its `ConnectionKey`. Sockets are made in the context of who asked.
- `ClientRequest(method, url, ssl=, loop=)`, its `connection_key`, and the `Host` among its `headers`.
- `ResponseHandler`, the protocol: `set_response_params` makes a `_parser`, whose `feed_eof()` is None when no answer
  has begun. `data_received` gives each head that it reads to `feed_data((message, body), size)`, for `read` to take. It
  gives what it cannot read to `set_exception`, as a `HttpProcessingError`, and then loses the heads of the same piece;
  `_exception` is what was given. `_payload` is the body under way, which `connection_lost` declares incomplete.
  `force_close` keeps a connection out of the pool.
- `RawResponseMessage`: `code`, `version`, `reason`, `headers`, `raw_headers`. `StreamReader`: `is_eof`,
  `set_exception`.
- Errors: a `ClientPayloadError` has the parser's error for its cause, `PayloadEncodingError` for what is missing and
  another for what is broken. The parser's messages quote what they are about from the first `: b'` on, but for a bad
  status line. What a look-up ended with is the cause of `os_error` of a `ClientConnectorDNSError`.
"""

import asyncio
import re
import socket
import ssl
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from functools import partial
from typing import Any, cast

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.connector import AddrInfoType, Connection
from aiohttp.http import HttpProcessingError, RawResponseMessage
from aiohttp.http_exceptions import PayloadEncodingError
from aiohttp.streams import StreamReader
from yarl import URL

from crawler.core.model import Failure
from crawler.fetcher.transport import base
from crawler.fetcher.transport.aiohttp.resolver import Resolver
from crawler.fetcher.transport.failures import dns_failure, one_line
from crawler.fetcher.transport.guard import AddressGuard
from crawler.fetcher.transport.headers import MOST_INTERIM_ANSWERS, with_one_length
from crawler.fetcher.transport.sessions import OFFER, Offer, Sessions
from crawler.web.urls import origin

__all__ = ["ATTEMPT", "Attempt", "Connector", "Peer", "inner_failure"]

_HEAD_END = b"\r\n\r\n"
_LENGTH = b"\ncontent-length:"
_NO_LIMIT = aiohttp.ClientTimeout(
    total=None, sock_connect=None
)  # `AiohttpTransport.fetch` keeps one clock for everything

_PARSER: dict[str, Any] = {
    "read_until_eof": True,
    "auto_decompress": False,
    "read_bufsize": 65_536,
    # Above what honest servers send (Content-Security-Policy reaches 16 KB), below what hurts: 256 of 64 KiB at most.
    "max_line_size": 65_536,
    "max_field_size": 65_536,
    "max_headers": 256,
}
"""What aiohttp's parser is told: bytes of a body that it holds before it stops reading, and limits of heads."""

# What comes of a handshake that breaks off. A certificate that is not to be trusted is something else.
_BROKEN = aiohttp.ClientConnectorError, aiohttp.ClientOSError

_QUOTED = re.compile(r":\s+b['\"]")  # where a message of aiohttp's parser begins to quote


class _RefusedError(OSError):
    """The guard refuses an address. An OSError, so that the other addresses of the name are still tried."""


class Attempt:
    """What one exchange found out on its way. Written by the connector, read by the fetch that it belongs to."""

    __slots__ = ("address", "answered", "gave_way", "opened", "protocol", "refused", "reused")

    def __init__(self) -> None:
        self.refused: str | None = None  # reason of the last refused address
        self.opened = 0  # sockets made
        self.reused = False
        self.answered = False
        self.gave_way: Failure | None = None  # what it ends as, because others wait
        self.address: str | None = None  # that answers, or was tried last
        self.protocol: ResponseHandler | None = None

    def was_reset(self) -> bool:
        """Whether the connection ended by an error rather than a proper close. Only known until it is released."""
        return self.protocol is not None and isinstance(self.protocol.exception(), OSError)


# Context variables follow the fetch into the tasks that race for a connection (RFC 8305).
ATTEMPT: ContextVar[Attempt] = ContextVar("ATTEMPT")


class _Protocol(ResponseHandler):
    """Takes one answer for each request, after at most a few interim ones, which say nothing (RFC 9110 §15.2).

    aiohttp would pass over interim answers without end, queue answers that nobody asked for without end, lose an
    answer if anything that is none came right behind it, and not tell a body that its chunks are broken.
    """

    # Slots, because the instance's dictionary is about as large as CPython keeps fast.
    __slots__ = (
        "_answer",
        "_answered",
        "_connector",
        "_interim",
        "_key",
        "_offer",
        "_peer",
        "_piece",
        "_tls",
        "is_last",
    )

    def __init__(self, connector: "Connector", loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._connector = connector
        self._answer: StreamReader | None = None  # the body of the answer, from its head on
        self._interim = 0
        self._piece = b""  # what is being read
        self._peer: str | None = None
        self._key: ConnectionKey | None = None
        self._offer: Offer | None = None
        self._tls: ssl.SSLObject | None = None  # as long as its session is not kept
        self._answered = False
        self.is_last = False  # nobody is expected to come back

    def address(self) -> str | None:
        """IP address of the other end, if it is connected."""
        if self._peer is None and self.transport is not None:
            name = self.transport.get_extra_info("peername")
            self._peer = name[0] if name else None
        return self._peer

    def begun(self, key: ConnectionKey, offer: Offer | None) -> None:
        """Learn with whom the handshake of TLS was, and what was offered for it."""
        self._key, self._offer = key, offer
        if self.transport is not None:
            self._tls = self.transport.get_extra_info("ssl_object")
        elif offer is not None:
            self._connector.sessions.broken(key)  # it has ended already

    def is_resumed(self) -> bool:
        """Whether it began with a session, and nothing has come as yet that shows that the server means it."""
        return self._offer is not None and not self._answered and (self._tls is None or self._tls.session_reused)

    def keep_session(self) -> None:
        """Keep what TLS may begin with next time: this connection ends, or another one is made beside it."""
        tls, self._tls = self._tls, None
        if tls is not None and self._answered and not self.is_last:
            self._connector.sessions.used(self._key, tls, self._offer)

    def _retire(self) -> None:
        """Have no part in what the connector knows any more."""
        self.keep_session()
        if self._connector.proven.get(self._key) is self:
            del self._connector.proven[self._key]

    def send(self, head: bytes) -> None:
        """Write a request. Raises ClientConnectionResetError if the connection has just been closed."""
        if self.transport is None or self.transport.is_closing():
            raise aiohttp.ClientConnectionResetError("the connection has just been closed")
        self.transport.write(head)

    def expects_another(self) -> bool:
        """Whether a request can be sent. Not behind an answer's beginning that nobody asked for."""
        try:
            rest = self._parser.feed_eof() if self._parser is not None else None
        except HttpProcessingError:
            return False
        self._answer = None
        self._interim = 0
        return rest is None

    def data_received(self, data: bytes) -> None:
        """Take what the server sent."""
        if self._answer is None:
            # The parser refuses a length that is repeated. One look at a head that comes in one piece, as heads do.
            end = data.find(_HEAD_END)
            head = data[:end].lower() if end > 0 else b""
            at = head.find(_LENGTH)
            if at > 0 and (head.find(_LENGTH, at + 1) > 0 or b"," in head[at : head.find(b"\r", at + 1)]):
                data = with_one_length(data[:end]) + data[end:]
        self._piece = data
        super().data_received(data)
        self._piece = b""

    def feed_data(self, data: tuple[RawResponseMessage, StreamReader], size: int = 0) -> None:
        """Take the head of an answer, which the parser has read."""
        code = data[0].code
        if self._answer is not None:
            self.force_close()
            if self.transport is not None:
                self.transport.close()  # what was received of the answer can still be read
        elif not 100 <= code < 200 or code == 101:
            self._answer = data[1]
            if self._tls is not None and not self._answered:
                self._connector.proven[self._key] = self
            self._answered = True
            super().feed_data(data, size)
        else:
            self._interim += 1
            if self._interim > MOST_INTERIM_ANSWERS:
                many = HttpProcessingError(message=f"more than {MOST_INTERIM_ANSWERS} interim answers")
                super().set_exception(many)

    def set_exception(self, exc: BaseException, *args: Any, **more: Any) -> None:
        """Learn that the connection is of no use any more."""
        piece, self._piece = self._piece, b""
        end = piece.find(_HEAD_END) + len(_HEAD_END)
        if self._answer is None and len(_HEAD_END) <= end < len(piece) and isinstance(exc, HttpProcessingError):
            # The parser gave up on something behind a head, and lost the head with it: once more, one by one.
            self.set_response_params(**_PARSER)
            self.data_received(piece[:end])
            if self._exception is None:
                self.data_received(piece[end:])
            self.force_close()
            return
        if self._answer is not None and not self._answer.is_eof() and isinstance(exc, HttpProcessingError):
            self._answer.set_exception(exc)
        super().set_exception(exc, *args, **more)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Learn that the connection is there."""
        self._connector.open += 1
        super().connection_made(transport)

    def close(self) -> None:
        """Close the connection."""
        self._retire()
        super().close()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Learn that the connection has ended."""
        if self._tls is not None and self.is_resumed():
            self._connector.sessions.broken(self._key)
        self._retire()
        self._connector.open -= 1
        if self._answer is not None and self._answer.is_eof():
            self._payload = None  # it is whole, whatever came behind it
        super().connection_lost(exc)


class Peer:
    """An origin that is asked: what the connector wants to know of it, and the head of each request to it.

    `url` is any URL in normal form of that origin, `headers` go with every request. `tls` is for https. `opened`: so
    many connections were made, which the connector counts.
    """

    __slots__ = ("_headers", "_origin_chars", "_usual", "key", "opened", "request")

    def __init__(self, url: str, headers: Mapping[str, str], tls: ssl.SSLContext | bool) -> None:
        if not url.startswith(("http://", "https://")):
            raise aiohttp.NonHttpUrlClientError(url)
        # Never sent: it names the connection.
        self.request = aiohttp.ClientRequest("GET", URL(url, encoded=True), ssl=tls, loop=asyncio.get_running_loop())
        self.key = self.request.connection_key
        self.opened = 0
        self._origin_chars = len(origin(url))
        self._headers = {"host": ("Host", self.request.headers["Host"])}
        self._headers |= {name.lower(): (name, value) for name, value in headers.items()}
        self._usual = _lines(self._headers.values())

    def head(self, url: str, headers: Iterable[tuple[str, str]]) -> bytes:
        """Return a GET of `url`, with headers that are added to, or replace, those of every request.

        Raises ValueError for one that would not stay one line.
        """
        if headers:
            more = {name.lower(): (name, value) for name, value in headers}
            lines = _lines((self._headers | more).values())
        else:
            lines = self._usual
        return b"GET %b HTTP/1.1\r\n%b\r\n" % (url[self._origin_chars :].encode("ascii"), lines)


def _lines(headers: Iterable[tuple[str, str]]) -> bytes:
    lines = [f"{name}: {value}" for name, value in headers]
    for line in lines:
        if "\r" in line or "\n" in line or "\0" in line:
            raise ValueError("a header with a line break or NUL in it")
    return "".join([f"{line}\r\n" for line in lines]).encode()


class Connector(aiohttp.TCPConnector):
    """Asks the guard where a socket is made, tells the attempt which connection it got, and hands out clean ones only.

    While more than `most_kept` connections are open, one that has done its work is closed instead of kept: with very
    many hosts there would be no descriptor left for new ones. `open` is how many are. The other settings are those of
    aiohttp's connector.
    """

    def __init__(self, guard: AddressGuard, most_kept: int, **settings: Any) -> None:
        super().__init__(resolver=Resolver(), socket_factory=self._socket, **settings)
        self._guard = guard
        self._most_kept = most_kept
        self.open = 0  # written by the connections
        self.sessions = Sessions()
        self.proven: dict[ConnectionKey | None, _Protocol] = {}
        """Of an origin the connection that answered over TLS last, with its session. Written by the connections."""
        # `partial` is invariant in what it makes.
        self._factory = partial(_Protocol, self, loop=self._loop)  # type: ignore[assignment]

    def _socket(self, address: AddrInfoType) -> socket.socket:
        """Make the socket for one address, or refuse: no byte has been sent to it before this."""
        family, kind, protocol, _, where = address
        attempt = ATTEMPT.get()
        reason = self._guard.refuses(str(where[0]))
        if reason is not None:
            attempt.refused = f"{reason}: {where[0]}"
            raise _RefusedError(attempt.refused)
        attempt.opened += 1
        attempt.address = str(where[0])
        return socket.socket(family, kind, protocol)

    async def ask(
        self,
        peer: Peer,
        head: bytes,
        attempt: Attempt,
        *,
        fresh: bool = False,
        last: bool = False,
        may_go: Callable[[], bool] | None = None,
    ) -> tuple[Connection, RawResponseMessage, StreamReader]:
        """Send a request; return the connection, to be released when the body was read, and the answer's head and body.

        A `fresh` one has a connection that no other request has used; those that were kept for the peer are closed.
        `last`: no other request is expected. On a peer's first connection that saves taking its session (0.3 ms).
        `may_go()` is asked last of all: connecting may have taken long. Raises `NotNowError` if it says no.
        Raises what aiohttp raises for a server that cannot be reached, or whose answer cannot be read.
        """
        connection, protocol = await self._kept(peer.key, fresh=fresh) or await self._opened(peer, attempt)
        attempt.protocol, attempt.address = protocol, protocol.address()
        attempt.reused = not attempt.opened or protocol.is_resumed()
        protocol.is_last = last and peer.opened < 2
        try:
            protocol.set_response_params(**_PARSER)
            if may_go is not None:
                base.refuse_late(may_go)
            protocol.send(head)
            message, body = await protocol.read()
        except BaseException:
            connection.close()
            raise
        return connection, message, body

    async def _kept(self, key: ConnectionKey, *, fresh: bool) -> tuple[Connection, _Protocol] | None:
        """Take a connection that was kept and is good for one more answer; close what is in the way of it."""
        while (connection := await self._get(key, [])) is not None:
            protocol = cast("_Protocol", connection.protocol)
            if not fresh and protocol.expects_another():
                return connection, protocol
            connection.close()
        return None

    async def _opened(self, peer: Peer, attempt: Attempt) -> tuple[Connection, _Protocol]:
        """Make a connection, when none is kept. Raises TimeoutError if that takes too long."""
        peer.opened += 1
        ATTEMPT.set(attempt)
        async with asyncio.timeout(base.CONNECT_S):
            if not peer.key.is_ssl:
                connection = await self.connect(peer.request, [], _NO_LIMIT)
                return connection, cast("_Protocol", connection.protocol)
            if (beside := self.proven.pop(peer.key, None)) is not None:
                beside.is_last = False
                beside.keep_session()
            offer = self.sessions.offer(peer.key)
            OFFER.set(offer)
            try:
                connection = await self.connect(peer.request, [], _NO_LIMIT)
            except BaseException as error:
                if offer is None or not offer.made:
                    raise
                self.sessions.broken(peer.key)
                if isinstance(error, aiohttp.ClientConnectorCertificateError) or not isinstance(error, _BROKEN):
                    raise
                OFFER.set(None)
                connection, offer = await self.connect(peer.request, [], _NO_LIMIT), None
        protocol = cast("_Protocol", connection.protocol)
        protocol.begun(peer.key, offer)
        return connection, protocol

    def _release(self, key: ConnectionKey, protocol: ResponseHandler, *, should_close: bool = False) -> None:
        super()._release(key, protocol, should_close=should_close or self.open > self._most_kept)

    async def first_address(self, url: URL) -> str | None:
        """Look up the host of `url`, or take it as the address that it is."""
        found = await self._resolve_host(url.raw_host or "", url.port or 0)
        return found[0]["host"] if found else None

    async def close_resolver(self) -> None:
        """Close what the connector does not own."""
        await self._resolver.close()


def inner_failure(error: Exception) -> Failure | None:
    """Return what an error of aiohttp's parser, or of a look-up, means; None for any other error."""
    match error:
        case aiohttp.ClientConnectorDNSError():
            return dns_failure(error.host, error.os_error.__cause__ or error.os_error)
        case aiohttp.ClientPayloadError(__cause__=HttpProcessingError() as cause) if not _is_missing(cause):
            return Failure("protocol", _without_headers(cause.message), retryable=False)
        case aiohttp.ClientPayloadError():
            message = getattr(error.__cause__, "message", None) or error
            return Failure("incomplete", one_line(str(message)), retryable=True)
        case aiohttp.ClientResponseError() | HttpProcessingError():
            return Failure("protocol", _without_headers(error.message), retryable=False)
    return None


def _is_missing(error: HttpProcessingError) -> bool:
    """Whether a body is incomplete because of what did not come, not of what came."""
    return isinstance(error, PayloadEncodingError)


def _without_headers(message: str) -> str:
    """A message of aiohttp's parser. It quotes what it could not read, and a header may hold a session's cookie."""
    return one_line(message if message.startswith("Bad status line") else _QUOTED.split(message)[0])
