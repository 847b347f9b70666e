"""The pages on this machine that show a crawl while it runs."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from crawler.core.config import CrawlConfig
from crawler.core.errors import UsageError
from crawler.core.stats import CrawlStats
from crawler.core.steered import Change
from crawler.ring.host_search import HostSearch
from crawler.ring.statistics import Statistics
from crawler.ring.steering import Steering
from crawler.serve.recent import Recent

__all__ = ["local_pages"]


@asynccontextmanager
async def local_pages(
    config: CrawlConfig,
    statistics: Statistics,
    steering: Steering,
    recent: Recent,
    tell: Callable[[str], None],
) -> AsyncIterator[None]:
    """Show the crawl during the block, as far as `config` wants it shown; `tell` gets the address of a dashboard.

    Raises `ConfigError`, before anything is served, for a port that cannot be had.
    """
    if config.dashboard is False:
        yield
        return
    from crawler.serve.dashboard import Dashboard, listen_for_dashboard  # noqa: PLC0415 - aiohttp's server, for few
    from crawler.serve.watched import Watched  # noqa: PLC0415 - as above

    async def explain(url: str) -> str:
        folder = statistics.folder
        if folder is None:
            raise UsageError("the job is being opened: ask again in a moment")
        return await asyncio.to_thread(_story, folder, url)

    watched = Watched(
        title="a crawl" if config.job is None else str(config.job),
        stats=statistics.now,
        limit=_limit,
        steered=lambda: steering.state,
        steer=partial(_steer, steering),
        explain=explain,
        hosts=HostSearch(statistics).find,
        recent=recent,
    )
    dashboard = Dashboard(listen_for_dashboard(config.dashboard), watched)
    try:
        await dashboard.start()
        tell(dashboard.address)
        yield
    finally:
        await dashboard.close()


def _limit(_before: CrawlStats, now: CrawlStats) -> tuple[str, str]:
    return now.limit, now.why


def _steer(steering: Steering, change: Change) -> None:
    """Make a change as the page names it: a host in it is as a person wrote it."""
    match change.do:
        case "delay":
            steering.delay(change.host, change.delay_s)
        case "block":
            steering.block(change.host)
        case "unblock":
            steering.unblock(change.host)
        case _:
            steering.change(change)


def _story(folder: Path, url: str) -> str:
    """Return the story of a URL in lines; in a thread, since the store is opened anew for it."""
    from crawler.jobs.job import Job  # noqa: PLC0415 - when somebody asks for the first time
    from crawler.jobs.told import best_explanation, told  # noqa: PLC0415 - as above

    with Job(folder) as job:
        return "\n".join(told(best_explanation(job, url)))
