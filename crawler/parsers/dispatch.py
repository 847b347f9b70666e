"""What waits for a parser, and which parser gets it."""

import time
from collections.abc import Sequence
from typing import Final

import msgspec

from crawler.parsers.batch import Batch, BatchLimits, Item
from crawler.parsers.costs import Costs
from crawler.parsers.lane import Lane
from crawler.parsers.process import ParserProcess

__all__ = ["Dispatch"]

_KEPT_S: Final = 5.0
"""For so long after a page of a quick host a parser is kept for the next one."""
_SLOW_S: Final = 0.2
_STUCK_S: Final = 0.1
_LATELY_S: Final = 10.0


class Dispatch:
    """Two lanes, of pages of quick hosts and of others, and the parsers that take their batches.

    A page that takes long must not hold up one that does not: so while the others are slow, or nobody knows it yet,
    and quick ones come, one of several parsers is kept free of them; a parser has one batch of them at a time; and
    nothing quick is put behind them. When both lanes want the same parser, the one has it that has used less lately.

    While some of the `size` parsers start, the others get one batch each: a second one would wait behind the first,
    which may take long, and could go to one that starts.

    State, all of it under the pool's lock, which whoever calls a method holds: the parsers, the lanes, when the last
    quick page came, and `flushing`: no page will come for a while, so that open batches need not wait for more.
    """

    def __init__(self, limits: BatchLimits, encoder: msgspec.msgpack.Encoder, size: int, costs: Costs) -> None:
        self.flushing = False
        self.quick = Lane(limits, waits=False)
        self.others = Lane(limits, waits=True)
        self._limits = limits
        self._encoder = encoder
        self._costs = costs
        self._size = size
        self._parsers: list[ParserProcess] = []
        self._quick_at = float("-inf")

    @property
    def has_open(self) -> bool:
        """Whether there is an open batch, which will be due."""
        return self.quick.has_open or self.others.has_open

    @property
    def due_in_s(self) -> float | None:
        """Seconds until an open batch is due; None if there is none, or all are: what is due goes as it can."""
        waits = [lane.due_in_s for lane in (self.quick, self.others) if lane.has_open and not self._is_due(lane)]
        return min(waits, default=None)

    def has_room(self, lane: Lane) -> bool:
        """Whether one more page can be added."""
        return not lane.is_full or (not lane.again and self._parser_for(lane, self._with_room()) is not None)

    def add(self, lane: Lane, item: Item) -> bool:
        """Put a page into an open batch; False if there is no room for it."""
        if lane.is_full:
            self.send()
            if lane.is_full:
                return False
        lane.add(item)
        if not lane.waits:
            self._quick_at = time.monotonic()
        self.send()
        return True

    def send(self) -> None:
        """Give to the parsers what is due, as far as they have room."""
        while given := self._next():
            lane, parser = given
            batch = lane.take()
            parser.give(batch, self._encoder.encode([item.raw for item in batch.items]))

    def _next(self) -> tuple[Lane, ParserProcess] | None:
        """Return what is next: the lane that has used less first, if something of it is due and a parser has room."""
        room = self._with_room()
        if not room:
            return None
        first, second = self.quick, self.others
        if second.used_s < first.used_s:
            first, second = second, first
        for lane in (first, second):
            if self._is_due(lane) and (parser := self._parser_for(lane, room)) is not None:
                return lane, parser
        return None

    def _is_due(self, lane: Lane) -> bool:
        """Whether something of it should go: an open batch if it is full or old, or no parser has anything to do."""
        if not lane.has_some:
            return False
        idle = self._limits.eager and not any(parser.batches for parser in self._parsers)
        return lane.is_due(at_once=self.flushing or idle)

    # Which parser

    def _parser_for(self, lane: Lane, room: list[ParserProcess]) -> ParserProcess | None:
        """Return the least loaded of those with room that may have a batch of this lane now."""
        room = self._for_others(room) if lane.waits else self._for_quick(room)
        return min(room, key=lambda one: len(one.batches), default=None)

    def _for_quick(self, room: list[ParserProcess]) -> list[ParserProcess]:
        """Put nothing behind what takes long, unless all parsers are at something that was thought to be quick."""
        free = [parser for parser in room if not _waits(parser)]
        if free or self.others.is_slow:
            room = free
        unstuck = [parser for parser in room if not _is_stuck(parser)]
        return unstuck if unstuck or not all(map(_is_stuck, self._parsers)) else room

    def _for_others(self, room: list[ParserProcess]) -> list[ParserProcess]:
        """Leave one parser to quick pages, unless none come; or these ones take no longer, and the rest is full."""
        quick = self.quick
        if not quick.has_open and not quick.again and time.monotonic() - self._quick_at >= _KEPT_S:
            slow = self.others.page_s > _SLOW_S
            return [parser for parser in room if not (slow and parser.batches)]
        others = [parser for parser in self._parsers if _is_away(parser) or _waits(parser) or _is_stuck(parser)]
        is_last = len(others) >= self._size - 1 and self._size > 1
        if self.others.is_slow:
            return [] if is_last else [parser for parser in room if not _waits(parser)]
        if not is_last:
            return room
        found = [parser for parser in room if _waits(parser)]
        if found or any(map(_is_stuck, others)):
            return found
        return room

    def _with_room(self) -> list[ParserProcess]:
        room = [parser for parser in self._parsers if parser.has_room()]
        if room and sum(parser.ready for parser in self._parsers) != self._size:
            return [parser for parser in room if not parser.batches]
        return room

    # What comes of it

    def answered(self, parser: ParserProcess, times: Sequence[float]) -> Batch:
        """Take the first batch from a parser, which has answered it, and learn how long its pages took.

        It goes no further than a slow page: those behind it have their turn elsewhere.
        """
        batch = parser.batches.popleft()
        parser.answered += len(times)
        (self.others if batch.waits else self.quick).learn(len(times), sum(times))
        if len(times) < len(batch.items):
            self._move(Batch(batch.items[len(times) :], waits=batch.waits), apart=self._limits.eager)
        if self.quick.used_s + self.others.used_s > _LATELY_S:
            self.quick.used_s /= 2
            self.others.used_s /= 2
        return batch

    def take_back(self, parser: ParserProcess, *, blames: bool) -> Item | None:
        """Queue again what a dead parser had, which gets nothing more; return the page that is to blame for its death.

        Batches are answered in order: the process was at the first one. `blames`: the page that it was at is suspect,
        and goes alone; or all of that batch if it was at none, page by page. One that was alone already is to blame.
        All others are only moved; those before a suspect stay together, so that one of them that ends parsers a moment
        later is found in the end, among one less each time.
        """
        to_blame = None
        if blames and parser.batches:
            at = parser.at
            batch = parser.batches.popleft()
            self.others.died()
            if batch.retried:
                to_blame = batch.items[0]
            else:
                before, behind = batch.items[: at.start], batch.items[at.stop :]
                suspects = batch.items[at.start : at.stop]
                for item in suspects:
                    self._costs.suspected(item.host)
                parser.batches.extendleft(Batch(items, waits=batch.waits) for items in (behind, before) if items)
                parser.batches.extendleft(Batch([item], retried=True, waits=True) for item in reversed(suspects))
            for waiting in self.quick.empty():
                self._move(waiting, apart=True)
        for batch in reversed(parser.batches):
            self._move(batch, apart=blames)
        parser.batches.clear()
        parser.gone = True
        return to_blame

    def _move(self, batch: Batch, *, apart: bool) -> None:
        """Queue a batch again; `apart`: as its hosts are known now, those of its pages alone that are not quick."""
        costs, others = self._costs, self.others
        if batch.retried:
            others.last.append(batch)
            return
        if not apart:
            (others if batch.waits else self.quick).again.appendleft(batch)
            return
        quick: list[Item] = []
        for item in reversed(batch.items):
            if costs.is_quick(item.host, item.body_bytes):
                quick.append(item)
            elif costs.is_doubtful(item.host):
                others.last.appendleft(Batch([item], waits=True))
            else:
                others.again.appendleft(Batch([item], waits=True))
        if quick:
            self.quick.again.appendleft(Batch(quick[::-1]))

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


def _is_away(parser: ParserProcess) -> bool:
    """Whether it has died, or is starting."""
    return parser.gone or not parser.ready


def _is_stuck(parser: ParserProcess) -> bool:
    """Whether it is at a page that takes long."""
    return bool(parser.batches) and parser.at_page_s > _STUCK_S


def _waits(parser: ParserProcess) -> bool:
    """Whether it has something that may take long."""
    return any(batch.waits for batch in parser.batches)
