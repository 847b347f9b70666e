"""What breaks the work under way, from whichever thread, as something to wait for beside the work."""

import asyncio
from typing import Any

from crawler.core.threads import settle, settle_from_thread

__all__ = ["Breakdown"]


class Breakdown:
    """Whether something broke, for one event loop. State, changed in that loop: the first error that was told."""

    def __init__(self) -> None:
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def tell(self, error: BaseException) -> None:
        """Say what broke; in the event loop."""
        settle(self._failed, error=error)

    def tell_from_thread(self, error: BaseException) -> None:
        """Say what broke; from any thread."""
        settle_from_thread(self._failed, error=error)

    async def until(self, work: "asyncio.Future[Any]", *runs: "asyncio.Future[Any]") -> None:
        """Wait until `work` ends, or one of `runs` does, or something broke. Raises what broke, and what they raise."""
        await asyncio.wait({work, *runs, self._failed}, return_when=asyncio.FIRST_COMPLETED)
        for future in (*runs, self._failed, work):
            if future.done():
                future.result()

    def close(self) -> None:
        """Wait no more: what broke is known, even if something else has ended the work before."""
        _ = self._failed.cancel() or self._failed.exception()
