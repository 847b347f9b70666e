"""`crawler check`: whether a job is as it was expected to be."""

import sys
from pathlib import Path

import click

from crawler.cli.exit_code import ExitCode
from crawler.cli.settings import named_as_spelled
from crawler.cli.standard_output import written
from crawler.core.json_line import indented

__all__ = ["check"]


@click.command(
    epilog="""\b
Examples:
  crawler check output/example.com
  crawler check output/shop --expect 'pages>=1000' --expect 'price>=95%' --expect 'failed<=1%'
  crawler check output/shop --json | jq '.[] | select(.met | not) | .expect'

A name is a counter (pages, records, bytes, failed, skipped, …), an outcome with its reason ('failed: timeout'), a
status (404, 5xx) or a field of the records (share of records in which it has a value). docs/expectations.md lists
them. Exit codes: 0 all is met, 7 something is not, 2 no such job or no such expectation."""
)
@click.argument("job", type=click.Path(path_type=Path))
@click.option(
    "--expect",
    metavar="'NAME>=VALUE'",
    multiple=True,
    help="Check this, as in pages>=1000, failed<=1%, price>=95%. May be repeated.  [what the last run was told]",
)
@click.option("--json", "as_json", is_flag=True, help="Print all verdicts as a JSON array.")
@click.option("--quiet", is_flag=True, help="Print nothing but what is not met.")
def check(job: Path, expect: tuple[str, ...], as_json: bool, quiet: bool) -> int:
    """Check whether JOB, a folder, came to what was expected of it: a line for each expectation.

    A job that runs is judged by what it has committed so far.
    """
    from crawler.jobs.job import Job  # noqa: PLC0415 - the store, for this command alone

    with Job(job) as opened, named_as_spelled({}):
        verdicts = opened.check(expect)
    missed = [verdict for verdict in verdicts if not verdict.met]
    if as_json:
        lines = [indented(verdicts)]
    else:
        told = missed if quiet else verdicts
        lines = [f"{'met   ' if one.met else 'missed'}  {one.text}\n".encode() for one in told]
    written(lines, sys.stdout.buffer)
    return ExitCode.UNMET if missed else ExitCode.DONE
