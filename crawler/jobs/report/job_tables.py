"""Tables of what a job keeps beside its URLs: what was counted, learnt, steered, and what its records hold."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from crawler.core.config import CrawlConfig
from crawler.core.errors import CrawlerError
from crawler.core.model import Rotation
from crawler.core.printable import printable
from crawler.core.quantity import count
from crawler.core.stats import CrawlStats
from crawler.jobs.job import Job
from crawler.jobs.report.records import FieldShares, field_shares
from crawler.jobs.report.table import MOST_ROWS, Column, Table, cut_note
from crawler.ledger.changes import kept_steering
from crawler.ledger.sinks.outputs import STDOUT, files_of, is_remote

__all__ = ["job_tables"]

_MOST_FIELDS = 200
_IN_THE_JOB = "in the job"
_AS_IT_BEGAN = "as it began"


def job_tables(job: Job, stats: CrawlStats) -> Iterator[Table]:
    """Give all tables of a job that need neither its URLs nor its samples, but for what was steered."""
    yield _duplicates(stats)
    yield _repeats(stats)
    yield _parameters(stats)
    yield _fields(job)
    yield _steered(job)


def _duplicates(stats: CrawlStats) -> Table:
    pages = stats.pages or 1
    rows = (
        ("the same body, byte for byte", stats.duplicates, stats.duplicates / pages),
        ("nearly the same text", stats.near_duplicates, stats.near_duplicates / pages),
        ("read again for their links", stats.reread, stats.reread / pages),
    )
    return Table(
        "duplicates",
        "Pages that were there before",
        (Column("what", "pages", "text"), Column("pages", "number"), Column("share", "of all pages", "share")),
        rows,
        "nearly the same text is looked for with --skip-duplicates near alone",
    )


def _repeats(stats: CrawlStats) -> Table:
    rows = sorted(stats.repeats.items(), key=lambda item: (-item[1], item[0]))
    return Table(
        "repeats",
        "Hosts whose pages brought nothing but further links",
        (Column("host", "host", "text"), Column("urls", "URLs left out")),
        tuple(rows[:MOST_ROWS]),
        cut_note(len(rows), MOST_ROWS, "hosts") if rows else "none",
    )


def _parameters(stats: CrawlStats) -> Table:
    rows = sorted(stats.parameters.items(), key=lambda item: (-item[1].skipped, item[0]))
    return Table(
        "parameters",
        "Parameters that were found not to change a page",
        (
            Column("parameter", "parameter", "text"),
            Column("agreed", "pairs that agree"),
            Column("pages", "pages"),
            Column("skipped", "URLs left out"),
        ),
        tuple((name, one.agreed, one.pages, one.skipped) for name, one in rows[:MOST_ROWS]),
        cut_note(len(rows), MOST_ROWS, "parameters") if rows else "none",
    )


def _steered(job: Job) -> Table:
    rows: list[tuple[float, int, str]] = []
    before: tuple[str, ...] = ()
    for sample in job.samples():
        words = (*(["paused"] if sample.stats.paused else []), *sample.stats.steered)
        if words != before:
            rows.append((sample.at, sample.run, ", ".join(words) or _AS_IT_BEGAN))
            before = words
    kept = [kept_steering(store) for store in job.answers.stores]
    words = (*(["paused"] if any(one.paused for one in kept) else []), *chain.from_iterable(one.words for one in kept))
    now = ", ".join(dict.fromkeys(words))
    note = f"in force as of the last commit: {now}" if now else ""
    return Table(
        "steered",
        "What was steered while it ran",
        (Column("at", "at (UTC)", "time"), Column("run", "run", "number"), Column("steered", "from then on", "text")),
        tuple(rows[-MOST_ROWS:]),
        note or ("" if rows else "nothing was, as far as its samples tell"),
    )


def _fields(job: Job) -> Table:
    columns = (
        Column("field", "field", "text"),
        Column("records", "records with a value"),
        Column("share", "share", "share"),
    )
    title = "Fields of records that have a value"
    try:
        read = _shares(job)
    except CrawlerError as error:
        return Table("fields", title, columns, (), str(error))
    if not read.records:
        return Table("fields", title, columns, (), f"{read.output} holds no record")
    rows = [(name, number, number / read.records) for name, number in read.fields.items()]
    said = f"all {count(read.records)} records of {read.output}"
    if not read.whole:
        said = f"a sample of {count(read.records)} records of {read.output}, {read.sample}"
    cut = cut_note(len(rows), _MOST_FIELDS, "fields")
    said += f"; {cut}" if cut else ""
    return Table("fields", title, columns, tuple(rows[:_MOST_FIELDS]), f"{said}; null, '', [] and {{}} are no value")


def _shares(job: Job) -> FieldShares:
    """Read an output of the job that lies on this machine: the first one that can be read."""
    if job.answers.is_of_shards:
        return _shares_of_parts(job)
    (store,), (folder,) = job.answers.stores, job.answers.folders
    told: dict[str, Any] = store.meta("job") or {}
    rotate = told.get("rotate")
    why = "the job keeps no output on this machine"
    for name in told.get("output") or [_IN_THE_JOB]:
        if name == STDOUT or is_remote(name):
            continue
        path = folder / "pages.jsonl" if name == _IN_THE_JOB else Path(name)
        rotation = None if rotate is None else Rotation(**rotate) if isinstance(rotate, dict) else Rotation(*rotate)
        config = CrawlConfig(job=folder, output=(str(path),), rotate=rotation)
        try:
            files = files_of(config)
            if files:
                return field_shares(printable(path.name), files)
            why = f"{printable(path.name)} is not there any more"
        except (CrawlerError, OSError) as error:
            why = printable(str(error))
    raise CrawlerError(why)


def _shares_of_parts(job: Job) -> FieldShares:
    """Read the public parts of the first output that has any here."""
    found: dict[str, list[Path]] = {}
    for part in job.parts():
        if not is_remote(part.path):
            found.setdefault(str(Path(part.path).parent), []).append(Path(part.path))
    for folder, files in found.items():
        return field_shares(printable(Path(folder).name), files)
    raise CrawlerError("no part of the records is public on this machine")
