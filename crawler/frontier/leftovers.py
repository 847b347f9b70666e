"""What is left of hosts that may have no more (`frontier.gate`) when nobody else has anything left to do."""

from collections.abc import Callable
from itertools import islice

from crawler.frontier.gate import PASSING, Gate
from crawler.frontier.handed import Handed
from crawler.frontier.queue import UrlQueue
from crawler.frontier.row import UrlRow
from crawler.frontier.sleepers import Sleepers
from crawler.frontier.window import Window

__all__ = ["Leftovers"]


class Leftovers:
    """Takes URLs out of the queue that no host has room for. Part of the frontier. Has no state.

    `read(place, key, row)` builds the task of a URL in the queue.
    """

    def __init__(
        self,
        queue: UrlQueue,
        read: Callable[[bytes, bytes, UrlRow], Handed],
        gate: Gate,
        sleepers: Sleepers,
        window: Window,
    ) -> None:
        self._queue = queue
        self._read = read
        self._gate = gate
        self._sleepers = sleepers
        self._window = window

    def take(self, most: int) -> list[tuple[Handed, str]]:
        """Take out up to so many URLs, with the reason of each; wake hosts that may have one after all."""
        taken: list[tuple[Handed, str]] = []
        for host in list(self._sleepers.held):
            entries = list(islice(self._queue.scan(host, host + b"\xff" * 9), most - len(taken)))
            for place, value in entries:
                row = self._queue.row(value)
                reason = self._gate.verdict(host, place, row)
                if reason and reason not in PASSING:
                    self._queue.remove(place)
                    taken.append((self._read(place, value[:16], row), reason))
                else:
                    self._window.rouse(host)
            if not entries:
                self._window.rouse(host)
            if len(taken) >= most:
                break
        return taken
