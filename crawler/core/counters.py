"""Running totals of a job, as they are committed with what they count."""

from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from crawler.core.json_line import lines_in
from crawler.core.lesson import Lesson
from crawler.core.model import Finished

__all__ = ["Counters"]

_MOST_HOSTS = 1_000
_MOST_LESSONS = 1_000


class Counters(Struct):
    """One job's totals over all its runs; names as in `CrawlStats`. Written by the frontier only.

    `records` is counted by the ledger, as they are written. `seq` is the number of URLs ever queued: the next one's
    place in the order of discovery follows it. `stale` counts pages to which a shorter way was found after they were
    read, `reread` those that were read again for their links, `joined` seeds that redirected when something else was
    known. `sent` and `received` count links to other shards and from them. Where each row of the seeds has a record:
    `rows` are known, `open_rows` of them have none yet, and `owed` records are kept back until a page has had one,
    which `has_page_record` says.
    `repeats` counts URLs that ended as `skipped: repeats` by host; of more than 1,000 hosts the rest is `others`.
    `parameters` are those that do not change a page, each as host, paths and name (`shop.example/item/#?ref`): up to
    1,000 of them.
    """

    seq: int = 0
    known: int = 0
    queued: int = 0
    retrying: int = 0
    pages: int = 0
    records: int = 0
    bytes: int = 0
    duplicates: int = 0
    near_duplicates: int = 0
    outcomes: dict[str, int] = {}
    statuses: dict[int, int] = {}
    stale: int = 0
    reread: int = 0
    joined: int = 0
    sent: int = 0
    received: int = 0
    rows: int = 0
    open_rows: int = 0
    owed: int = 0
    has_page_record: bool = False
    repeats: dict[str, int] = {}
    parameters: dict[str, Lesson] = {}

    def next_seq(self) -> int:
        """Return the place of one more URL in the order of discovery."""
        self.seq += 1
        return self.seq

    def count(self, outcome: str, reason: str, change: int) -> None:
        """Add `change` URLs with this outcome; an outcome that no URL has any more goes."""
        name = f"{outcome}: {reason}" if reason else outcome
        left = self.outcomes.get(name, 0) + change
        if left:
            self.outcomes[name] = left
        else:
            self.outcomes.pop(name, None)

    def count_repeat(self, host: str, change: int) -> None:
        """Add `change` URLs of a host that were left out since its pages bring nothing."""
        name = host if host in self.repeats or len(self.repeats) < _MOST_HOSTS else "others"
        left = self.repeats.get(name, 0) + change
        if left > 0:
            self.repeats[name] = left
        else:
            self.repeats.pop(name, None)

    def learn(self, parameter: str, agreed: int, pages: int) -> None:
        """Put down why a parameter is left out of account."""
        lesson = self.parameters.get(parameter)
        if lesson is not None or len(self.parameters) < _MOST_LESSONS:
            self.parameters[parameter] = Lesson(agreed, pages, 0 if lesson is None else lesson.skipped)

    def leave_out_for(self, parameter: str, change: int) -> None:
        """Add `change` URLs that were left out for a parameter."""
        lesson = self.parameters.get(parameter)
        if lesson is not None:
            self.parameters[parameter] = replace(lesson, skipped=max(0, lesson.skipped + change))

    def leave_out(self, finished: Iterable[Finished], taken: int) -> None:
        """Count out pages that ended in a batch that was dropped, but for those of its first `taken` records."""
        for one in finished:
            lines = lines_in(one.records)
            self.records += min(lines, taken)
            if one.outcome == "fetched" and one.records is not None and not (taken and lines):
                self.pages -= 1
                self.bytes -= one.body_bytes
                self.count(one.outcome, one.reason, -1)
                self.statuses[one.status] -= 1
                self.queued += 1
            taken = max(0, taken - lines)
        self.statuses = {status: number for status, number in self.statuses.items() if number}
