"""Which addresses a name has, for the transport on aiohttp."""

import socket

from aiohttp import DefaultResolver
from aiohttp.abc import AbstractResolver, ResolveResult

from crawler.fetcher.transport.guard import LOOPBACK_ADDRESSES, is_localhost

__all__ = ["Resolver"]


class Resolver(AbstractResolver):
    """`localhost` and all below it are loopback without asking (RFC 6761 §6.3); other names are aiohttp's business.

    With aiodns (an extra of aiohttp that this package asks for) look-ups cost no thread and /etc/hosts counts;
    without it the C library is asked in threads.
    """

    def __init__(self) -> None:
        self._inner = DefaultResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Addresses of a name."""
        if not is_localhost(host):
            return await self._inner.resolve(host, port, family)
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for address in LOOPBACK_ADDRESSES
        ]

    async def close(self) -> None:
        """End look-ups under way."""
        await self._inner.close()
