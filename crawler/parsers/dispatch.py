"""What waits for a parser, and which parser gets it."""

import time
from collections.abc import Sequence
from typing import Final

import msgspec

from crawler.parsers.batch import Batch, BatchLimits, Item
from crawler.parsers.costs import Costs, Standing
from crawler.parsers.lane import Lane
from crawler.parsers.process import ParserProcess

__all__ = ["Dispatch"]

_KEPT_S: Final = 5.0
"""For so long after a page of a quick host a parser is kept for the next one."""
_SLOW_S: Final = 0.2
_LEAST_PART: Final = 16
"""Doubtful pages have this part of the time that unproven ones take, even while those wait."""
_STUCK_S: Final = 0.1
_LATELY_S: Final = 10.0


class Dispatch:
    """A lane for each standing of hosts, and the parsers that take their batches.

    A page that takes long must not hold up one that does not: so while the others are slow, or nobody knows it yet,
    and quick ones come, one of several parsers is kept free of them; a parser has one batch of them at a time; and
    nothing is put behind them. When lanes want the same parser, the one has it that has used less lately.

    While some of the `size` parsers start, the others get one batch each: a second one would wait behind the first,
    which may take long, and could go to one that starts.

    State, all of it under the pool's lock, which whoever calls a method holds: the parsers, the lanes, when the last
    quick page came, and `flushing`: no page will come for a while, so that open batches need not wait for more.
    """

    def __init__(self, limits: BatchLimits, encoder: msgspec.msgpack.Encoder, size: int, costs: Costs) -> None:
        self.flushing = False
        self.lanes = {standing: Lane(limits, standing) for standing in Standing}
        self._limits = limits
        self._encoder = encoder
        self._costs = costs
        self._size = size
        self._parsers: list[ParserProcess] = []
        self._quick_at = float("-inf")

    @property
    def has_open(self) -> bool:
        """Whether there is an open batch, which will be due."""
        return any(lane.has_open for lane in self.lanes.values())

    @property
    def due_in_s(self) -> float | None:
        """Seconds until an open batch is due; None if there is none, or all are: what is due goes as it can."""
        waits = [lane.due_in_s for lane in self.lanes.values() if lane.has_open and not self._is_due(lane)]
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
        if lane.standing == Standing.QUICK:
            self._quick_at = time.monotonic()
        self.send()
        return True

    def send(self) -> None:
        """Give to the parsers what is due, as far as they have room."""
        while given := self._next():
            lane, parser = given
            batch = lane.take()
            large = any(item.is_large for item in batch.items)  # the others are parsed after it, or before
            parser.give(batch, self._encoder.encode((large, [item.raw for item in batch.items])))

    def _next(self) -> tuple[Lane, ParserProcess] | None:
        """Return what is next: a lane of which something is due, and a parser that has room for it.

        Quick pages and all others have the same share of time; of that, doubtful ones have what unproven ones leave.
        """
        room = self._with_room()
        if not room:
            return None
        quick, unproven, doubtful = self.lanes.values()
        others = (unproven, doubtful) if doubtful.used_s >= unproven.used_s / _LEAST_PART else (doubtful, unproven)
        is_first = quick.used_s <= unproven.used_s + doubtful.used_s
        for lane in (quick, *others) if is_first else (*others, quick):
            if lane is others[1] and others[0].line.is_awaited:
                continue  # some of the other lane will be here in a moment
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
        room = self._for_quick(room) if lane.standing == Standing.QUICK else self._for_others(lane, room)
        return min(room, key=lambda one: len(one.batches), default=None)

    def _for_quick(self, room: list[ParserProcess]) -> list[ParserProcess]:
        """Put nothing behind what takes long, unless all parsers are at something that was thought to be quick."""
        lanes = self.lanes
        room = [parser for parser in room if not any(lanes[batch.standing].is_slow for batch in parser.batches)]
        unstuck = [parser for parser in room if not _is_stuck(parser)]
        return unstuck if unstuck or not all(map(_is_stuck, self._parsers)) else room

    def _for_others(self, lane: Lane, room: list[ParserProcess]) -> list[ParserProcess]:
        """Put nothing behind what may last, and leave one parser to quick pages, if such come and these are slow."""
        if self.lanes[Standing.QUICK].has_some or time.monotonic() - self._quick_at < _KEPT_S:
            others = [parser for parser in self._parsers if _is_away(parser) or _may_last(parser) or _is_stuck(parser)]
            is_last = len(others) >= self._size - 1 > 0
            if is_last and (lane.is_slow or any(map(_is_stuck, others))):
                return []
        return [parser for parser in room if not _may_last(parser) and not _is_stuck(parser)]

    def _with_room(self) -> list[ParserProcess]:
        room = [parser for parser in self._parsers if parser.has_room()]
        if room and sum(parser.ready for parser in self._parsers) != self._size:
            return [parser for parser in room if not parser.batches]
        return room

    # What comes of it

    def answered(self, parser: ParserProcess, times: Sequence[float]) -> None:
        """Take the first batch from a parser, which has answered it, and learn how long its pages took.

        It goes no further than a slow page: those behind it have their turn elsewhere.
        """
        batch = parser.batches.popleft()
        parser.answered += len(times)
        self.lanes[batch.standing].learn(len(times), sum(times))
        if len(times) < len(batch.items):
            self._move(Batch(batch.items[len(times) :], batch.standing), apart=self._limits.eager)
        if times[-1] > _SLOW_S:
            self.lanes[batch.standing].used_s -= times[-1]
            self.lanes[Standing.DOUBTFUL].used_s += times[-1]
            for waiting in self.lanes[Standing.UNPROVEN].empty():  # its neighbours may be there
                self._move(waiting, apart=True)
        if sum(lane.used_s for lane in self.lanes.values()) > _LATELY_S:
            for lane in self.lanes.values():
                lane.used_s /= 2

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
            doubtful = self.lanes[Standing.DOUBTFUL]
            doubtful.died()
            if batch.retried:
                to_blame = batch.items[0]
            else:
                before, behind = batch.items[: at.start], batch.items[at.stop :]
                suspects = batch.items[at.start : at.stop]
                for item in suspects:
                    self._costs.suspected(item.host)
                parser.batches.extendleft(Batch(items, batch.standing) for items in (behind, before) if items)
                doubtful.again.extend(Batch([item], Standing.DOUBTFUL, retried=True) for item in suspects)
            for waiting in self.lanes[Standing.QUICK].empty():
                self._move(waiting, apart=True)
        for batch in reversed(parser.batches):
            self._move(batch, apart=blames)
        parser.batches.clear()
        parser.gone = True
        return to_blame

    def _move(self, batch: Batch, *, apart: bool) -> None:
        """Queue a batch again; `apart`: as its hosts are known now, those of its pages alone that are not quick."""
        if batch.retried or not apart:
            self.lanes[batch.standing].again.appendleft(batch)
            return
        quick: list[Item] = []
        for item in reversed(batch.items):
            standing = self._costs.standing(item.host, item.body_bytes)
            if standing == Standing.QUICK:
                quick.append(item)
            else:
                self.lanes[standing].again.appendleft(Batch([item], standing))
        if quick:
            self.lanes[Standing.QUICK].again.appendleft(Batch(quick[::-1], Standing.QUICK))

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


def _may_last(parser: ParserProcess) -> bool:
    """Whether it has something that may take long."""
    return any(batch.may_last for batch in parser.batches)
