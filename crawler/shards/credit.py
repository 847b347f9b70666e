"""`--max-pages` over many shards: who may bring how many pages, exactly."""

from collections.abc import Sequence
from typing import Final

from crawler.shards.book import Book
from crawler.shards.hold import Hold
from crawler.shards.messages import Report

__all__ = ["Credit"]

_ENOUGH: Final = 16
"""From a shard that is at work nothing is asked back if it has no more room than this."""

_AHEAD: Final = 4
"""A shard is given more when its room is less than it has used since its last report, times this."""


class Credit:
    """Hands out pages, and asks them back from shards that do not need them. The coordinator alone calls it.

    What is handed out is booked before a shard hears of it; what is asked back is booked as free when the shard says,
    by the number of that grant, that it holds itself to less. So all shards together never bring more than the limit,
    whoever is killed when, and no page of it is lost. State: the book, which is durable, and who is short of credit.
    """

    def __init__(self, book: Book, holds: Sequence[Hold]) -> None:
        self._book = book
        self._holds = holds
        self._short: set[int] = set()

    @property
    def is_limited(self) -> bool:
        """Whether there is a limit."""
        return self._book.state.max_pages is not None

    @property
    def left(self) -> int:
        """Pages that may still be handed out. 0 as long as nobody knows what a lost holder has brought."""
        most = self._book.state.max_pages
        if most is None or any(shard.credit is None for shard in self._book.state.shards):
            return 0
        return max(0, most - sum(self._used(number) for number in range(len(self._book))))

    def restart(self, shard: int, *, own: bool) -> None:
        """A holder is about to be started. One that begins from a checkpoint has what is in that, and no more."""
        self._short.discard(shard)
        if self.is_limited:
            now = self._book[shard]
            if not own:
                now = self._book.change(shard, credit=now.kept_pages, granted=now.kept_pages, grant=now.grant + 1)
            if now.credit == now.granted:
                self._give(shard, 0)

    def take(self, report: Report, before: Report | None) -> None:
        """Take a report of a holder that counts: book what it says, and give it more, or take some back."""
        if not self.is_limited or not report.opened:
            return
        shard, now = report.shard, self._book[report.shard]
        if report.grant != now.grant or report.credit is None:
            return
        if now.credit != report.credit or now.granted != report.credit:
            now = self._book.change(shard, credit=report.credit, granted=report.credit)
        growth = report.pages - before.pages if before is not None else 0
        is_short = report.why == "max-pages" if report.idle else report.credit - report.pages <= _AHEAD * growth
        if not is_short:
            self._short.discard(shard)
            self._ask_back(report, growth)
        elif not self._give(shard, growth):
            self._short.add(shard)

    def is_told(self, report: Report) -> bool:
        """Whether a shard knows the last that was decided about its credit."""
        return not self.is_limited or report.grant == self._book[report.shard].grant

    def is_used_up(self) -> bool:
        """Whether shards that are all idle can be given nothing any more."""
        return self.left == 0 and all(
            hold.report is not None and hold.report.pages >= (shard.credit or 0)
            for hold, shard in zip(self._holds, self._book.state.shards, strict=True)
        )

    def _used(self, shard: int) -> int:
        report = self._holds[shard].report
        return max(self._book[shard].credit or 0, report.pages if report is not None else 0)

    def _give(self, shard: int, growth: int) -> bool:
        """Give a shard some of what is left. Slices get smaller, so that nobody sits on what others could use."""
        if (left := self.left) == 0:
            return False
        more = min(left, max(1, left // (2 * len(self._book)), min(growth, left // len(self._book))))
        now = self._book[shard]
        credit = self._used(shard) + more
        self._book.change(shard, credit=credit, granted=credit, grant=now.grant + 1)
        self._short.discard(shard)
        return True

    def _ask_back(self, report: Report, growth: int) -> None:
        """Ask an idle shard for all that it does not use, and one at work for half of it, if others are short."""
        now = self._book[report.shard]
        if not self._short - {report.shard} or now.credit is None or self.left:
            return
        room = now.credit - report.pages
        keeps = 0 if report.idle else max(room // 2, _AHEAD * growth)
        if room > (keeps if report.idle else max(_ENOUGH, keeps)):
            self._book.change(report.shard, granted=report.pages + keeps, grant=now.grant + 1)
