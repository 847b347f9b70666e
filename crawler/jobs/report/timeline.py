"""A crawl over time, from its samples: the runs of a job one after the other, without the time between them: pure."""

from collections.abc import Iterable
from itertools import groupby
from typing import Final

from msgspec import Struct

from crawler.core.sample import Sample
from crawler.core.stats import CrawlStats

__all__ = ["MOST_STEPS", "OUTCOMES", "Run", "Step", "Timeline", "timeline"]

MOST_STEPS = 100
"""Steps of time in a report: as many as a chart can show and a person can scroll through."""
_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 43_200, 86_400)
OUTCOMES: Final = ("fetched", "redirected", "failed", "skipped")


class Step(Struct):
    """One step of the time in which the crawl ran, from `from_s` to `to_s` since it was begun for the first time.

    `pages`, `bytes`, `ended` (by outcome), `parsers` (seconds busy of each) and `main` (seconds of processor time) are
    what it brought. `queued`, `retrying`, `fetching`, `parsing`, `committing`, and the memory are those at its end; the
    memory is the most in it. `limits` are the seconds that each stage limited the crawl.
    """

    from_s: float
    to_s: float
    run: int = 0
    seen_s: float = 0.0
    pages: float = 0.0
    bytes: float = 0.0
    ended: dict[str, float] = {}
    parsers: dict[int, float] = {}
    main: float = 0.0
    queued: int = 0
    retrying: int = 0
    fetching: int = 0
    parsing: int = 0
    committing: int = 0
    memory: int = 0
    parser_memory: int = 0
    limits: dict[str, float] = {}

    @property
    def length_s(self) -> float:
        """How much of the step the crawl ran in: of the last one perhaps a part."""
        return self.seen_s


class Run(Struct, frozen=True):
    """One run of the job: when it began (unix time), from when to when it is in the timeline, its last sample."""

    number: int
    began_at: float
    from_s: float
    to_s: float
    last: Sample


class Timeline(Struct, frozen=True):
    """Runs and steps of a crawl. For each limit `whys` and `lifts` are the sentences that were said of it, and the
    options that would have lifted it, with the seconds of each.
    """

    runs: tuple[Run, ...] = ()
    steps: tuple[Step, ...] = ()
    whys: dict[str, dict[str, float]] = {}
    lifts: dict[str, dict[str, float]] = {}

    @property
    def seconds(self) -> float:
        """How long the crawl ran, all runs together."""
        return self.runs[-1].to_s if self.runs else 0.0

    @property
    def limits(self) -> dict[str, float]:
        """Seconds for which each stage limited the crawl, the longest first."""
        found: dict[str, float] = {}
        for step in self.steps:
            for stage, seconds in step.limits.items():
                found[stage] = found.get(stage, 0.0) + seconds
        return dict(sorted(found.items(), key=lambda item: -item[1]))


def timeline(samples: Iterable[Sample]) -> Timeline:
    """Make the timeline of samples, which come in the order of time."""
    runs: list[Run] = []
    by_run: list[list[Sample]] = []
    offset = 0.0
    for number, group in groupby(samples, key=lambda one: one.run):
        of_run = list(group)
        last = of_run[-1]
        end = offset + last.stats.elapsed_s
        runs.append(Run(number, last.at - last.stats.elapsed_s, offset, end, last))
        by_run.append(of_run)
        offset = end
    if not offset:
        return Timeline(tuple(runs))
    width = next((step for step in _STEPS_S if step * MOST_STEPS >= offset), offset / MOST_STEPS)
    number = int(-(-offset // width))
    made = _Steps([Step(place * width, min(offset, (place + 1) * width)) for place in range(number)], width)
    before: CrawlStats | None = None
    for run, of_run in zip(runs, by_run, strict=True):
        # What the job had before is none of this run's.
        earlier = CrawlStats() if before is None else CrawlStats(outcomes=before.outcomes)
        for sample in of_run:
            made.add(run, earlier, sample)
            earlier = sample.stats
        before = earlier
    return Timeline(tuple(runs), tuple(made.steps), made.whys, made.lifts)


class _Steps:
    """Steps while they are filled. Between two samples everything grows evenly."""

    def __init__(self, steps: list[Step], width: float) -> None:
        self.steps = steps
        self.whys: dict[str, dict[str, float]] = {}
        self.lifts: dict[str, dict[str, float]] = {}
        self._width = width

    def add(self, run: Run, before: CrawlStats, sample: Sample) -> None:
        """Put in what came between two samples."""
        now = sample.stats
        start, end = run.from_s + before.elapsed_s, run.from_s + now.elapsed_s
        if end <= start:
            return
        if sample.limit:
            for kept, text in ((self.whys, sample.why), (self.lifts, now.lift)):
                said = kept.setdefault(sample.limit, {})
                said[text] = said.get(text, 0.0) + end - start
        limits = _limited(before, sample)
        ended = {name: max(0, _ended(now, name) - _ended(before, name)) for name in OUTCOMES}
        was_busy = before.parser_busy_s + (0.0,) * (len(now.parser_busy_s) - len(before.parser_busy_s))
        for place in range(int(start / self._width), len(self.steps)):
            step = self.steps[place]
            inside = min(end, step.to_s) - max(start, step.from_s)
            if inside <= 0:
                if step.from_s >= end:
                    break
                continue
            part = inside / (end - start)
            step.run = step.run or run.number
            step.seen_s += inside
            step.pages += part * max(0, now.run_pages - before.run_pages)
            step.bytes += part * max(0, now.run_bytes - before.run_bytes)
            step.main += part * max(0.0, now.main_busy_s - before.main_busy_s)
            for name, grown in ended.items():
                step.ended[name] = step.ended.get(name, 0.0) + part * grown
            for parser, (was, is_now) in enumerate(zip(was_busy, now.parser_busy_s, strict=False)):
                step.parsers[parser] = step.parsers.get(parser, 0.0) + part * max(0.0, is_now - was)
            for stage, seconds in limits.items():
                step.limits[stage] = step.limits.get(stage, 0.0) + part * seconds
            step.queued, step.retrying = now.queued, now.retrying
            step.fetching, step.parsing, step.committing = now.fetching, now.parsing, now.committing
            step.memory = max(step.memory, sample.memory_bytes)
            step.parser_memory = max(step.parser_memory, sample.parser_memory_bytes)


def _limited(before: CrawlStats, sample: Sample) -> dict[str, float]:
    """Return the seconds for which each stage limited the crawl since the sample before, as far as that is known."""
    now = sample.stats
    if now.limited_s:
        grown = {stage: seconds - before.limited_s.get(stage, 0.0) for stage, seconds in now.limited_s.items()}
        return {stage: seconds for stage, seconds in grown.items() if seconds > 0}
    return {sample.limit: now.elapsed_s - before.elapsed_s} if sample.limit else {}


def _ended(stats: CrawlStats, outcome: str) -> int:
    return sum(number for name, number in stats.outcomes.items() if name.partition(":")[0] == outcome)
