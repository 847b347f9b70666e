"""`crawler explain`: the whole story of one URL of a job."""

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from crawler.cli.exit_code import ExitCode
from crawler.cli.standard_output import written

__all__ = ["explain"]


@click.command(
    epilog="""\b
Examples:
  crawler explain output/example.com https://example.com/missing
  crawler explain output/example.com example.com/a --json | jq .why_unknown

The job may be running, stopped or killed: nothing is written into it, and the crawl notices nothing.
Exit codes: 0 done, 2 usage (no such job), 3 the job has never met the URL, 5 storage failure.""",
)
@click.argument("job", metavar="JOB", type=click.Path(path_type=Path))
@click.argument("url", metavar="URL")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def explain(job: Path, url: str, as_json: bool) -> int:
    """Tell the story of URL in JOB, the folder of a crawl: what became of it, and why; or why it was never met.

    URL may be written in any form; without a scheme, https and http are tried.
    """
    from crawler.jobs.job import Job  # noqa: PLC0415  the store, for this command alone
    from crawler.jobs.told import best_explanation, told  # noqa: PLC0415 - as above

    with Job(job) as opened:
        explanation = best_explanation(opened, url)
    if as_json:
        from crawler.core.json_line import json_line  # noqa: PLC0415 - as above

        lines: Iterator[bytes] = iter([json_line(explanation)])
    else:
        lines = (f"{line}\n".encode() for line in told(explanation))
    code = written(lines, sys.stdout.buffer)
    return code if explanation.is_known else ExitCode.NO_PAGE
