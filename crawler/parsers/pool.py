"""The pool of parser processes, as the ring sees it.

    submit ─► Intake ─► Dispatch ─► ParserProcess ─► Supervision ─► on_done
              who may   batches     an inbox and     reads answers,
              enter     that wait   a pipe each      replaces parsers

Pages are gathered into batches; each parser has its own bounded `multiprocessing.Queue` to receive them and its own
pipe to answer. `intake` and `dispatch` work in the event loop's thread, and in the collector when a parser has room
again; `supervision` is the collector; `worker` runs in each process.
"""

import atexit
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from crawler.core.config import CrawlConfig
from crawler.core.errors import CrawlerError
from crawler.core.fork import Birth
from crawler.core.model import Done, Download
from crawler.parsers.batch import LIMITS, BatchLimits
from crawler.parsers.intake import Intake
from crawler.parsers.large_pages import Keep
from crawler.parsers.process import BATCHES_PER_PARSER
from crawler.parsers.reading.settings import ParserSettings
from crawler.parsers.supervision import Supervision

if TYPE_CHECKING:
    from crawler.parsers.reading.reader import Parse

__all__ = ["ParserPool"]


class ParserPool:
    """Parser processes behind a back-pressured inlet.

    `on_done` gets the results, batch by batch, in the collector thread; it may block, which slows the parsers down. If
    it raises, or parsers cannot be started, the pool is broken: `submit` and `drain` raise `CrawlerError` from then on,
    and `on_failure` is told in the collector thread. `spider` is the crawl's, as `spiders.spider` packs it. `parse` is
    what a parser does with a page instead of `reader.parse_page`; it is imported there by its name. `limits` are those
    of a batch, for measurements. `keep` counts the bytes of encoded pages that show to be large, as long as they wait.

    `start`, `close` and the properties may be used from any thread, `submit` and `drain` from one event loop.
    Pools share nothing with each other.
    """

    def __init__(
        self,
        config: CrawlConfig,
        on_done: Callable[[list[Done]], None],
        *,
        on_failure: Callable[[CrawlerError], None] | None = None,
        spider: bytes = b"",
        hash_seed: int = 0,
        parse: "Parse | None" = None,
        limits: BatchLimits = LIMITS,
        keep: Keep | None = None,
    ) -> None:
        self._birth = Birth()
        self._most = config.parsers * BATCHES_PER_PARSER * limits.pages
        self._intake = Intake(limits, config.folder, config.parsers, keep)
        self._supervision = Supervision(
            self._intake,
            ParserSettings.of(config, spider, hash_seed),
            parse,
            size=config.parsers,
            timeout_s=config.parser_timeout_s,
            archive=config.archive,
            on_done=on_done,
            on_failure=on_failure,
        )

    def __repr__(self) -> str:
        return f"<ParserPool {len(self.busy_s)} parsers, {self.pending} pages pending, {self.replaced} replaced>"

    @property
    def pending(self) -> int:
        """Pages submitted whose result was not delivered yet."""
        return self._intake.pending

    @property
    def capacity(self) -> int:
        """Pages that fit in; how many depends on their sizes, so it equals `pending` while `submit` has to wait."""
        return self.pending if self._intake.is_awaited else max(self.pending, self._most)

    @property
    def busy_s(self) -> tuple[float, ...]:
        """For each parser, seconds spent on pages since the start; a replacement goes on counting."""
        return self._supervision.busy_s

    @property
    def busiest(self) -> dict[str, float]:
        """Hosts whose pages took most lately, each with how many parsers it has kept busy on the average."""
        return self._intake.busiest

    @property
    def started(self) -> bool:
        """Whether the first parser has started: before that no page can end."""
        return self._supervision.started

    @property
    def replaced(self) -> int:
        """Parsers that died or were killed and were replaced; not those that had swollen."""
        return self._supervision.replaced

    @property
    def processes(self) -> tuple[int, ...]:
        """Numbers of the processes that run now."""
        return self._intake.processes

    def start(self) -> None:
        """Start the collector, which starts the processes; pages may be submitted at once. Never waits."""
        atexit.register(self.close)
        self._supervision.start()

    def submit(self, download: Download) -> Coroutine[Any, Any, None]:
        """Give a download to the parsers; waits while they have as much as they may have, and for a large page's end.

        Cancelled while it waits for room, it has not taken the page. Raises `CrawlerError` if the pool is broken or
        closed.
        """
        return self._intake.submit(download)  # one coroutine a page, and nobody else who holds its body

    def is_quick(self, host: str, size: int) -> bool:
        """Whether a page of a host (an authority), of so many bytes, takes no time that anybody would notice."""
        return self._intake.is_quick(host, size)

    def holds(self, host: str) -> bool:
        """Whether so much waits that nothing is to be asked of a host: of its own, or of others like it."""
        return self._intake.holds(host)

    def tell(self, listener: Callable[[dict[str, float]], None]) -> None:
        """Have `listener(waits)` called in the event loop when hosts are to wait, each for so many seconds, for what
        their pages have cost; or, with none, when `holds` may answer otherwise than before.
        """
        self._intake.listener = listener

    async def drain(self) -> None:
        """Wait until every page submitted so far is done and delivered. Raises `CrawlerError` if the pool is broken."""
        await self._intake.drain()

    def close(self) -> None:
        """End the processes and the collector; pages that are not done are dropped. May be called again.

        Nothing happens in a process that was forked meanwhile: the parsers are not its own.
        """
        if not self._birth.is_here:
            return
        self._supervision.close()
        atexit.unregister(self.close)
