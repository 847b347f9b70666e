"""`crawler export`: the records of a job once more, in another format, and with the pages that link to each."""

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import click

from crawler.cli.destination import destination, form_of
from crawler.cli.exit_code import ExitCode
from crawler.cli.standard_output import written
from crawler.core.errors import UsageError
from crawler.core.json_line import json_line

__all__ = ["export"]


@click.command(
    epilog="""\b
Examples:
  crawler export output/example.com --inlinks -o linked.parquet
  crawler export output/example.com -o pages.csv
  crawler export output/example.com --inlinks | jq -r 'select(.inlinks_total == 0).url'

The records are read back from the first output of the job that can be: JSON lines, CSV, Parquet or SQLite. The job may
be running, stopped or killed: nothing is written into it.
Exit codes: 0 done, 1 no such records, 2 usage (no such job), 5 storage failure.""",
)
@click.argument("job", metavar="JOB", type=click.Path(path_type=Path))
@click.option("--inlinks", is_flag=True, help="Add to each which pages link to it: inlinks and inlinks_total.")
@click.option("--json", "form", flag_value="json", help="One JSON object a line.  [default]")
@click.option("--csv", "form", flag_value="csv", help="Comma-separated values, with a header.")
@click.option("--parquet", "form", flag_value="parquet", help="A Parquet file; needs the extra arrow.")
@click.option("-o", "--output", metavar="FILE", help="Write there: .jsonl .csv or .parquet say how.  [standard output]")
@click.option("--fresh", is_flag=True, help="Overwrite FILE if it is there.")
def export(job: Path, inlinks: bool, form: str | None, output: str | None, fresh: bool) -> int:
    """Write the records of JOB, the folder of a crawl, once more, and if asked for with what links to each."""
    from crawler.jobs.job import Job  # noqa: PLC0415  the store, for this command alone

    form = form or (form_of(output) if output else "json")
    if form == "parquet" and not output and sys.stdout is not None and sys.stdout.isatty():
        raise UsageError("--parquet is no text for a terminal: name a file with -o, or pipe it on")
    with Job(job) as opened:
        records = opened.records(inlinks=inlinks)
        with destination(output, fresh=fresh) as stream:
            if form == "parquet":
                return _parquet(records, stream)
            return written(_csv(records) if form == "csv" else map(json_line, records), stream)


def _csv(records: Iterator[dict[str, Any]]) -> Iterator[bytes]:
    from crawler.ledger.tables.csv_row import csv_row  # noqa: PLC0415 - as above

    names: tuple[str, ...] = ()
    for record in records:
        if not names:
            names = tuple(record)
            yield csv_row(names)
        yield csv_row([record.get(name) for name in names])


def _parquet(records: Iterable[dict[str, Any]], stream: BinaryIO) -> ExitCode:
    from crawler.core.extras import needed  # noqa: PLC0415 - as above
    from crawler.ledger.tables.batch import Batches, in_batches  # noqa: PLC0415 - as above
    from crawler.ledger.tables.schema import RECORD_COLUMNS, Column  # noqa: PLC0415 - as above

    parquet = needed("pyarrow.parquet", "arrow", "a Parquet file")
    own = {"inlinks": Column("inlinks", many=True), "inlinks_total": Column("inlinks_total", "int")}
    writer, batches = None, Batches((), other=True)
    try:
        for rows in in_batches(records):
            if writer is None:
                columns = [{**RECORD_COLUMNS, **own}.get(name, Column(name)) for name in rows[0]]
                batches = Batches(columns, other=True)
                writer = parquet.ParquetWriter(stream, batches.schema(), compression="zstd")
            writer.write_batch(batches.batch(rows))
        if writer is None:
            writer = parquet.ParquetWriter(stream, batches.schema(), compression="zstd")
        writer.close()
        stream.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return ExitCode.DONE
