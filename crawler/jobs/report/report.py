"""The report of a job: everything that it tells of itself, gathered as tables."""

import time
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from crawler.core.stats import CrawlStats
from crawler.core.version import __version__
from crawler.jobs.job import Job
from crawler.jobs.report.host_graph import host_graph
from crawler.jobs.report.job_tables import job_tables
from crawler.jobs.report.passing import counted
from crawler.jobs.report.table import Table, Value
from crawler.jobs.report.tally import MOST_LINKS, Tally
from crawler.jobs.report.time_tables import time_tables
from crawler.jobs.report.timeline import Timeline, timeline
from crawler.jobs.report.url_tables import url_tables
from crawler.jobs.report.words import headline, state_of

__all__ = ["SCHEMA_VERSION", "Report", "report"]

SCHEMA_VERSION = 1
"""Grows when a key of the JSON changes its meaning or goes away."""


class Report(Struct, frozen=True, kw_only=True):
    """What a job tells of itself at `written_at` (unix time).

    `job` is its folder as it was named, `state` is `running`, why the last run ended, or `killed`. `headline` are
    sentences for people, `figures` the numbers in them. `tables` are by name, in the order in which they are read.
    """

    job: str
    written_at: float
    state: str
    headline: tuple[str, ...]
    figures: dict[str, Value]
    tables: dict[str, Table]

    def json(self) -> bytes:
        """Return all of it as a JSON object (UTF-8): rows as objects, numbers as they are, kinds of columns beside."""
        told: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "crawler_version": __version__,
            "written_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.written_at)),
            "job": self.job,
            "state": self.state,
            "headline": self.headline,
            "figures": self.figures,
            "tables": {
                table.name: {
                    "title": table.title,
                    "note": table.note,
                    "columns": {column.name: column.kind for column in table.columns},
                    "rows": list(table.objects()),
                }
                for table in self.tables.values()
            },
        }
        return msgspec.json.format(msgspec.json.encode(told), indent=1) + b"\n"


def report(job: Job, *, now: float) -> Report:
    """Gather the report of a job at unix time `now`.

    Reads each URL that the job knows once: 6 to 10 s of processor time a million, in two processes where there are
    many.
    Raises `JobError` and `StorageError` for a job that cannot be read.
    """
    running = job.is_running
    stats = job.status().stats
    stores, folders = job.answers.stores, job.answers.folders
    tally = Tally(most_links=0)
    for store, folder in zip(stores, folders, strict=True):
        tally.add(counted(store, folder, alone=running, links=MOST_LINKS // len(stores)))
    line = timeline(job.samples())
    state = state_of(line, stats, running=running)
    figures = _figures(stats, tally, line)
    return Report(
        job=job.answers.shown,
        written_at=now,
        state=state,
        headline=(*headline(state, figures, tally, line), *job.answers.said),
        figures=figures,
        tables={table.name: table for table in _tables(job, stats, tally, line)},
    )


def _tables(job: Job, stats: CrawlStats, tally: Tally, line: Timeline) -> Iterator[Table]:
    yield from time_tables(line)
    yield from url_tables(tally, host_graph(job.answers.stores, tally))
    yield from job_tables(job, stats)


def _figures(stats: CrawlStats, tally: Tally, line: Timeline) -> dict[str, Value]:
    seconds = line.seconds or None
    return {
        "known": stats.known,
        "ended": tally.rows - tally.outcomes.get(("", ""), 0),
        "due": stats.queued,
        "pages": stats.pages,
        "records": stats.records,
        "bytes": stats.bytes,
        "failed": sum(number for (outcome, _), number in tally.outcomes.items() if outcome == "failed"),
        "skipped": sum(number for (outcome, _), number in tally.outcomes.items() if outcome == "skipped"),
        "redirected": sum(number for (outcome, _), number in tally.outcomes.items() if outcome == "redirected"),
        "errors": sum(number for status, number in tally.statuses.items() if status >= 400),
        "hosts": len(tally.hosts) + tally.dropped_hosts,
        "hosts_with_pages": sum(1 for host in tally.hosts.values() if host.fetched),
        "runs": len(line.runs),
        "seconds": seconds,
        "pages_per_s": sum(run.last.stats.run_pages for run in line.runs) / seconds if seconds else None,
    }
