"""`crawler urls`: every URL that a job has met, or those that are asked for."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crawler.cli.standard_output import written
from crawler.core.printable import printable

if TYPE_CHECKING:
    from crawler.jobs.urls import UrlFacts

__all__ = ["urls"]


@click.command(
    epilog="""\b
Examples:
  crawler urls output/example.com --outcome failed
  crawler urls output/example.com --status 4xx --json | jq -r .url
  crawler urls output/example.com --due --host example.com

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
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def urls(job: Path, as_json: bool, **wanted: Any) -> int:
    """List the URLs of JOB, the folder of a crawl: each one that it ever met, with what became of it, and why."""
    from crawler.jobs.job import Job  # noqa: PLC0415  the store, for this command alone

    with Job(job) as opened:
        facts = opened.urls(**wanted)
        return written(map(_json_line if as_json else _line, facts), sys.stdout.buffer)


def _line(one: "UrlFacts") -> bytes:
    ended = f"{one.outcome}: {one.reason}" if one.reason else one.outcome
    how = ended or "due"
    return f"{printable(how)}\t{one.status or '-'}\t{one.depth}\t{printable(one.url)}\n".encode()


def _json_line(one: "UrlFacts") -> bytes:
    from crawler.core.json_line import json_line  # noqa: PLC0415 - as above

    return json_line(one)
