"""`crawler steer`: a crawl that runs is paused, resumed or stopped, and told how to treat a host."""

from pathlib import Path
from typing import get_args

import click

from crawler.cli.exit_code import ExitCode
from crawler.cli.patience import TAKEN_LATER, patience
from crawler.cli.terminal import Terminal
from crawler.core.errors import UsageError
from crawler.core.printable import SHOWN_CHARS, printable
from crawler.core.steered import Change, Verb
from crawler.web.urls import named_authority

__all__ = ["steer"]

_OF_A_HOST = ("delay", "block", "unblock")


@click.command(
    epilog="""\b
Verbs:
  pause            ask for nothing new; what is under way ends, --max-time goes on
  resume           go on after a pause
  stop             end as after Ctrl-C: the same command goes on later
  delay HOST S     wait S seconds between two requests to HOST; auto: as for the others
  block HOST       ask HOST for nothing; its URLs end as skipped: blocked when nothing else is left
  unblock HOST     ask HOST again
\b
Examples:
  crawler steer output/example.com pause
  crawler steer output/example.com delay slow.example.com 10

A larger Crawl-delay or Retry-After wins over a delay. Delays and blocks hold in later runs of the job, too, and may be
said when nothing runs it. Exit codes: 0 done, 2 usage (no such job, no crawl that runs it), 4 interrupted while it
waited (it is done all the same), 5 storage failure.""",
)
@click.argument("job", metavar="JOB", type=click.Path(path_type=Path))
@click.argument("do", metavar="VERB", type=click.Choice(get_args(Verb)))
@click.argument("host", required=False)
@click.argument("seconds", required=False)
@click.option("--no-wait", is_flag=True, help="Do not wait until the crawl has taken it.")
@click.pass_obj
def steer(terminal: Terminal, /, *, job: Path, do: Verb, host: str | None, seconds: str | None, no_wait: bool) -> int:
    """Steer the crawl that runs JOB from another terminal."""
    from crawler.jobs.job import Job  # noqa: PLC0415  the store, for this command alone

    change = _change(do, host, seconds)
    with Job(job) as opened:
        if not opened.answers.steer(change, patience=patience(terminal, wait=not no_wait)):
            terminal.say(TAKEN_LATER)
    return ExitCode.DONE


def _change(do: Verb, host: str | None, seconds: str | None) -> Change:
    if do not in _OF_A_HOST:
        if host is not None:
            raise UsageError(f"{do} takes nothing behind it")
        return Change(do)
    if host is None:
        raise UsageError(f"{do} what? Name a host, such as example.com")
    if do != "delay":
        if seconds is not None:
            raise UsageError(f"{do} takes a host alone")
        return Change(do, named_authority(host))
    if seconds is None:
        raise UsageError("delay by how much? Name seconds, or auto for what all other hosts have")
    name = named_authority(host)
    try:
        return Change(do, name, None if seconds == "auto" else float(seconds))
    except ValueError as error:
        raise UsageError(f"'{printable(seconds, SHOWN_CHARS)}' is no number of seconds, nor auto") from error
