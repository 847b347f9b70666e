"""How a plan comes about: the sample, what its store tells, the sitemaps that robots.txt names."""

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final

from crawler.core.config import CrawlConfig
from crawler.frontier.seeds import BadSeed
from crawler.planning.census import Census, SitemapCount, take_census
from crawler.planning.plan import Plan, plan_of
from crawler.planning.sample import RecordBytes, held, sampled, temporary_job
from crawler.planning.sitemaps import Listed, count_sitemaps
from crawler.ring.crawler import Crawler
from crawler.ring.job_folder import remove_in_use

__all__ = ["SAMPLE_PAGES", "SAMPLE_S", "Planner"]

SAMPLE_PAGES: Final = 100
SAMPLE_S: Final = 60.0
_MOST_BAD_SEEDS: Final = 100


class Planner:
    """Makes one plan, in the event loop in which `run` is awaited. Nothing is left on the disk.

    `sample_pages` of a host are read at most, for at most `sample_s` seconds. `more` goes to the `Crawler`.

    State: the crawl that is under way, to stop it, and whether it was; the folder of its job; bad seeds.
    """

    def __init__(
        self,
        config: CrawlConfig,
        seeds: Sequence[str],
        *,
        sample_pages: int = SAMPLE_PAGES,
        sample_s: float = SAMPLE_S,
        stdin: BinaryIO | None = None,
        on_bad_seed: Callable[[BadSeed], None] | None = None,
        **more: Any,
    ) -> None:
        self._config = config
        self._seeds = seeds
        self._pages = sample_pages
        self._seconds = sample_s
        self._stdin = stdin
        self._on_bad_seed = on_bad_seed
        self._more = more
        self._crawler: Crawler | None = None
        self._stopped = False
        self._bad_seeds: list[str] = []
        self._folder: Path | None = None

    @property
    def crawler(self) -> Crawler | None:
        """The crawl that is under way: its counters tell how far the plan is."""
        return self._crawler

    def stop(self) -> None:
        """End the sample now; the plan is made of what there is. For the event loop's thread."""
        self._stopped = True
        if self._crawler is not None:
            self._crawler.stop()

    def abandon(self) -> None:
        """Remove the job of the sample now, for a process that ends at once."""
        if self._folder is not None:
            remove_in_use(self._folder)

    async def run(self) -> Plan:
        """Crawl the sample and make the plan. Raises what `Crawler.run` does."""
        began = time.monotonic()
        config = self._config
        sink = RecordBytes()
        async with temporary_job() as folder:
            self._folder = folder
            stats = await sampled(
                config,
                self._seeds,
                folder,
                (sink,),
                pages=self._pages,
                seconds=self._seconds,
                stdin=self._stdin,
                on_bad_seed=self._take_bad_seed,
                started=self._take_crawler,
                **self._more,
            )
            census = await asyncio.to_thread(_looked_at, folder, config, sink)
        sitemaps: tuple[SitemapCount, ...] = ()
        listed: Listed = {}
        left_s = self._seconds - (time.monotonic() - began)
        if not config.sitemaps and census.robots_urls and not self._stopped and left_s > 0:
            async with temporary_job() as folder:
                self._folder = folder
                sitemaps, listed = await count_sitemaps(
                    config, census, folder, seconds=left_s, started=self._take_crawler
                )
        return plan_of(
            census,
            stats,
            config,
            pages_per_host=self._pages,
            bad_seeds=self._bad_seeds,
            sitemaps=sitemaps,
            listed=listed,
        )

    def _take_crawler(self, crawler: Crawler) -> None:
        self._crawler = crawler
        if self._stopped:
            crawler.stop()

    def _take_bad_seed(self, bad: BadSeed) -> None:
        if len(self._bad_seeds) < _MOST_BAD_SEEDS:
            self._bad_seeds.append(str(bad))
        if self._on_bad_seed is not None:
            self._on_bad_seed(bad)


def _looked_at(folder: Path, config: CrawlConfig, sink: RecordBytes) -> Census:
    with held(folder):
        return take_census(folder, config, sink)
