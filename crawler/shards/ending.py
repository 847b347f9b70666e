"""When the run of a job ends, what it ends as, and when it has ended."""

import math
from collections.abc import Sequence
from typing import Final

from crawler.core.stats import Ended
from crawler.shards.book import Book
from crawler.shards.credit import Credit
from crawler.shards.effects import Effect, Tell
from crawler.shards.hold import Hold
from crawler.shards.messages import Report
from crawler.shards.rounds import Rounds
from crawler.shards.timing import Timing

__all__ = ["Ending"]

_WHOLE: Final = ("done", "unreachable", "max-pages")
"""Ends at which each shard has to have given all that it has. At others a shard that is lost waits for the next run."""


class Ending:
    """Decides when a run ends. The coordinator alone calls it.

    State: the rounds of looks at all shards, the number of the second look that they are to take (`look`), and when the
    driver was last heard. That the run ends, and has ended, is in the book.
    """

    def __init__(
        self, book: Book, holds: Sequence[Hold], credit: Credit, timing: Timing, effects: list[Effect]
    ) -> None:
        self._book = book
        self._holds = holds
        self._credit = credit
        self._timing = timing
        self._effects = effects
        self._driver_at = -math.inf
        self.rounds = Rounds(len(holds))
        self.look = 0

    @property
    def has_begun(self) -> bool:
        """Whether the run drains, or is over."""
        return self._book.state.ending != "running"

    def is_wanted(self, shard: int) -> bool:
        """Whether somebody should hold a shard."""
        if not self.has_begun:
            return True
        known = self._book[shard]
        return self._book.state.ending in _WHOLE and not (known.closed and known.is_public)

    def hear_driver(self, now: float) -> None:
        """The driver is there at `now`, or has to be given time until it was heard again."""
        self._driver_at = max(self._driver_at, now)

    def excuse(self, seconds: float) -> None:
        """Do not count so long as silence of the driver: nobody could be heard."""
        self._driver_at += seconds

    def stop(self, why: Ended) -> None:
        """The driver wants the run to end. One that ends already does not wait for shards that nobody holds."""
        waits = any(self.is_wanted(shard) and not hold.is_there for shard, hold in enumerate(self._holds))
        if not self.has_begun or (waits and self._book.state.ending in _WHOLE):
            self.begin(why)

    def fail(self, error: str) -> None:
        """End the run with an error for people."""
        if error and not self._book.state.error:
            self._book.change_job(error=error)
            self.begin("interrupted")

    def begin(self, why: Ended) -> None:
        """Drain, as from the next report of each shard on."""
        self._book.change_job(ending=why)
        self._effects.append(Tell(f"the crawl ends: {why}"))

    def watch(self, now: float) -> None:
        """End the run if its time is up or its driver gone."""
        state = self._book.state
        if self.has_begun:
            return
        if state.max_time_s is not None and state.spent_s >= state.max_time_s:
            self.begin("max-time")
        elif now >= self._driver_at + self._timing.driver_s:
            self._effects.append(Tell("the command that drives this crawl is gone: the crawl stops"))
            self.begin("interrupted")

    def take(self, report: Report) -> None:
        """Take a report of a holder: it may be the last that the end waited for."""
        self.look = max(self.look, report.looks)
        if report.opened and not self.has_begun and self.rounds.take(report):
            self._settle()

    def finish(self, now: float) -> None:
        """Say that the run is over, if nobody holds a shard any more, and all was given back that has to be."""
        if self.has_begun and all(self._is_given_back(shard, now) for shard in range(len(self._holds))):
            self._book.change_job(ended=self._book.state.ending)

    def _is_given_back(self, shard: int, now: float) -> bool:
        hold = self._holds[shard]
        if hold.is_there or self.is_wanted(shard):
            return False
        return self._book[shard].closed or now >= hold.free_at

    def _settle(self) -> None:
        """Nothing is under way anywhere: end, unless there is credit to use, or something to be looked at again."""
        reports = [hold.report for hold in self._holds if hold.report is not None]
        if any(report.why == "max-pages" for report in reports):
            if self._credit.is_used_up():
                self.begin("max-pages")
        elif any(report.looks < self.look or not self._credit.is_told(report) for report in reports):
            return
        elif any(report.wants_look for report in reports):
            self.look += 1
        else:
            unreachable = any(report.why == "unreachable" for report in reports)
            self.begin("unreachable" if unreachable else "done")
