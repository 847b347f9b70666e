"""Hosts by a part of their names: those in memory, and behind them those that the store knows."""

import asyncio
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from crawler.core.errors import CrawlerError
from crawler.core.host_line import HostLine, HostLines
from crawler.ring.statistics import Statistics

__all__ = ["HostSearch"]

_PATIENCE_S: Final = 2.0


class HostSearch:
    """Finds hosts, in the event loop's thread. State: who looks into the store, one at a time."""

    def __init__(self, statistics: Statistics) -> None:
        self._statistics = statistics
        self._looking = asyncio.Lock()

    async def find(self, part: str, most: int, stored: bool) -> HostLines:
        """Return up to so many hosts whose name holds a text in lower case, those with the most to do first.

        With `stored` the store is looked into for what is not in memory, for two seconds at most, in a thread.
        """
        found = self._statistics.hosts(part, most)
        folder = self._statistics.folder
        if not (stored and part) or folder is None or len(found.lines) >= most:
            return found
        async with self._looking:
            try:
                names = await asyncio.to_thread(_stored, folder, part, most)
            except CrawlerError:
                return found  # the crawl is ending, and the store is closed or moves
        known = {line.name for line in found.lines}
        lines = [HostLine(name, state="not in memory") for name in names if name not in known][: most - len(known)]
        return replace(found, lines=(*found.lines, *lines), stored=len(lines))


def _stored(folder: Path, part: str, most: int) -> list[str]:
    from crawler.jobs.host_names import host_names  # noqa: PLC0415 - when somebody asks for the first time
    from crawler.jobs.opening import opened_store  # noqa: PLC0415 - as above

    with opened_store(folder) as store:
        return host_names(store, part, most, _PATIENCE_S)
