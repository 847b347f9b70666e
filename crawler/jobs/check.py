"""Whether a job is as it was expected to be."""

from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace

from crawler.core.config import CrawlConfig
from crawler.core.errors import ConfigError
from crawler.core.expectation import Coverage, Verdict, judge, paths_of, unknown_field
from crawler.core.page_fields import all_fields
from crawler.core.printable import printable
from crawler.frontier.store import Store
from crawler.jobs.status import JobStatus
from crawler.ledger.coverage import coverage_of_outputs, coverage_of_store
from crawler.ledger.kept import Kept, kept_settings

__all__ = ["check", "expected"]


def check(folder: Path, store: Store, status: JobStatus, expect: Sequence[str]) -> list[Verdict]:
    """Judge what is expected of a job; without `expect`, what its last run was told to expect.

    Fields that the job did not count are counted in its local outputs, which takes as long as to read them.

    Raises `ConfigError` if nothing is expected, or what cannot be.
    """
    kept = kept_settings(folder) or Kept({})
    config = replace(CrawlConfig(job=folder), **kept.settings)
    texts = expected(config, expect, str(folder))
    stats = status.stats
    if not stats.records and "records" not in (store.meta("counters") or {}):
        stats = replace(stats, records=stats.pages)  # early versions wrote one for each page, and did not count
    paths = paths_of(texts)
    coverage = coverage_of_store(store, paths, stats.records) if paths else Coverage()
    if coverage is None:
        coverage = coverage_of_outputs(config, paths, stats.records)
    return judge(texts, stats, coverage, knows_run=status.at is not None)


def expected(config: CrawlConfig, expect: Sequence[str], job: str) -> Sequence[str]:
    """Return what is expected of a job with these settings: what is said here, else what its last run was told.

    Raises `ConfigError` if nothing is, or what cannot be.
    """
    # Checked as any setting is, before the name of a field is looked for.
    texts = CrawlConfig(expect=tuple(expect)).expect or config.expect
    if not texts:
        raise ConfigError(
            f"job {printable(job)} was not told what to expect: say it here, as in --expect 'pages>=1000'"
        )
    known = all_fields(config, has_spider=config.spider is not None)
    if known is not None and (wrong := unknown_field(texts, known)):
        raise ConfigError(f"expect: {wrong}")
    return texts
