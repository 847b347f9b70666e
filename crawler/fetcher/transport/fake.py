"""A transport without a network, for tests and simulations."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable

from msgspec import structs

from crawler.core.model import Failure
from crawler.fetcher.transport.base import NOT_NOW, FetchRequest, FetchResult

__all__ = ["FakeTransport", "Handler", "answer"]

Handler = Callable[[FetchRequest], FetchResult | Failure | Awaitable[FetchResult | Failure]]
"""What plays the web: a function or coroutine function from a request to its answer."""


class FakeTransport:
    """Answers with what `handler` returns, after `latency_s` seconds (default 0: at the next turn of the loop).

    The time limit and the body limit of a request hold as on a real network: a handler that takes longer is a
    `timeout`, a longer body is cut. What `handler` raises is a bug of the test and is not caught. `fetches` counts
    the requests, `in_flight` those not yet answered.
    """

    def __init__(self, handler: Handler, *, latency_s: float = 0.0) -> None:
        self._handler = handler
        self._latency_s = latency_s
        self.fetches = 0
        self.in_flight = 0
        self.closed = False

    async def fetch(self, request: FetchRequest) -> FetchResult | Failure:
        """Ask the handler."""
        self.fetches += 1
        self.in_flight += 1
        try:
            async with asyncio.timeout(request.timeout_s) as limit:
                await asyncio.sleep(self._latency_s)
                if request.may_go is not None and not request.may_go():
                    return NOT_NOW
                result = self._handler(request)
                if inspect.isawaitable(result):
                    result = await result
        except TimeoutError:
            if not limit.expired():
                raise
            return Failure("timeout", f"no answer within {request.timeout_s:g} s", retryable=True)
        finally:
            self.in_flight -= 1
        return result if isinstance(result, Failure) else _cut(result, request.max_body_bytes)

    async def address(self, url: str) -> str | None:
        """Nobody knows: a fake host counts against no address."""

    async def close(self) -> None:
        """Remember that it was called."""
        self.closed = True


def answer(
    request: FetchRequest,
    body: bytes | str = b"",
    *,
    status: int = 200,
    headers: tuple[tuple[str, str], ...] = (("content-type", "text/html; charset=utf-8"),),
) -> FetchResult:
    """A `FetchResult` for `request`, by default a page of HTML."""
    content = body.encode() if isinstance(body, str) else body
    return FetchResult(request.url, status, headers, content, len(content), address="192.0.2.1")


def _cut(result: FetchResult, limit: int) -> FetchResult:
    if len(result.body) <= limit:
        return result
    return structs.replace(result, body=result.body[:limit], body_bytes=limit, truncated=True)
