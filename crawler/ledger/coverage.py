"""In how many of a job's records fields have a value: from the store if the crawl counted them, else from outputs."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from crawler.core.config import CrawlConfig
from crawler.core.expectation import Coverage
from crawler.core.printable import SHOWN_CHARS, printable
from crawler.frontier.store import Store
from crawler.ledger.sinks.coverage import NAME, FieldCounter, counted
from crawler.ledger.sinks.outputs import records_of

__all__ = ["Rows", "columns_of", "coverage_of_outputs", "coverage_of_rows", "coverage_of_store"]

Rows = Iterable[bytes | Mapping[str, Any]]
"""Records read back: each a line of JSON, or the row of a table."""


def coverage_of_store(store: Store, paths: Sequence[str], records: int) -> Coverage | None:
    """Return what a job has counted of fields, None unless it has counted each of them in all of its `records`."""
    return counted((store.meta("sinks") or {}).get(NAME), paths, records)


def coverage_of_outputs(config: CrawlConfig, paths: Sequence[str], records: int) -> Coverage:
    """Count fields in the local outputs of a job that has written so many `records`: see `coverage_of_rows`."""
    names = columns_of(paths)
    return coverage_of_rows(((one, records_of(one, config, names)) for one in config.outputs), paths, records)


def columns_of(paths: Sequence[str]) -> list[str]:
    """Return the columns in which the values of fields with these paths may stand."""
    return list(dict.fromkeys(name for path in paths for name in (path, path.partition(".")[0])))


def coverage_of_rows(outputs: Iterable[tuple[str, Rows | None]], paths: Sequence[str], records: int) -> Coverage:
    """Count fields in outputs, each with its name and its records read back: None for one that cannot be.

    The first output that holds all `records` counts. `why_not` of what is returned says why none does.
    """
    why_not = "the job has no output that can be read again, and did not count the field"
    for output, rows in outputs:
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
