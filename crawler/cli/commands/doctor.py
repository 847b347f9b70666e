"""`crawler doctor`: whether this machine lets a crawl do what it has to."""

from pathlib import Path

import click

from crawler.cli.exit_code import ExitCode
from crawler.core.json_line import indented

__all__ = ["doctor"]

_MARKS = {"ok": "ok      ", "warning": "warning ", "problem": "PROBLEM "}


@click.command(
    epilog="""\b
Examples:
  crawler doctor
  crawler doctor --job /var/lib/crawler/shop
  crawler doctor --online https://example.com/

Each line is ok, a warning (a crawl runs worse than it could) or a problem (it cannot run, or loses what it has), with
the value seen and what to do. Nobody is asked over a network unless --online names a URL.
Exit codes: 0 no problem, 1 a problem, 2 usage."""
)
@click.option(
    "--job",
    metavar="DIR",
    type=click.Path(path_type=Path),
    default=Path("output"),
    help="Look at the disk on which this folder is, or would be.  [output]",
)
@click.option("--online", metavar="URL", help="Ask for this URL, too: name, connection, certificate, clock.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def doctor(job: Path, online: str | None, as_json: bool) -> int:
    """Look at what a crawl needs of this machine: names, certificates, files, disk, memory, cores, clock, parsers."""
    from crawler.cli.doctor.finding import looked  # noqa: PLC0415 - the whole crawler, for this command alone
    from crawler.cli.doctor.machine import MACHINE, disk  # noqa: PLC0415 - as above
    from crawler.cli.doctor.program import PROGRAM  # noqa: PLC0415 - as above
    from crawler.cli.doctor.program import online as tried_online  # noqa: PLC0415 - as above

    looks = {**MACHINE, "disk": lambda: disk(job), **PROGRAM}
    if online is not None:
        looks["online"] = lambda: tried_online(online)
    found = []
    for name, look in looks.items():
        one = looked(name, look)
        found.append(one)
        if not as_json:  # one after the other: a slow one is seen to be slow
            click.echo(f"{_MARKS[one.state]}{one.name:<13} {one.seen}" + (f"; {one.then}" if one.then else ""))
    if as_json:
        click.echo(indented(found), nl=False)
    return ExitCode.ERROR if any(one.state == "problem" for one in found) else ExitCode.DONE
