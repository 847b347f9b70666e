"""`crawler add`: more seeds for a job, whether a crawl runs it or not."""

import sys
from pathlib import Path

import click

from crawler.cli.exit_code import ExitCode
from crawler.cli.patience import TAKEN_LATER, patience
from crawler.cli.terminal import Terminal
from crawler.core.printable import printable
from crawler.core.quantity import count
from crawler.frontier.seeds import STDIN, BadSeed

__all__ = ["add"]

_NAMED = 20


@click.command(
    epilog="""\b
Examples:
  crawler add output/example.com https://example.org/
  crawler add output/example.com more.csv sitemap:https://example.net/map.xml
  grep -h ^https: *.log | crawler add output/example.com -

Seeds are written as for `crawler crawl`. Each is added once, whenever a process is killed. Exit codes: 0 done,
2 usage (no such job, no seed), 4 interrupted while it waited (the seeds are taken all the same), 5 storage failure.""",
)
@click.argument("job", metavar="JOB", type=click.Path(path_type=Path))
@click.argument("seeds", nargs=-1, required=True, metavar="SEED...")
@click.option("--no-wait", is_flag=True, help="Do not wait until the crawl that runs the job has taken them.")
@click.pass_obj
def add(terminal: Terminal, /, job: Path, seeds: tuple[str, ...], no_wait: bool) -> int:
    """Add each SEED to JOB, the folder of a crawl: one that runs goes on with them, else the next one does."""
    from crawler.jobs.job import Job  # noqa: PLC0415  the store, for this command alone

    bad = 0

    def told(one: BadSeed) -> None:
        nonlocal bad
        bad += 1
        if bad <= _NAMED:
            terminal.say(f"{one} (skipped)")

    stdin = sys.stdin.buffer if STDIN in seeds and sys.stdin is not None else None
    if stdin is not None and stdin.isatty():
        terminal.say("reading seeds from the terminal: one URL a line, Ctrl-D ends")
    with Job(job) as opened:
        answer = opened.answers.add(seeds, stdin=stdin, on_bad=told, patience=patience(terminal, wait=not no_wait))
        is_running, shown = opened.is_running, opened.answers.shown
    if bad > _NAMED:
        terminal.say(f"{count(bad)} bad seeds were skipped; the first {_NAMED} are named above")
    if answer is None:
        terminal.say(TAKEN_LATER)
        return ExitCode.DONE
    known = f", {count(answer.known)} were known before" if answer.known else ""
    click.echo(f"{count(answer.new)} seeds added{known}")
    if answer.new and not is_running:
        terminal.say(f"`crawler crawl --job {printable(shown)}` goes on with them")
    return ExitCode.DONE
