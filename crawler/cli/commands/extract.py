"""`crawler extract`: the command, what a person sees of it, and how it ends."""

import asyncio
import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crawler.cli.exit_code import ExitCode
from crawler.cli.options import GroupedCommand, with_settings
from crawler.cli.settings import Run, combine, from_environment, from_options, named_as_spelled
from crawler.cli.signals import ended_by_signals
from crawler.cli.terminal import Terminal, live_console, set_up_logging
from crawler.core.errors import ConfigError, CrawlerError
from crawler.core.event_loop import loop_factory
from crawler.parsers.memory import return_large_blocks

if TYPE_CHECKING:
    from rich.console import Console

    from crawler.core.stats import ExtractStats
    from crawler.ring.extraction import Extraction

__all__ = ["extract"]

_log = logging.getLogger(__name__)

_REFRESH_S = 0.25
_LOG_S = 30.0


@with_settings("extract")
@click.command(
    cls=GroupedCommand,
    epilog="""\b
Examples:
  crawler extract shop.warc.gz --spider shop:product -o products.csv
  crawler extract shop-*.warc.gz --fields url,title -o titles.parquet
  crawler extract wget.warc.gz --select title=h1 | jq -r .title

Nothing is fetched, and nothing can be resumed: stopped half-way, it is begun anew with --fresh.
Exit codes: 0 done, 1 error or a damaged file, 2 usage, 3 no page in the files, 4 interrupted, 5 storage failure.""",
)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option(
    "-o",
    "--output",
    metavar="PATH",
    multiple=True,
    help="Where records go; the ending decides how, as for a crawl. May be repeated.  [-, standard output]",
)
@click.option("--fresh/--no-fresh", default=None, help="Overwrite outputs that are there.")
@click.option(
    "--ordered/--no-ordered",
    default=True,
    help="Keep the order of the pages; without it no page waits for a slow one before it.",
)
@click.pass_obj
def extract(terminal: Terminal, /, files: tuple[str, ...], ordered: bool, **options: Any) -> int:
    """Do over the pages of WARC files what a crawl does with a page: a changed spider needs no new crawl.

    FILE is what a crawl wrote with -o pages.warc.gz, or any other WARC file; several are read in the order given.
    """
    run = combine(
        {"job": Path(), "output": ("-",)},  # a job of its own is made, and removed
        from_environment(os.environ, "extract"),
        from_options(options),
    )
    with named_as_spelled(run.places):
        return _extracted(run, [Path(file) for file in files], ordered=ordered, terminal=terminal)


def _extracted(run: Run, files: list[Path], *, ordered: bool, terminal: Terminal) -> int:
    from crawler.web.warc import check_installed  # noqa: PLC0415  an extra

    check_installed()
    from crawler.ring.extraction import Extraction  # noqa: PLC0415 - an extra

    if "-" in run.config.outputs and sys.stdout is None:
        raise ConfigError("--output -: standard output is closed")
    return_large_blocks()
    set_up_logging(run, terminal)
    try:
        extraction = Extraction(run.config, files, ordered=ordered, fresh=run.fresh)
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            stats = runner.run(_watched(extraction, None if run.quiet else terminal, live_console(run, terminal)))
    except BrokenPipeError:
        # Whoever read the records has seen enough. Nothing may be flushed there at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return ExitCode.INTERRUPTED
    except CrawlerError:
        raise
    except Exception as error:
        # Unlike a crawl, it cannot go on from what it has written.
        advice = "--log-level debug shows where; outputs are incomplete, --fresh begins anew"
        raise CrawlerError(f"unexpected {type(error).__name__}: {error} ({advice})") from error
    for damage in stats.damaged:
        terminal.say(damage)
    if not run.quiet:
        terminal.say(_summary(stats))
    if stats.interrupted:
        return ExitCode.INTERRUPTED
    if stats.damaged:
        return ExitCode.ERROR
    return ExitCode.DONE if stats.pages else ExitCode.NO_PAGE


async def _watched(extraction: "Extraction", terminal: Terminal | None, console: "Console | None") -> "ExtractStats":
    """Run it with its display; the first signal finishes what was read, the second ends the process."""

    def stop() -> None:
        extraction.stop()
        if terminal is not None:
            terminal.say("stopping: finishing the pages that were read; press Ctrl-C again to stop at once")

    with ended_by_signals(stop, lambda: os._exit(ExitCode.INTERRUPTED)):
        display = None
        if terminal is not None:
            shown = _logged(extraction) if console is None else _drawn(extraction, console)
            display = asyncio.create_task(shown)
        try:
            return await extraction.run()
        finally:
            if display is not None:
                display.cancel()
                await asyncio.wait({display})


async def _drawn(extraction: "Extraction", console: "Console") -> None:
    """Draw a bar of the bytes read, until cancelled."""
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (BarColumn(), TaskProgressColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False) as progress:
        bar = progress.add_task("0 pages", total=None)
        while True:
            stats = extraction.stats()
            progress.update(
                bar, total=stats.total_bytes, completed=stats.read_bytes, description=f"{stats.pages:,} pages"
            )
            await asyncio.sleep(_REFRESH_S)


async def _logged(extraction: "Extraction") -> None:
    """Print a line now and then, until cancelled."""
    while True:
        await asyncio.sleep(_LOG_S)
        stats = extraction.stats()
        part = stats.read_bytes / max(1, stats.total_bytes)
        text = f"{stats.pages:,} pages, {stats.records:,} records, {part:.0%} of the files"
        figures = {"event": "progress", "pages": stats.pages, "records": stats.records, "share": part}
        _log.info("%s", text, extra={"figures": figures})


def _summary(stats: "ExtractStats") -> str:
    rate = stats.pages / max(stats.elapsed_s, 1e-9)
    files = f"{stats.files} file{'s' if stats.files > 1 else ''} ({stats.elapsed_s:.1f} s, {rate:,.0f} pages/s)"
    parts = [f"{stats.records:,} records from {stats.pages:,} pages in {files}"]
    others = {name: count for name, count in stats.outcomes.items() if name != "fetched"}
    if others:
        parts.append("without a record: " + _counted(others))
    if stats.left_out:
        parts.append("no page: " + _counted(stats.left_out))
    if stats.interrupted:
        parts.append("interrupted: the outputs are incomplete, --fresh begins anew")
    return "; ".join(parts)


def _counted(counts: Mapping[str, int]) -> str:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count:,} {name}" for name, count in ordered)
