"""`crawler check`: whether a job is as it was expected to be."""

from pathlib import Path

import click
import msgspec

from crawler.cli.exit_code import ExitCode
from crawler.cli.settings import from_options
from crawler.core.config import CrawlConfig

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
    given = CrawlConfig(**from_options({"expect": expect})).expect
    from crawler.ledger.checking import check_job  # noqa: PLC0415 - the store, for this command alone

    verdicts = check_job(job, given)
    missed = [verdict for verdict in verdicts if not verdict.met]
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(verdicts), indent=2))
    for verdict in () if as_json else verdicts:
        if not verdict.met:
            click.echo(f"missed  {verdict.text}")
        elif not quiet:
            click.echo(f"met     {verdict.text}")
    return ExitCode.UNMET if missed else ExitCode.DONE
