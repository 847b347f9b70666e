"""Which addresses a name has, for the transport on requests."""

import contextlib
import socket
import threading
import time
from concurrent.futures import Future
from functools import partial
from ipaddress import ip_address
from typing import Final, cast

from crawler.fetcher.transport.guard import LOOPBACK_ADDRESSES, is_localhost
from crawler.fetcher.transport.requests.look_ups import Found, LookUps

__all__ = ["Resolver"]

_KEPT_S: Final = 300.0
_MOST_KEPT: Final = 10_000


class Resolver:
    """Asks the C library; `localhost` and all below it are loopback without asking (RFC 6761 §6.3).

    What it found is kept for five minutes, as long as the default transport keeps it. So a connection goes where the
    look-up before it said, against whose limit it counts.

    For any number of threads. State, guarded by a lock: the answers by name and port, with the end of their time.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._look_ups = LookUps()
        self._kept: dict[tuple[str, int], tuple[float, tuple[Found, ...]]] = {}

    def begin(self, host: str, port: int) -> Future[tuple[Found, ...]]:
        """Begin to look a name up; return what will hold its addresses, an OSError or a UnicodeError.

        At once if they are known, or if no server is asked. Else a thread waits for the answer, not the caller.
        """
        now = time.monotonic()
        with self._lock:
            until, found = self._kept.get((host, port), (0.0, ()))
        if now < until:
            return _ended(found)
        if is_localhost(host):
            return _ended(_numeric(LOOPBACK_ADDRESSES, port))
        with contextlib.suppress(ValueError):
            ip_address(host.partition("%")[0])
            return _ended(_numeric((host,), port))
        look_up = self._look_ups.start(host, port)
        look_up.add_done_callback(partial(self._keep, host, port))
        return look_up

    def _keep(self, host: str, port: int, look_up: Future[tuple[Found, ...]]) -> None:
        if look_up.exception() is not None:
            return
        with self._lock:
            self._kept.pop((host, port), None)
            if len(self._kept) >= _MOST_KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[host, port] = time.monotonic() + _KEPT_S, look_up.result()

    def close(self) -> list[threading.Thread]:
        """Look nothing up any more; return the threads, which end with their look-ups."""
        return self._look_ups.close()

    def forget(self) -> None:
        """Forget all answers."""
        with self._lock:
            self._kept.clear()


def _numeric(addresses: tuple[str, ...], port: int) -> tuple[Found, ...]:
    """Return addresses as they are; the C library asks nobody for them."""
    infos = [info for one in addresses for info in socket.getaddrinfo(one, port, type=socket.SOCK_STREAM)]
    return tuple(cast("list[Found]", infos))


def _ended(found: tuple[Found, ...]) -> Future[tuple[Found, ...]]:
    look_up: Future[tuple[Found, ...]] = Future()
    look_up.set_result(found)
    return look_up
