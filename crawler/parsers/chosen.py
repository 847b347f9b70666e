"""What parses pages, as the ring sees it, and which one the settings name."""

import logging
from collections.abc import Callable
from typing import Protocol

from crawler.core.config import CrawlConfig
from crawler.core.errors import CrawlerError
from crawler.core.model import Done, Download
from crawler.parsers.large_pages import Keep
from crawler.parsers.pool import ParserPool
from crawler.parsers.spawning import check_queues

__all__ = ["Parsers", "chosen_parsers", "possible"]

_log = logging.getLogger(__name__)


class Parsers(Protocol):
    """Where pages are parsed: `ParserPool` in other processes, `InlineParsers` in this one.

    `start`, `close` and the properties may be used from any thread, what is asked of a host, `submit` and `drain` from
    one event loop.
    """

    @property
    def pending(self) -> int:
        """Pages submitted whose result was not delivered yet."""

    @property
    def capacity(self) -> int:
        """Pages that fit in."""

    @property
    def busy_s(self) -> tuple[float, ...]:
        """For each parser, seconds spent on pages since the start."""

    @property
    def busiest(self) -> dict[str, float]:
        """Hosts whose pages took most lately, each with how many parsers it has kept busy on the average."""

    @property
    def started(self) -> bool:
        """Whether anything parses yet: before that no page can end."""

    @property
    def replaced(self) -> int:
        """Parsers that died or were killed and were replaced."""

    @property
    def processes(self) -> tuple[int, ...]:
        """Numbers of the processes that parse, beside this one."""

    def start(self) -> None:
        """Get ready. Raises `CrawlerError` if that fails."""

    def is_quick(self, host: str, size: int) -> bool:
        """Whether a page of a host (an authority), of so many bytes, takes no time that anybody would notice."""

    def holds(self, host: str) -> bool:
        """Whether so much waits that nothing is to be asked of a host: of its own, or of others like it."""

    def tell(self, listener: Callable[[dict[str, float]], None]) -> None:
        """Have `listener(waits)` called in the event loop when hosts are to wait, each for so many seconds, for what
        their pages have cost; or, with none, when `holds` may answer otherwise than before.
        """

    async def submit(self, download: Download) -> None:
        """Have a download parsed; waits while there is no room. Raises `CrawlerError` if nothing can be parsed."""

    async def drain(self) -> None:
        """Wait until every page submitted so far is done and delivered. Raises as `submit`."""

    def close(self) -> None:
        """End; pages that are not done are dropped. May be called again."""


def possible(config: CrawlConfig) -> CrawlConfig:
    """Return the settings, or those without parser processes where the system has no queues to them: with a warning."""
    if config.strategy != "hybrid":
        return config
    try:
        check_queues(config.parsers + 1)  # one for a parser that takes the place of another
    except CrawlerError as error:
        inline = config.without_processes()
        _log.warning("%s; this crawl goes on with strategy %s", error, inline.strategy)
        return inline
    return config


def chosen_parsers(
    config: CrawlConfig,
    on_done: Callable[[list[Done]], None],
    *,
    on_failure: Callable[[CrawlerError], None],
    spider: bytes,
    hash_seed: int,
    keep: Keep,
) -> Parsers:
    """Return what parses with the strategy that the settings name. `keep` is that of `ParserPool`."""
    if config.strategy == "hybrid":
        return ParserPool(config, on_done, on_failure=on_failure, spider=spider, hash_seed=hash_seed, keep=keep)
    from crawler.parsers.inline import InlineParsers  # noqa: PLC0415 - a quarter of a start, and no parser processes need it

    return InlineParsers(config, on_done, on_failure=on_failure, spider=spider, hash_seed=hash_seed)
