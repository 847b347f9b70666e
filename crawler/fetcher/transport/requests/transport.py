"""A transport on requests, in threads: for its adapters and authentication plug-ins, and as the classic baseline.

It keeps the promises of `transport.base`, with a few differences that come from the libraries below. The
deadline begins when a thread takes the request up. Characters that RFC 3986 does not allow in a URL (`|`, `{`) are
sent percent-encoded. http.client cannot tell broken chunks (`protocol`) from missing ones (`incomplete`).
"""

import asyncio
import http.client
import logging
import queue
import ssl
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any
from weakref import ref

import msgspec
import requests
import urllib3
import urllib3.exceptions
from requests.structures import CaseInsensitiveDict

from crawler.core.config import CrawlConfig
from crawler.core.model import Failure
from crawler.core.threads import call_in, settle, settle_from_thread
from crawler.fetcher.transport import base
from crawler.fetcher.transport.base import FetchRequest, FetchResult
from crawler.fetcher.transport.body import Body
from crawler.fetcher.transport.budget import ByteBudget
from crawler.fetcher.transport.failures import one_line, tls_failure
from crawler.fetcher.transport.guard import AddressGuard
from crawler.fetcher.transport.headers import HeadError, codings_of, read_head, request_headers
from crawler.fetcher.transport.requests.connections import CURRENT, Adapter, Attempt, NoCookies, Session
from crawler.fetcher.transport.requests.resolver import Resolver
from crawler.fetcher.transport.tls import LazyTls
from crawler.web.content_coding import CodingError
from crawler.web.gzip_members import PIECE_BYTES
from crawler.web.urls import authority

__all__ = ["RequestsTransport"]

logger = logging.getLogger(__name__)

# A body in one-byte chunks costs a thousand times more CPU per byte than any other: rest after every `_DRIP_READS`
# chunks, if they were that small on average.
_DRIP_READS = 256
_DRIP_BYTES = 64
_DRIP_PAUSE_S = 0.01


class RequestsTransport:
    """Downloads with requests in up to `config.concurrency` threads, which start when they are needed.

    The threads are daemons: a program that ends does not wait for them. Each has a Session of its own; all share one
    pool of connections. State: the list of threads and whether it is closed, written by the event loop's thread only.

    `budget` is for the bytes of bodies under way; by default one of its own. While a download waits for room there its
    deadline waits too, and the server is held back by its socket. Raises `ConfigError` for a `ca_bundle` of no use.
    """

    def __init__(self, config: CrawlConfig, budget: ByteBudget | None = None) -> None:
        self._budget = budget or ByteBudget(config.bytes_in_flight)
        self._most_threads = config.concurrency
        self._guard = AddressGuard(config.allow_private)
        self._resolver = Resolver()
        self._headers = {name: value.encode() for name, value in request_headers(config).items()}
        self._tls = LazyTls(config)
        self._adapter = Adapter(hosts=config.concurrency, per_host=config.per_host + 1, tls=self._tls)
        self._jobs: queue.SimpleQueue[_ThreadFetch | None] = queue.SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._threads: list[threading.Thread] = []
        self._under_way: set[_ThreadFetch] = set()
        self._closed = False

    async def fetch(self, request: FetchRequest) -> FetchResult | Failure:
        """Ask once. See `transport.base` for what is promised."""
        if self._closed:
            return _CLOSED
        job = _ThreadFetch(request, asyncio.get_running_loop())
        begin = partial(
            self._budget.share,
            authority(request.url),
            give_way=partial(call_in, asyncio.get_running_loop(), _give_way, ref(job)),
            timeout_s=request.timeout_s,
            patient=request.patient,
        )
        job.attempt = attempt = Attempt(self._guard, self._resolver, begin, fresh=request.fresh, may_go=request.may_go)
        self._begin(job)
        try:
            return await job.result
        finally:
            self._under_way.discard(job)
            job.stop()
            attempt.release()

    async def address(self, url: str) -> str | None:
        """Look the host up; the resolver remembers the answer for the fetch that follows."""
        if self._closed:
            return None
        try:
            asked = urllib3.util.parse_url(url)
            look_up = self._resolver.begin((asked.host or "").strip("[]"), asked.port or _PORTS[asked.scheme or "http"])
            ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            look_up.add_done_callback(lambda _: settle_from_thread(ended))
            async with asyncio.timeout(base.CONNECT_S):
                await ended
            found = look_up.result()
        except (OSError, ValueError):  # TimeoutError is an OSError
            return None
        addresses = [address for *_, (address, *_) in found]
        return next((one for one in addresses if self._guard.refuses(one) is None), addresses[0])

    def _begin(self, job: "_ThreadFetch") -> None:
        """Hand a job to a thread, a new one if none is idle and there may be more."""
        self._under_way.add(job)
        self._jobs.put(job)
        if not self._idle.acquire(blocking=False) and len(self._threads) < self._most_threads:
            name = f"requests-{len(self._threads)}"
            thread = threading.Thread(target=self._work, name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    async def close(self) -> None:
        """End all connections and threads; fetches under way fail. Idempotent."""
        self._closed = True
        for job in tuple(self._under_way):
            job.give_up()
        for _ in self._threads:
            self._jobs.put(None)
        # A thread inside the C library's resolver cannot be woken; it is a daemon and ends with its look-up.
        await asyncio.to_thread(_join, [*self._threads, *self._resolver.close()], 1.0)
        self._threads.clear()
        self._adapter.close()

    def _work(self) -> None:
        """What a thread does: job after job until a None."""
        session = Session()
        session.trust_env = False
        session.headers = CaseInsensitiveDict(self._headers)
        session.cookies = NoCookies()
        session.mount("http://", self._adapter)
        session.mount("https://", self._adapter)
        while (job := self._jobs.get()) is not None:
            deliver = job.work(session)
            self._idle.release()
            deliver()
            del job, deliver  # a thread that waits for the next job must not keep the body


def _join(threads: list[threading.Thread], patience_s: float) -> None:
    until = time.monotonic() + patience_s
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))


_CLOSED = Failure("connect", "this transport is closed", retryable=True)


class _ThreadFetch:
    """One fetch on its way through a thread. All methods but `work` run in the event loop's thread."""

    attempt: Attempt

    def __init__(self, request: FetchRequest, loop: asyncio.AbstractEventLoop) -> None:
        self.request = request
        self.result: asyncio.Future[FetchResult | Failure] = loop.create_future()
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None

    def work(self, session: requests.Session) -> Callable[[], None]:
        """Fetch; return what hands the result to the event loop.

        The clock starts here. A socket's own timeout begins anew with each byte, so it cannot be the deadline.
        """
        self.attempt.deadline = time.monotonic() + self.request.timeout_s
        call_in(self._loop, self._wind_up)
        CURRENT.attempt = self.attempt
        try:
            result = _fetch(session, self.request, self.attempt)
        finally:
            self.attempt.detach()
        return partial(call_in, self._loop, self._settle, result)

    def _wind_up(self) -> None:
        if not self.result.done():
            self._timer = self._loop.call_later(self.request.timeout_s, self._expire)

    def _expire(self) -> None:
        left_s = self.attempt.remaining_s()
        if left_s > 0:  # it has waited for room, and may do so still
            self._timer = self._loop.call_later(left_s, self._expire)
            return
        self._settle(self.attempt.timeout(self.request))
        self.stop()

    def _settle(self, result: FetchResult | Failure) -> None:
        """The first result counts."""
        settle(self.result, result)

    def give_up(self) -> None:
        """End it because the transport closes."""
        self._settle(_CLOSED)
        self.stop()

    def give_way(self, failure: Failure) -> None:
        """End it because others wait."""
        self._settle(failure)
        self.stop()

    def stop(self) -> None:
        """Make sure that the thread does not go on with it."""
        if self._timer is not None:
            self._timer.cancel()
        self.attempt.abort()


def _give_way(job: "ref[_ThreadFetch]", failure: Failure) -> None:
    """Have a fetch give way if it still goes on. It knows what calls this: a circle would keep its body."""
    one = job()
    if one is not None:
        one.give_way(failure)


_PORTS = {"http": 80, "https": 443}


def _fetch(session: requests.Session, request: FetchRequest, attempt: Attempt) -> FetchResult | Failure:
    try:
        return _exchange(session, request, attempt)
    except base.NotNowError:
        return base.NOT_NOW
    except CodingError as error:
        return Failure("encoding", str(error), retryable=False, answered=True, address=attempt.address)
    except Exception as error:  # noqa: BLE001 - three libraries' errors; a bad server must not end a crawl
        failure = _failure(error, attempt, request)
        # A kept connection may end just as it is used again: that says nothing about the server.
        ended = attempt.reused and not attempt.answered and failure.kind in {"reset", "protocol"}
        stale = ended and failure.retryable
        return msgspec.structs.replace(
            failure, stale=stale, answered=attempt.answered, address=attempt.address or attempt.tried
        )


def _exchange(session: requests.Session, request: FetchRequest, attempt: Attempt) -> FetchResult:
    started = time.perf_counter()
    # Blanks around a value are not part of it (RFC 9110 §5.5), but requests would refuse it, and quote it.
    own = {name.strip(): value.strip().encode() for name, value in request.headers}
    prepared = session.prepare_request(requests.Request("GET", request.url, headers=own))
    prepared.url = request.url  # as little rewriting as possible: the normal form is not ours to change
    response = session.send(prepared, stream=True, timeout=attempt.left_s(), allow_redirects=False, proxies={})
    latency_s = time.perf_counter() - started
    attempt.answered = True
    try:
        raw = response.raw
        pairs = list(raw.headers.iteritems())
        head = read_head(response.status_code, pairs, "latin-1")
        body = Body("" if head.redirect else codings_of(head.headers), request.max_body_bytes)
        if not head.redirect or raw.length_remaining == 0:
            _read_all(raw, body, attempt)
        return body.result(
            request,
            response.status_code,
            head.headers,
            latency_s=latency_s,
            address=attempt.address,
            version="1.0" if raw.version == 10 else "1.1",
            reason=(raw.reason or "").encode("latin-1", "replace"),
            raw_headers=tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs),
        )
    finally:
        response.close()  # a connection that was read to its end is back in the pool by now


def _read_all(raw: urllib3.BaseHTTPResponse, body: Body, attempt: Attempt) -> None:
    """Read until the end of the answer, or until the body wants no more."""
    reads = received = 0
    attempt.begin()
    while chunk := raw.read1(PIECE_BYTES, decode_content=False):
        attempt.left_s()
        attempt.wait_for_room(body.size_with(chunk))
        body.add(chunk)
        reads += 1
        received += len(chunk)
        drips = reads % _DRIP_READS == 0 and received < reads * _DRIP_BYTES
        if drips or body.is_long:
            for _ in body.look():
                attempt.left_s()
        if body.full:
            return
        if drips:
            time.sleep(_DRIP_PAUSE_S)


def _failure(error: Exception, attempt: Attempt, request: FetchRequest) -> Failure:  # noqa: PLR0911 - a table of cases
    """What an exception means: the first cause that has a meaning of its own."""
    if attempt.failure is not None:
        return attempt.failure
    if isinstance(error, ValueError):  # requests' and urllib3's own checks, before a connection is asked for
        return Failure("protocol", f"cannot be asked for: {one_line(str(error))}", retryable=False)
    for cause in _causes(error):
        match cause:
            case ssl.SSLError():
                return tls_failure(cause)
            case TimeoutError() | urllib3.exceptions.TimeoutError():
                return attempt.timeout(request)
            case http.client.RemoteDisconnected():
                return Failure("protocol", "connection closed without an answer", retryable=True)
            case http.client.IncompleteRead():
                return Failure("incomplete", one_line(str(cause)), retryable=True)
            case ConnectionError() if not isinstance(cause, requests.RequestException):
                return Failure("reset", cause.strerror or str(cause), retryable=True)
            case HeadError():
                return Failure("protocol", str(cause), retryable=False)
            case http.client.HTTPException():
                return Failure("protocol", one_line(f"{type(cause).__name__}: {cause}"), retryable=False)
    if not isinstance(error, OSError | urllib3.exceptions.HTTPError):
        logger.warning("unexpected %s while fetching %s", type(error).__name__, request.url, exc_info=error)
    return Failure("protocol", f"{type(error).__name__}: {one_line(str(error))}", retryable=True)


def _causes(error: BaseException) -> list[BaseException]:
    """An exception and all that it wraps, outermost first: requests and urllib3 hide causes in `args` and `reason`."""
    found: list[BaseException] = []
    todo: list[Any] = [error]
    while todo:
        item = todo.pop(0)
        if isinstance(item, BaseException) and item not in found:
            found.append(item)
            todo += [*item.args, getattr(item, "reason", None), item.__cause__, item.__context__]
    return found
