"""What other threads give to the ledger's thread: results, hosts to be woken, the wish that it ends."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from crawler.core.model import Done, Finished, Result
from crawler.ledger.time_use import TimeUse

__all__ = ["Intake", "size_of"]

_INBOX_BYTES = 32 << 20
_LINK_BYTES = 256  # about what a link costs in memory


class Intake:
    """What waits to be taken by the ledger's thread. The methods up to `backlog` are for any thread.

    State, under the condition: results with their bytes, hosts to be woken, whether the ledger is to stop or has ended,
    and whether what parsers have read waits however little lies here.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._results: deque[Sequence[Result]] = deque()
        self._bytes = 0
        self._roused: list[str] = []
        self._held = False
        self._stopping = False
        self._closed = False

    def put(self, results: Sequence[Result]) -> None:
        """Take results without waiting: for the event loop, whose results carry no records."""
        with self._changed:
            self._results.append(results)
            self._changed.notify_all()

    def put_records(self, results: Sequence[Done]) -> None:
        """Take what parsers have read; wait while too many bytes of it lie here already: back-pressure on them."""
        size = sum(size_of(done) + _LINK_BYTES * len(done.links) for done in results)
        with self._changed:
            while (self._held or self._bytes > _INBOX_BYTES) and not self._closed:
                self._changed.wait()
            self._bytes += size
            self._results.append(results)
            self._changed.notify_all()

    def wake(self, hosts: Iterable[str]) -> None:
        """Have the URLs of hosts (authorities) handed out that were to come later, or not in this run."""
        with self._changed:
            self._roused += hosts
            self._changed.notify_all()

    def stop(self) -> None:
        """Have the ledger commit what is there, and end. Nothing may be put afterwards."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def notify(self) -> None:
        """Have the ledger's thread look whether it has something to do."""
        with self._changed:
            self._changed.notify_all()

    @property
    def backlog(self) -> int:
        """Results that wait to be taken."""
        return sum(map(len, list(self._results)))

    # The ledger's thread

    def hold(self, held: bool) -> None:
        """Let parsers wait with what they have read, or go on."""
        if held != self._held:
            with self._changed:
                self._held = held
                self._changed.notify_all()

    def roused(self) -> list[str]:
        """Return the hosts to be woken; once."""
        if not self._roused:
            return []
        with self._changed:
            roused, self._roused = self._roused, []
        return roused

    def take(
        self, is_asked: Callable[[], bool], patience_s: Callable[[], float], time_use: TimeUse
    ) -> tuple[list[Result], bool]:
        """Wait for results, `stop` or a notice, for so long at most; return what came and whether it was `stop`.

        `is_asked()` says whether there is something else to do now. It is asked in here, so that no notice is missed.
        """
        with self._changed:
            if not (self._results or self._stopping or self._roused or is_asked()):
                time_use.turn_to("idle")
                self._changed.wait(patience_s())
                time_use.turn_to("work")
            results = [result for batch in self._results for result in batch]
            self._results.clear()
            self._bytes = 0
            self._changed.notify_all()
            return results, self._stopping

    def close(self) -> None:
        """Let nobody wait any more: the ledger has ended."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


def size_of(brought: Done | Finished) -> int:
    """Return the bytes of it that are for the sinks."""
    return len(brought.records or b"") + len(brought.archive or b"")
