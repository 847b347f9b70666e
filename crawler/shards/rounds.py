"""Whether nothing is under way in a job: all shards idle, and twice in a row with the same counters."""

from crawler.shards.messages import Report

__all__ = ["Rounds"]

_Look = tuple[int, int, int, int]


class Rounds:
    """Looks at all shards, one after the other, as their reports come in. The coordinator alone calls it.

    All look idle one by one, and yet a link may have been under way the whole time: from the second to the first, after
    that was looked at. If all look the same a second time, and each second look began when all first ones had ended,
    then nobody was sent anything between, and at the moment between all of them were idle at once (the counters of
    Mattern, "Algorithms for distributed termination detection", 1987). An idle shard has nothing on the way, since its
    outbox is empty only when all of it is safe with the receivers.

    State: the number of the round, what was seen of whom in it, and what was seen in the one before.
    """

    def __init__(self, shards: int) -> None:
        self._shards = shards
        self.number = 1
        self._seen: dict[int, _Look] = {}
        self._before: dict[int, _Look] | None = None

    def begin_anew(self) -> None:
        """Forget what was seen. What a shard says counts only if it has heard of the round that begins now."""
        if self._seen or self._before is not None:
            self._seen, self._before = {}, None
            self.number += 1

    def take(self, report: Report) -> bool:
        """Take a report of a holder that counts. Return True when the crawl has nothing under way."""
        if not report.idle:
            self.begin_anew()
            return False
        if report.round != self.number:
            return False
        look = (report.epoch, report.sent, report.taken, report.looks)
        if self._seen.get(report.shard, look) != look:
            self.begin_anew()
            return False
        self._seen[report.shard] = look
        if len(self._seen) < self._shards:
            return False
        settled = self._seen == self._before
        self._before, self._seen = self._seen, {}
        self.number += 1
        return settled
