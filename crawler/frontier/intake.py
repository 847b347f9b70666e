"""What other shards tell: taken once, in order, with the mark of what was taken in the same commit."""

from typing import Final

from crawler.core.counters import Counters
from crawler.core.model import Link
from crawler.core.shard import START, Mark, Parcel
from crawler.frontier.discovery import Discovery
from crawler.frontier.elsewhere import Elsewhere
from crawler.frontier.hops import Hops
from crawler.frontier.letter import Letter, opened
from crawler.frontier.looks import Looks
from crawler.frontier.reach import Limits
from crawler.frontier.second_look import SecondLook
from crawler.frontier.seed_contexts import SeedContexts
from crawler.frontier.source import Source
from crawler.frontier.store import Store

__all__ = ["Intake"]

_TAKEN: Final = "intake"


class Intake:
    """Takes parcels. Part of the frontier, whose counters it writes.

    State: the mark of the last parcel of each sender, as the open batch has it and as the last commit had it.
    """

    def __init__(
        self,
        store: Store,
        elsewhere: Elsewhere,
        seeds: SeedContexts,
        counters: Counters,
        *,
        limits: Limits,
        hops: Hops,
        looks: Looks,
        discovery: Discovery,
        second_look: SecondLook,
    ) -> None:
        self._store = store
        self._shard = elsewhere.shard
        self._seeds = seeds
        self._counters = counters
        self._limits = limits
        self._hops = hops
        self._looks = looks
        self._discovery = discovery
        self._second_look = second_look
        self._marks = {sender: Mark(*mark) for sender, mark in (store.meta(_TAKEN) or {}).items()}
        self.marks = self._marks.copy()

    def take(self, parcel: Parcel, now: float) -> bool:
        """Take a parcel, or know that it was taken. False if one before it is missing, or it is of a later look."""
        mark = self._marks.get(parcel.sender, START)
        if parcel.mark <= mark:
            return True
        if parcel.after > mark:
            return False
        letter = opened(parcel.links)
        if letter.look > self._looks.taken:
            return False
        self._read(letter, now)
        self._marks[parcel.sender] = parcel.mark
        self._store.put_meta(_TAKEN, self._marks)
        return True

    def _read(self, letter: Letter, now: float) -> None:
        shard = self._shard
        for context in letter.seeds:
            self._counters.joined += self._seeds.learn(shard.at_home(context.number), context)
        found: list[tuple[Link, Source]] = []
        for sent in letter.sent:
            source = Source.received(sent, self._seeds.get(shard.at_home(sent.seed)), self._limits)
            self._hops.learn(sent)
            found += [(link, source) for link in sent.links]
        if found:
            self._counters.received += len(found)
            self._discovery.take(found, now)
        for reread in letter.rereads:
            self._store.rereads.want(reread.key, shard.at_home(reread.seed))
        if letter.cut:
            self._second_look.learn_of_cut()
        self._second_look.unsettle()

    def committed(self) -> None:
        """Learn that the open batch was committed."""
        self.marks = self._marks.copy()
