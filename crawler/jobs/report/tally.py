"""What is counted of a job's URLs, in one pass over their rows: the same memory for a million rows as for a hundred.

Hosts are exact up to 131,072 of them. Beyond that those with the fewest URLs so far are let go, and what they had is
not counted as anybody's: a host that stays may lack as much as the largest of these had (`short_by`).
"""

from collections import Counter
from collections.abc import Iterable
from operator import attrgetter, itemgetter
from typing import TypeVar

from msgspec import Struct, field

from crawler.frontier.attempt_log import answered_in_ms
from crawler.frontier.row import UrlRow
from crawler.jobs.report.histogram import Histogram

__all__ = ["MOST_LINKS", "HostTally", "Tally"]

MOST_LINKS = 100_000
"""Links that are looked at to learn which host leads to which. Rows come in the order of hashes: any of them are as
good as others."""
_MOST_HOSTS = 131_072
_MOST_KINDS = 500
_MOST_EXAMPLES = 3
_MOST_SECONDS = 4_096
_MOST_DEPTH = 10_000
_OF_TRAPS = frozenset({"trap", "repeats", "same-page", "host-limit", "domain-limit"})

_LOOK = attrgetter("outcome", "reason", "status", "depth", "is_sitemap")

Key = TypeVar("Key")


class HostTally(Struct, array_like=True, gc=False):
    """What is counted of one host. `answer_ms` is the sum over `answers`, `most_ms` the longest of them."""

    fetched: int = 0
    redirected: int = 0
    failed: int = 0
    skipped: int = 0
    due: int = 0
    errors: int = 0
    answers: int = 0
    answer_ms: int = 0
    most_ms: int = 0

    @property
    def urls(self) -> int:
        """How many URLs the host has, however they ended."""
        return self.fetched + self.redirected + self.failed + self.skipped + self.due

    def count_answer(self, ms: int) -> None:
        """Count an answer that took so long."""
        self.answers += 1
        self.answer_ms += ms
        self.most_ms = max(self.most_ms, ms)

    def add(self, other: "HostTally") -> None:
        """Count what another one has counted."""
        for name in self.__struct_fields__:
            if name != "most_ms":
                setattr(self, name, getattr(self, name) + getattr(other, name))
        self.most_ms = max(self.most_ms, other.most_ms)


class Tally(Struct):
    """The counters of one pass, or of a part of one; `add` joins the parts. State: all of its fields.

    `outcomes` counts URLs by outcome and reason (two empty texts: due), `statuses` those that a server answered by
    status, `depths` by depth and outcome, `ended` by when (unix time divided by 2 to the power of `shift`) and outcome.
    `kinds` holds a few URLs of each way to fail, `trapped` counts what traps and limits cost by reason and host.
    `answers` are the times of requests that were answered, `failures` those of others, `tries` counts the rest of the
    attempts by what went wrong. `links` are (key of a parent, host) of some of the `linked` URLs that have a parent.
    """

    rows: int = 0
    outcomes: dict[tuple[str, str], int] = {}
    statuses: dict[int, int] = {}
    depths: dict[tuple[int, str], int] = {}
    ended: dict[tuple[int, str], int] = {}
    shift: int = 0
    kinds: dict[str, list[str]] = {}
    hosts: dict[str, HostTally] = {}
    short_by: int = 0
    dropped_hosts: int = 0
    trapped: dict[tuple[str, str], int] = {}
    answers: Histogram = field(default_factory=Histogram)
    failures: Histogram = field(default_factory=Histogram)
    tries: dict[str, int] = {}
    links: list[tuple[bytes, str]] = []
    linked: int = 0
    most_links: int = MOST_LINKS

    def count(self, rows: Iterable[UrlRow]) -> None:
        """Count rows of URLs: a few thousand at a time."""
        hosts, links, ended, shift, linked = self.hosts, self.links, self.ended, self.shift, 0
        answered: dict[int, int] = {}
        rows = list(rows)
        looks = Counter(map(_LOOK, rows))
        for row in rows:
            url, outcome, status = row.url, row.outcome, row.status
            name = url.split("/", 3)[2]
            host = hosts.get(name)
            if host is None:
                host = hosts[name] = HostTally()
            if outcome == "fetched":
                host.fetched += 1
                if status >= 400:
                    host.errors += 1
                    self._example(f"status {status}", url)
            else:
                self._count_other(row, name, host)
            if outcome:
                moment = (int(row.at) >> shift, outcome)
                ended[moment] = ended.get(moment, 0) + 1
            if row.parent:
                linked += 1
                if len(links) < self.most_links:
                    links.append((row.parent, name))
            if row.asked:
                ms = answered_in_ms(row.asked)
                if ms < 0:
                    self._count_attempts(row, host)
                else:
                    host.answers += 1
                    host.answer_ms += ms
                    host.most_ms = max(host.most_ms, ms)
                    answered[ms] = answered.get(ms, 0) + 1
        self.linked += linked
        self._count_looks(looks)
        for ms, number in answered.items():
            self.answers.count(ms, number)
        self._keep_small()

    def _count_other(self, row: UrlRow, name: str, host: HostTally) -> None:
        """Count a URL that no server has answered with a page."""
        outcome, reason = row.outcome, row.reason
        if outcome == "skipped":
            host.skipped += 1
            if reason in _OF_TRAPS:
                self.trapped[reason, name] = self.trapped.get((reason, name), 0) + 1
        elif outcome == "failed":
            host.failed += 1
        elif outcome == "redirected":
            host.redirected += 1
        else:
            host.due += 1
        if reason:
            self._example(f"{outcome}: {reason}", row.url)

    def _count_looks(self, looks: dict[tuple[str, str, int, int, bool], int]) -> None:
        for (outcome, reason, status, depth, is_sitemap), number in looks.items():
            self.rows += number
            how, place = (outcome, reason), (min(depth, _MOST_DEPTH), outcome)
            self.outcomes[how] = self.outcomes.get(how, 0) + number
            self.depths[place] = self.depths.get(place, 0) + number
            if outcome == "fetched" and not is_sitemap:
                self.statuses[status] = self.statuses.get(status, 0) + number

    def add(self, other: "Tally") -> None:
        """Count what another one has counted."""
        self.rows += other.rows
        while self.shift < other.shift:
            self._widen()
        for (second, outcome), number in other.ended.items():
            moment = (second >> (self.shift - other.shift), outcome)
            self.ended[moment] = self.ended.get(moment, 0) + number
        _join(self.outcomes, other.outcomes)
        _join(self.statuses, other.statuses)
        _join(self.depths, other.depths)
        _join(self.trapped, other.trapped)
        _join(self.tries, other.tries)
        for name, host in other.hosts.items():
            self.hosts.setdefault(name, HostTally()).add(host)
        for kind, urls in other.kinds.items():
            for url in urls:
                self._example(kind, url)
        self.answers.add(other.answers)
        self.failures.add(other.failures)
        self.links += other.links
        self.linked += other.linked
        self.short_by += other.short_by
        self.dropped_hosts += other.dropped_hosts
        self._keep_small()

    def _count_attempts(self, row: UrlRow, host: HostTally) -> None:
        for attempt in row.log:
            if attempt.what and not attempt.what.startswith("status "):
                self.failures.count(attempt.elapsed_ms)
            else:
                self.answers.count(attempt.elapsed_ms)
                host.count_answer(attempt.elapsed_ms)
            if what := attempt.what:
                what = what if what in self.tries or len(self.tries) < _MOST_KINDS else "others"
                self.tries[what] = self.tries.get(what, 0) + 1

    def _example(self, kind: str, url: str) -> None:
        known = self.kinds.get(kind)
        if known is None:
            if len(self.kinds) < _MOST_KINDS:
                self.kinds[kind] = [url]
        elif len(known) < _MOST_EXAMPLES:
            known.append(url)

    def _keep_small(self) -> None:
        while len(self.ended) > 4 * _MOST_SECONDS:
            self._widen()
        if len(self.hosts) > 2 * _MOST_HOSTS:
            kept = sorted(self.hosts.items(), key=lambda item: item[1].urls, reverse=True)
            gone = kept[_MOST_HOSTS:]
            self.short_by += gone[0][1].urls
            self.dropped_hosts += len(gone)
            self.hosts = dict(kept[:_MOST_HOSTS])
        if len(self.trapped) > 2 * _MOST_HOSTS:
            self.trapped = dict(sorted(self.trapped.items(), key=itemgetter(1), reverse=True)[:_MOST_HOSTS])

    def _widen(self) -> None:
        """Count the times of ends in steps twice as long."""
        self.shift += 1
        wider: dict[tuple[int, str], int] = {}
        for (second, outcome), number in self.ended.items():
            moment = (second >> 1, outcome)
            wider[moment] = wider.get(moment, 0) + number
        self.ended = wider


def _join(ours: dict[Key, int], theirs: dict[Key, int]) -> None:
    for key, number in theirs.items():
        ours[key] = ours.get(key, 0) + number
