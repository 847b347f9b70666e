"""Who sees to the parser processes: starts them, reads their answers, ends those that hang, replaces those that die."""

import threading
import time
from collections.abc import Callable, MutableSequence
from multiprocessing import connection
from typing import TYPE_CHECKING, Any

import msgspec

from crawler.core.errors import CrawlerError
from crawler.core.model import Done
from crawler.parsers.batch import Item, kept
from crawler.parsers.failure_log import FailureLog
from crawler.parsers.intake import Intake
from crawler.parsers.process import ParserProcess, new_counters
from crawler.parsers.reading.settings import ParserSettings
from crawler.parsers.signs import BUSY_S, READY, SLOTS

if TYPE_CHECKING:
    from crawler.parsers.reading.reader import Parse

__all__ = ["Supervision"]

_STARTS = 5
_START_S = 60.0
_START_TIMEOUTS = 3
"""A parser has this many times the time for a page to start, and at least `_START_S`: it imports what a spider does."""
_END_S = 1.0
_TICK_S = 0.25


class Supervision:
    """One thread, the collector, that sees to as many parsers as `size` says.

    What a parser was given is kept until its answer has come whole. When a parser dies, the page that it was at is
    parsed again alone, and has failed if it ends that parser, too; everything else is only moved. A page that takes
    longer than `timeout_s` is ended with its parser. A parser that does not start in time breaks the pool, or is
    replaced if others have started. `archive`: whether a page that failed so keeps its exchange with the server.
    `on_done` and `on_failure` are those of the pool.

    State, of the collector: the counters in shared memory, `replaced`, and `started`, that the first parser has (others
    read these three); how many starts have failed in a row. `start` and `close` are for any thread.
    """

    def __init__(
        self,
        intake: Intake,
        settings: ParserSettings,
        parse: "Parse | None",
        *,
        size: int,
        timeout_s: float,
        archive: bool,
        on_done: Callable[[list[Done]], None],
        on_failure: Callable[[CrawlerError], None] | None,
    ) -> None:
        self.replaced = 0
        self.started = False
        self._intake = intake
        self._settings = msgspec.msgpack.encode(settings)
        self._spider = settings.spider_title
        self._parse = parse
        self._size = size
        self._timeout_s = timeout_s
        self._archive = archive
        self._on_done = on_done
        self._on_failure = on_failure
        self._counters: MutableSequence[float] = [0.0] * (size * SLOTS)
        self._decoder = msgspec.msgpack.Decoder(tuple[list[Done | None], list[float]])
        self._failures = FailureLog()
        self._failed_starts = 0
        self._wakeup, self._waker = connection.Pipe(duplex=False)
        self._collector = threading.Thread(target=self._collect, name="parser-collector", daemon=True)
        # Written by the first `close`, under the lock.
        self._closing = False

    @property
    def busy_s(self) -> tuple[float, ...]:
        """For each parser, seconds spent on pages since the start; a replacement goes on counting."""
        return tuple(self._counters[slot + BUSY_S] for slot in range(0, self._size * SLOTS, SLOTS))

    def start(self) -> None:
        """Have the processes started, as pages come for them; returns at once. What prevents it breaks the pool."""
        self._collector.start()

    def close(self) -> None:
        """End the processes and the collector; pages that are not done are dropped. May be called again."""
        self._intake.refuse(CrawlerError("the parser pool is closed"))
        with self._intake.lock:
            first, self._closing = not self._closing, True
        if first:
            self._waker.send_bytes(b"close")
        if self._collector.ident is not None and threading.current_thread() is not self._collector:
            self._collector.join()
        if first:
            self._waker.close()
            self._wakeup.close()
            self._counters = list(self._counters)
            self._intake.wake()

    # The collector's thread.

    def _collect(self) -> None:
        try:
            self._counters = new_counters(self._size)
            to_start = list(range(0, self._size * SLOTS, SLOTS))
            while not self._closing:
                starts = bool(to_start) and self._wants_another(self._size - len(to_start))
                if starts:
                    parser = self._start_parser(to_start.pop(0))
                    with self._intake.lock:
                        self._intake.dispatch.join(parser)
                # Those that have started have work, and a crawl may end, before the last one was made.
                self._turn(0.0 if starts else min(_TICK_S, self._timeout_s / 4))
        except Exception as error:  # noqa: BLE001 - whatever it is, the pool is broken and those who wait must hear of it
            self._break(error)
        finally:
            self._end_parsers()

    def _wants_another(self, there: int) -> bool:
        """Whether one more is to start: the first at once, each further one when more pages are under way than these.

        A start takes 0.1 s of a core, which the first requests need more; and a crawl of one polite host needs no more
        than one parser ever.
        """
        return not there or self._intake.pending > there

    def _start_parser(self, slot: int) -> ParserProcess:
        # In this thread, and for as long as the processes live: Linux ends them with the thread that started them.
        return ParserProcess(self._counters, slot, self._settings, self._parse)

    def _turn(self, patience_s: float) -> None:
        """Wait for something to happen, for so long, and deal with it."""
        parsers = self._intake.dispatch.parsers()
        sources: list[Any] = [self._wakeup]
        for parser in parsers:
            sources += (parser.results, parser.sentinel)
        ready = connection.wait(sources, patience_s)
        if not ready:
            self._intake.look_again()
        for parser in parsers:
            # A process that a spider has forked holds the sentinel open after the parser's end.
            if parser.exit_code is not None or (parser.results in ready and not self._receive(parser)):
                self._replace(parser)
            else:
                parser.kill_if_hung(self._timeout_s)
                self._end_late_start(parser)

    def _end_late_start(self, parser: ParserProcess) -> None:
        """End a parser that takes too long to start. Raises `CrawlerError` if none has started yet."""
        limit_s = max(_START_S, _START_TIMEOUTS * self._timeout_s)
        if parser.ready or parser.starting_s() < limit_s:
            return
        if not self.started:
            raise CrawlerError(_why_late(self._spider, limit_s))
        parser.end(0.0)

    def _receive(self, parser: ParserProcess) -> bool:
        """Take one message from a parser; False if no more can come from it, or what comes is no answer."""
        try:
            message = parser.results.recv_bytes()
        except (EOFError, OSError):
            return False
        if message == READY:
            self.started = True
            self._intake.joined(parser)
            return True
        try:
            results, times = self._decoder.decode(message)
        except msgspec.DecodeError:
            results, times = [], []
        if not _answers(parser, results, times):
            parser.garbled = True
            return False
        if done := [one for one in results if one is not None]:
            self._failures.tell(done)
            self._on_done(done)
        self._failed_starts = 0
        self._intake.delivered(parser, results, times)
        return True

    def _replace(self, parser: ParserProcess) -> None:
        """Start a parser in the place of one that is gone, and see to the pages that it had."""
        # One that fails to start says why, and its exit code does; it needs a moment from one to the other.
        parser.end(0.0 if parser.ready else _END_S)
        while not parser.garbled and parser.results.poll() and self._receive(parser):
            pass
        worn = parser.is_worn
        to_blame = self._intake.taken_back(parser, blames=parser.ready and not worn and not parser.is_innocent)
        failed = None if to_blame is None else self._failed(to_blame, parser)
        if failed is not None:
            self._on_done([failed])
        if not parser.ready:
            self._failed_starts += 1
        if self._failed_starts >= _STARTS:
            raise CrawlerError(_why_no_start(parser, self._spider))
        replacement = self._start_parser(parser.slot)
        self.replaced += 0 if worn else 1
        self._intake.replaced(parser, replacement, to_blame, self._timeout_s if parser.was_hung else 0.0)
        parser.discard()

    def _failed(self, item: Item, parser: ParserProcess) -> Done:
        """Return how a page ends that is to blame for the death of its parser."""
        reason = "parser-timeout" if parser.was_hung else "parser-died"
        failed = Done(item.key, "failed", reason, item.status, body_bytes=item.body_bytes, attempt=item.attempt)
        return kept(failed, item) if self._archive else failed

    def _break(self, error: Exception) -> None:
        failure = error if isinstance(error, CrawlerError) else CrawlerError(f"the parser pool failed: {error!r}")
        if failure is not error:
            failure.__cause__ = error
        if self._intake.refuse(failure):
            if self._on_failure is not None:
                self._on_failure(failure)
            self._intake.wake()

    def _end_parsers(self) -> None:
        with self._intake.lock:
            parsers = self._intake.dispatch.dismissed()
        for parser in parsers:
            parser.dismiss()
        patience_at = time.monotonic() + _END_S
        for parser in parsers:
            parser.end(max(0.0, patience_at - time.monotonic()))
            parser.discard()


def _answers(parser: ParserProcess, results: list[Done | None], times: list[float]) -> bool:
    """Whether this is what the first batch of a parser has to bring: how its pages end, or the first ones of them."""
    if not parser.batches or not times or len(results) != len(times):
        return False
    items = parser.batches[0].items
    if len(times) > len(items):
        return False
    # A large page is given back once.
    pairs = zip(results, items, strict=False)
    return all(done.key == item.key if done is not None else not item.is_large for done, item in pairs)


def _why_late(spider: str | None, limit_s: float) -> str:
    what = "this machine may be too busy for it"
    if spider:
        what = f"the import of the spider {spider} hangs there, or takes long"
    return (
        f"no parser process has started within {limit_s:g} s: {what}; to allow more, raise the time for a page "
        f"(--parser-timeout, parser_timeout_s), of which a start has {_START_TIMEOUTS} times as much"
    )


def _why_no_start(parser: ParserProcess, spider: str | None) -> str:
    if parser.is_out_of_memory:
        return (
            f"parser processes run out of memory while they start, {_STARTS} in a row: allow them more "
            "(--parser-memory, parser_memory_bytes)"
        )
    return (
        f"parser processes end while they start, {_STARTS} in a row, the last with exit code {parser.exit_code}: the "
        "message above says why"
        + (f"; if it is about the spider, `crawler try URL --spider {spider}` shows more" if spider else "")
    )
