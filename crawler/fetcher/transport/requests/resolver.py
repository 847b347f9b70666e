"""Which addresses a name has, for the transport on requests."""

import socket
import threading
import time
from typing import Final, cast

from crawler.fetcher.transport.guard import LOOPBACK_ADDRESSES, is_localhost

__all__ = ["Found", "Resolver"]

Found = tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[str, int] | tuple[str, int, int, int]]
"""One address, as `socket.getaddrinfo` gives it: family, kind, protocol, canonical name, and where to connect to."""

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
        self._kept: dict[tuple[str, int], tuple[float, tuple[Found, ...]]] = {}

    def addresses(self, host: str, port: int) -> tuple[Found, ...]:
        """Look a name up, in the thread of the caller. Raises OSError or UnicodeError if there is no answer."""
        now = time.monotonic()
        with self._lock:
            until, found = self._kept.get((host, port), (0.0, ()))
        if now < until:
            return found
        names = LOOPBACK_ADDRESSES if is_localhost(host) else (host,)
        infos = [info for name in names for info in socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)]
        found = tuple(cast("list[Found]", infos))  # a third form is that of a Python without IPv6
        with self._lock:
            self._kept.pop((host, port), None)
            if len(self._kept) >= _MOST_KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[host, port] = now + _KEPT_S, found
        return found

    def forget(self) -> None:
        """Forget all answers."""
        with self._lock:
            self._kept.clear()
