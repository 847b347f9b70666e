"""Whether a job is as it was expected to be: judged from its folder, beside a crawl that runs, too."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from crawler.core.config import CrawlConfig
from crawler.core.errors import ConfigError, JobError
from crawler.core.expectation import Coverage, Verdict, judge, paths_of, unknown_field
from crawler.core.page_fields import all_fields
from crawler.core.printable import printable
from crawler.core.stats import CrawlStats
from crawler.frontier.store import Store
from crawler.ledger.coverage import coverage_of_outputs, coverage_of_store
from crawler.ledger.kept import kept_settings

__all__ = ["check_job"]

_COUNTED = set(CrawlStats.__struct_fields__)


def check_job(folder: Path, expect: Sequence[str] = ()) -> list[Verdict]:
    """Judge what is expected of a job; by default what its last run was told to expect.

    Fields that the job did not count are counted in its local outputs, which takes as long as to read them.

    Raises `JobError` if there is no job in the folder, `ConfigError` if nothing is expected, and `StorageError` for a
    job that cannot be read.
    """
    kept = kept_settings(folder)
    if kept is None:
        raise JobError(
            f"there is no job in {printable(str(folder))}: name the folder of a crawl, as in output/example.com"
        )
    config = msgspec.structs.replace(CrawlConfig(job=folder), **kept.settings)
    texts = tuple(expect) or config.expect
    if not texts:
        raise ConfigError(
            f"job {printable(str(folder))} was not told what to expect: say it here, as in --expect 'pages>=1000'"
        )
    known = all_fields(config, has_spider=config.spider is not None)
    if known is not None and (wrong := unknown_field(texts, known)):
        raise ConfigError(f"expect: {wrong}")
    paths = paths_of(texts)
    with Store(folder / "state", read_only=True) as store:
        counters: dict[str, Any] = store.meta("counters") or {}
        counters.setdefault("records", counters.get("pages", 0))  # early versions wrote one for each page
        coverage = coverage_of_store(store, paths, counters["records"]) if paths else Coverage()
    stats = msgspec.convert({name: value for name, value in counters.items() if name in _COUNTED}, CrawlStats)
    if coverage is None:
        coverage = coverage_of_outputs(config, paths, stats.records)
    return judge(texts, stats, coverage, knows_run=False)
