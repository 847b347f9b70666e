"""Which transport the settings name."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from crawler.core.config import CrawlConfig
from crawler.fetcher.transport.budget import ByteBudget

if TYPE_CHECKING:
    from crawler.fetcher.transport.aiohttp.transport import AiohttpTransport
    from crawler.fetcher.transport.requests.transport import RequestsTransport

__all__ = ["import_transport", "transport_class"]

_AUTHORITIES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
"""Variables by which OpenSSL is told where the system's authorities are (SSL_CTX_set_default_verify_paths(3))."""


def import_transport(config: CrawlConfig) -> None:
    """Import the transport that the settings name, in a process that crawls and does nothing else.

    As it is imported, aiohttp reads the system's authorities twice, for contexts that no crawl uses: a tenth of a
    start. Here it is told meanwhile that there are none; a context that is made so trusts nobody. Not for a program
    that uses this package, which may use aiohttp too; nor beside other threads, which would see the same.
    """
    told = {name: os.environ.get(name) for name in _AUTHORITIES}
    os.environ.update(dict.fromkeys(_AUTHORITIES, os.devnull))
    try:
        transport_class(config)
    finally:
        for name, value in told.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def transport_class(config: CrawlConfig) -> "Callable[[CrawlConfig, ByteBudget], AiohttpTransport | RequestsTransport]":
    """Return the transport that the settings name; imported here because aiohttp alone takes 0.3 s."""
    if config.transport_kind == "requests":
        from crawler.fetcher.transport.requests.transport import RequestsTransport  # noqa: PLC0415 - slow to import

        return RequestsTransport
    from crawler.fetcher.transport.aiohttp.transport import AiohttpTransport  # noqa: PLC0415 - as above

    return AiohttpTransport
