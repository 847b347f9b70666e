"""What a crawl can tell of itself at any moment."""

import time
from pathlib import Path
from typing import NamedTuple

import msgspec

from crawler.core.config import CrawlConfig
from crawler.core.host_line import HostLines
from crawler.core.stats import CrawlStats, Ended
from crawler.fetcher.fetcher import Fetcher
from crawler.fetcher.transport.budget import ByteBudget
from crawler.frontier.frontier import Frontier
from crawler.ledger.ledger import Ledger
from crawler.parsers.chosen import Parsers
from crawler.ring.holders import Held, Shared, holders
from crawler.ring.lag import LagMeter
from crawler.ring.limits import LimitMeter
from crawler.ring.steering import Steering
from crawler.ring.stop_request import StopRequest

__all__ = ["Stages", "Statistics"]


_SHOWN_UNDER_WAY = 3
_COUNTED_UNDER_WAY = 1_000
"""More requests at once say no more about who makes them, and a snapshot must cost little."""


class Stages(NamedTuple):
    """The stages of a ring that turns."""

    fetcher: Fetcher
    parsers: Parsers
    ledger: Ledger


class Statistics:
    """Reads the counters that the stages keep, as far as they are there yet.

    State: when the crawl began and ended, seeds that were bad, what the job had before this run, the frontier and the
    stages; each is set once, when the crawl comes so far. `now` may be called from any thread.
    """

    def __init__(self, config: CrawlConfig, budget: ByteBudget, stop_request: StopRequest, steering: Steering) -> None:
        self._config = config
        self._budget = budget
        self._stop_request = stop_request
        self._steering = steering
        self.lag = LagMeter()
        self.limits = LimitMeter(self._held, self.now)
        self.bad_seeds = 0
        self._started_at = time.monotonic()
        self._processor_before_s = time.process_time()
        self._processor_after_s: float | None = None
        self._finished_at: float | None = None
        self._frontier: Frontier | None = None
        self._stages: Stages | None = None
        self._pages_before = 0
        self._bytes_before = 0

    def begin(self) -> None:
        """Count time from now on."""
        self._started_at = time.monotonic()
        self._processor_before_s = time.process_time()

    def settled(self, config: CrawlConfig) -> None:
        """Go by the settings as the crawl does."""
        self._config = config

    def opened(self, frontier: Frontier) -> None:
        """Count pages from here on as those of this run."""
        counters = frontier.counters
        self._pages_before, self._bytes_before = counters.pages, counters.bytes
        self._frontier = frontier

    def started(self, stages: Stages) -> None:
        """Ask the stages from now on."""
        self._stages = stages

    def finish(self) -> None:
        """Count time no further."""
        self._finished_at = time.monotonic()
        self._processor_after_s = time.process_time()

    def now(self) -> CrawlStats:
        """Counters as of now."""
        stats = CrawlStats(
            ended="running" if self._finished_at is None else self.why_ended,
            elapsed_s=(self._finished_at or time.monotonic()) - self._started_at,
            bad_seeds=self.bad_seeds,
            paused=self._steering.state.paused,
            steered=self._steering.state.words,
            concurrency=self._config.concurrency,
            max_pages=self._config.max_pages,
            max_time_s=self._config.max_time_s,
            main_busy_s=(self._processor_after_s or time.process_time()) - self._processor_before_s,
            loop_lag_p99_s=self.lag.p99_s,
            late_s=self.lag.late_s,
            held_s=dict(self.limits.held_s),
            limited_s=dict(self.limits.limited_s),
            limit=self.limits.verdict.stage,
            why=self.limits.verdict.why,
            lift=self.limits.verdict.option,
            body_bytes_held=self._budget.used,
            body_bytes_most=self._budget.limit,
            body_waits=self._budget.waits,
        )
        if self._frontier is not None:
            stats = self._with_frontier(stats, self._frontier)
        if self._stages is None:
            return stats
        return _with_holders(_with_stages(stats, self._stages), self._stages, self._budget.held_by)

    @property
    def processes(self) -> tuple[int, ...]:
        """Numbers of the processes that parse."""
        return () if self._stages is None else self._stages.parsers.processes

    def _held(self) -> dict[str, int]:
        return {} if self._stages is None else self._stages.fetcher.hosts_held_by()

    @property
    def why_ended(self) -> Ended:
        """How the crawl ends, once it does."""
        left = self._stages is not None and self._stages.ledger.was_left
        return "interrupted" if left else self._stop_request.why or "interrupted"

    @property
    def folder(self) -> Path | None:
        """The folder of the job, once that is open."""
        return None if self._frontier is None else self._config.job

    def hosts(self, part: str, most: int) -> HostLines:
        """Return up to so many hosts in memory whose name holds a text; in the event loop's thread."""
        frontier = self._frontier
        if self._stages is None or frontier is None:
            return HostLines()
        found = self._stages.fetcher.hosts.find(part, most)
        lines = tuple(
            msgspec.structs.replace(line, more=True) if frontier.host_key(line.name) in frontier.backlog else line
            for line in found.lines
        )
        return msgspec.structs.replace(found, lines=lines)

    def _with_frontier(self, stats: CrawlStats, frontier: Frontier) -> CrawlStats:
        counters = frontier.counters
        return msgspec.structs.replace(
            stats,
            pages=counters.pages,
            run_pages=counters.pages - self._pages_before,
            records=counters.records,
            bytes=counters.bytes,
            run_bytes=counters.bytes - self._bytes_before,
            outcomes=dict(counters.outcomes),
            statuses=dict(counters.statuses),
            known=counters.known,
            queued=counters.queued,
            retrying=counters.retrying,
            duplicates=counters.duplicates,
            near_duplicates=counters.near_duplicates,
            reread=counters.reread,
            repeats=dict(counters.repeats),
            parameters=dict(counters.parameters),
            active_hosts=frontier.active_hosts,
            unreachable_hosts=frontier.hosts_given_up,
        )


def _with_stages(stats: CrawlStats, stages: Stages) -> CrawlStats:
    fetcher, parsers, ledger = stages
    return msgspec.structs.replace(
        stats,
        committing=ledger.intake.backlog,
        following=ledger.changes.follows,
        commits=ledger.commits,
        commit_s=ledger.commit_s,
        ledger_s=ledger.time_use.seconds,
        fetching=fetcher.in_flight,
        under_way=fetcher.oldest(_SHOWN_UNDER_WAY),
        unanswered=fetcher.unanswered(),
        held_by=fetcher.hosts_held_by(),
        waiting_hosts=fetcher.waiting_hosts,
        silent_hosts=fetcher.silences.count,
        silent=fetcher.silences.named,
        offline=fetcher.silences.offline,
        parsing=parsers.pending,
        parse_capacity=parsers.capacity,
        parser_busy_s=parsers.busy_s,
        parsers_replaced=parsers.replaced,
    )


def _with_holders(stats: CrawlStats, stages: Stages, body_bytes: dict[str, int]) -> CrawlStats:
    held = Held([url for url, _ in stages.fetcher.oldest(_COUNTED_UNDER_WAY)], body_bytes, stages.parsers.busiest)
    shared = Shared(stats.concurrency, stats.body_bytes_most, len(stats.parser_busy_s))
    return msgspec.structs.replace(stats, holders=holders(held, shared))
