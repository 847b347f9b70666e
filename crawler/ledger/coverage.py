"""In how many of a job's records fields have a value: from the store if the crawl counted them, else from outputs."""

from collections.abc import Sequence
from itertools import islice

from crawler.core.config import CrawlConfig
from crawler.core.expectation import Coverage
from crawler.core.printable import SHOWN_CHARS, printable
from crawler.frontier.store import Store
from crawler.ledger.sinks.coverage import NAME, FieldCounter, counted
from crawler.ledger.sinks.outputs import records_of

__all__ = ["coverage_of_outputs", "coverage_of_store"]


def coverage_of_store(store: Store, paths: Sequence[str], records: int) -> Coverage | None:
    """Return what a job has counted of fields, None unless it has counted each of them in all of its `records`."""
    return counted((store.meta("sinks") or {}).get(NAME), paths, records)


def coverage_of_outputs(config: CrawlConfig, paths: Sequence[str], records: int) -> Coverage:
    """Count fields in the local outputs of a job that has written so many `records`: reads all of them, in one pass.

    The first output that holds them all counts. `why_not` of what is returned says why none does.
    """
    names = list(dict.fromkeys(name for path in paths for name in (path, path.partition(".")[0])))
    why_not = "the job has no output that can be read again, and did not count the field"
    for output in config.outputs:
        rows = records_of(output, config, names)
        if rows is None:
            continue
        counter = FieldCounter(paths)
        try:
            for row in islice(rows, records):
                if isinstance(row, bytes):
                    counter.add_line(row)
                else:
                    counter.add_row(row)
        except Exception as error:  # noqa: BLE001 - every reader raises its own: gzip, zstd, SQLite, pyarrow, csv, JSON
            words = printable(" ".join(str(error).split()), SHOWN_CHARS)
            why_not = f"{printable(output)} cannot be read: {words}"
            continue
        if counter.records == records:
            return Coverage(records, counter.values)
        why_not = f"{printable(output)} has {counter.records:,} of the {records:,} records of the job"
    return Coverage(why_not=why_not)
