"""What waits for a parser, and which parser gets it."""

import time
from collections import deque
from collections.abc import Iterator

import msgspec

from crawler.parsers.batch import Batch, BatchLimits, Item
from crawler.parsers.process import ParserProcess

__all__ = ["Dispatch"]


class Dispatch:
    """The open batch, the batches that dead parsers have left, and the parsers that take them.

    While some of the `size` parsers start, the others get one batch each: a second one would wait behind the first,
    which may take long, and could go to one that starts.

    State, all of it under the pool's lock, which whoever calls a method holds: the parsers, the batches, how long a
    page takes lately, and `flushing`: no page will come for a while, so that the open batch need not wait for more.
    """

    def __init__(self, limits: BatchLimits, encoder: msgspec.msgpack.Encoder, size: int) -> None:
        self.flushing = False
        self._limits = limits
        self._encoder = encoder
        self._size = size
        self._parsers: list[ParserProcess] = []
        self._again: deque[Batch] = deque()
        self._open: list[Item] = []
        self._open_bytes = 0
        self._open_since = 0.0
        self._page_s = 0.0

    @property
    def has_open(self) -> bool:
        """Whether there is an open batch, which will be due."""
        return bool(self._open)

    @property
    def is_full(self) -> bool:
        """Whether the open batch takes no page more."""
        limits = self._limits
        if self._open_bytes >= limits.bytes or len(self._open) >= limits.pages:
            return True
        return bool(self._open) and (len(self._open) + 1) * self._page_s > limits.parse_s

    @property
    def is_due(self) -> bool:
        """Whether the open batch should go: it is full or old, or no parser has anything to do."""
        return bool(self._open) and (
            self.is_full
            or self.flushing
            or self.due_in_s <= 0
            or (self._limits.eager and not any(parser.batches for parser in self._parsers))
        )

    @property
    def due_in_s(self) -> float:
        """Seconds until the first page of the open batch has waited long enough."""
        return self._open_since + self._limits.wait_s - time.monotonic()

    @property
    def has_room(self) -> bool:
        """Whether a batch that is closed now could go."""
        return not self._again and any(self._with_room())

    def add(self, item: Item) -> bool:
        """Put a page into the open batch; False if there is no room for it."""
        if self.is_full:
            self.send()
            if self.is_full:
                return False
        if not self._open:
            self._open_since = time.monotonic()
        self._open.append(item)
        self._open_bytes += item.size
        self.send()
        return True

    def send(self) -> None:
        """Give to the parsers what is due, as far as they have room; the least loaded first."""
        while self._again or self.is_due:
            parser = min(self._with_room(), key=lambda one: len(one.batches), default=None)
            if parser is None:
                return
            batch = self._again.popleft() if self._again else self._closed()
            parser.give(batch, self._encoder.encode([item.raw for item in batch.items]))

    def _closed(self) -> Batch:
        """Close the open batch. As long as nobody knows how long pages take here, its first page goes alone."""
        taken = len(self._open) if self._page_s or not self._limits.eager else 1
        batch, self._open = Batch(self._open[:taken]), self._open[taken:]
        self._open_bytes -= sum(item.size for item in batch.items)
        return batch

    def _with_room(self) -> Iterator[ParserProcess]:
        all_ready = sum(parser.ready for parser in self._parsers) == self._size
        return (parser for parser in self._parsers if parser.has_room() and (all_ready or not parser.batches))

    def answered(self, parser: ParserProcess) -> None:
        """Take the first batch from a parser, which has answered it, and learn how long its pages took."""
        pages = len(parser.batches.popleft().items)
        self._page_s += (parser.new_busy_s() / pages - self._page_s) / 4

    def take_back(self, parser: ParserProcess, *, blames: bool) -> Item | None:
        """Queue again what a dead parser had, which gets nothing more; return the page that is to blame for its death.

        Batches are answered in order: the process was at the first one. `blames`: its pages are suspects, and go page
        by page; one that was alone already is to blame. Else all of them are only moved.
        """
        to_blame = None
        if blames and parser.batches:
            suspect = parser.batches.popleft()
            if suspect.retried:
                to_blame = suspect.items[0]
            else:
                parser.batches.extendleft(Batch([item], retried=True) for item in reversed(suspect.items))
        self._again.extendleft(reversed(parser.batches))
        parser.batches.clear()
        parser.gone = True
        return to_blame

    def join(self, parser: ParserProcess, instead_of: ParserProcess | None = None) -> None:
        """Take a parser in, in the place of one that is gone or as one more."""
        if instead_of is None:
            self._parsers.append(parser)
        else:
            self._parsers[self._parsers.index(instead_of)] = parser

    def parsers(self) -> tuple[ParserProcess, ...]:
        """Return the parsers, in the order of their slots."""
        return tuple(self._parsers)

    def dismissed(self) -> list[ParserProcess]:
        """Return the parsers, to which nothing will be given any more."""
        parsers, self._parsers = self._parsers, []
        return parsers
