"""Which process holds which shard: starts them where nobody does, on the machines that are there, and moves them."""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Final

from crawler.shards.book import Book
from crawler.shards.credit import Credit
from crawler.shards.effects import Effect, EndShard, StartShard, Tell
from crawler.shards.hold import Hold
from crawler.shards.messages import LOCKED, LOST, Report, Start
from crawler.shards.placing import Node, move, place
from crawler.shards.timing import Timing

__all__ = ["Placement"]

_MOST_TRIES: Final = 10
"""A shard that could not start, or ended, so often in a row, without a checkpoint between, ends the crawl."""

_LOCKED_TRIES: Final = 3
"""A folder that is locked so often, although no lease of it is left, is given up."""


class Placement:
    """Starts, loses and moves holders. The coordinator alone calls it.

    A shard is given to another only when surely nobody holds a lease of it. There is one proof besides time: a process
    that has the lock of the shard's own folder knows that the one before has ended. So when a run begins after one that
    was cut off, its shards start at once where their folders are.

    State: the machines that are there, since when, and the last trouble that no further try can mend (`error`). What is
    durable is in the book. What it wants done it appends to `effects`.
    """

    def __init__(
        self,
        book: Book,
        holds: Sequence[Hold],
        credit: Credit,
        timing: Timing,
        effects: list[Effect],
    ) -> None:
        self._book = book
        self._holds = holds
        self._credit = credit
        self._timing = timing
        self._effects = effects
        self._since: dict[str, float] = {}
        self.nodes: tuple[Node, ...] = ()
        self.error = ""

    def see(self, nodes: Sequence[Node], now: float) -> None:
        """Take the machines that are there now."""
        self.nodes = tuple(nodes)
        self._since = {node.id: self._since.get(node.id, now) for node in nodes}

    def claimed(self, now: float) -> None:
        """The job is this coordinator's since `now` at the latest: the one before gives leases for a while yet."""
        for hold in self._holds:
            if hold.free_at == math.inf:
                hold.free_at = now + self._timing.claim_s
            elif hold.is_there and hold.started_at is None:
                hold.free_at = max(hold.free_at, now + self._timing.claim_s)

    def lose_silent(self, now: float) -> bool:
        """Take shards from holders that are gone or silent for too long. Return whether there was one."""
        lost = [number for number, hold in enumerate(self._holds) if hold.is_there and self._is_lost(hold, now)]
        for shard in lost:
            why = "was not heard any more" if self._is_here(self._holds[shard]) else "is gone with its machine"
            self._lose(shard, now, f"its process {why}")
            self._effects.append(EndShard(shard, self._book[shard].epoch))
        return bool(lost)

    def died(self, shard: int, now: float) -> None:
        """Take a shard from a holder whose process surely has ended."""
        self._holds[shard].free_at = now
        self._lose(shard, now, "its process ended")

    def could_not(self, report: Report, now: float) -> None:
        """Take a shard from a holder that says it cannot go on."""
        shard, hold = report.shard, self._holds[report.shard]
        if report.could_not == LOST:
            self._book.change(shard, home=None)
            self._lose(shard, now, "its folder is not there, or not the last one")
        elif report.could_not == LOCKED:
            hold.locked += now >= hold.free_at
            self._lose(shard, now, "its folder is locked by another process")
        else:
            self.error = f"shard {shard} on {self._name(shard)}: {report.could_not}"
            hold.go(now)

    def start_free(self, now: float, wanted: Callable[[int], bool]) -> None:
        """Start a process for each shard that is `wanted`, and that surely nobody holds."""
        for shard, hold in enumerate(self._holds):
            if not hold.is_there and now >= hold.not_before and wanted(shard):
                self._start(shard, now)

    def rebalance(self, now: float) -> None:
        """Ask holders for shards that are better held elsewhere: a few at a time, while all others are at work."""
        moving = [number for number, hold in enumerate(self._holds) if hold.moving]
        if len(moving) >= max(1, len(self._holds) // 8) or not all(hold.is_open for hold in self._holds):
            return
        held: dict[str, list[int]] = defaultdict(list)
        for shard, hold in enumerate(self._holds):
            if not hold.moving:
                held[hold.node].append(shard)
        for shard in moving:
            counts = {node: len(shards) for node, shards in held.items()}
            if (to := place(self.nodes, counts, len(self._holds), None)) is not None:
                held[to.id].insert(0, shard)
        settled = frozenset(node for node, since in self._since.items() if now >= since + self._timing.settled_s)
        shard_or_none = move(self.nodes, held, settled)
        if shard_or_none is not None and not self._holds[shard_or_none].moving:
            self._holds[shard_or_none].moving = True
            self._effects.append(Tell(f"shard {shard_or_none} moves to another machine"))

    def _is_here(self, hold: Hold) -> bool:
        return any(node.id == hold.node for node in self.nodes)

    def _is_lost(self, hold: Hold, now: float) -> bool:
        timing = self._timing
        if hold.heard_at is None:
            if hold.started_at is None:  # from before this coordinator
                return now >= hold.free_at
            return not self._is_here(hold) or now >= hold.started_at + timing.start_s
        if not self._is_here(hold):
            return now >= hold.free_at or not hold.is_leased
        return now >= max(hold.free_at, hold.heard_at + timing.silent_s)

    def _lose(self, shard: int, now: float, why: str) -> None:
        hold = self._holds[shard]
        where = self._name(shard)
        hold.tries += 1
        hold.go(now, pause_s=self._timing.pause_s(hold.tries))
        self._effects.append(Tell(f"shard {shard} on {where} is lost: {why}"))
        if hold.tries >= _MOST_TRIES:
            self.error = f"shard {shard} was lost {hold.tries} times in a row, the last time on {where}: {why}"

    def _start(self, shard: int, now: float) -> None:
        hold, known = self._holds[shard], self._book[shard]
        is_locked = hold.locked >= _LOCKED_TRIES
        counts = Counter(one.node for one in self._holds if one.is_there)
        to = place(
            self.nodes,
            counts,
            len(self._holds),
            None if hold.moved else known.home,
            avoid=known.home if is_locked else None,
        )
        if to is None:
            return
        own = known.incarnation > 0 and known.home == to.disk and not is_locked
        if now < hold.free_at and not own:
            return
        self._credit.restart(shard, own=own)
        if known.epoch and not known.closed:
            self._effects.append(EndShard(shard, known.epoch))
        known = self._book.change(
            shard,
            epoch=known.epoch + 1,
            incarnation=known.incarnation + (not own),
            node=to.id,
            node_name=to.name or to.id,
            home=to.disk,
            closed=False,
        )
        hold.start(to.id, now, own=own)
        self._effects.append(Tell(f"shard {shard} starts on {known.node_name}, {_from(known.kept_pages, own=own)}"))
        self._effects.append(StartShard(to.id, self._order(shard, own=own)))

    def _order(self, shard: int, *, own: bool) -> Start:
        state, known = self._book.state, self._book[shard]
        return Start(
            shard=shard,
            of=len(self._holds),
            epoch=known.epoch,
            incarnation=known.incarnation,
            hash_seed=state.hash_seed,
            run=state.run,
            own=own,
            checkpoint=known.checkpoint,
            credit=known.granted if self._credit.is_limited else None,
            grant=known.grant if self._credit.is_limited else 0,
            lease_s=self._timing.lease_s,
        )

    def _name(self, shard: int) -> str:
        """Say where a shard is, also when that machine is gone."""
        return self._book[shard].node_name or "a machine unknown"


def _from(pages: int, *, own: bool) -> str:
    if own:
        return "from its own folder"
    return f"from a checkpoint of {pages:,} pages" if pages else "anew"
