"""The coordinator of a job of many shards: who holds which, who may bring how many pages, and when it is over.

It decides and does nothing itself. Each call takes what was heard and when, and gives an answer with effects, which
whoever drives it (`effects`) does whole, in order, before it gives the answer and before it calls again.
"""

import math
from collections.abc import Sequence

from crawler.shards.book import Book
from crawler.shards.credit import Credit
from crawler.shards.effects import Confirm, Effect, Save
from crawler.shards.ending import Ending
from crawler.shards.hold import Hold
from crawler.shards.messages import Answer, Offer, Orders, Report
from crawler.shards.overview import Doing, Overview, Wish, overview, view
from crawler.shards.placement import Placement
from crawler.shards.placing import Node
from crawler.shards.state import ClusterState, ShardState
from crawler.shards.tenure import Tenure
from crawler.shards.timing import Timing

__all__ = ["Coordinator"]


class Coordinator:
    """Decides for a job. One thread or loop calls it, one call at a time; `now` is in seconds of `lease.boot_time`.

    State: the book (what is durable), and what it has heard of holders, machines and the driver since it began. A
    coordinator that starts in the place of one that was killed has the same book and hears the rest again.
    """

    def __init__(self, state: ClusterState, timing: Timing | None = None) -> None:
        """Begin with the last state that was saved, or with one that was just `state.opened`."""
        self._timing = timing or Timing()
        self._book = Book(state)
        self._holds = [_hold(shard, state) for shard in state.shards]
        self._effects: list[Effect] = []
        self._credit = Credit(self._book, self._holds)
        self._placement = Placement(self._book, self._holds, self._credit, self._timing, self._effects)
        self._ending = Ending(self._book, self._holds, self._credit, self._timing, self._effects)
        self._tenure = Tenure(self._timing)
        self._now = math.nan
        self._saved_at = -math.inf

    @property
    def state(self) -> ClusterState:
        """The state as the last effects leave it."""
        return self._book.state

    def report(self, report: Report, now: float) -> tuple[Orders, list[Effect]]:
        """Take the report of a holder, and give it its orders."""
        self._begin(now)
        if not self._counts(report.shard, report.epoch, report.incarnation) or self._is_dismissed(report, now):
            return Orders(do="end"), self._end(now)
        hold = self._holds[report.shard]
        before = hold.report
        hold.hear(report, now)
        if hold.started_at is not None and now >= hold.started_at + self._timing.start_s:
            hold.tries = 0
        self._publish(report.shard, report.published)
        self._credit.take(report, before)
        self._ending.take(report)
        effects = self._end(now)
        return self._orders(report, now), effects

    def offer(self, offer: Offer, now: float) -> tuple[Answer, list[Effect]]:
        """Take the checkpoint that a holder offers. It counts if the shard is still that holder's."""
        self._begin(now)
        given = offer.checkpoint
        counts = self._counts(offer.shard, offer.epoch, given.incarnation)
        known = self._book[offer.shard].checkpoint
        number = known.number if known is not None else 0
        if counts and given.number > number:
            self._publish(offer.shard, number)  # the one before is public before the next is offered
            self._book.change(offer.shard, checkpoint=given, checkpoint_at=offer.at)
            self._holds[offer.shard].tries = self._holds[offer.shard].locked = 0
            number = given.number
        return Answer(number, lost=not counts), self._end(now)

    def wish(self, wish: Wish, now: float) -> tuple[Overview, list[Effect]]:
        """Take what the driver wants, and tell it how the job stands."""
        self._begin(now)
        self._ending.hear_driver(now)
        if wish.stop:
            self._ending.stop(wish.why)
        effects = self._end(now)
        views = [
            view(number, shard, hold, now, doing=self._doing(number))
            for number, (shard, hold) in enumerate(zip(self.state.shards, self._holds, strict=True))
        ]
        return overview(self.state, views, len(self._placement.nodes)), effects

    def nodes(self, nodes: Sequence[Node], now: float) -> list[Effect]:
        """Take the machines that are there now."""
        self._begin(now)
        self._placement.see(nodes, now)
        self._arrange(now)
        return self._end(now)

    def died(self, shard: int, epoch: int, now: float) -> list[Effect]:
        """Take it that the process of a holder surely has ended: not that it, or its machine, cannot be reached."""
        self._begin(now)
        if self._holds[shard].is_there and self._book[shard].epoch == epoch:
            self._placement.died(shard, now)
            self._ending.rounds.begin_anew()
            self._arrange(now)
        return self._end(now)

    def tick(self, now: float) -> list[Effect]:
        """Look at the clock. Call it a few times in the time of `Timing.renew_s`."""
        self._begin(now)
        self._arrange(now)
        self._book.is_changed |= self._book.is_noted and now >= self._saved_at + self._timing.lease_s
        return self._end(now)

    def _begin(self, now: float) -> None:
        if math.isnan(self._now):
            self._ending.hear_driver(now)
            self._book.change_job(begun=True)
        else:
            self._spend(max(0.0, now - self._now))
        self._now = now
        if self._tenure.begin():
            self._placement.claimed(now)

    def _spend(self, seconds: float) -> None:
        """Count the time since the last call. If this process slept meanwhile, others were not silent for that."""
        if not self.state.is_over:
            self._book.spend(seconds)
        if seconds > self._timing.renew_s:
            self._ending.excuse(seconds)
            for hold in self._holds:
                hold.excuse(seconds)

    def _end(self, now: float) -> list[Effect]:
        effects = self._effects.copy()
        self._effects.clear()
        if self._book.is_changed:
            effects.insert(0, Save(self._book.next()))
            self._saved_at = now
            self._tenure.ask(now)
        elif self._tenure.is_due(now) and not self.state.is_over:
            effects.insert(0, Confirm(self.state.number))
            self._tenure.ask(now)
        return effects

    def _counts(self, shard: int, epoch: int, incarnation: int) -> bool:
        """Whether what a holder says is said by the one whose shard it is."""
        known = self._book[shard]
        is_current = (epoch, incarnation) == (known.epoch, known.incarnation)
        return is_current and self._holds[shard].is_there and not self.state.is_over

    def _is_dismissed(self, report: Report, now: float) -> bool:
        """Take the shard of a holder that says it is done with it, or that is not needed any more."""
        hold = self._holds[report.shard]
        if report.could_not:
            self._placement.could_not(report, now)
        elif report.released:
            self._publish(report.shard, report.published)
            self._book.change(report.shard, closed=True)
            hold.moved = hold.moving
            hold.tries = 0
            hold.go(now, free_at=now)
        elif not report.opened and not self._ending.is_wanted(report.shard):
            hold.go(now)  # it has had no lease
        else:
            return False
        self._ending.rounds.begin_anew()
        self._arrange(now)
        return True

    def _publish(self, shard: int, number: int) -> None:
        known = self._book[shard]
        if known.checkpoint is not None and known.published < known.checkpoint.number <= number:
            self._book.note(shard, published=known.checkpoint.number, public=known.checkpoint.outputs)

    def _doing(self, shard: int) -> Doing:
        hold = self._holds[shard]
        if not hold.is_there:
            return "closed" if self._book[shard].closed and not self._ending.is_wanted(shard) else "waiting"
        if not hold.is_open:
            return "starting"
        return "stopping" if self._ending.has_begun else "moving" if hold.moving else "running"

    def _arrange(self, now: float) -> None:
        """See what time has brought: who is lost, who can be started, whether the run ends or has ended."""
        if self.state.is_over:
            return
        if self._placement.lose_silent(now):
            self._ending.rounds.begin_anew()
        self._ending.watch(now)
        self._ending.fail(self._placement.error)
        self._placement.start_free(now, self._ending.is_wanted)
        if not self._ending.has_begun:
            self._placement.rebalance(now)
        self._ending.finish(now)

    def _orders(self, report: Report, now: float) -> Orders:
        hold, known, timing = self._holds[report.shard], self._book[report.shard], self._timing
        gives_lease = hold.may_have_lease(now) and self._tenure.may_renew(now)
        if gives_lease:
            hold.lease(now, timing.sure_s)
        goes = self._ending.has_begun or hold.moving
        limited = self._credit.is_limited
        return Orders(
            do="release" if goes and hold.is_open else "run",
            why="running" if not goes else self.state.ending if self._ending.has_begun else "interrupted",
            lease_s=timing.lease_s if gives_lease else 0.0,
            next_s=self._next_s(report, urgent=not gives_lease or goes),
            credit=known.granted if limited else None,
            grant=known.grant if limited else 0,
            look=self._ending.look,
            round=self._ending.rounds.number,
            epochs=tuple(
                shard.epoch if one.is_open else 0 for shard, one in zip(self.state.shards, self._holds, strict=True)
            ),
        )

    def _next_s(self, report: Report, *, urgent: bool) -> float:
        all_idle = all(hold.report is not None and hold.report.idle for hold in self._holds)
        if all_idle or report.looks < self._ending.look or not self._credit.is_told(report):
            return self._timing.soon_s
        return self._timing.idle_s if urgent or report.idle else self._timing.renew_s


def _hold(shard: ShardState, state: ClusterState) -> Hold:
    """Return what a new coordinator knows of the holder of a shard."""
    if shard.closed or not shard.epoch or (state.calm and not state.begun):
        return Hold(is_there=False, free_at=-math.inf)
    return Hold(is_there=state.begun, free_at=math.inf)
