"""`crawler status`: how a job stands, or all jobs do, asked from another terminal."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from crawler.cli.exit_code import ExitCode
from crawler.cli.job_name import OUTPUT
from crawler.cli.standard_output import written
from crawler.cli.terminal import Terminal

if TYPE_CHECKING:
    from crawler.cli.report.look import Look

__all__ = ["status"]

_INTERVAL_S = 1.0
_MOST_LINES = 100
_PART_OF_THE_TIME = 10
"""To look at a large job takes a while: it takes no more than such a part of the time."""


@click.command(
    epilog="""\b
Examples:
  crawler status
  crawler status output/example.com --watch
  crawler status output/example.com --json | jq .stats.pages

The job may be running, stopped or killed: nothing is written into it, and the crawl notices nothing. A cluster job is
named by its folder or its URL (s3://bucket/job), and has a line for each shard.
Exit codes: 0 done, 2 usage (no such job), 5 storage failure.""",
)
@click.argument("job", metavar="[JOB]", type=click.Path(path_type=Path), required=False)
@click.option("--watch", is_flag=True, help="Look again each second, until no crawl runs any more, or Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each job, with every counter.")
@click.pass_obj
def status(terminal: Terminal, /, job: Path | None, watch: bool, as_json: bool) -> int:
    """Say how JOB, the folder of a crawl, stands; without it how each job in output/ does, in one line."""
    among = [] if job is not None else _jobs_in(OUTPUT)
    if job is None and not among:
        terminal.say(f"no job is in {OUTPUT}/ here: name the folder of a crawl")
        return ExitCode.DONE
    try:
        looks = _looks(job, among, watch=watch)
        if as_json:
            return written((line for look in looks for line in look.as_json()), sys.stdout.buffer, each=watch)
        if sys.stdout.isatty():
            return _drawn(looks, watched=watch)
        return written((line for look in looks for line in look.as_text(watched=watch)), sys.stdout.buffer, each=watch)
    except KeyboardInterrupt:
        return ExitCode.DONE


def _jobs_in(folder: Path) -> list[Path]:
    """Return the folders that hold a job, or what a job that starts over has put aside, or a job of many shards."""
    signs = ("*/state/CURRENT", "*/state.earlier/CURRENT", "*/states/*.json")
    try:
        return sorted({path.parent.parent for sign in signs for path in folder.glob(sign)})
    except OSError:
        return []


def _looks(job: Path | None, among: list[Path], *, watch: bool) -> "Iterator[Look]":
    """Look once, or again and again while a crawl runs."""
    from crawler.cli.report.look import Look  # noqa: PLC0415  the store and rich, for this command alone

    while True:
        began_at = time.monotonic()
        look = Look(job, among)
        took_s = time.monotonic() - began_at
        yield look
        if not (watch and look.sees_a_crawl):
            return
        time.sleep(max(_INTERVAL_S - took_s, _PART_OF_THE_TIME * took_s))


def _drawn(looks: "Iterator[Look]", *, watched: bool) -> ExitCode:
    """Draw on the terminal; the last picture stays."""
    from rich.console import Console  # noqa: PLC0415  as above
    from rich.live import Live  # noqa: PLC0415  as above

    console = Console()
    if not watched:
        for look in looks:
            console.print(look.picture(console.width, _MOST_LINES, ascii_only=not console.encoding.startswith("utf")))
        return ExitCode.DONE
    with Live(console=console, auto_refresh=False, redirect_stderr=False, vertical_overflow="crop") as live:
        for look in looks:
            width, height = console.size
            live.update(
                look.picture(width, height - 1, ascii_only=not console.encoding.startswith("utf")), refresh=True
            )
    return ExitCode.DONE
