"""What holds for every test."""

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _own_log_level() -> Iterator[None]:
    """The command line sets the level of the log for its process: a test that calls it must not silence the next."""
    logger = logging.getLogger("crawler")
    level = logger.level
    yield
    logger.setLevel(level)
