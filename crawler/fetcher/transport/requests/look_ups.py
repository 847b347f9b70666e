"""Threads that ask the C library for names: nothing ends a look-up but its answer, which may take a minute."""

import queue
import socket
import threading
from concurrent.futures import Future
from typing import Final, cast

__all__ = ["Found", "LookUps"]

Found = tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[str, int] | tuple[str, int, int, int]]
"""One address, as `socket.getaddrinfo` gives it: family, kind, protocol, canonical name, and where to connect to."""

_MOST_THREADS: Final = 256
"""Names of which no server says anything hold a thread each, for as long as the C library has patience."""

_Asked = tuple[str, int]
_LookUp = Future[tuple[Found, ...]]


class LookUps:
    """Looks names up in daemon threads of its own, so that whoever asks need not wait for the end.

    A name that is asked for again meanwhile is looked up once. For any number of threads. State, guarded by a lock:
    what is under way, and the threads; they start when they are needed, and end when this is closed.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way: dict[_Asked, _LookUp] = {}
        self._todo: queue.SimpleQueue[_Asked | None] = queue.SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._threads: list[threading.Thread] = []

    def start(self, host: str, port: int) -> _LookUp:
        """Begin to look a name up; return what will hold its addresses, an OSError or a UnicodeError."""
        asked = (host, port)
        with self._lock:
            look_up = self._under_way.get(asked)
            if look_up is not None:
                return look_up
            look_up = self._under_way[asked] = Future()
            look_up.set_running_or_notify_cancel()  # nobody can take it back
            self._todo.put(asked)
            if not self._idle.acquire(blocking=False) and len(self._threads) < _MOST_THREADS:
                thread = threading.Thread(target=self._work, name=f"names-{len(self._threads) + 1}", daemon=True)
                self._threads.append(thread)
                thread.start()
        return look_up

    def close(self) -> list[threading.Thread]:
        """Have each thread end once its look-up has; return those that there are. Nothing is to be asked any more."""
        with self._lock:
            threads, self._threads = self._threads, []
        for _ in threads:
            self._todo.put(None)
        return threads

    def _work(self) -> None:
        while (asked := self._todo.get()) is not None:
            host, port = asked
            found: tuple[Found, ...] = ()
            error: Exception | None = None
            try:
                # A third form of a place is that of a Python without IPv6.
                found = tuple(cast("list[Found]", socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))
            except (OSError, UnicodeError) as raised:
                error = raised
            with self._lock:
                look_up = self._under_way.pop(asked)
            self._idle.release()
            if error is None:
                look_up.set_result(found)
            else:
                look_up.set_exception(error)
