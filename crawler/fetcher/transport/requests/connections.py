"""Connections for the transport on requests: guarded, with one deadline each, and to be ended from another thread.

requests leaves connecting to urllib3. Its connection classes are replaced by ones that ask their thread's `Attempt`.

This is the one file that leans on what requests and urllib3 do not promise (on http.client `response` does), so that a
new version of them has one file to break. `pyproject.toml` admits the versions that it was tested with;
tests/fetcher/transport/test_private_parts.py names what has changed in another one. The parts are:

- urllib3's `HTTPConnection`: `_new_conn()` makes its socket, from `_dns_host`, `port` and `default_port`, and
  `connect()` wraps that in TLS; `sock`; `request` is called for each exchange, and connects again after a `close()`,
  since `auto_open` is set; `response_class` (of http.client) reads the answer; `is_verified` silences a warning.
- `HTTPConnectionPool`: `ConnectionCls` makes its connections. `PoolManager`: `pool_classes_by_scheme` makes its pools.
  Of a pool's settings `ssl_context` is the context of its connections, whose `verify_mode` becomes `cert_reqs`.
- requests' `HTTPAdapter`: `poolmanager`, `build_connection_pool_key_attributes(request, verify, cert)`,
  `build_response(request, response)`, which looks for cookies in `_original_response`, and
  `cert_verify(connection, url, verify, cert)`. `RequestsCookieJar`: `extract_cookies`, `add_cookie_header`.
- `Session.get_redirect_target(response)`: what it says is followed, and its body read, unless it is None.
"""

import contextlib
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any

import requests
import requests.adapters
import urllib3
import urllib3.connection

from crawler.core.model import Failure
from crawler.fetcher.transport import base
from crawler.fetcher.transport.base import FetchRequest
from crawler.fetcher.transport.budget import Share
from crawler.fetcher.transport.failures import connect_failure, dns_failure
from crawler.fetcher.transport.guard import AddressGuard
from crawler.fetcher.transport.requests.look_ups import Found
from crawler.fetcher.transport.requests.resolver import Resolver
from crawler.fetcher.transport.requests.response import StrictResponse
from crawler.fetcher.transport.tls import LazyTls

__all__ = ["CURRENT", "Adapter", "Attempt", "NoCookies", "Session"]


class Attempt:
    """What one fetch found out on its way, and the means to end it from outside.

    Written by its thread; `abort`, `remaining_s` and `release` alone may be called from another one, and the lock is
    for that. `begin(address)` counts its body in the budget.
    """

    def __init__(
        self,
        guard: AddressGuard,
        resolver: Resolver,
        begin: Callable[..., Share],
        *,
        fresh: bool = False,
        may_go: Callable[[], bool] | None = None,
    ) -> None:
        self.fresh = fresh
        self.may_go = may_go
        self.deadline = 0.0
        self._connect_by = 0.0
        self.address: str | None = None
        self.tried: str | None = None
        self.answered = False
        self.reused = True  # until a new connection is made
        self.failure: Failure | None = None
        self._guard = guard
        self._resolver = resolver
        self._begin = begin
        self._share: Share | None = None
        self._released = False
        self._woken = threading.Event()
        self._waits_since: float | None = None
        self._lock = threading.Lock()
        self._aborted = False
        self._wire: socket.socket | None = None

    def left_s(self) -> float:
        """Seconds until the deadline. Raises TimeoutError when there are none."""
        left_s = self.deadline - time.monotonic()
        if left_s <= 0 or self._aborted:
            raise TimeoutError("the deadline has passed")
        return left_s

    def connecting_s(self) -> float:
        """Seconds until the connection must be there. Raises TimeoutError when there are none."""
        left_s = min(self.left_s(), self._connect_by - time.monotonic())
        if left_s <= 0:
            raise TimeoutError("not connected in time")
        return left_s

    def remaining_s(self) -> float:
        """The same from outside, at any time; it may be negative. The clock stands while the fetch waits for room."""
        with self._lock:
            now = time.monotonic() if self._waits_since is None else self._waits_since
            return self.deadline - now

    def wait_for_room(self, total: int) -> None:
        """Wait until the body may be `total` bytes long. Raises TimeoutError if the fetch was ended meanwhile."""
        share = self._share or self.begin()
        while not share.grow(total):
            self._woken.clear()
            self.left_s()
            began = time.monotonic()
            with self._lock:
                self._waits_since = began
            share.wait_in_thread(self._woken)
            with self._lock:
                self.deadline += time.monotonic() - began
                self._waits_since = None
            self.left_s()
        if share.released:
            self.left_s()  # it was ended: nobody counts what it would decode

    def begin(self) -> Share:
        """Count the body from here on; it can be told to give way."""
        share = self._begin(address=self.address)
        with self._lock:
            self._share = share
            released = self._released
        if released:
            share.release()
        return share

    def release(self) -> None:
        """Give all room back, and what the thread takes from now on; from any thread."""
        with self._lock:
            self._released = True
            share = self._share
        if share is not None:
            share.release()

    def timeout(self, request: FetchRequest) -> Failure:
        """The failure of a fetch that took too long."""
        if self.answered:
            where = "the body did not end"
        else:
            where = "not connected" if self.address is None else "no complete headers"
        detail = f"{where} within {request.timeout_s:g} s"
        address = self.address or self.tried
        return Failure("timeout", detail, retryable=True, answered=self.answered, address=address)

    def attach(self, connection: socket.socket) -> None:
        """Remember the connection, by a duplicate: TLS moves the descriptor, http.client closes it early."""
        self.detach()
        wire = socket.socket(fileno=os.dup(connection.fileno()))
        with self._lock:
            if not self._aborted:
                self._wire = wire
                return
        wire.close()
        raise TimeoutError("the deadline has passed")

    def take_up(self, connection: socket.socket | None) -> None:
        """Note the connection that the request goes out on, None if it is still to be made."""
        if self.reused and connection is not None:
            self.attach(connection)
            self.address = str(connection.getpeername()[0])

    def detach(self) -> None:
        """Forget the connection."""
        with self._lock:
            wire, self._wire = self._wire, None
        if wire is not None:
            wire.close()

    def abort(self) -> None:
        """End it now: whatever the thread waits for on the connection fails at once."""
        with self._lock:
            self._aborted = True
            self._woken.set()
            if self._wire is not None:
                with contextlib.suppress(OSError):
                    self._wire.shutdown(socket.SHUT_RDWR)

    def _addresses(self, host: str, port: int) -> tuple[Found, ...]:
        """Look a name up. Raises OSError or UnicodeError if it has no address, TimeoutError if that takes too long."""
        look_up = self._resolver.begin(host, port)
        if not look_up.done():
            self._woken.clear()
            left_s = self.connecting_s()
            look_up.add_done_callback(lambda _: self._woken.set())
            self._woken.wait(left_s)
            self.left_s()
            if not look_up.done():
                raise TimeoutError("the name was not resolved in time")
        return look_up.result()

    def connect(self, host: str, port: int) -> socket.socket:
        """Resolve, ask the guard, connect; the addresses of a name one after the other.

        Sets `failure` before it raises, because urllib3 and requests wrap what comes out beyond recognition.
        """
        self.reused = False
        self._connect_by = time.monotonic() + base.CONNECT_S
        try:
            infos = self._addresses(host, port)
        except TimeoutError as error:
            self.failure = Failure("timeout", str(error), retryable=True)
            raise ConnectionError(self.failure.detail) from error
        except (OSError, UnicodeError) as error:
            self.failure = dns_failure(host, error)
            raise ConnectionError(self.failure.detail) from error
        refusal = None
        problem: OSError | None = None
        for position, (family, kind, protocol, _, where) in enumerate(infos):
            reason = self._guard.refuses(where[0])
            if reason is not None:
                refusal = f"{reason}: {where[0]}"
                continue
            connection = socket.socket(family, kind, protocol)
            try:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.settimeout(self.connecting_s() / (len(infos) - position))
                self.attach(connection)
                self.tried = where[0]
                connection.connect(where)
            except OSError as error:
                problem = error
                connection.close()
                continue
            self.address = where[0]
            connection.settimeout(self.connecting_s())  # for the handshake of TLS
            return connection
        self.failure = _not_connected(problem, refusal)
        raise ConnectionError(self.failure.detail) from problem


def _not_connected(problem: OSError | None, refusal: str | None) -> Failure:
    if problem is None:
        return Failure("private-address", refusal or "no address", retryable=False)
    if isinstance(problem, TimeoutError):
        return Failure("timeout", "not connected in time", retryable=True)
    return connect_failure(problem)


class _Current(threading.local):
    """The attempt that this thread is busy with: urllib3 has no other way to tell a connection."""

    attempt: Attempt


CURRENT = _Current()


class _HTTPConnection(urllib3.connection.HTTPConnection):
    """Connects through the attempt, and tells it when it is used again."""

    response_class = StrictResponse

    def _new_conn(self) -> socket.socket:
        return CURRENT.attempt.connect(self._dns_host, self.port or self.default_port)

    def request(self, *args: Any, **kwargs: Any) -> None:
        attempt = CURRENT.attempt
        if attempt.reused and attempt.fresh:
            self.close()
        attempt.take_up(self.sock)
        if attempt.may_go is not None:
            if self.sock is None:
                self.connect()
            base.refuse_late(attempt.may_go)
        super().request(*args, **kwargs)


class _HTTPSConnection(_HTTPConnection, urllib3.connection.HTTPSConnection):
    """The same with TLS."""

    def connect(self) -> None:
        try:
            super().connect()
        except TimeoutError:
            attempt = CURRENT.attempt
            attempt.failure = attempt.failure or Failure("timeout", "no TLS in time", retryable=True)
            raise
        self.is_verified = True  # as far as was asked for: urllib3 would warn at every request


class _HTTPPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _HTTPConnection


class _HTTPSPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _HTTPSConnection


class NoCookies(requests.cookies.RequestsCookieJar):
    """Takes no cookie and gives none: those of a crawl are kept above the transports."""

    def extract_cookies(self, response: Any, request: Any) -> None:
        """Leave them."""

    def add_cookie_header(self, request: Any) -> None:
        """Add none."""


class Adapter(requests.adapters.HTTPAdapter):
    """Pools for `hosts` hosts with `per_host` idle connections each, made of the classes above.

    `tls` has the context of all of them.
    """

    def __init__(self, *, hosts: int, per_host: int, tls: LazyTls) -> None:
        super().__init__(pool_connections=hosts, pool_maxsize=per_host)
        self.poolmanager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}
        self._tls = tls

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: Any, cert: Any = None
    ) -> Any:
        """Use the context that all transports share."""
        host, pool = super().build_connection_pool_key_attributes(request, verify, cert)
        if host["scheme"] == "https":
            pool["ssl_context"] = self._tls.context
            # urllib3 sets the context to what stands here.
            pool["cert_reqs"] = "CERT_NONE" if self._tls.context.verify_mode == ssl.CERT_NONE else "CERT_REQUIRED"
        return host, pool

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:
        """Build the answer without a look at its cookies: http.cookiejar warns, with a traceback, of broken ones."""
        original, resp._original_response = resp._original_response, None  # noqa: SLF001 - where requests looks
        try:
            return super().build_response(req, resp)
        finally:
            resp._original_response = original  # noqa: SLF001 - see the top of this file

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Load no other authorities: the context has them."""


class Session(requests.Session):
    """A session that leaves redirects alone: even with `allow_redirects=False` requests would read their bodies."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:  # noqa: ARG002 - the name is requests'
        """Nothing is a redirect."""
        return None
