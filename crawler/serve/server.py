"""HTTP for this machine alone, beside a crawl that must not notice it.

A page of the web can have a browser ask any port of its own machine. So whoever answers there has to know who asks:
the Host header must name this machine (a name of somebody else's may lead here: DNS rebinding), nothing may be read
from another origin (there are no CORS headers), and no page may be shown inside of another one.
"""

import asyncio
import errno
import logging
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Final

from crawler.core.errors import ConfigError

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["Handler", "LocalServer", "listen"]

_log = logging.getLogger(__name__)

Handler = Callable[["web.BaseRequest"], Awaitable["web.StreamResponse"]]
"""From a request to its answer."""

ADDRESS: Final = "127.0.0.1"
_NAMES: Final = ("127.0.0.1", "localhost", "[::1]")
"""What a browser on this machine may call it."""
_MOST_CONNECTIONS: Final = 64
"""More are closed at once: the crawl needs its open files itself."""
_MOST_LINE: Final = 1 << 16
_CLOSE_S: Final = 0.5
_IDLE_S: Final = 60.0

_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    ),
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Server": "crawler",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""What every answer says, so that no browser lends it to another page, runs what is not ours, or keeps it."""


def listen(setting: str, port: int | bool, usual: int) -> socket.socket:
    """Bind a socket on this machine. True is the `usual` port, or a free one if that is taken; 0 is a free one.

    Raises `ConfigError`, naming the `setting`, for a port that cannot be had.
    """
    try:
        return socket.create_server((ADDRESS, usual if port is True else port))
    except OSError as error:
        if port is True and error.errno in {errno.EADDRINUSE, errno.EACCES}:
            return listen(setting, 0, usual)
        why = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be had: {error.strerror}"
        raise ConfigError(
            f"{setting}: port {port} on {ADDRESS} {why}; choose another one, or 0 for one that is free"
        ) from error


class LocalServer:
    """Answers at `listener`, by method and path (`GET /metrics`). It has the socket from then on.

    State, of the event loop's thread: the aiohttp server and its socket, from `start` to `close`.
    """

    def __init__(self, listener: socket.socket, routes: Mapping[tuple[str, str], Handler]) -> None:
        self._listener = listener
        self._routes = dict(routes)
        self.port: int = listener.getsockname()[1]
        self._hosts = frozenset(f"{name}:{self.port}" for name in _NAMES)
        self._server: web.Server | None = None
        self._accepting: asyncio.Server | None = None

    @property
    def address(self) -> str:
        """The URL of its root, with a slash at the end."""
        return f"http://{ADDRESS}:{self.port}/"

    async def start(self) -> None:
        """Answer from now on."""
        from aiohttp import web  # noqa: PLC0415 - a fifth of a second, which only a crawl that is looked at should pay

        server = self._server = web.Server(
            self._answer,
            access_log=None,
            handler_cancellation=True,
            keepalive_timeout=_IDLE_S,
            lingering_time=0.0,
            max_line_size=_MOST_LINE,
        )

        def connected() -> asyncio.BaseProtocol:
            return _Refusing() if len(server.connections) >= _MOST_CONNECTIONS else server()

        self._accepting = await asyncio.get_running_loop().create_server(connected, sock=self._listener)

    async def close(self) -> None:
        """Answer nobody any more: what is under way has half a second. Safe to call without `start`."""
        if self._accepting is not None:
            self._accepting.close()
        if self._server is not None:
            self._server.pre_shutdown()
            await self._server.shutdown(_CLOSE_S)
        self._listener.close()

    def is_ours(self, origin: str | None) -> bool:
        """Whether an Origin header is that of a page of this server."""
        return origin is not None and origin.removeprefix("http://") in self._hosts and origin.startswith("http://")

    async def _answer(self, request: "web.BaseRequest") -> "web.StreamResponse":
        from aiohttp import web  # noqa: PLC0415 - as above

        answer: web.StreamResponse
        handler = self._routes.get((request.method, request.path))
        if request.headers.get("Host", "").lower() not in self._hosts:
            text = f"This is a crawl's own server: ask for {self.address} on its machine.\n"
            answer = web.Response(status=421, text=text)
        elif handler is not None:
            answer = await self._handled(handler, request)
        elif any(path == request.path for _, path in self._routes):
            answer = web.Response(status=405, text="Not with this method.\n")
        else:
            answer = web.Response(status=404, text="There is no such page.\n")
        if not answer.prepared:
            answer.headers.update(safe_headers())
        return answer

    async def _handled(self, handler: Handler, request: "web.BaseRequest") -> "web.StreamResponse":
        """Answer; a mistake in here is told, and neither the crawl nor the next request has to do with it."""
        from aiohttp import web  # noqa: PLC0415 - as above

        try:
            return await handler(request)
        except web.HTTPException as refused:
            return web.Response(status=refused.status, text=refused.text)
        except ConnectionError:
            return web.Response(status=400)  # who asked has gone, and nobody reads it
        except Exception:  # noqa: BLE001 - whatever it is, it must not reach the crawl
            _log.exception("%s %s", request.method, request.path)
            return web.Response(status=500, text="That went wrong: the crawl's log says how.\n")


def safe_headers() -> dict[str, str]:
    """Return the headers of every answer, for one that is sent in parts."""
    return dict(_HEADERS)


class _Refusing(asyncio.Protocol):
    """Closes a connection as soon as it is there."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Hang up."""
        transport.close()
