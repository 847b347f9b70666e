"""One request to a hostile server, and the ways to answer it: properly, wrongly, endlessly or not at all."""

import asyncio
import struct
from collections.abc import Mapping
from contextlib import suppress
from socket import SO_LINGER, SOL_SOCKET

__all__ = ["Ask", "HangUp", "html"]


class HangUp(Exception):  # noqa: N818 - no error: the handler wants its connection closed
    """The handler is done with the connection."""


class Ask:
    """A request whose head has been read, and its connection.

    `path` is what was asked for, with its query and without `root`, below which the behaviour is served (empty when it
    has an address of its own). `head` is the request as it came, `number` counts the requests for this path from 1.
    `places` are origins to lead to: see `crawler`'s hostile server. When a handler returns, the next request of the
    connection is read; `HangUp` closes it.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        path: str,
        root: str,
        head: bytes,
        number: int,
        places: Mapping[str, str],
    ) -> None:
        self.reader = reader
        self.writer = writer
        self.path = path
        self.root = root
        self.head = head
        self.number = number
        self.places = places

    def header(self, name: str) -> str:
        """Value of a request header, "" without one."""
        for line in self.head.decode("latin-1").split("\r\n")[1:]:
            key, _, value = line.partition(":")
            if key.lower() == name.lower():
                return value.strip()
        return ""

    def at(self, path: str) -> str:
        """A path of this behaviour as a link: below its root. Whole URLs stay as they are, with `{places}` filled."""
        if path.startswith("/") and not path.startswith("//"):
            return self.root + path
        for name, origin in self.places.items():
            path = path.replace("{" + name + "}", origin)
        return path

    # Proper answers

    async def send(self, *parts: bytes) -> None:
        """Write these bytes and wait until the client has room for more."""
        for part in parts:
            self.writer.write(part)
        await self.writer.drain()

    async def answer(self, body: bytes | str = b"", *headers: str, status: int = 200, kind: str = "text/html") -> None:
        """A well-formed answer; further headers as lines."""
        content = body.encode() if isinstance(body, str) else body
        lines = [f"HTTP/1.1 {status} X", *([f"Content-Type: {kind}"] if kind else []), *headers]
        head = "\r\n".join([*lines, f"Content-Length: {len(content)}", "", ""])
        await self.send(head.encode("utf-8", "surrogateescape"), content)

    async def page(self, *links: str, text: str = "", title: str = "", headers: tuple[str, ...] = ()) -> None:
        """A page with these links."""
        await self.answer(html(*map(self.at, links), text=text, title=title or self.path), *headers)

    async def redirect(self, to: str, *headers: str, status: int = 302) -> None:
        """A redirect without a body."""
        await self.answer(b"", f"Location: {self.at(to)}", *headers, status=status, kind="")

    # And others

    async def start(self, *headers: str, status: str = "200 OK", kind: str = "text/html") -> None:
        """The head of an answer, without any length: the body ends with the connection."""
        lines = [f"HTTP/1.1 {status}", *([f"Content-Type: {kind}"] if kind else []), *headers, "", ""]
        await self.send("\r\n".join(lines).encode("utf-8", "surrogateescape"))

    async def chunk(self, data: bytes, extension: bytes = b"") -> None:
        """One chunk of a body in `Transfer-Encoding: chunked`."""
        await self.send(b"%x%b\r\n%b\r\n" % (len(data), extension, data))

    async def forever(self, data: bytes, pause_s: float = 0.0) -> None:
        """The same bytes again and again, until the client has gone."""
        while True:
            await self.send(data)
            await asyncio.sleep(pause_s)

    async def hang(self) -> None:
        """Say nothing until the client has gone."""
        while await self.reader.read(65536):
            pass
        raise HangUp

    def reset(self) -> None:
        """End the connection with RST instead of FIN."""
        self.writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()
        raise HangUp

    async def close(self) -> None:
        """End the connection once everything is sent."""
        with suppress(ConnectionError):
            await self.writer.drain()
        raise HangUp


def html(*links: str, title: str = "A page", text: str = "", head: str = "") -> str:
    """A page with these links."""
    anchors = "\n".join(f'<a href="{link}">{n}</a>' for n, link in enumerate(links))
    return f"<!doctype html><html lang=en><head><title>{title}</title>{head}</head><body><p>{text}</p>{anchors}</body>"
