"""The default transport: one aiohttp session, one connection pool, on the running event loop.

What aiohttp would do by itself and must not: follow redirects, keep cookies, ask a resolver for `*.localhost`,
connect to any address, decode without bound, send a request again on a fresh connection.
"""

import asyncio
import logging
import socket
import ssl
import sys
import time
from contextvars import ContextVar
from functools import cached_property

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import AddrInfoType, Connection
from aiohttp.resolver import DefaultResolver
from aiohttp.tracing import Trace
from yarl import URL

from crawler.config import CrawlConfig
from crawler.model import Failure
from crawler.transport.base import FetchRequest, FetchResult, is_redirect
from crawler.transport.body import Body
from crawler.transport.coding import CodingError
from crawler.transport.failures import connect_failure, dns_failure, one_line, tls_failure
from crawler.transport.guard import LOOPBACK_ADDRESSES, AddressGuard, is_localhost
from crawler.transport.headers import clean_headers, content_encoding, request_headers, with_headers
from crawler.transport.tls import tls_context

__all__ = ["AiohttpTransport"]

logger = logging.getLogger(__name__)

# Above what honest servers send (Content-Security-Policy reaches 16 KB), below what hurts: 256 of 64 KiB at most.
_MAX_LINE_BYTES = 65_536
_MAX_HEADERS = 256
# Long enough for the usual delays between two requests to a host; idle connections cost file descriptors.
_KEEP_ALIVE_S = 5.0
_DNS_TTL_S = 300
_DNS_ENTRIES = 10_000
_LOOK_UP_S = 10.0
# A body in one-byte chunks costs a thousand times more CPU per byte than any other. aiohttp stops reading after
# `_BUFFER_BYTES` / 16 chunks, and from `_DRIP_READS` reads on, if they are small, we let it wait before the next one.
# An honest slow server does not notice: the kernel collects what it sends meanwhile.
_BUFFER_BYTES = 65_536
_DRIP_READS = 16
_DRIP_BYTES = 16_384
_DRIP_PAUSE_S = 0.05


class _RefusedError(OSError):
    """The guard refuses an address. An OSError, so that the other addresses of the name are still tried."""


class _Attempt:
    """What one exchange found out on its way. Written by the connector, read by the fetch that it belongs to."""

    __slots__ = ("address", "answered", "opened", "protocol", "refused", "reused")

    def __init__(self) -> None:
        self.refused: str | None = None  # reason of the last refused address
        self.opened = 0  # sockets made
        self.reused = False
        self.answered = False
        self.address: str | None = None
        self.protocol: ResponseHandler | None = None

    def was_reset(self) -> bool:
        """Whether the connection ended by an error rather than a proper close. Only known until it is released."""
        return self.protocol is not None and isinstance(self.protocol.exception(), OSError)


# Context variables follow the fetch into the tasks that race for a connection (RFC 8305).
_ATTEMPT: ContextVar[_Attempt] = ContextVar("_ATTEMPT")


class AiohttpTransport:
    """Downloads with aiohttp. Make one for each event loop; the session begins with the first fetch.

    State: the session and its pool, used from the event loop's thread only. Idle connections live 5 s, so that open
    sockets are about the fetches under way plus five seconds' worth of hosts.
    """

    def __init__(self, config: CrawlConfig) -> None:
        self._guard = AddressGuard(allow_private=config.allow_private)
        self._headers = request_headers(config)
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    async def fetch(self, request: FetchRequest) -> FetchResult | Failure:
        """Ask once. See `crawler.transport.base` for what is promised."""
        attempt = _Attempt()
        try:
            async with asyncio.timeout(request.timeout_s):
                while True:
                    _ATTEMPT.set(attempt)
                    try:
                        return await self._exchange(request, attempt)
                    except (
                        aiohttp.ClientOSError,
                        aiohttp.ClientConnectionResetError,
                        aiohttp.ServerDisconnectedError,
                    ):
                        # A kept connection may end just as it is used again: that says nothing about the server.
                        # Each round uses up one idle connection, so this ends.
                        if not attempt.reused or attempt.answered:
                            raise
                    attempt = _Attempt()
        except TimeoutError:
            return _timeout(request, attempt)
        except CodingError as error:
            return Failure("encoding", str(error), retryable=False)
        except Exception as error:  # noqa: BLE001 - aiohttp raises many types; a bad server must not end a crawl
            return _failure(error, attempt, request.url)

    async def _exchange(self, request: FetchRequest, attempt: _Attempt) -> FetchResult:
        session = self._session or self._open()
        started = time.perf_counter()
        response = await session.get(
            URL(request.url, encoded=True),  # sent as it stands: the normal form is not ours to change
            headers=with_headers(self._headers, request.headers) if request.headers else self._headers,
            allow_redirects=False,
            ssl=self._tls if request.url.startswith("https:") else True,
        )
        latency_s = time.perf_counter() - started
        attempt.answered = True
        try:
            status = response.status
            if status < 200:
                raise _ViolationError(f"status {status} without having been asked for")
            headers = clean_headers(response.headers.items(), "utf-8", "surrogateescape")
            redirect = is_redirect(status, headers)
            body = Body("" if redirect else content_encoding(headers), request.max_body_bytes)
            if not redirect:
                await _read_all(response.content, body, attempt)
            return body.result(request, status, headers, latency_s=latency_s, address=attempt.address)
        finally:
            response.release()  # to the pool if it was read to its end, else closed

    async def address(self, url: str) -> str | None:
        """Look the host up as a fetch would; aiohttp's connector remembers the answer for the fetch that follows."""
        session = self._session or self._open()
        connector = session.connector
        if not isinstance(connector, _Connector):
            return None
        try:
            async with asyncio.timeout(_LOOK_UP_S):
                return await connector.first_address(URL(url, encoded=True))
        except (TimeoutError, OSError, aiohttp.ClientError, UnicodeError):
            return None

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return tls_context()  # 50 ms, and many crawls need none

    def _open(self) -> aiohttp.ClientSession:
        if self._closed:
            raise RuntimeError("this transport is closed")
        connector = _Connector(
            limit=0,  # the fetcher limits
            resolver=_Resolver(),
            ttl_dns_cache=_DNS_TTL_S,
            dns_cache_max_size=_DNS_ENTRIES,
            keepalive_timeout=_KEEP_ALIVE_S,
            socket_factory=self._socket,
            # asyncio before 3.12.8 leaves TLS connections open whose peer never says good-bye.
            enable_cleanup_closed=sys.version_info < (3, 12, 8),
        )
        session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),  # `fetch` keeps one clock for everything
            auto_decompress=False,
            trust_env=False,
            read_bufsize=_BUFFER_BYTES,
            max_line_size=_MAX_LINE_BYTES,
            max_field_size=_MAX_LINE_BYTES,
            max_headers=_MAX_HEADERS,
        )
        session._retry_connection = False  # noqa: SLF001 - no public way; else fresh connections are tried twice
        self._session = session
        return session

    def _socket(self, address: AddrInfoType) -> socket.socket:
        """Make the socket for one address, or refuse: no byte has been sent to it before this."""
        family, kind, protocol, _, where = address
        attempt = _ATTEMPT.get()
        reason = self._guard.refuses(str(where[0]))
        if reason is not None:
            attempt.refused = f"{reason}: {where[0]}"
            raise _RefusedError(attempt.refused)
        attempt.opened += 1
        return socket.socket(family, kind, protocol)

    async def close(self) -> None:
        """End all connections; fetches under way fail. Idempotent."""
        self._closed = True
        session, self._session = self._session, None
        if session is not None:
            connector = session.connector
            await session.close()
            if isinstance(connector, _Connector):
                await connector.close_resolver()


class _ViolationError(Exception):
    """A server's answer that aiohttp lets pass and we do not."""


class _Connector(aiohttp.TCPConnector):
    """Tells the attempt which connection it got, and never hands out one that has something left over."""

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - the signature is aiohttp's
    ) -> Connection:
        attempt = _ATTEMPT.get()
        while True:
            opened = attempt.opened
            connection = await super().connect(req, traces, timeout)
            attempt.reused = attempt.opened == opened
            attempt.protocol = protocol = connection.protocol
            if attempt.reused and protocol is not None and protocol.should_close:
                # While it was idle the server sent more than it had promised: the next answer would be a false one.
                connection.close()
                continue
            if connection.transport is not None:
                peer = connection.transport.get_extra_info("peername")
                attempt.address = peer[0] if peer else None
            return connection

    async def first_address(self, url: URL) -> str | None:
        """Look up the host of `url`, or take it as the address that it is."""
        found = await self._resolve_host(url.raw_host or "", url.port or 0)
        return found[0]["host"] if found else None

    async def close_resolver(self) -> None:
        """Close what the connector does not own."""
        await self._resolver.close()


class _Resolver(AbstractResolver):
    """`localhost` and all below it are loopback without asking (RFC 6761 §6.3); other names are aiohttp's business.

    With aiodns (an extra of aiohttp that this package asks for) look-ups cost no thread and /etc/hosts counts;
    without it the C library is asked in threads.
    """

    def __init__(self) -> None:
        self._inner = DefaultResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        if not is_localhost(host):
            return await self._inner.resolve(host, port, family)
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for address in LOOPBACK_ADDRESSES
        ]

    async def close(self) -> None:
        await self._inner.close()


async def _read_all(content: aiohttp.StreamReader, body: Body, attempt: _Attempt) -> None:
    """Read until the end of the answer, or until the body wants no more. Raises ConnectionResetError for a reset."""
    reads = received = 0
    try:
        while chunk := await content.readany():
            if not body.feed(chunk):
                return
            reads += 1
            received += len(chunk)
            if reads >= _DRIP_READS and received < reads * _DRIP_BYTES:
                await asyncio.sleep(_DRIP_PAUSE_S)
    except aiohttp.ClientPayloadError as error:
        if attempt.was_reset():
            raise ConnectionResetError(f"reset after {received:,} bytes of the body") from error
        raise
    # A body without a length ends with its connection, and aiohttp takes a reset for such an end.
    if attempt.was_reset():
        raise ConnectionResetError(f"reset after {received:,} bytes of the body")


def _timeout(request: FetchRequest, attempt: _Attempt) -> Failure:
    if attempt.answered:
        where = "the body did not end"
    elif attempt.protocol is not None:
        where = "no complete headers"
    elif attempt.opened:
        where = "not connected"
    else:
        where = "the name was not resolved"
    return Failure("timeout", f"{where} within {request.timeout_s:g} s", retryable=True)


def _failure(error: Exception, attempt: _Attempt, url: str) -> Failure:  # noqa: PLR0911, PLR0912 - a table of cases
    """What an exception of aiohttp, or of what lies below it, means."""
    if attempt.refused is not None and not attempt.opened:
        return Failure("private-address", attempt.refused, retryable=False)
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return _tls(error.certificate_error)
        case aiohttp.ClientConnectorSSLError():
            return _tls(error.os_error)
        case aiohttp.ClientConnectorDNSError():
            return dns_failure(error.host, error.os_error.__cause__ or error.os_error)
        case aiohttp.ClientConnectorError():
            return connect_failure(error.os_error)
        case aiohttp.ServerDisconnectedError():
            return Failure("protocol", "connection closed without an answer", retryable=True)
        case aiohttp.ClientPayloadError():
            message = getattr(error.__cause__, "message", None) or error
            return Failure("incomplete", one_line(str(message)), retryable=True)
        case aiohttp.ClientResponseError():
            return Failure("protocol", one_line(error.message), retryable=False)
        case TimeoutError():
            return Failure("timeout", str(error) or "timed out", retryable=True)
        case ssl.SSLError():
            return tls_failure(error)
        case OSError():
            return Failure("reset", error.strerror or str(error), retryable=True)
        case _ViolationError():
            return Failure("protocol", str(error), retryable=False)
        case aiohttp.InvalidURL() | aiohttp.NonHttpUrlClientError() | ValueError():
            return Failure("protocol", f"cannot be asked for: {one_line(str(error))}", retryable=False)
    if not isinstance(error, aiohttp.ClientError | RuntimeError):
        logger.warning("unexpected %s while fetching %s", type(error).__name__, url, exc_info=error)
    return Failure("protocol", f"{type(error).__name__}: {one_line(str(error))}", retryable=True)


def _tls(error: Exception) -> Failure:
    if isinstance(error, ssl.SSLError | ssl.CertificateError):
        return tls_failure(error)
    return Failure("tls", str(error), retryable=False)
