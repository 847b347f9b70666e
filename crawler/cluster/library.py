"""A crawl of many shards as a function: `crawl_on_cluster("https://example.com/", job="s3://bucket/job")`."""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any, Unpack

from crawler.cluster.driver import Driver
from crawler.core.config import with_new_names
from crawler.core.stats import CrawlStats
from crawler.frontier.seeds import BadSeed
from crawler.parsers.spiders.spider import Spider
from crawler.ring.call_settings import Seeds, Select, config_of
from crawler.ring.keywords import Settings

__all__ = ["crawl_on_cluster"]

_log = logging.getLogger(__name__)


def crawl_on_cluster(
    seeds: Seeds = (),
    *,
    spider: Spider | str | None = None,
    select: Select | None = None,
    fresh: bool = False,
    **config: Unpack[Settings],
) -> CrawlStats:
    """Crawl from `seeds` with several rings on Ray, to the end; return the counters of all of them together.

        crawl_on_cluster("https://example.com/", job="output/many", shards=4)
        for part in Job("output/many").parts(): ...

    `cluster` is True by itself: the Ray that the program has begun with `ray.init`, or one of this machine's own;
    "HOST:PORT" joins one that runs. `job` is needed, since records are files there, public with the checkpoint that
    holds their URLs. All else is as for `crawl`. Ctrl-C stops all shards in good order before it is raised.

    Raises what `crawl` and a `Crawl` raise, and `CrawlerError` if Ray does not answer any more.
    """
    given: dict[str, Any] = {"cluster": True, **config}
    if select is not None:
        given["select"] = select
    settings = with_new_names(given)
    reader = spider if spider is not None else settings.get("spider")
    if reader is not None:
        settings["spider"] = reader if isinstance(reader, str) else "a function"
    checked = config_of(seeds, settings)
    driver = Driver(checked, fresh=fresh, on_bad_seed=_warn, spider=reader)
    with closing(driver):
        driver.prepare()
        with ThreadPoolExecutor(1, thread_name_prefix="cluster") as pool:
            running = pool.submit(asyncio.run, driver.run())
            try:
                return running.result()
            except BaseException:
                driver.stop()
                raise


def _warn(bad: BadSeed) -> None:
    _log.warning("%s (skipped)", bad)
