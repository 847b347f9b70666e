"""Which transport the settings name."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from crawler.core.config import CrawlConfig
from crawler.fetcher.transport.budget import ByteBudget

if TYPE_CHECKING:
    from crawler.fetcher.transport.aiohttp.transport import AiohttpTransport
    from crawler.fetcher.transport.requests.transport import RequestsTransport

__all__ = ["transport_class"]


def transport_class(config: CrawlConfig) -> "Callable[[CrawlConfig, ByteBudget], AiohttpTransport | RequestsTransport]":
    """Return the transport that the settings name; imported here because aiohttp alone takes 0.3 s."""
    if config.transport_kind == "requests":
        from crawler.fetcher.transport.requests.transport import RequestsTransport  # noqa: PLC0415 - slow to import

        return RequestsTransport
    from crawler.fetcher.transport.aiohttp.transport import AiohttpTransport  # noqa: PLC0415 - as above

    return AiohttpTransport
