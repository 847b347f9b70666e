"""The two network transports, for tests that hold for both."""

from pathlib import Path

import pytest

from crawler.core.config import CrawlConfig
from crawler.fetcher.transport.aiohttp.transport import AiohttpTransport
from crawler.fetcher.transport.requests.transport import RequestsTransport

TRANSPORTS = {"aiohttp": AiohttpTransport, "requests": RequestsTransport}


def settings(**changes):
    """A configuration that allows loopback, with changes."""
    return CrawlConfig(job=Path("unused"), **{"concurrency": 8, "allow_private": True, **changes})


@pytest.fixture(params=["aiohttp", "requests"])
def kind(request):
    """Which network transport a test runs on."""
    return request.param


@pytest.fixture
async def make(kind):
    """Makes transports that may connect to loopback unless told otherwise, and closes them."""
    made = []

    def make(budget=None, **changes):
        made.append(TRANSPORTS[kind](settings(**changes), budget))
        return made[-1]

    yield make
    for transport in made:
        await transport.close()


@pytest.fixture
def transport(make):
    """A transport that may connect to loopback."""
    return make()
