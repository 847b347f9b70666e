"""Why a crawl ends."""

import asyncio
from collections.abc import Callable

from crawler.core.stats import Ended

__all__ = ["StopRequest"]


class StopRequest:
    """Whether and why a crawl is to end; the first reason counts.

    State, of the event loop's thread: that reason, and what is called at once when there is one.
    """

    def __init__(self) -> None:
        self.why: Ended | None = None
        self._asked = asyncio.Event()
        self._then: Callable[[], None] | None = None

    def ask(self, why: Ended) -> None:
        """Ask the crawl to end."""
        if self.why is None:
            self.why = why
            self._asked.set()
            if self._then is not None:
                self._then()

    def then(self, act: Callable[[], None]) -> None:
        """Have `act` called in the moment in which the end is asked for: whoever waits comes some turns later.

        At once, if it was asked for before.
        """
        self._then = act
        if self.why is not None:
            act()

    def is_asked(self) -> bool:
        """Whether the crawl is to end. From any thread."""
        return self.why is not None

    async def wait(self) -> None:
        """Wait until the crawl is to end."""
        await self._asked.wait()
