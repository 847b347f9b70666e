"""`crawler urls`: every URL that a job has met, or those that are asked for, and the pages that link to them."""

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from crawler.cli.destination import destination, form_of
from crawler.cli.exit_code import ExitCode
from crawler.cli.standard_output import written
from crawler.cli.terminal import Terminal
from crawler.core.errors import UsageError

if TYPE_CHECKING:
    from crawler.jobs.job import Job
    from crawler.jobs.urls import UrlFacts

__all__ = ["urls"]


@click.command(
    epilog="""\b
Examples:
  crawler urls output/example.com --outcome failed
  crawler urls output/example.com --status 4xx --inlinks
  crawler urls output/example.com --due --host example.com --json | jq -r .url
  crawler urls output/example.com -o urls.parquet

The job may be running, stopped or killed: nothing is written into it, and the crawl notices nothing.
Exit codes: 0 done, 2 usage (no such job), 5 storage failure.""",
)
@click.argument("job", metavar="JOB", type=click.Path(path_type=Path))
@click.option("--outcome", metavar="NAME", help="Those that ended so: fetched, redirected, failed or skipped.")
@click.option("--reason", metavar="REASON", help="Those with this reason, whole or up to its colon: timeout, robots.")
@click.option("--kind", type=click.Choice(("page", "sitemap")), help="What they were asked for as.")
@click.option("--status", metavar="N", help="Those with this status of HTTP, or its class: 404, 4xx.")
@click.option("--host", metavar="HOST", help="Those of this host; with its port if that is not usual.")
@click.option("--depth", metavar="N", type=click.IntRange(0), help="Those so many links from a seed.")
@click.option("--due/--ended", default=None, help="Those that have not ended, or those that have.  [both]")
@click.option("--inlinks", is_flag=True, help="Show the pages that link to them, too.")
@click.option("--json", "form", flag_value="json", help="One JSON object a line.")
@click.option("--csv", "form", flag_value="csv", help="Comma-separated values, with a header.")
@click.option("--parquet", "form", flag_value="parquet", help="A Parquet file; needs the extra arrow.")
@click.option("-o", "--output", metavar="FILE", help="Write there: .jsonl .csv or .parquet say how.  [standard output]")
@click.option("--fresh", is_flag=True, help="Overwrite FILE if it is there.")
@click.pass_obj
def urls(terminal: Terminal, /, job: Path, inlinks: bool, form: str | None, **options: Any) -> int:
    """List the URLs of JOB, the folder of a crawl: each one that it ever met, with what became of it, and why."""
    from crawler.jobs.job import Job  # noqa: PLC0415  the store, for this command alone

    output, fresh = options.pop("output"), options.pop("fresh")
    form = form or (form_of(output) if output else "lines")
    if form == "parquet" and inlinks:
        raise UsageError("--inlinks is written as lines, --json or --csv")
    if form == "parquet" and not output and sys.stdout is not None and sys.stdout.isatty():
        raise UsageError("--parquet is no text for a terminal: name a file with -o, or pipe it on")
    with Job(job) as opened:
        wanted = opened.urls(**options, parents=form != "lines" or inlinks)
        with destination(output, fresh=fresh) as stream:
            if form == "parquet":
                return _parquet(wanted, stream)
            if inlinks:
                return _linked(opened, wanted, form, stream, terminal)
            from crawler.cli.url_rows import FORMATS  # noqa: PLC0415 - as above

            return written(FORMATS[form](wanted), stream)


def _parquet(facts: Iterable["UrlFacts"], stream: BinaryIO) -> ExitCode:
    from crawler.jobs.arrow import batches, schema  # noqa: PLC0415  an extra

    columns = schema()
    import pyarrow.parquet  # noqa: PLC0415 - as above

    try:
        with pyarrow.parquet.ParquetWriter(stream, columns, compression="zstd") as writer:
            for batch in batches(facts):
                writer.write_batch(batch)
        stream.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return ExitCode.DONE


def _linked(job: "Job", wanted: Iterable["UrlFacts"], form: str, stream: BinaryIO, terminal: Terminal) -> ExitCode:
    from crawler.cli.url_rows import inlink_csv, inlink_json, inlink_lines  # noqa: PLC0415 - as above

    links = job.inlinks(wanted)
    as_bytes = {"lines": inlink_lines, "json": inlink_json, "csv": inlink_csv}[form]
    code = written(as_bytes(links), stream)
    if links.why_parents:
        terminal.say(f"crawler: note: only the page that was met first is known of each: {links.why_parents}")
    return code
