"""A small real HTTP server for tests: one function from request to answer, in a thread of its own, on loopback."""

import asyncio
import socket
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from tests.support.ports import listeners

HANG = object()
"""Answer nothing and keep the connection open."""
RESET = object()
"""Close with a TCP reset."""


@dataclass(frozen=True)
class Answer:
    """What goes back: status, body, further headers; `delay_s` before it is sent, and not before `until` is set."""

    body: bytes | str = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    until: threading.Event | None = None


Respond = Callable[[str, str], Answer | object]
"""From (host as in the Host header, path with query) to an Answer, HANG or RESET."""


class LocalServer:
    """HTTP/1.1 with keep-alive on `addresses` (loopback), all on one free port. Counts requests by (host, path).

    `peak` is the largest number of requests under way at once, by host; `starts` the times at which each began. To go
    over `requests` while the server answers, take `asked()`: its thread adds to them meanwhile.
    """

    def __init__(self, respond: Respond, addresses: tuple[str, ...] = ("127.0.0.1",)) -> None:
        self.respond = respond
        self.requests: Counter[tuple[str, str]] = Counter()
        self.under_way: Counter[str] = Counter()
        self.peak: Counter[str] = Counter()
        self.starts: dict[str, list[float]] = {}
        self._counting = threading.Lock()
        self._addresses = addresses
        self._loop = asyncio.new_event_loop()
        self._writers: set[asyncio.StreamWriter] = set()
        self._ready = threading.Event()
        self.port = 0
        self._thread = threading.Thread(target=self._main, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(60), "the test server did not start"
        return self

    def __exit__(self, *exc: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(60)

    def url(self, path: str = "/", address: str = "127.0.0.1") -> str:
        return f"http://{address}:{self.port}{path}"

    def pages(self) -> Counter[tuple[str, str]]:
        """Requests so far but those for robots.txt."""
        return Counter({key: count for key, count in self.asked().items() if key[1] != "/robots.txt"})

    def asked(self) -> Counter[tuple[str, str]]:
        """Requests so far."""
        with self._counting:
            return self.requests.copy()

    def _main(self) -> None:
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        sockets = listeners(self._addresses)
        self.port = sockets[0].getsockname()[1]
        servers = [await asyncio.start_server(self._client, sock=one, backlog=1024) for one in sockets]
        self._ready.set()
        await self._stop.wait()
        for listener in sockets:
            self._loop.remove_reader(listener.fileno())
        await _turns()  # what was accepted just now becomes a connection; with a closed server it would be lost
        for server in servers:
            server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await _turns()  # and its socket is closed

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode("latin-1").split("\r\n")
                path = lines[0].split(" ")[1]
                host = next(line[6:] for line in lines if line.lower().startswith("host: "))
                await self._answer(host, path, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has gone, which ends a connection like anything else
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _answer(self, host: str, path: str, writer: asyncio.StreamWriter) -> None:
        with self._counting:
            self.requests[host, path] += 1
        self.under_way[host] += 1
        self.peak[host] = max(self.peak[host], self.under_way[host])
        self.starts.setdefault(host, []).append(self._loop.time())
        try:
            answer = self.respond(host, path)
            if answer is HANG:
                await asyncio.sleep(3600)
            if answer is RESET:
                linger = (1).to_bytes(4, "little") + (0).to_bytes(4, "little")
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                raise ConnectionResetError
            assert isinstance(answer, Answer)
            await asyncio.sleep(answer.delay_s)
            while answer.until is not None and not answer.until.is_set():
                await asyncio.sleep(0.01)
            body = answer.body.encode() if isinstance(answer.body, str) else answer.body
            headers = {"content-type": "text/html; charset=utf-8", **answer.headers, "content-length": str(len(body))}
            head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            writer.write(f"HTTP/1.1 {answer.status} X\r\n{head}\r\n".encode("latin-1") + body)
            await writer.drain()
        finally:
            self.under_way[host] -= 1


def html(*links: str, title: str = "A page", text: str = "") -> str:
    """A page with these links."""
    anchors = "\n".join(f'<a href="{link}">{link}</a>' for link in links)
    return f"<!doctype html><html lang=en><head><title>{title}</title></head><body><p>{text}</p>{anchors}</body></html>"


async def _turns() -> None:
    """Let the loop turn a few times."""
    for _ in range(5):
        await asyncio.sleep(0)
