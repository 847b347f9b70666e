"""What holds for every test."""

import logging
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# No example has a time limit, since a machine may be ten times slower; and each run draws the same ones, so that what
# fails on one machine fails on all. New ones are what `make fuzz` is for.
settings.register_profile(
    "repeatable", deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def _own_log_level() -> Iterator[None]:
    """The command line sets the level of the log for its process: a test that calls it must not silence the next."""
    logger = logging.getLogger("crawler")
    level = logger.level
    yield
    logger.setLevel(level)
