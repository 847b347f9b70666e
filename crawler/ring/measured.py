"""The figures of a crawl, for monitoring systems that ask for them or get them sent."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from crawler.core.config import CrawlConfig
from crawler.core.sample import Sample
from crawler.ring.sampler import Sampler
from crawler.ring.statistics import Statistics

__all__ = ["measured"]

_log = logging.getLogger(__name__)


@asynccontextmanager
async def measured(config: CrawlConfig, statistics: Statistics) -> AsyncIterator[None]:
    """Answer a scraper during the block if `config.metrics` says so, and send figures if variables of OpenTelemetry do.

    Raises `ConfigError` for a port that cannot be had.
    """
    async with AsyncExitStack() as cleanup:
        if config.metrics is not False:
            await cleanup.enter_async_context(_scraped(config.metrics, _looks(statistics)))
        if any(name.startswith("OTEL_EXPORTER_OTLP") for name in os.environ):
            await cleanup.enter_async_context(_sent(_looks(statistics)))
        yield


def _looks(statistics: Statistics) -> Callable[[], Sample]:
    """Return what takes a sample. Each is for one thread, and judges what limits the crawl by its own last looks."""
    sampler = Sampler(statistics)
    sampler.look(0, last=False)  # so that the first one who asks learns what has been since now
    return lambda: sampler.look(0, last=False)


@asynccontextmanager
async def _scraped(port: int | bool, look: Callable[[], Sample]) -> AsyncIterator[None]:
    from crawler.serve.metrics import USUAL_PORT, MetricsServer, listen_for_metrics  # noqa: PLC0415 - for few crawls

    server = MetricsServer(listen_for_metrics(port), look)
    try:
        await server.start()
        # A program shows warnings as a rule, and nobody finds a port that was not named.
        named = server.port == (USUAL_PORT if port is True else port)
        _log.log(logging.INFO if named else logging.WARNING, "metrics are at %s", server.address)
        yield
    finally:
        await server.close()


@asynccontextmanager
async def _sent(look: Callable[[], Sample]) -> AsyncIterator[None]:
    from crawler.serve.otlp import OtlpExport, is_asked_for  # noqa: PLC0415 - for few crawls

    if not is_asked_for(os.environ):
        yield
        return
    export = OtlpExport(look)
    try:
        await asyncio.to_thread(export.start)  # half a second of imports
        yield
    finally:
        await asyncio.to_thread(export.close)
