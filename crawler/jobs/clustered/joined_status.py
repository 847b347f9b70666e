"""How a job of many shards stands: what each of them tells, put together with what the coordinator has kept."""

import time
from collections.abc import Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from crawler.core.joined_stats import joined_stats
from crawler.core.rate import Rates, rates
from crawler.core.sample import Sample
from crawler.core.stats import CrawlStats
from crawler.jobs.clustered.joined_samples import joined_sample
from crawler.jobs.status import JobState, JobStatus, ShardStatus
from crawler.shards.glance import Glance
from crawler.shards.state import ClusterState, ShardState

__all__ = ["gives_signs", "glanced", "is_begun", "joined_status"]

_SILENT_S: Final = 300.0
"""A crawl that somebody else runs gives a sign each minute; after five times as long it was killed."""

_STARTING_S: Final = 30.0
"""As long a shard may take to start, on a busy machine."""


def is_begun(state: ClusterState) -> bool:
    """Whether a crawl on this machine has written its state so lately that its shards may not have started yet."""
    return not state.is_over and time.time() - state.saved_at < _STARTING_S


def gives_signs(state: ClusterState, glances: Mapping[int, Glance]) -> bool:
    """Whether a crawl that runs elsewhere seems to go on: it is not over, and has given a sign of itself lately."""
    newest = max([state.saved_at, *(one.at for one in glances.values())])
    return not state.is_over and time.time() - newest < _SILENT_S


def glanced(place: str, glance: Glance, *, runs: bool) -> JobStatus:
    """Return how a shard stood when it put a glance at the place of its job. Its speeds are those of its whole run."""
    speed = rates(CrawlStats(), glance.stats)
    return JobStatus(
        folder=place,
        state="running" if runs else "stopped",
        stats=glance.stats,
        at=glance.at,
        recent=speed if runs else Rates(),
        trend=speed if runs else Rates(),
        overall=speed,
        limit=glance.stats.limit,
        why=glance.stats.why,
        memory_bytes=glance.memory_bytes,
        parser_memory_bytes=glance.parser_memory_bytes,
    )


def joined_status(shown: str, state: ClusterState, found: Mapping[int, JobStatus], *, runs: bool) -> JobStatus:
    """Put together how a job stands; `found` are the shards that have told of themselves, by number.

    `runs`: a crawl runs the job. `shown` is the job as people name it.
    """
    parts = list(found.values())
    at = max((one.at for one in parts if one.at is not None), default=None)
    stats = joined_stats([one.stats for one in parts])
    ended = state.ended if state.is_over else "running"
    samples = [Sample(run=state.run, at=one.at or 0.0, stats=one.stats, limit=one.limit, why=one.why) for one in parts]
    whole = joined_sample(state.run, samples) if samples else Sample(run=state.run, at=0.0, stats=stats)
    return JobStatus(
        folder=shown,
        state=_state(state, parts, runs=runs),
        stats=replace(stats, ended=ended, max_pages=state.max_pages, max_time_s=state.max_time_s),
        run=state.run,
        at=at,
        recent=_rates([one.recent for one in parts]),
        trend=_rates([one.trend for one in parts]),
        overall=_rates([one.overall for one in parts]),
        limit=whole.limit,
        why=whole.why,
        memory_bytes=sum(one.memory_bytes for one in parts),
        parser_memory_bytes=sum(one.parser_memory_bytes for one in parts),
        steered=next((one.steered for one in parts if one.steered), ""),
        shards=tuple(_shard(n, one, found.get(n), runs=runs) for n, one in enumerate(state.shards)),
    )


def _state(state: ClusterState, parts: Sequence[JobStatus], *, runs: bool) -> JobState:
    if runs:
        if any(one.state == "paused" for one in parts):
            return "paused"
        return "running" if any(one.state == "running" for one in parts) else "starting"
    if not state.is_over:
        return "killed"
    left = sum(one.stats.queued for one in parts)
    return "done" if state.ended == "done" and not left else "stopped"


def _shard(number: int, kept: ShardState, told: JobStatus | None, *, runs: bool) -> ShardStatus:
    public = kept.public
    waits = told is None or (runs and not told.is_running)
    return ShardStatus(
        shard=number,
        state="waiting" if told is None or waits else told.state,
        node=kept.node_name or kept.node,
        epoch=kept.epoch,
        incarnation=kept.incarnation,
        at=None if told is None else told.at,
        pages=kept.kept_pages if told is None else told.stats.pages,
        known=0 if told is None else told.stats.known,
        queued=0 if told is None else told.stats.queued,
        pages_per_s=0.0 if told is None else (told.recent if told.is_running else told.overall).pages_per_s,
        checkpoint=0 if kept.checkpoint is None else kept.checkpoint.number,
        checkpoint_at=kept.checkpoint_at or None,
        parts=sum(one.parts for one in public),
        records=public[0].records if public else 0,
    )


def _rates(parts: Sequence[Rates]) -> Rates:
    return Rates(
        span_s=max((one.span_s for one in parts), default=0.0),
        pages_per_s=sum(one.pages_per_s for one in parts),
        bytes_per_s=sum(one.bytes_per_s for one in parts),
        ended_per_s=sum(one.ended_per_s for one in parts),
        found_per_s=sum(one.found_per_s for one in parts),
        parser_shares=tuple(share for one in parts for share in one.parser_shares),
        main_share=sum(one.main_share for one in parts),
    )
