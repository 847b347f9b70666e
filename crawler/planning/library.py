"""A plan as a program asks for it: `plan("https://example.com/").seconds`, in scripts, notebooks and running loops."""

import asyncio
import threading
from collections.abc import Sequence
from typing import Unpack

from crawler.core.config import with_new_names
from crawler.core.errors import CrawlerError, UsageError
from crawler.core.event_loop import loop_factory
from crawler.core.threads import call_in
from crawler.frontier.seeds import check_sources
from crawler.parsers.spiders.spider import Spider
from crawler.planning.plan import Plan
from crawler.planning.planner import SAMPLE_PAGES, SAMPLE_S, Planner
from crawler.ring.call_settings import Seeds, Select, config_of
from crawler.ring.keywords import Settings

__all__ = ["plan"]


def plan(
    seeds: Seeds,
    *,
    sample: int = SAMPLE_PAGES,
    sample_s: float = SAMPLE_S,
    spider: Spider | str | None = None,
    fields: Sequence[str] | None = None,
    select: Select | None = None,
    **config: Unpack[Settings],
) -> Plan:
    """Say what a crawl from `seeds` with these settings will be; see `Plan` and docs/plan.md.

        found = plan("https://docs.python.org/3/", scope="prefix", delay_s=1)
        print(found.pages.likely, found.seconds.likely, found.hosts[0].host)

    A sample of the crawl is made: at most `sample` pages of each host (default 100), for at most `sample_s` seconds
    (default 60), with the same settings and as politely. Its job is temporary, and nothing is written. The arguments
    are those of `crawl`; `job` and `output` are of no use here.

    Raises `ConfigError` for a setting that cannot be used, `SeedError` for seeds without one that can, `StorageError`
    when the disk refuses, and `UsageError` for a sample of no page.
    """
    if sample < 1 or sample_s <= 0:
        raise UsageError(f"sample: expected at least 1 page and more than 0 seconds, not {sample!r} and {sample_s!r}")
    named = {"spider": spider, "fields": fields, "select": select}
    settings = with_new_names({**config, **{name: value for name, value in named.items() if value is not None}})
    reader: Spider | str | None = settings.get("spider")
    if reader is not None and not isinstance(reader, str):
        settings["spider"] = "a function"
    checked = config_of(seeds, settings)
    check_sources(checked.seeds, None)
    return _Planning(Planner(checked, (), sample_pages=sample, sample_s=sample_s, spider=reader)).result()


class _Planning:
    """A planner in a thread with an event loop of its own, since the caller may have one that runs.

    State, of the thread: the loop, and what came of it.
    """

    def __init__(self, planner: Planner) -> None:
        self._planner = planner
        self._loop: asyncio.AbstractEventLoop | None = None
        self._plan: Plan | None = None
        self._error: BaseException | None = None

    def result(self) -> Plan:
        """Wait for the plan. An interrupt ends the sample first, so that nothing is left behind."""
        thread = threading.Thread(target=self._main, name="plan")
        thread.start()
        try:
            thread.join()
        except KeyboardInterrupt:
            if self._loop is not None:
                call_in(self._loop, self._planner.stop)
            thread.join()
            raise
        if self._error is not None:
            raise self._error
        if self._plan is None:
            raise CrawlerError("the plan's thread ended without one")
        return self._plan

    def _main(self) -> None:
        try:
            with asyncio.Runner(loop_factory=loop_factory()) as runner:
                self._plan = runner.run(self._run())
        except BaseException as error:  # noqa: BLE001 - it is raised again where the plan is asked for
            self._error = error

    async def _run(self) -> Plan:
        self._loop = asyncio.get_running_loop()
        return await self._planner.run()
