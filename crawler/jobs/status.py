"""How a job stands: what a crawl does now, or how its last run ended."""

from pathlib import Path
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from crawler.core.rate import Rates, rates
from crawler.core.sample import Sample
from crawler.core.stats import CrawlStats, Ended
from crawler.frontier.store import Store

__all__ = ["JobState", "JobStatus", "ShardStatus", "status"]

JobState = Literal["starting", "running", "paused", "done", "stopped", "killed"]

_RECENT_S: Final = 5.0
_TREND_S: Final = 30.0
"""Of how many seconds the two speeds are that a status tells."""

_NOTHING: Final = CrawlStats()
_OF_THE_MOMENT: Final[dict[str, Any]] = {
    name: getattr(_NOTHING, name)
    for name in (
        *("fetching", "unanswered", "under_way", "held_by", "holders", "parsing", "committing", "body_bytes_held"),
        *("active_hosts", "waiting_hosts", "silent_hosts", "silent", "offline"),
    )
}
"""What a crawl that does not run has none of."""


class ShardStatus(Struct, frozen=True, kw_only=True):
    """How one shard of a cluster job stands, as its last sign and the last state of the job say.

    `state` is that of a job, or `waiting` for one that nobody holds while the crawl runs, or that has brought nothing
    yet. `node` is where it was started last; `epoch` counts its holders, `incarnation` how often it began from a
    checkpoint or from nothing. `at` is the unix time of the figures, None without any. `checkpoint` numbers the last
    one that counts, 0 without one, `checkpoint_at` is its unix time, and `parts` and `records` are public by it.
    """

    shard: int
    state: str
    node: str = ""
    epoch: int = 0
    incarnation: int = 0
    at: float | None = None
    pages: int = 0
    known: int = 0
    queued: int = 0
    pages_per_s: float = 0.0
    checkpoint: int = 0
    checkpoint_at: float | None = None
    parts: int = 0
    records: int = 0


class JobStatus(Struct, frozen=True, kw_only=True):
    """How a job stands, as of one commit.

    `state`: `starting` (seeds are read), `running` or `paused`, while a crawl runs the job; else `done` (nothing is
    left), `stopped` (`stats.ended` says by what; or URLs were put back or added since), or `killed`: its last run did
    not come to its end, since it was killed, the machine lost power, or an error broke it off.

    `stats` are the counters, of the last run where they say "run"; `at` is the unix time they are of, None if an
    earlier version ran the job, which kept no series. Of a cluster job all of that is of its `shards` together.
    `recent`, `trend` and `overall` are the speeds of the last 5 s, 30 s, and of the run; the first two are 0 when no
    crawl runs. `run` counts the runs of the job from 1 on. The rest is that of `Sample`.
    """

    folder: str
    state: JobState
    stats: CrawlStats
    run: int = 0
    at: float | None = None
    recent: Rates = Rates()
    trend: Rates = Rates()
    overall: Rates = Rates()
    limit: str = ""
    why: str = ""
    memory_bytes: int = 0
    parser_memory_bytes: int = 0
    steered: str = ""
    shards: tuple[ShardStatus, ...] = ()

    @property
    def is_running(self) -> bool:
        """Whether a crawl ran the job."""
        return self.state in ("starting", "running", "paused")


def status(folder: Path, store: Store, *, running: bool) -> JobStatus:
    """Return how the job in a folder stands; `running`: whether a crawl ran it when its store was opened."""
    samples = store.samples.recent(_TREND_S)
    begun_at = _locked_at(folder) if running else 0.0
    if samples and samples[-1].at >= begun_at:
        return _of_sample(folder, store, samples, running=running)
    stats = replace(_counted(_NOTHING, store), run_pages=0, run_bytes=0)
    if running:
        run = samples[-1].run + 1 if samples else 1
        return JobStatus(folder=str(folder), state="starting", stats=stats, run=run)
    # Of an earlier version, or killed before anything was asked for.
    ended = _summarised(folder)
    state: JobState = "done" if ended == "done" and not stats.queued else "stopped"
    return JobStatus(folder=str(folder), state=state, stats=replace(stats, ended=ended or "running"))


def _of_sample(folder: Path, store: Store, samples: list[Sample], *, running: bool) -> JobStatus:
    last = samples[-1]
    runs = running and last.stats.ended == "running"
    stats = _counted(last.stats, store)
    first = store.samples.first(last.run) or last
    begun = CrawlStats(known=first.stats.known, queued=first.stats.queued)
    return JobStatus(
        folder=str(folder),
        state=_state(stats, running=running),
        stats=stats if runs else replace(stats, **_OF_THE_MOMENT),
        run=last.run,
        at=last.at,
        recent=rates(_before(samples, _RECENT_S), last.stats) if runs else Rates(),
        trend=rates(samples[0].stats, last.stats) if runs else Rates(),
        overall=rates(begun, last.stats),
        limit=last.limit,
        why=last.why,
        memory_bytes=last.memory_bytes,
        parser_memory_bytes=last.parser_memory_bytes,
        steered=last.steered,
    )


def _state(stats: CrawlStats, *, running: bool) -> JobState:
    if stats.ended == "running":
        if not running:
            return "killed"
        return "paused" if stats.paused else "running"
    return "done" if stats.ended == "done" and not stats.queued else "stopped"


def _before(samples: list[Sample], span_s: float) -> CrawlStats:
    """Return the youngest counters that are so much older than the newest, else the oldest."""
    until = samples[-1].stats.elapsed_s - span_s
    older = [sample.stats for sample in samples if sample.stats.elapsed_s <= until]
    return older[-1] if older else samples[0].stats


def _counted(stats: CrawlStats, store: Store) -> CrawlStats:
    """Return counters as of the last commit: a sample is taken with one of several, and leaves out what may be long."""
    counters = store.counters
    return replace(
        stats,
        **{name: getattr(counters, name) for name in counters.__struct_fields__ if hasattr(stats, name)},
        run_pages=max(0, stats.run_pages + counters.pages - stats.pages),
        run_bytes=max(0, stats.run_bytes + counters.bytes - stats.bytes),
    )


def _locked_at(folder: Path) -> float:
    """Return when the run that holds the lock of a job took it, as unix time; 0 if nobody can tell."""
    try:
        return (folder / "lock").stat().st_mtime
    except OSError:
        return 0.0


def _summarised(folder: Path) -> Ended | None:
    """Return how the last run ended by its summary, None without one."""
    try:
        summary = msgspec.json.decode((folder / "summary.json").read_bytes(), type=_Summary)
    except (OSError, msgspec.MsgspecError):
        return None
    return summary.ended


class _Summary(Struct):
    """What is read of a `summary.json`; a file without these is none."""

    crawler_version: str
    ended: Ended
