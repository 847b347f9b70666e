"""The default transport: one connection pool of aiohttp, and its parser, on the running event loop.

What aiohttp would do by itself and must not: follow redirects, keep cookies, ask a resolver for `*.localhost`,
connect to any address, decode without bound, send a request again on a fresh connection, queue answers that nobody
asked for.
"""

import asyncio
import logging
import ssl
import sys
import time
from functools import partial

import aiohttp
import msgspec
from yarl import URL

from crawler.core.config import CrawlConfig
from crawler.core.model import Failure
from crawler.core.threads import call_in
from crawler.fetcher.transport import base
from crawler.fetcher.transport.aiohttp.connections import Attempt, Connector, Peer, inner_failure
from crawler.fetcher.transport.base import FetchRequest, FetchResult
from crawler.fetcher.transport.body import Body
from crawler.fetcher.transport.budget import FREE_BYTES, ByteBudget, Share
from crawler.fetcher.transport.descriptors import spare_descriptors
from crawler.fetcher.transport.failures import connect_failure, one_line, tls_failure
from crawler.fetcher.transport.guard import AddressGuard
from crawler.fetcher.transport.headers import HeadError, codings_of, read_head, request_headers
from crawler.fetcher.transport.tls import LazyTls
from crawler.web.content_coding import CodingError
from crawler.web.urls import authority, origin

__all__ = ["AiohttpTransport"]

logger = logging.getLogger(__name__)

# Long enough for the usual delays between two requests to a host; idle connections cost file descriptors.
_KEEP_ALIVE_S = 5.0
_DNS_TTL_S = 300
_DNS_ENTRIES = 10_000
_LOOK_UP_S = 10.0
_PEERS = 4_096  # origins whose head of a request is kept, of about 3 KB each
# A body in one-byte chunks costs a thousand times more CPU per byte than any other. aiohttp stops reading after
# 4,096 chunks, and from `_DRIP_READS` reads on, if they are small, we let it wait before the next one.
# An honest slow server does not notice: the kernel collects what it sends meanwhile.
_DRIP_READS = 16
_DRIP_BYTES = 16_384
_DRIP_PAUSE_S = 0.05
# What aiohttp raises when a connection ends before an answer.
_ENDED = (aiohttp.ClientOSError, aiohttp.ClientConnectionResetError, aiohttp.ServerDisconnectedError)
# Bytes that are decoded in one turn of the loop.
_DECODED_A_TURN = 262_144


class AiohttpTransport:
    """Downloads with aiohttp. Make one for each event loop; the pool of connections begins with the first fetch.

    State: that pool and the origins asked lately, used from the event loop's thread only. Idle connections live 5 s, so
    that open sockets are about the fetches under way plus five seconds' worth of hosts, or what the system allows.

    `budget` is for the bytes of bodies under way; by default one of its own. While a download waits for room there its
    deadline waits too, and the server is held back by its socket. Raises `ConfigError` for a `ca_bundle` of no use.
    """

    def __init__(self, config: CrawlConfig, budget: ByteBudget | None = None) -> None:
        self._budget = budget or ByteBudget(config.bytes_in_flight)
        self._concurrency, self._parsers = config.concurrency, config.parsers
        self._guard = AddressGuard(config.allow_private)
        self._headers = request_headers(config)
        self._tls = LazyTls(config)
        self._connector: Connector | None = None
        self._peers: dict[str, Peer] = {}
        self._closed = False

    async def fetch(self, request: FetchRequest) -> FetchResult | Failure:
        """Ask once. See `transport.base` for what is promised."""
        attempt = Attempt()
        try:
            async with asyncio.timeout(request.timeout_s) as clock:
                return await self._exchange(request, attempt, clock)
        except TimeoutError:
            if attempt.gave_way is not None:
                return attempt.gave_way
            failure, ended = _timeout(request, attempt), False
        except base.NotNowError:
            return base.NOT_NOW
        except CodingError as error:
            failure, ended = Failure("encoding", str(error), retryable=False), False
        except Exception as error:  # noqa: BLE001 - aiohttp raises many types; a bad server must not end a crawl
            failure, ended = _failure(error, attempt, request.url), isinstance(error, _ENDED)
        # A kept connection may end just as it is used again: that says nothing about the server.
        stale = ended and attempt.reused and not attempt.answered
        return msgspec.structs.replace(failure, stale=stale, answered=attempt.answered, address=attempt.address)

    async def _exchange(self, request: FetchRequest, attempt: Attempt, clock: asyncio.Timeout) -> FetchResult:
        connector = self._connector or self._open()
        started = time.perf_counter()
        peer = self._peer(request.url)
        sent = peer.head(request.url, request.headers)
        connection, message, content = await connector.ask(
            peer, sent, attempt, fresh=request.fresh, last=request.last, may_go=request.may_go
        )
        latency_s = time.perf_counter() - started
        attempt.answered = True
        room = _Room(self._budget, request, attempt, clock)
        try:
            head = read_head(message.code, message.headers.items(), "utf-8", "surrogateescape")
            body = Body("" if head.redirect else codings_of(head.headers), request.max_body_bytes)
            if not head.redirect:
                await _read_all(content, body, attempt, room)
            return body.result(
                request,
                message.code,
                head.headers,
                latency_s=latency_s,
                address=attempt.address,
                version=_version(message.version),
                reason=(message.reason or "").encode("utf-8", "surrogateescape"),
                raw_headers=message.raw_headers,
            )
        finally:
            room.release()
            connection.release()  # to the pool if it was read to its end, else closed

    def _peer(self, url: str) -> Peer:
        """Return what is known of the origin of a URL, and remember it for the next."""
        name = origin(url)
        peer = self._peers.get(name)
        if peer is None:
            if len(self._peers) >= _PEERS:
                self._peers.pop(next(iter(self._peers)))
            # Sent as it stands: the normal form is not ours to change.
            tls = self._tls.context if url.startswith("https:") else True
            peer = self._peers[name] = Peer(url, self._headers, tls)
        return peer

    async def address(self, url: str) -> str | None:
        """Look the host up as a fetch would; aiohttp's connector remembers the answer for the fetch that follows."""
        connector = self._connector or self._open()
        try:
            async with asyncio.timeout(_LOOK_UP_S):
                return await connector.first_address(URL(url, encoded=True))
        except (TimeoutError, OSError, aiohttp.ClientError, UnicodeError):
            return None

    def _open(self) -> Connector:
        if self._closed:
            raise RuntimeError("this transport is closed")
        connector = self._connector = Connector(
            self._guard,
            spare_descriptors(self._concurrency, self._parsers),
            limit=0,  # the fetcher limits
            ttl_dns_cache=_DNS_TTL_S,
            dns_cache_max_size=_DNS_ENTRIES,
            keepalive_timeout=_KEEP_ALIVE_S,
            # asyncio before 3.12.8 leaves TLS connections open whose peer never says good-bye.
            enable_cleanup_closed=sys.version_info < (3, 12, 8),
        )
        return connector

    async def close(self) -> None:
        """End all connections; fetches under way fail. Idempotent."""
        self._closed = True
        connector, self._connector = self._connector, None
        if connector is not None:
            await connector.close()
            await connector.close_resolver()


def _version(version: aiohttp.HttpVersion | None) -> str:
    return "1.1" if version is None else f"{version.major}.{version.minor}"


async def _read_all(content: aiohttp.StreamReader, body: Body, attempt: Attempt, room: "_Room") -> None:
    """Read until the end of the answer, or until the body wants no more. Raises ConnectionResetError for a reset."""
    reads = received = decoded = 0
    if not content.is_eof():
        room.begin()
    try:
        while chunk := await content.readany():
            total = body.size_with(chunk)
            if not room.is_there(total):
                await room.wait(total)
            body.add(chunk)
            reads += 1
            received += len(chunk)
            drips = reads >= _DRIP_READS and received < reads * _DRIP_BYTES
            if drips or body.is_long:
                for size in body.look():
                    decoded += size
                    if decoded >= _DECODED_A_TURN:
                        decoded = 0
                        await asyncio.sleep(0)  # a chunk may decode to a whole body, and others wait
            if body.full:
                return
            if drips:
                await asyncio.sleep(_DRIP_PAUSE_S)
    except aiohttp.ClientPayloadError as error:
        if attempt.was_reset():
            raise ConnectionResetError(f"reset after {received:,} bytes of the body") from error
        raise
    # A body without a length ends with its connection, and aiohttp takes a reset for such an end.
    if attempt.was_reset():
        raise ConnectionResetError(f"reset after {received:,} bytes of the body")


class _Room:
    """Room for one body in the budget, with the clock of its fetch.

    State, of the event loop's thread: the share, which bodies that come at once and are small do not need.
    """

    def __init__(self, budget: ByteBudget, request: FetchRequest, attempt: Attempt, clock: asyncio.Timeout) -> None:
        self._budget = budget
        self._request = request
        self._attempt = attempt
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._share: Share | None = None

    def begin(self) -> Share:
        """Count the body from here on; it can be told to give way."""
        share = self._share = self._budget.share(
            authority(self._request.url),
            self._attempt.address,
            give_way=partial(call_in, self._loop, self._give_way),
            timeout_s=self._request.timeout_s,
            patient=self._request.patient,
        )
        return share

    def is_there(self, total: int) -> bool:
        """Whether the body may be `total` bytes long."""
        share = self._share
        if share is None:
            if total <= FREE_BYTES:
                return True
            share = self.begin()
        return share.grow(total)

    async def wait(self, total: int) -> None:
        """Wait until it is there, with the clock stopped: it is not the server that is slow."""
        share, clock = self._share, self._clock
        while share is not None and not share.grow(total):
            left_s = (clock.when() or 0.0) - self._loop.time()
            if not clock.expired():  # else the next await is the last
                clock.reschedule(None)
            await share.wait()
            if self._attempt.gave_way is not None:
                raise TimeoutError
            clock.reschedule(self._loop.time() + left_s)

    def _give_way(self, failure: Failure) -> None:
        if self._share is not None and not self._share.released and not self._clock.expired():
            self._attempt.gave_way = failure
            self._clock.reschedule(self._loop.time())

    def release(self) -> None:
        """Give everything back: the fetch ends in this turn of the loop, and the body has another keeper."""
        if self._share is not None:
            self._share.release()


def _timeout(request: FetchRequest, attempt: Attempt) -> Failure:
    limit_s = request.timeout_s
    if attempt.protocol is None:
        limit_s = min(limit_s, base.CONNECT_S)
    if attempt.answered:
        where = "the body did not end"
    elif attempt.protocol is not None:
        where = "no complete headers"
    elif attempt.opened:
        where = "not connected"
    else:
        where = "the name was not resolved"
    return Failure("timeout", f"{where} within {limit_s:g} s", retryable=True)


def _failure(error: Exception, attempt: Attempt, url: str) -> Failure:  # noqa: PLR0911 - a table of cases
    """What an exception of aiohttp, or of what lies below it, means."""
    if attempt.refused is not None and not attempt.opened:
        return Failure("private-address", attempt.refused, retryable=False)
    inner = inner_failure(error)
    if inner is not None:
        return inner
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return tls_failure(error.certificate_error)
        case aiohttp.ClientConnectorSSLError():
            return tls_failure(error.os_error)
        case aiohttp.ClientConnectorError():
            return connect_failure(error.os_error)
        case aiohttp.ServerDisconnectedError():
            return Failure("protocol", "connection closed without an answer", retryable=True)
        case TimeoutError():
            return Failure("timeout", str(error) or "timed out", retryable=True)
        case ssl.SSLError():
            return tls_failure(error)
        case OSError():
            return Failure("reset", error.strerror or str(error), retryable=True)
        case HeadError():
            return Failure("protocol", str(error), retryable=False)
        case aiohttp.InvalidURL() | aiohttp.NonHttpUrlClientError() | ValueError():
            return Failure("protocol", f"cannot be asked for: {one_line(str(error))}", retryable=False)
    if not isinstance(error, aiohttp.ClientError | RuntimeError):
        logger.warning("unexpected %s while fetching %s", type(error).__name__, url, exc_info=error)
    return Failure("protocol", f"{type(error).__name__}: {one_line(str(error))}", retryable=True)
