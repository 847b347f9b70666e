"""Waiting for what must come: long, since a machine may be slow, and over at once when it has come."""

import time
from collections.abc import Callable

__all__ = ["PATIENCE_S", "wait_until"]

PATIENCE_S = 60.0
"""Seconds after which a test that waits in vain fails."""


def wait_until(condition: Callable[[], object]) -> None:
    """Return when `condition` holds; fail when it does not come to hold."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.01)
