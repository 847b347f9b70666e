"""`crawler retry`: URLs that failed, or were skipped, are due again."""

from pathlib import Path

import click

from crawler.cli.exit_code import ExitCode
from crawler.cli.patience import TAKEN_LATER, patience
from crawler.cli.terminal import Terminal
from crawler.core.printable import printable
from crawler.core.quantity import count_of

__all__ = ["retry"]


@click.command(
    epilog="""\b
Examples:
  crawler retry output/example.com
  crawler retry output/example.com --kind timeout --kind dns
  crawler retry output/example.com --outcome skipped --kind robots --host example.org

A URL that was fetched has a record, whatever its status (503, say), and none is written twice: --fresh crawls all
again. What was skipped for a setting (scope, depth, filter) waits for another setting. Exit codes: 0 done, 2 usage (no
such job, nothing that can be retried), 4 interrupted while it waited (it is done all the same), 5 storage failure.""",
)
@click.argument("job", metavar="JOB", type=click.Path(path_type=Path))
@click.option("--outcome", metavar="NAME", help="Those that ended so: failed or skipped.  [failed]")
@click.option(
    "--kind",
    "--reason",
    "kinds",
    multiple=True,
    metavar="KIND",
    help="Those with this reason: timeout, dns, tls, robots, blocked and others.",
)
@click.option("--host", metavar="HOST", help="Those of this host; with its port if that is not usual.")
@click.option("--url", "urls", multiple=True, metavar="URL", help="This URL.")
@click.option("--no-wait", is_flag=True, help="Do not wait until the crawl that runs the job has done it.")
@click.pass_obj
def retry(
    terminal: Terminal,
    /,
    *,
    job: Path,
    outcome: str | None,
    kinds: tuple[str, ...],
    host: str | None,
    urls: tuple[str, ...],
    no_wait: bool,
) -> int:
    """Put URLs of JOB back that failed, as if nobody had asked for them: all, or those that the options name."""
    from crawler.jobs.changes import retried  # noqa: PLC0415  the store, for this command alone
    from crawler.jobs.job import Job  # noqa: PLC0415  as above

    which = retried(outcome, kinds, host, urls)
    with Job(job) as opened:
        number = opened.answers.retry(which, patience=patience(terminal, wait=not no_wait))
        is_running, shown = opened.is_running, opened.answers.shown
    if number is None:
        terminal.say(TAKEN_LATER)
        return ExitCode.DONE
    click.echo(f"{count_of(number, 'URL', 'are')} due again")
    if number and not is_running:
        terminal.say(f"`crawler crawl --job {printable(shown)}` asks for them")
    return ExitCode.DONE
