"""Server-sent events: the same pictures for all who look, and none while nobody does.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import asyncio
import contextlib
import logging
import socket
from typing import TYPE_CHECKING, Final

import msgspec

from crawler.serve.picture import Pictures
from crawler.serve.recent import Recent
from crawler.serve.server import safe_headers

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["MOST_LOOKING", "Events"]

_log = logging.getLogger(__name__)

MOST_LOOKING: Final = 16
_INTERVAL_S: Final = 1.0
_STALLED_S: Final = 15.0
"""Who takes nothing for so long is hung up on."""
_UNREAD_BYTES: Final = 1 << 16
"""What the system may hold of what a client has not read; as much again may lie in this process."""


class Events:
    """Sends a picture once a second to each who looks, with what has ended since the one before.

    A picture that a client cannot take in time is left out for it: the next one says all of it again. Whoever takes
    nothing at all is hung up on.

    State, of the event loop's thread: who looks, the newest picture and the future that the next one ends, the task
    that draws them, and whether the end has come.
    """

    def __init__(self, pictures: Pictures, recent: Recent) -> None:
        self._pictures = pictures
        self._recent = recent
        self._looking: set[asyncio.Task[object]] = set()
        self._picture = b""
        self._next: asyncio.Future[None] | None = None
        self._drawing: asyncio.Task[None] | None = None
        self._ended = False

    @property
    def are_full(self) -> bool:
        """Whether as many look as may."""
        return len(self._looking) >= MOST_LOOKING

    async def stream(self, request: "web.BaseRequest") -> "web.StreamResponse":
        """Send events until who asked has gone, takes nothing, or the crawl has ended."""
        from aiohttp import web  # noqa: PLC0415 - the server is there, so this costs nothing

        response = web.StreamResponse(headers=safe_headers() | {"Content-Type": "text/event-stream; charset=utf-8"})
        response.enable_chunked_encoding()
        me = asyncio.current_task()
        if me is None or request.transport is None:
            return response
        _hold_little(request.transport)
        self._looking.add(me)
        self._begin()
        try:
            await response.prepare(request)
            seen = 0
            while True:
                ended, following = self._ended, self._next
                seen, news = self._news(seen)
                await asyncio.wait_for(response.write(self._picture + news), _STALLED_S)
                if ended or following is None:
                    break
                await asyncio.shield(following)
            await asyncio.wait_for(response.write(b"event: end\ndata: {}\n\n"), _STALLED_S)
        except TimeoutError:
            request.transport.abort()
        finally:
            self._looking.discard(me)
            self._stop_if_alone()
        return response

    async def close(self, patience_s: float) -> None:
        """Show the end to all who look, and wait until they have seen it, but not for long."""
        self._ended = True
        if self._drawing is not None:
            self._drawing.cancel()
        if self._looking:
            self._draw()
            await asyncio.wait(set(self._looking), timeout=patience_s)

    # Drawing

    def _begin(self) -> None:
        if self._drawing is None and not self._ended:
            self._recent.watched = True
            self._drawing = asyncio.create_task(self._keep_drawing())
        if not self._picture or self._ended:
            self._draw()

    def _stop_if_alone(self) -> None:
        if not self._looking and self._drawing is not None:
            self._drawing.cancel()
            self._drawing = None
            self._picture = b""
            self._recent.watched = False

    async def _keep_drawing(self) -> None:
        try:
            while True:
                await asyncio.sleep(_INTERVAL_S)
                self._draw()
        except Exception:  # noqa: BLE001 - whatever it is, it must not reach the crawl
            _log.exception("the dashboard ends")
            self._ended = True
            self._tell()

    def _draw(self) -> None:
        self._picture = event("picture", self._pictures.draw())
        self._tell()

    def _tell(self) -> None:
        before, self._next = self._next, asyncio.get_running_loop().create_future()
        if before is not None and not before.done():
            before.set_result(None)

    def _news(self, seen: int) -> tuple[int, bytes]:
        """Return what has ended since a number as an event, or nothing, and the number to go on from."""
        last, errors, pages = self._recent.since(seen)
        if not (errors or pages):
            return last, b""
        return last, event("news", {"errors": errors, "pages": pages})


def event(name: str, value: object) -> bytes:
    """Return one event; JSON has no line breaks in it."""
    return b"event: %s\ndata: %s\n\n" % (name.encode(), msgspec.json.encode(value))


def _hold_little(transport: asyncio.BaseTransport) -> None:
    """Have the system hold little of what a client does not read."""
    taken: socket.socket | None = transport.get_extra_info("socket")
    if taken is not None:
        with contextlib.suppress(OSError):
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _UNREAD_BYTES)
