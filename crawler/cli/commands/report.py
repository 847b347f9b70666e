"""`crawler report`: what a job tells of itself as a whole, as a page, as pictures and as data."""

import errno
import os
import sys
import time
from pathlib import Path

import click

from crawler.cli.exit_code import ExitCode
from crawler.cli.standard_output import written
from crawler.cli.terminal import Terminal
from crawler.core.errors import UsageError
from crawler.core.job_place import is_url
from crawler.core.printable import printable
from crawler.core.refusal import refusal
from crawler.core.symlinks import refuse_planted, written_anew

__all__ = ["report"]

_STDOUT = "-"


@click.command(
    epilog="""\b
Examples:
  crawler report output/example.com
  crawler report output/example.com -o report.html --images pictures
  crawler report output/example.com --json | jq '.tables.errors.rows'

The job may be running, stopped, killed or done, and of an earlier version. A page needs the extra `report`; --json
needs nothing.

Exit codes: 0 done, 2 usage, or no such job, 4 interrupted, 5 the job cannot be read, or the page not be written.""",
)
@click.argument("job", metavar="JOB", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", metavar="FILE", help="Write the page there, or with - to standard output.  [JOB/report.html]"
)
@click.option(
    "--images",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Write each chart there, too: NAME.svg and NAME.png.",
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print the data of all tables as JSON (with -o: into that file) instead of a page.",
)
@click.pass_obj
def report(terminal: Terminal, /, *, job: Path, output: str | None, images: Path | None, as_json: bool) -> int:
    """Make a report of JOB, the folder of a crawl: one page of HTML that needs nothing else.

    It shows speed, what limited the crawl, outcomes, errors, latency, hosts, depth, queues, parsers, memory,
    duplicates, traps, coverage of fields, which hosts lead to which, and what was steered; each chart with its numbers.
    """
    from crawler.jobs.job import Job  # noqa: PLC0415  the store, for this command alone
    from crawler.jobs.report.charts import check_installed  # noqa: PLC0415 - as above
    from crawler.jobs.report.images import write_images  # noqa: PLC0415 - as above
    from crawler.jobs.report.page import as_page  # noqa: PLC0415 - as above
    from crawler.jobs.report.report import report as gathered  # noqa: PLC0415 - as above

    if output is None and not as_json and is_url(job):
        raise UsageError("-o FILE is needed here: a page is written to this machine, and the job is not on it")
    path = None if output == _STDOUT or (output is None and as_json) else Path(output or job / "report.html")
    # What is missing is told now, and not after minutes.
    if images is not None or not as_json:
        check_installed()
    with Job(job) as opened:
        if path is not None:
            _write(path, None)
        found = gathered(opened, now=time.time())
    content = found.json() if as_json else as_page(found).encode()
    pictures = [] if images is None else write_images(found, images)
    if path is None:
        return written([content], sys.stdout.buffer)
    _write(path, content)
    for sentence in found.headline:
        terminal.say(sentence)
    terminal.say(f"report     {path}")
    if pictures:
        terminal.say(f"pictures   {len(pictures)} in {images}")
    return ExitCode.DONE


def _write(path: Path, content: bytes | None) -> None:
    """Write a file aside and put it in its place whole; without content, see whether that can be done.

    Raises `StorageError` if the disk refuses.
    """
    what, advice = f"write {printable(str(path))}", "name another file with -o"
    if path.is_dir():
        raise refusal(what, OSError(errno.EISDIR, os.strerror(errno.EISDIR)), advice)
    try:
        refuse_planted(path)
        if path.exists() and not path.is_file():  # a pipe, a device
            if content is not None:
                path.write_bytes(content)
            return
        place = path.resolve()
        aside = place.with_name(f".{place.name}.tmp")
        try:
            with written_anew(aside) as file:
                file.write(content or b"")
            if content is not None:
                aside.replace(place)
        finally:
            aside.unlink(missing_ok=True)
    except OSError as error:
        raise refusal(what, error, advice, room=f"make room, or {advice}") from error
