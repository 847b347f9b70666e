"""A DNS server on loopback whose answers change, and what makes each transport ask it."""

import asyncio
import socket
import struct

from aiohttp.resolver import AsyncResolver

from tests.support.ports import listeners


class NameServer:
    """Knows every name below `.test`: the n-th look-up gets the n-th of `answers` (lists of IPv4 addresses).

    The last answer stays. `lookups` counts.
    """

    def __init__(self, *answers):
        self._answers = answers
        self.lookups = 0

    def next_answer(self):
        answer = self._answers[min(self.lookups, len(self._answers) - 1)]
        self.lookups += 1
        return answer

    async def __aenter__(self):
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: _Answers(self), ("127.0.0.1", 0))
        self.port = self._transport.get_extra_info("sockname")[1]
        return self

    async def __aexit__(self, *_):
        self._transport.close()

    async def serve(self, kind, transport, monkeypatch):
        """Make `transport` look names up here.

        The default transport asks with c-ares, which can be told the server: real packets go to it. The C library's
        resolver, which the one on requests asks, cannot: there `getaddrinfo` itself answers what the server would.
        """
        if kind == "aiohttp":
            connector = transport._connector or transport._open()
            resolver = connector._resolver
            await resolver._inner.close()
            resolver._inner = AsyncResolver(nameservers=[f"127.0.0.1:{self.port}"], timeout=5.0)
            return
        real = socket.getaddrinfo

        def getaddrinfo(host, port, *args, **kwargs):
            if not str(host).endswith(".test"):
                return real(host, port, *args, **kwargs)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in self.next_answer()]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


class _Answers(asyncio.DatagramProtocol):
    """RFC 1035 as far as it takes to answer A with addresses and everything else with nothing."""

    def __init__(self, server):
        self._server = server

    def connection_made(self, transport):
        self._transport = transport

    def datagram_received(self, data, peer):
        end = data.index(b"\0", 12) + 5  # the question: a name, a type and a class
        question = data[12:end]
        addresses = self._server.next_answer() if question[-4:-2] == b"\0\x01" else []
        records = b"".join(
            b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 0, 4) + socket.inet_aton(address) for address in addresses
        )
        head = data[:2] + struct.pack(">HHHHH", 0x8580, 1, len(addresses), 0, 0)
        self._transport.sendto(head + question + records, peer)


class Listener:
    """A socket that listens and never answers: `heard` says whether anybody connected, or tried to."""

    def __init__(self, address="127.0.0.1", listening=None):
        (self._socket,) = listeners((address,)) if listening is None else (listening,)
        self._socket.setblocking(False)
        self.port = self._socket.getsockname()[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    def heard(self):
        # The kernel completes a handshake by itself, so a connection would be there by now.
        try:
            connection, _ = self._socket.accept()
        except BlockingIOError:
            return False
        connection.close()
        return True
