"""A server that misbehaves exactly as told."""

import asyncio
import ssl
import struct
from contextlib import suppress
from pathlib import Path
from socket import SO_LINGER, SOL_SOCKET

from tests.support.ports import listeners

DATA = Path(__file__).parent / "data"


class RawServer:
    """Does to each connection what `behaviour` says, then closes it. Counts connections and keeps request heads.

    `besides` are sockets that listen at the same port of the addresses `beside` it. `context` is for TLS, instead of
    one with the `certificate`; `resumed` has whether each of its handshakes resumed a session.
    """

    def __init__(self, behaviour, *, certificate=None, context=None, address="127.0.0.1", beside=()):
        self._behaviour = behaviour
        self._context = server_context(certificate) if certificate else context
        self._addresses = (address, *beside)
        self._tasks = set()
        self.connections = 0
        self.heads = []
        self.resumed = []

    async def __aenter__(self):
        own, *self.besides = listeners(self._addresses)
        self.port = own.getsockname()[1]
        self._server = await asyncio.start_server(self._serve, sock=own, ssl=self._context)
        return self

    async def __aexit__(self, *_):
        loop = asyncio.get_running_loop()
        for listener in self._server.sockets:
            loop.remove_reader(listener.fileno())
        for _ in range(5):  # what was accepted just now becomes a connection; with a closed server it would be lost
            await asyncio.sleep(0)
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader, writer):
        task = asyncio.current_task()
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.connections += 1
        if tls := writer.get_extra_info("ssl_object"):
            self.resumed.append(tls.session_reused)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._behaviour(self, reader, writer)
        except asyncio.CancelledError:
            pass
        finally:
            writer.close()

    async def head(self, reader):
        """The next request head; IncompleteReadError (which ends the connection) if there is none."""
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head)
        return head

    def url(self, path="/", host="127.0.0.1", scheme="http"):
        return f"{scheme}://{host}:{self.port}{path}"


def server_context(certificate, version=None):
    """What a server shows a certificate with, by any version of TLS or by this one."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(DATA / f"{certificate}.pem")
    if version is not None:
        context.minimum_version = context.maximum_version = version
    return context


def says(*answers, end="wait"):
    """Answer request after request with these bytes; after the last `wait` for the client, `close`, or `reset`."""

    async def behaviour(server, reader, writer):
        for answer in answers:
            await server.head(reader)
            writer.write(answer)
            with suppress(ConnectionError):
                await writer.drain()
        if end == "wait":
            while await reader.read(65536):
                pass
        elif end == "reset":
            await asyncio.sleep(0.05)
            reset(writer)

    return behaviour


def reset(writer):
    """End a connection with RST instead of FIN."""
    writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def page(body=b"hello", *headers, status=b"200 OK"):
    """A well-formed answer."""
    lines = [b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def chunked(*chunks, headers=()):
    """A well-formed chunked answer."""
    lines = [b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked", *headers]
    parts = [b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in (*chunks, b"")]
    return b"\r\n".join(lines) + b"\r\n\r\n" + b"".join(parts)
