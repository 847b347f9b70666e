"""Whether a job of many shards came to what was expected of it, all shards together."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from crawler.core.expectation import Coverage, Verdict, judge, paths_of
from crawler.frontier.store import Store
from crawler.jobs.check import expected
from crawler.jobs.clustered.public import rows_of_parts
from crawler.jobs.parts import OutputPart
from crawler.jobs.rulings import Rulings
from crawler.jobs.status import JobStatus
from crawler.ledger.coverage import columns_of, coverage_of_rows, coverage_of_store

__all__ = ["checked"]


def checked(
    job: str,
    stores: Sequence[Store],
    status: JobStatus,
    expect: Sequence[str],
    parts: Callable[[], Iterable[OutputPart]],
) -> list[Verdict]:
    """Judge what is expected; without `expect`, what the last run was told to expect.

    Fields that the shards have not counted are counted in the `parts` that are public. Raises `ConfigError` if nothing
    is expected, or what cannot be.
    """
    texts = expected(Rulings(stores[0]).config, expect, job)
    paths = paths_of(texts)
    coverage = _coverage(stores, paths) if paths else Coverage()
    if coverage is None:
        coverage = coverage_of_rows(rows_of_parts(parts(), columns_of(paths)), paths, status.stats.records)
    return judge(texts, status.stats, coverage, knows_run=status.at is not None)


def _coverage(stores: Sequence[Store], paths: Sequence[str]) -> Coverage | None:
    """Return what the shards have counted, None unless each has."""
    values: Counter[str] = Counter()
    records = 0
    for store in stores:
        of_shard = store.counters.records
        found = coverage_of_store(store, paths, of_shard)
        if found is None:
            return None
        records += of_shard
        values.update(found.values)
    return Coverage(records, dict(values))
