"""The time series of a job of many shards: those of its shards, put together as one. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from typing import Final

from msgspec.structs import replace

from crawler.core.joined_stats import joined_stats
from crawler.core.sample import Sample

__all__ = ["joined_sample", "joined_samples"]

_STEP_S: Final = 1.0
"""Time between two samples that are given."""
_GAP_S: Final = 60.0
"""A crawl of which no shard gives a sign for so long has ended, or was killed: each gives one in five seconds."""


def joined_samples(series: Sequence[Iterable[Sample]]) -> Iterator[Sample]:
    """Give samples of the whole crawl, in the order of time, each with the newest ones of all shards.

    A run of the crawl begins with the first sample of any shard after all others have ended. Within it a shard may have
    several runs, as it is moved or lost: what these had counts with those that follow.
    """
    joined: _Run | None = None
    for sample, shard in merge(*map(_numbered, series, range(len(series))), key=lambda item: item[0].at):
        if joined is None or joined.is_over(sample):
            if joined is not None:
                yield from joined.rest()
            joined = _Run(1 if joined is None else joined.number + 1, sample)
        yield from joined.take(shard, sample)
    if joined is not None:
        yield from joined.rest()


def joined_sample(run: int, samples: Sequence[Sample]) -> Sample:
    """Return one sample of all shards. What limits the crawl is what limits most of them."""
    limits = [one.limit for one in samples if one.limit]
    limit = max(dict.fromkeys(limits), key=limits.count, default="")
    of_it = [one for one in samples if one.limit == limit]
    why = of_it[0].why if of_it else ""
    stats = joined_stats([one.stats for one in samples])
    return Sample(
        run=run,
        at=max(one.at for one in samples),
        stats=replace(stats, limit=limit, why=why, lift=of_it[0].stats.lift if of_it else ""),
        memory_bytes=sum(one.memory_bytes for one in samples),
        parser_memory_bytes=sum(one.parser_memory_bytes for one in samples),
        limit=limit,
        why=f"{len(of_it)} of {len(samples)} shards: {why}" if why and len(samples) > 1 else why,
        steered=next((one.steered for one in samples if one.steered), ""),
    )


def _numbered(samples: Iterable[Sample], shard: int) -> Iterator[tuple[Sample, int]]:
    return ((sample, shard) for sample in samples)


class _Run:
    """One run of the crawl. State: the newest sample of each shard, what its earlier runs had, what was given last."""

    def __init__(self, number: int, first: Sample) -> None:
        self.number = number
        self._began_at = first.at - first.stats.elapsed_s
        self._newest: dict[int, Sample] = {}
        self._earlier_pages: dict[int, int] = {}
        self._earlier_bytes: dict[int, int] = {}
        self._at = self._given_at = float("-inf")

    def is_over(self, sample: Sample) -> bool:
        """Whether a sample is of the next run."""
        have_ended = bool(self._newest) and all(one.stats.ended != "running" for one in self._newest.values())
        return have_ended or (bool(self._newest) and sample.at - self._at > _GAP_S)

    def take(self, shard: int, sample: Sample) -> Iterator[Sample]:
        """Take the next sample; give what there is, if it is time for that."""
        before = self._newest.get(shard)
        if before is not None and before.run != sample.run:
            self._earlier_pages[shard] = self._earlier_pages.get(shard, 0) + before.stats.run_pages
            self._earlier_bytes[shard] = self._earlier_bytes.get(shard, 0) + before.stats.run_bytes
        if self._newest and sample.at - self._given_at >= _STEP_S:
            yield from self.rest()
        self._newest[shard] = sample
        self._at = sample.at

    def rest(self) -> Iterator[Sample]:
        """Give what there is."""
        self._given_at = self._at
        whole = joined_sample(self.number, list(self._newest.values()))
        stats = replace(
            whole.stats,
            elapsed_s=max(0.0, self._at - self._began_at),
            run_pages=whole.stats.run_pages + sum(self._earlier_pages.values()),
            run_bytes=whole.stats.run_bytes + sum(self._earlier_bytes.values()),
        )
        yield replace(whole, at=self._at, stats=stats)
