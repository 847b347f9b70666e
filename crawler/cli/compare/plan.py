"""Which crawls are compared: every strategy with every spider on every number of cores, round by round."""

import os
from collections.abc import Iterator

from msgspec import Struct

from crawler.cli.compare.work import SpiderKind
from crawler.cli.demo.hosts import HOSTS
from crawler.core.config import CrawlConfig, StrategyKind
from crawler.core.errors import ConfigError

__all__ = ["DEMO_SETTINGS", "Plan", "Run", "available_cpus", "default_cores", "demo_seeds"]

# Those that answer late or want to be asked seldom (503, Retry-After, Crawl-delay, slow or cut pages) are left out:
# waiting for them takes the same time with each strategy, and would be all that is seen.
_DEMO_HOSTS = (1, 7, 8, 11, 12, 15, 17, 18, 19, 20)
_MOST_DEFAULT_CORES = 8

DEMO_SETTINGS = {"allow_private": True, "delay_s": 0.0, "per_host": 8, "per_address": 64, "concurrency": 64}
"""Settings of a crawl of the demo site: nothing but the work itself is to take time."""


class Run(Struct, frozen=True):
    """One crawl of the comparison."""

    strategy: StrategyKind
    spider: SpiderKind
    cores: int
    round: int

    def __str__(self) -> str:
        """Name it in a line for people."""
        cores = "1 core" if self.cores == 1 else f"{self.cores} cores"
        again = f", round {self.round}" if self.round > 1 else ""
        return f"{self.spider} spider, {cores}, {self.strategy}{again}"


class Plan(Struct, frozen=True, kw_only=True):
    """What is compared.

    `config` are the settings that all crawls share; its seeds are empty for the demo site, which then answers
    `latency_s` late. `cores` are numbers of cores; parser processes or threads are as many. `batch_pages` pages, with
    the light spider four times as many, go to parsers in batches of each of `batch_sizes`; without any, none do.
    """

    config: CrawlConfig
    strategies: tuple[StrategyKind, ...]
    spiders: tuple[SpiderKind, ...]
    cores: tuple[int, ...]
    rounds: int = 1
    latency_s: float = 0.01
    batch_sizes: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64, 128, 256)
    batch_pages: int = 384

    def __post_init__(self) -> None:
        """Refuse more cores than there are."""
        there = len(available_cpus())
        if there and max(self.cores) > there:
            raise ConfigError(f"--cores: this process may use {there}, not {max(self.cores)}")

    @property
    def demo(self) -> bool:
        """Whether the built-in site is crawled."""
        return not self.config.seeds

    def runs(self) -> Iterator[Run]:
        """Give the crawls in their order: strategies side by side, so that they meet the same state of a machine."""
        for number in range(1, self.rounds + 1):
            for spider in self.spiders:
                for cores in self.cores:
                    for strategy in self.strategies:
                        yield Run(strategy, spider, cores, number)


def demo_seeds(port: int) -> tuple[str, ...]:
    """Give the start URLs of the demo's hosts that are crawled."""
    return tuple(f"http://{host.name}:{port}{host.home}" for host in HOSTS if host.number in _DEMO_HOSTS)


def available_cpus() -> tuple[int, ...]:
    """Return the numbers of the cores that this process may use; none where the system does not tell."""
    return tuple(sorted(os.sched_getaffinity(0))) if hasattr(os, "sched_getaffinity") else ()


def default_cores() -> tuple[int, ...]:
    """Return 1, 2, 4, … up to as many as there are, at most 8."""
    most = min(len(available_cpus()) or os.cpu_count() or 1, _MOST_DEFAULT_CORES)
    return tuple(sorted({number for number in (1, 2, 4, most) if number <= most}))
