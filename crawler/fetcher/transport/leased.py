"""A transport that sends nothing when a lease has run out, however long a request has waited for its connection."""

from collections.abc import Callable

from msgspec import structs

from crawler.core.model import Failure
from crawler.fetcher.transport.base import NOT_NOW, FetchRequest, FetchResult, Transport

__all__ = ["LeasedTransport"]


class LeasedTransport:
    """Asks `may_ask()` before each request, and has the transport behind it ask again before it sends. Has no state.

    A process that was stopped in between, and woken later, finds the lease gone, and sends nothing.
    """

    def __init__(self, transport: Transport, may_ask: Callable[[], bool]) -> None:
        self._transport = transport
        self._may_ask = may_ask
        self.address, self.close = transport.address, transport.close

    async def fetch(self, request: FetchRequest) -> FetchResult | Failure:
        """Ask once, if that is allowed."""
        if not self._may_ask():
            return NOT_NOW
        return await self._transport.fetch(structs.replace(request, may_go=self._may_ask))
