"""The hostile server, the healthy hosts, and how long these take alone: once for each process that runs tests."""

import pytest

from tests.hostile.run import healthy_server, run_crawl
from tests.hostile.server import HostileProcess


@pytest.fixture(scope="session")
def hostile():
    with HostileProcess() as process:
        yield process


@pytest.fixture(scope="session")
def healthy():
    with healthy_server() as server:
        yield server


@pytest.fixture(scope="session")
def alone(healthy, tmp_path_factory):
    """The crawl of the healthy hosts without a hostile one. One before it starts what lasts as long as Python."""
    run_crawl(None, healthy, (), tmp_path_factory.mktemp("first") / "job", patience_s=0.0)
    crawl = run_crawl(None, healthy, (), tmp_path_factory.mktemp("alone") / "job")
    assert not crawl.wrong
    assert not crawl.left
    return crawl
