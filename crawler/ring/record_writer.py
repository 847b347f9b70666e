"""What parsers make of stored pages, on its way to the sinks: in order if wanted, and bounded."""

import asyncio
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence

from crawler.core.config import CrawlConfig
from crawler.core.json_line import lines_in
from crawler.core.model import Done, Download, Finished, Task
from crawler.core.threads import call_in
from crawler.ledger.sinks.base import Sink
from crawler.ledger.sinks.consumer import release
from crawler.ledger.sinks.locks import OutputLocks
from crawler.ledger.sinks.outputs import places_of, sinks_for

__all__ = ["RecordWriter"]

_MOST_PAGES = 512
"""Pages that were read and have not been written: with order kept, those that wait for a slow one before them."""
_MOST_BYTES = 32 << 20
_FLUSH_BYTES = 16 << 20
_FLUSH_S = 5.0


class RecordWriter:
    """Takes results from the pool and gives them to the sinks. `run` is a thread's; other methods say whose they are.

    `sinks` are told of all pages, before the outputs of `config`.

    State: under the condition, results that wait for the thread; of the thread, those that wait for one before them.
    """

    def __init__(self, config: CrawlConfig, sinks: Sequence[Sink], *, ordered: bool) -> None:
        self._config = config
        self._sinks = (*sinks, *sinks_for(config))
        self._loop = asyncio.get_running_loop()
        self._ordered = ordered
        self._changed = threading.Condition()
        self._inbox: deque[Done] = deque()
        self._inbox_bytes = 0
        self._ended = False
        self._whole = False
        self._expected: dict[bytes, tuple[Task, float]] = {}
        self._space = asyncio.Event()
        self._early: dict[int, Done] = {}
        self._early_bytes = 0
        self._unsynced = 0
        self._synced_at = time.monotonic()
        self.pages = 0
        self.records = 0
        self.outcomes: Counter[str] = Counter()

    async def room(self, download: Download) -> None:
        """Wait until this page may be parsed too. In the event loop."""
        while self._expected and (len(self._expected) >= _MOST_PAGES or self._early_bytes >= _MOST_BYTES):
            self._space.clear()
            if len(self._expected) < _MOST_PAGES and self._early_bytes < _MOST_BYTES:
                break
            await self._space.wait()
        self._expected[download.task.key] = (download.task, download.fetched_at)

    def put(self, results: list[Done]) -> None:
        """Take results; wait while many bytes of them lie here already. In the pool's thread."""
        with self._changed:
            while self._inbox_bytes > _MOST_BYTES and not self._ended:
                self._changed.wait()
            self._inbox.extend(results)
            self._inbox_bytes += sum(len(done.records or b"") for done in results)
            self._changed.notify_all()

    def end(self, *, whole: bool) -> None:
        """Let `run` end after what was put. `whole`: nothing is missing; else it waits for no consumer. In the loop."""
        with self._changed:
            self._whole = self._whole or whole
            self._ended = True
            self._changed.notify_all()
        if not whole:
            release(self._sinks)

    def run(self) -> None:
        """Open the sinks, write what comes until `end`, close them."""
        locks = OutputLocks()
        try:
            locks.take(places_of(self._config))
            for sink in self._sinks:
                sink.open(None)
            while (results := self._taken()) is not None:
                self._write(results)
            if self._whole:
                self._flush(last=True)
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()
            for sink in self._sinks:
                sink.close()
            locks.close()

    def _taken(self) -> list[Done] | None:
        with self._changed:
            while not self._inbox and not self._ended:
                self._changed.wait()
            if not self._inbox:
                return None
            results = list(self._inbox)
            self._inbox.clear()
            self._inbox_bytes = 0
            self._changed.notify_all()
        return results

    def _write(self, results: list[Done]) -> None:
        if self._ordered:
            for done in results:
                self._early[int.from_bytes(done.key, "big")] = done
                self._early_bytes += len(done.records or b"")
            results = list(self._in_turn())
        if results:
            finished = []
            for done in results:
                task, at = self._expected.pop(done.key)
                finished.append(Finished.of(task, done, at))
                self.records += lines_in(done.records)
                self.outcomes[f"{done.outcome}: {done.reason}" if done.reason else done.outcome] += 1
                self._unsynced += len(done.records or b"")
            for sink in self._sinks:
                sink.write(finished)
            self.pages += len(finished)
            if self._unsynced >= _FLUSH_BYTES or time.monotonic() - self._synced_at >= _FLUSH_S:
                self._flush(last=False)
        call_in(self._loop, self._space.set)

    def _in_turn(self) -> Iterator[Done]:
        """Give the results that are next by their numbers."""
        number = self.pages + 1
        while (done := self._early.pop(number, None)) is not None:
            self._early_bytes -= len(done.records or b"")
            number += 1
            yield done

    def _flush(self, *, last: bool) -> None:
        for sink in self._sinks:
            sink.flush(last=last)
        for sink in self._sinks:
            sink.committed()
        self._unsynced, self._synced_at = 0, time.monotonic()
