"""The dashboard of a crawl: a page on 127.0.0.1 that shows it, and steers it.

Whoever has the address with its token may do so, and nobody else: other programs of this machine, and pages of the web
in its browser, know the port at most. The token stands behind the `#` of the address, which no browser sends; the page
sends it in a header, which no page of another origin may do.
"""

import asyncio
import secrets
import socket
from collections.abc import Mapping
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import msgspec

from crawler.core.errors import CrawlerError, UsageError
from crawler.core.printable import printable
from crawler.core.steered import Change
from crawler.serve.events import MOST_LOOKING, Events
from crawler.serve.picture import Pictures
from crawler.serve.server import Handler, LocalServer, listen
from crawler.serve.watched import Watched

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["Dashboard", "listen_for_dashboard"]

USUAL_PORT: Final = 8090
_HEADER: Final = "X-Crawler-Token"
_FILES: Final = {
    "/": ("dashboard.html", "text/html"),
    "/dashboard.css": ("dashboard.css", "text/css"),
    "/dashboard.js": ("dashboard.js", "text/javascript"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
_HOSTS: Final = 50
_MOST_HOSTS: Final = 200
_MOST_SAID_BYTES: Final = 16_384
_END_S: Final = 1.0


def listen_for_dashboard(port: int | bool) -> socket.socket:
    """Bind the socket of a dashboard. Raises `ConfigError` for a port that cannot be had."""
    return listen("dashboard", port, USUAL_PORT)


class Dashboard:
    """The page, and what it asks for. State: its token, drawn once; its parts have theirs."""

    def __init__(self, listener: socket.socket, watched: Watched) -> None:
        self._token = secrets.token_urlsafe(24)
        self._watched = watched
        self._events = Events(Pictures(watched), watched.recent)
        self._explaining = asyncio.Lock()
        self._server = LocalServer(listener, self._routes())

    @property
    def address(self) -> str:
        """The URL to open, with its token."""
        return f"{self._server.address}#{self._token}"

    async def start(self) -> None:
        """Answer from now on."""
        await self._server.start()

    async def close(self) -> None:
        """Show the end to those who look, and answer nobody any more. Takes two seconds at most."""
        await self._events.close(_END_S)
        await self._server.close()

    def _routes(self) -> Mapping[tuple[str, str], Handler]:
        return {
            **{("GET", path): _file(*file) for path, file in _FILES.items()},
            ("GET", "/api/events"): self._known(self._look),
            ("GET", "/api/hosts"): self._known(self._hosts),
            ("GET", "/api/explain"): self._known(self._explain),
            ("POST", "/api/steer"): self._known(self._steer),
        }

    def _known(self, handler: Handler) -> Handler:
        """Let only those through who have the token, and to change something only this page itself."""

        async def answer(request: "web.BaseRequest") -> "web.StreamResponse":
            token = request.headers.get(_HEADER, "")
            if not secrets.compare_digest(token.encode(errors="replace"), self._token.encode()):
                return _said({"error": "another crawl answers here: open the address that it has printed"}, 403)
            if request.method != "GET" and not self._server.is_ours(request.headers.get("Origin")):
                return _said({"error": "only the dashboard's own page may change anything"}, 403)
            return await handler(request)

        return answer

    # What the page asks for

    async def _look(self, request: "web.BaseRequest") -> "web.StreamResponse":
        if self._events.are_full:
            return _said({"error": f"{MOST_LOOKING} pages show this crawl already: close one of them"}, 503)
        return await self._events.stream(request)

    async def _hosts(self, request: "web.BaseRequest") -> "web.StreamResponse":
        most = request.query.get("most", "")
        number = min(int(most), _MOST_HOSTS) if most.isdecimal() and len(most) < 9 else _HOSTS
        search, stored = request.query.get("search", "").strip().lower(), "stored" in request.query
        return _said(await self._watched.hosts(search, number, stored))

    async def _explain(self, request: "web.BaseRequest") -> "web.StreamResponse":
        async with self._explaining:
            try:
                return _said({"text": await self._watched.explain(request.query.get("url", "").strip())})
            except CrawlerError as error:
                return _said({"error": printable(str(error))}, 400 if isinstance(error, UsageError) else 503)

    async def _steer(self, request: "web.BaseRequest") -> "web.StreamResponse":
        if (request.content_length or 0) > _MOST_SAID_BYTES:
            return _said({"error": "that is too long"}, 413)
        try:
            self._watched.steer(msgspec.json.decode(await request.read(), type=Change))
        except msgspec.ValidationError as error:
            return _said({"error": f"no such change: {error}"}, 400)
        except msgspec.DecodeError as error:
            return _said({"error": f"not JSON: {error}"}, 400)
        except UsageError as error:
            return _said({"error": printable(str(error))}, 400)
        return _said(self._watched.steered())


def _file(name: str, kind: str) -> Handler:
    """Return what answers with a file of this package."""
    content: list[bytes] = []

    async def answer(_request: "web.BaseRequest") -> "web.StreamResponse":
        from aiohttp import web  # noqa: PLC0415 - the server is there, so this costs nothing

        if not content:
            content.append(files("crawler.serve").joinpath("page", name).read_bytes())
        return web.Response(body=content[0], content_type=kind, charset="utf-8")

    return answer


def _said(value: Any, status: int = 200) -> "web.StreamResponse":
    from aiohttp import web  # noqa: PLC0415 - as above

    return web.Response(body=msgspec.json.encode(value), status=status, content_type="application/json")
