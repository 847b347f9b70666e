"""Which transport the settings name."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from crawler.config import CrawlConfig
from crawler.transport.budget import ByteBudget

if TYPE_CHECKING:
    from crawler.transport.aiohttp import AiohttpTransport
    from crawler.transport.requests import RequestsTransport

__all__ = ["transport_class"]


def transport_class(config: CrawlConfig) -> "Callable[[CrawlConfig, ByteBudget], AiohttpTransport | RequestsTransport]":
    """Return the transport that the settings name; imported here because aiohttp alone takes 0.3 s."""
    if config.transport_kind == "requests":
        from crawler.transport.requests import RequestsTransport  # noqa: PLC0415

        return RequestsTransport
    from crawler.transport.aiohttp import AiohttpTransport  # noqa: PLC0415

    return AiohttpTransport
