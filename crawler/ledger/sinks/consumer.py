"""Records for the program that crawls: handed over one by one, committed when it has come back for more."""

import threading
from collections import deque
from collections.abc import Callable, Sequence

from crawler.core.model import Finished
from crawler.ledger.sinks.base import Position, Sink, record_lines

__all__ = ["ConsumerLeftError", "ConsumerSink", "release"]

_LOOK_S = 0.25
"""How often a wait looks whether anybody can still come."""


class ConsumerLeftError(Exception):
    """The consumer takes no more records. What it did not take stays due in the store; it is not a failure.

    `taken` counts the records of the open batch that it had.
    """

    def __init__(self, taken: int = 0) -> None:
        super().__init__()
        self.taken = taken


class ConsumerSink:
    """The ledger's side and the consumer's side of one table on which records are laid. At least once.

    `write` lays down the records of a batch and waits until the consumer has taken all of them *and* asks for another:
    only then is it done with the last one. So a batch is committed when all of it was used, and a consumer that is
    killed gets again at most what was on the table. While the ledger waits, its inbox fills, then the parsers wait,
    then the fetcher: at no time is more than one batch of records held here.

    A consumer leaves by `leave`, or by being gone: the thread in which it last took a record has ended, or the
    interpreter ends and that thread is not one that it waits for. Then `write` raises `ConsumerLeftError`.

    The ledger's thread opens, writes, flushes and closes; one consumer at a time takes, from any thread. `on_change` is
    called, in the other thread, when there is something to take or nothing will come any more. All state is under the
    condition; the condition can be taken twice by one thread, since `leave` may be called by the garbage collector.
    """

    name = "consumer"

    def __init__(self, on_change: Callable[[], None] | None = None) -> None:
        self._on_change = on_change
        self._changed = threading.Condition()  # on an RLock
        self._lines: deque[bytes] = deque()
        self._asked = True
        self._left = False
        self._released = False
        self._ended = False
        self._taken = 0
        self._consumer = threading.current_thread()

    # The ledger's thread

    def open(self, position: Position | None) -> None:
        """Go on counting; what was taken before cannot be taken back."""
        self._taken = int(position["records"]) if position else 0

    def write(self, finished: Sequence[Finished]) -> None:
        """Hand over the records and wait until they are used. Raises `ConsumerLeftError` if they will not be."""
        lines = list(record_lines(finished))
        if not lines:
            return
        with self._changed:
            if self._left or self._released:
                raise ConsumerLeftError
            self._lines.extend(lines)
            self._asked = False
            self._tell()
            while not self._asked and not self._released and not self.abandoned:
                self._changed.wait(_LOOK_S)
            if not self._asked:
                taken = len(lines) - len(self._lines)
                self._lines.clear()
                raise ConsumerLeftError(taken)
            self._taken += len(lines)

    def flush(self, *, last: bool = False) -> Position:  # noqa: ARG002 - see Sink; nothing is open here
        """Return the number of records taken by all runs of the job."""
        return {"records": self._taken}

    def committed(self) -> None:
        """Nothing was kept for the position before."""

    def close(self) -> None:
        """Nothing to release: what is on the table may still be taken."""

    # The consumer, and whoever sees to it

    def take(self) -> bytes | None:
        """Return the next record (a JSON line), or None if there is none now; never waits.

        To come and find nothing says that all records taken before are used.
        """
        with self._changed:
            self._consumer = threading.current_thread()
            if self._left:
                return None
            if self._lines:
                return self._lines.popleft()
            if not self._asked:
                self._asked = True
                self._changed.notify_all()
            return None

    def wait(self) -> bytes | None:
        """Return the next record as `take`, waiting for it; None if no more will come, or the consumer has left."""
        with self._changed:
            while (line := self.take()) is None and not self._ended and not self._left:
                self._changed.wait()
            return line

    def leave(self) -> None:
        """Take no more."""
        with self._changed:
            self._left = True
            self._tell()

    def release(self) -> None:
        """Let the ledger wait no more: the crawl breaks off, and whoever takes the records hears of it by its end."""
        with self._changed:
            self._released = True
            self._changed.notify_all()

    def end(self) -> None:
        """Say that no more records will come."""
        with self._changed:
            self._ended = True
            self._tell()

    @property
    def ended(self) -> bool:
        """Whether no more records will come."""
        return self._ended

    @property
    def left(self) -> bool:
        """Whether the consumer has left."""
        return self._left

    @property
    def abandoned(self) -> bool:
        """Whether nobody takes records any more: the consumer has left, or can never come back.

        When the program's main thread ends, the interpreter waits for all other threads but daemons, and then goes.
        """
        if not self._left and not threading.main_thread().is_alive():
            consumer = self._consumer
            if consumer.daemon or not consumer.is_alive():
                self.leave()
        return self._left

    def _tell(self) -> None:
        self._changed.notify_all()
        if self._on_change is not None:
            self._on_change()


def release(sinks: Sequence[Sink]) -> None:
    """Wait for no consumer among these sinks any more: whoever would take the records may be cancelled too."""
    for sink in sinks:
        if isinstance(sink, ConsumerSink):
            sink.release()
