"""What each thread and process of a crawl does, sampled by a thread beside it, without a hook in what it watches.

Seconds of processor time come from the kernel, time at pages and time in commits from the crawl's own counters. Where
the kernel does not tell, only those counters count.
"""

import threading
import time
from collections.abc import Callable
from itertools import pairwise

from msgspec import Struct

from crawler.cli.compare.processor_time import ProcessorTime, parser_pids
from crawler.cli.compare.work import Activity, Lane
from crawler.core.config import StrategyKind
from crawler.core.stats import CrawlStats

__all__ = ["Sample", "Sampler", "lanes"]

_PERIOD_S = 0.02
_NAMED_THREADS = ("MainThread", "ledger", "parser-", "sampler")


class Sample(Struct, frozen=True):
    """One look: seconds since the start, processor seconds of this process, of its threads and of parser processes."""

    at_s: float
    process_s: float
    threads_s: dict[str, float]
    parsers_s: tuple[float, ...]
    stats: CrawlStats


class Sampler:
    """Takes a sample every 20 ms from `start` to `stop`, also of `processes` parser processes.

    State: the samples and open files, its own thread's.
    """

    def __init__(self, stats: Callable[[], CrawlStats], processes: int) -> None:
        self._processes = processes
        self.samples: list[Sample] = []
        self._stats = stats
        self._began = time.monotonic()
        self._threads: dict[str, ProcessorTime] = {}
        self._parsers: list[ProcessorTime] = []
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)

    def start(self) -> None:
        """Begin to sample."""
        self._began = time.monotonic()
        self._thread.start()

    def stop(self) -> None:
        """Take a last sample and end."""
        self._done.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._done.wait(_PERIOD_S):
            self._take()
        self._take()
        for clock in (*self._threads.values(), *self._parsers):
            clock.close()

    def _take(self) -> None:
        if len(self.samples) % 8 == 0:
            self._look_for_threads()
        if self._processes:
            pids = parser_pids()
            if len(pids) == self._processes:
                self._parsers = [ProcessorTime(pid=pid) for pid in pids]
                self._processes = 0
        stats = self._stats()
        self.samples.append(
            Sample(
                time.monotonic() - self._began,
                time.process_time(),
                {name: clock.seconds() for name, clock in self._threads.items()},
                tuple(clock.seconds() for clock in self._parsers),
                stats,
            )
        )

    def _look_for_threads(self) -> None:
        for thread in threading.enumerate():
            if thread.name.startswith(_NAMED_THREADS) and thread.name not in self._threads:
                self._threads[thread.name] = ProcessorTime(thread=thread.native_id)


def lanes(samples: list[Sample], strategy: StrategyKind, bin_s: float, until_s: float) -> tuple[Lane, ...]:
    """Make lanes of samples: what the threads of the main process, and the parsers, did in each bin up to `until_s`."""
    edges = [number * bin_s for number in range(int(until_s / bin_s) + 2)]
    table = _Table(samples, edges)
    parsers = range(max((len(one.stats.parser_busy_s) for one in samples), default=0))
    busy = [table.rates(lambda one, n=n: _at(one.stats.parser_busy_s, n)) for n in parsers]  # type: ignore[misc]
    loop = table.rates(lambda one: one.threads_s.get("MainThread", 0.0))
    parsed_in_loop = busy[0] if strategy in {"sequential", "async"} and busy else [0.0] * len(loop)
    found = [
        _lane(
            "event loop",
            parse=[min(a, b) if b else a for a, b in zip(parsed_in_loop, loop, strict=True)],
            fetch=[a - b for a, b in zip(loop, parsed_in_loop, strict=True)],
        )
    ]
    if strategy in {"sequential", "threads"}:
        rest = table.rates(lambda one: one.process_s - sum(one.threads_s.values()))
        found.append(_lane("thread of requests" if strategy == "sequential" else "threads of requests", fetch=rest))
    if strategy == "threads":
        for n in parsers:
            running = table.rates(lambda one, n=n: one.threads_s.get(f"parser-{n}", 0.0))  # type: ignore[misc]
            found.append(_parser(f"parser thread {n + 1}", busy[n], running))
    if strategy == "hybrid":
        for n in parsers:
            running = table.rates(lambda one, n=n: _at(one.parsers_s, n))  # type: ignore[misc]
            found.append(_parser(f"parser process {n + 1}", busy[n], running))
    commit = table.rates(lambda one: one.stats.commit_s)
    ledger = table.rates(lambda one: one.threads_s.get("ledger", 0.0))
    found.append(
        _lane("ledger", commit=commit, frontier=[max(0.0, a - b) for a, b in zip(ledger, commit, strict=True)])
    )
    return tuple(found)


class _Table:
    """Samples as rates: how much of a second a counter grows by in a second, bin by bin."""

    def __init__(self, samples: list[Sample], edges: list[float]) -> None:
        self._samples = samples
        self._edges = edges

    def rates(self, counter: Callable[[Sample], float]) -> list[float]:
        """Growth of a counter in each bin, by the bin's length; between two samples it grows evenly."""
        bins = [0.0] * (len(self._edges) - 1)
        width = self._edges[1] - self._edges[0]
        for before, after in pairwise(self._samples):
            grown = max(0.0, counter(after) - counter(before))
            span = after.at_s - before.at_s
            if not grown or span <= 0:
                continue
            number = int(before.at_s / width)
            while number < len(bins) and self._edges[number] < after.at_s:
                inside = min(after.at_s, self._edges[number + 1]) - max(before.at_s, self._edges[number])
                bins[number] += grown * inside / span
                number += 1
        return [grown / width for grown in bins]


def _parser(name: str, busy: list[float], running: list[float]) -> Lane:
    """A lane of something that only parses: at a page it runs, or wants to."""
    if not any(running):  # the kernel does not tell
        return _lane(name, parse=busy)
    parse = [min(a, b) for a, b in zip(busy, running, strict=True)]
    return _lane(name, parse=parse, **{"held up": [a - b for a, b in zip(busy, parse, strict=True)]})


def _lane(name: str, **shares: list[float]) -> Lane:
    kept: dict[Activity, tuple[float, ...]] = {}
    left: list[float] = []
    for activity, values in shares.items():
        left = left or [1.0] * len(values)
        cut = [min(max(0.0, value), rest) for value, rest in zip(values, left, strict=True)]
        left = [rest - value for rest, value in zip(left, cut, strict=True)]
        kept[activity] = tuple(round(value, 3) for value in cut)  # type: ignore[index]
    return Lane(name, kept)


def _at(values: tuple[float, ...], number: int) -> float:
    return values[number] if number < len(values) else 0.0
