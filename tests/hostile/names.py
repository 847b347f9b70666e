"""A resolver for names that exist nowhere: both transports ask it instead of the system's."""

import asyncio
import socket
from collections import Counter
from collections.abc import Mapping, Sequence

from aiohttp.abc import AbstractResolver, ResolveResult

__all__ = ["Names"]

Answers = Sequence[str] | Sequence[Sequence[str]]


class Names(AbstractResolver):
    """Answers from a table: name -> addresses, or -> a list of such answers, given one after the other, in turn.

    Of a name without addresses nothing is said. Other names do not exist. `asked` counts the questions; `getaddrinfo`
    is in the form of the C library's.
    """

    def __init__(self, table: Mapping[str, Answers]) -> None:
        self._table = table
        self._system = socket.getaddrinfo
        self.asked: Counter[str] = Counter()

    def addresses(self, name: str) -> Sequence[str]:
        """What the name means this time."""
        found = self._table[name]
        number = self.asked[name]
        self.asked[name] += 1
        return found if not found or isinstance(found[0], str) else found[number % len(found)]

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        if host not in self._table:
            raise OSError(None, "no such name")
        if not self._table[host]:
            await asyncio.get_running_loop().create_future()
        flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        return [
            ResolveResult(hostname=host, host=address, port=port, family=_family(address), proto=0, flags=flags)
            for address in self.addresses(host)
        ]

    async def close(self) -> None:
        pass

    def getaddrinfo(self, host, port, *more, **named):
        if host not in self._table:
            return self._system(host, port, *more, **named)
        stream = (socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
        return [(_family(address), *stream, (address, port)) for address in self.addresses(host)]


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET
