"""A parser process as the process that started it sees it, with what it was given."""

import signal
import time
from collections import deque
from collections.abc import MutableSequence
from typing import TYPE_CHECKING

from crawler.parsers.batch import Batch
from crawler.parsers.beginning import begin
from crawler.parsers.signs import BEGUN, OUT_OF_MEMORY, SIGNALS, SLOTS, STARTED_AT, WORN
from crawler.parsers.spawning import Inbox, Process, context, new_shared

if TYPE_CHECKING:
    from crawler.parsers.reading.reader import Parse

__all__ = ["BATCHES_PER_PARSER", "ParserProcess", "new_counters"]

BATCHES_PER_PARSER = 2
"""Batches that a parser has at most: one under way, and one so that it need not wait for the next."""


def new_counters(parsers: int) -> MutableSequence[float]:
    """Return zeros in shared memory, `SLOTS` for each parser."""
    return new_shared(parsers * SLOTS)


class ParserProcess:
    """A parser, started by making one and to be discarded after its end; and what was given to it.

    For the arguments see `worker.main`. `results` is the pipe on which it answers, `number` that of the process.

    State: `batches`, in the order given, how many pages it has `answered`, and `gone`, that its batches were taken back
    and it must not get others: these change under the pool's lock, and so does `ready`, that it has sent its first
    sign. The rest is of the thread that started it: `garbled`, that what it sent was no answer; for how long it has
    been starting; when the page began for which it was killed.
    """

    def __init__(self, counters: MutableSequence[float], slot: int, settings: bytes, parse: "Parse | None") -> None:
        self.slot = slot
        self.batches: deque[Batch] = deque()
        self.answered = 0
        self.gone = False
        self.ready = False
        self.garbled = False
        self._counters = counters
        self._hung_at: float | None = None
        self._starting_s = 0.0
        self._looked_at = time.monotonic()
        counters[slot + STARTED_AT] = counters[slot + BEGUN] = 0.0
        # More than it is given, so that to put a message in never waits: the last one tells it to end.
        self._inbox = Inbox(BATCHES_PER_PARSER + 1)
        self.results, answers = context.Pipe(duplex=False)
        self._process = Process(
            target=begin,
            kwargs={
                "inbox": self._inbox.queue,
                "results": answers,
                "counters": counters,
                "slot": slot,
                "settings": settings,
                "parse": parse,
            },
            name=f"parser-{slot // SLOTS}",
            daemon=True,
        )
        # A new process inherits the mask, so a Ctrl-C cannot strike before it ignores the signal. Only now: the first
        # queue of a program starts multiprocessing's resource tracker, which unblocks both.
        blocks = hasattr(signal, "pthread_sigmask")
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS) if blocks else set()
        try:
            self._process.start()
        finally:
            if blocks:
                signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        self.number = self._process.pid or 0
        # The parser's end must be open nowhere else, or its death would not end the pipe.
        answers.close()

    @property
    def sentinel(self) -> int:
        """What `multiprocessing.connection.wait` takes to wait for the end of the process."""
        return self._process.sentinel

    @property
    def exit_code(self) -> int | None:
        """Exit code, negative for the number of a signal; None while it runs."""
        return self._process.exitcode

    @property
    def is_out_of_memory(self) -> bool:
        """Whether it ended because it could not have the memory that it wanted."""
        return self.exit_code == OUT_OF_MEMORY

    @property
    def is_worn(self) -> bool:
        """Whether it ended of itself because it had swollen.

        It does so between two batches only: a page that ended it with that exit code is to blame like any other.
        """
        return self.exit_code == WORN and not self._counters[self.slot + STARTED_AT]

    @property
    def was_hung(self) -> bool:
        """Whether it was killed for a page that took too long."""
        return self._hung_at is not None

    @property
    def is_innocent(self) -> bool:
        """Whether the page for which it was killed ended after all, just before: then nobody is to blame."""
        return self._hung_at not in {None, self._counters[self.slot + STARTED_AT]}

    def has_room(self) -> bool:
        """Whether it can take another batch: once it is ready, or a page would wait for what its spider imports."""
        return self.ready and not self.gone and len(self.batches) < BATCHES_PER_PARSER

    def give(self, batch: Batch, message: bytes) -> None:
        """Give it a batch, which as a message is msgpack; it must have room. Never waits."""
        self.batches.append(batch)
        self._inbox.put(message)

    @property
    def at_page_s(self) -> float:
        """Seconds for which it has been at a page; 0 if it is at none."""
        started_at = self._counters[self.slot + STARTED_AT]
        return time.monotonic() - started_at if started_at else 0.0

    @property
    def at(self) -> range:
        """Which pages of its first batch it may be at, or was when it died: one; all if it was at none of them."""
        begun = int(self._counters[self.slot + BEGUN]) - self.answered
        is_at_one = begun > 0 and self._counters[self.slot + STARTED_AT]
        return range(begun - 1, begun) if is_at_one else range(len(self.batches[0].items))

    def kill_if_hung(self, timeout_s: float) -> None:
        """Kill it if it is at one page for longer than `timeout_s`."""
        started_at = self._counters[self.slot + STARTED_AT]
        if self._hung_at is None and started_at and time.monotonic() - started_at > timeout_s:
            self._hung_at = started_at
            self._process.kill()

    def starting_s(self) -> float:
        """Return for how many seconds it has been starting, as seen by whoever asks several times a second.

        Long gaps between two looks count as one second: then this process was stopped, and the parser with it.
        """
        if not self.ready:
            now = time.monotonic()
            self._starting_s += min(now - self._looked_at, 1.0)
            self._looked_at = now
        return self._starting_s

    def dismiss(self) -> None:
        """Let it end, at once unless it has nothing to do."""
        if self.ready and not self.batches:
            self._inbox.put(None)
        else:
            self._process.kill()

    def end(self, patience_s: float) -> None:
        """Wait for its end, and kill it if that takes longer than `patience_s`."""
        self._process.join(patience_s)
        self._process.kill()
        self._process.join()

    def discard(self) -> None:
        """Close all that belongs to it, once it has ended."""
        self._inbox.discard()
        self.results.close()
        self._process.close()
