"""Which event loop runs a crawl that has a loop of its own."""

import asyncio
from collections.abc import Callable

__all__ = ["loop_factory"]


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """What makes the event loop: uvloop's where it is installed, else that of asyncio."""
    try:
        from uvloop import new_event_loop  # noqa: PLC0415  not there on every platform
    except ImportError:
        return asyncio.new_event_loop
    return new_event_loop
