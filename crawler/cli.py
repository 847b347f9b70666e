"""The command line. Only this module touches signals, the set-up of logging, the terminal and exit codes.

What is slow to import (rich, aiohttp, the store) is imported where it is needed: `crawler --help` needs none of it.
"""

import asyncio
import contextlib
import enum
import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crawler.errors import ConfigError, CrawlerError, StorageError, UsageError
from crawler.memory_limit import return_large_blocks
from crawler.options import GroupedCommand, with_settings
from crawler.printable import printable
from crawler.seeds import STDIN, BadSeed
from crawler.settings import Run, by_option_name, combine, from_environment, from_options, load_settings
from crawler.version import __version__

if TYPE_CHECKING:
    from rich.console import Console

    from crawler.config import CrawlConfig
    from crawler.crawl import Crawler
    from crawler.report.progress import Progress
    from crawler.stats import CrawlStats

__all__ = ["ExitCode", "cli", "main"]

_NAMED_BAD_SEEDS = 20
_TERMINAL_PATIENCE_S = 0.5


class ExitCode(enum.IntEnum):
    """How the program ends. `DONE` also when a budget was used up."""

    DONE = 0
    ERROR = 1
    USAGE = 2
    NO_PAGE = 3
    INTERRUPTED = 4
    STORAGE = 5


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line (default: the arguments of this process) and return the exit code."""
    _occupy_standard_descriptors()
    terminal = _Terminal()
    try:
        code = cli.main(arguments, prog_name="crawler", standalone_mode=False, obj=terminal)
    except click.exceptions.NoArgsIsHelpError as error:
        terminal.say(error.format_message())
        return ExitCode.USAGE
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  one line for the user instead of a page of frames
        code, message = _verdict(error)
        if logging.getLogger("crawler").isEnabledFor(logging.DEBUG):
            terminal.say(traceback.format_exc().rstrip("\n"))
        terminal.say(printable(f"crawler: error: {message}"))
    return code if isinstance(code, int) else ExitCode.DONE


def _verdict(error: BaseException) -> tuple[ExitCode, str]:
    """Return the exit code and the message for what ended a command."""
    if isinstance(error, click.Abort | KeyboardInterrupt):
        return ExitCode.INTERRUPTED, "interrupted; run the same command again to go on"
    if isinstance(error, click.ClickException):
        context = error.ctx if isinstance(error, click.UsageError) else None
        return ExitCode.USAGE, error.format_message() + (f" (see {context.command_path} --help)" if context else "")
    if isinstance(error, UsageError):
        return ExitCode.USAGE, str(error)
    if isinstance(error, StorageError):
        return ExitCode.STORAGE, str(error)
    if isinstance(error, CrawlerError):
        return ExitCode.ERROR, str(error)
    advice = "--log-level debug shows where; what was committed is safe, the same command goes on"
    return ExitCode.ERROR, f"unexpected {type(error).__name__}: {error} ({advice})"


def _occupy_standard_descriptors() -> None:
    """Open /dev/null where the caller closed standard input, output or error: else the store's files would get those
    numbers, and records or messages would be written into them.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            # The lowest free number is given out, and all below are taken.
            os.open(os.devnull, os.O_RDWR)


class _Terminal:
    """Standard error, where a person or a log reads. What comes from outside cannot steer it.

    State: the console of the live display, once there is one; from then on all lines pass through it.
    """

    def __init__(self) -> None:
        self._console: Console | None = None

    def say(self, text: str) -> None:
        """Print text, line by line. A terminal that has gone away is no reason to stop."""
        with contextlib.suppress(OSError):
            for line in text.split("\n"):
                if self._console is None:
                    click.echo(printable(line), err=True)
                else:
                    self._console.print(printable(line), markup=False, highlight=False, emoji=False, soft_wrap=True)

    def share_with(self, console: "Console") -> None:
        """Let all further lines pass through the console of a live display."""
        self._console = console

    @property
    def is_interactive(self) -> bool:
        """Whether a person may be looking."""
        return sys.stderr is not None and sys.stderr.isatty()


class _LogLines(logging.Handler):
    """Sends the log to the terminal."""

    def __init__(self, terminal: _Terminal) -> None:
        super().__init__()
        self._terminal = terminal
        self.setFormatter(_OneLine("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%d %H:%M:%S"))

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record, and its traceback if it has one."""
        self._terminal.say(self.format(record))


class _OneLine(logging.Formatter):
    """Keeps a line break in a message, which may come from a server, from starting a line of the log."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  overrides logging's method
        """Format all but the traceback."""
        record.message = printable(record.message)
        return super().formatMessage(record)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}, no_args_is_help=True)
@click.version_option(__version__, message="%(prog)s %(version)s")
def cli() -> None:
    """Crawl websites into JSON lines: every page once, none lost, whatever happens in between."""


@with_settings()
@cli.command(
    cls=GroupedCommand,
    epilog="""\b
Examples:
  crawler crawl https://docs.python.org/3/ --scope prefix --max-pages 100
  crawler crawl seeds/example.txt --depth 1 --fields url,status,title -o titles.jsonl
  crawler crawl sitemap:https://docs.python.org/sitemap.xml --depth 0
  zcat urls.txt.gz | crawler crawl - --scope page -o - | jq -r .title

Running the same command again goes on where it stopped. Every option is also a key of the --config file
(max-pages = 100) and an environment variable (CRAWLER_MAX_PAGES); a switch such as --strict is taken back by
--no-strict. Exit codes: 0 done, 1 error, 2 usage,
3 no page fetched, 4 interrupted, 5 storage failure.""",
)
@click.argument("seeds", nargs=-1, metavar="[SEED]...")
@click.option("--config", metavar="FILE", envvar="CRAWLER_CONFIG", help="TOML file of settings, named as the options.")
@click.pass_obj
def crawl(terminal: _Terminal, /, seeds: tuple[str, ...], config: str | None, **options: Any) -> int:
    """Crawl from each SEED: an http(s) URL, a file of them, - for standard input, or sitemap:URL for its pages.

    Files are .txt (one URL a line), .csv (with a column url) or .jsonl (with a key url), each also .gz.
    """
    run = combine(
        load_settings(Path(config)) if config else {},
        from_environment(os.environ),
        from_options({name.replace("_", "-"): value for name, value in options.items()}),
        {"seeds": seeds} if seeds else {},
    )
    return _crawled(run, terminal)


@with_settings("fresh", "quiet", "log-level")
@cli.command()
@click.option("--job", metavar="DIR", help="Folder of the demo's crawl.  [output/demo]")
@click.option("--port", metavar="N", type=click.IntRange(0, 65535), default=0, help="Port of the site.  [a free one]")
@click.pass_obj
def demo(terminal: _Terminal, /, job: str | None, port: int, **options: Any) -> int:
    """Serve a built-in site on this machine and crawl it: 20 hosts, 2,000 pages, all kinds of trouble."""
    from crawler.demo.run import DEMO_JOB, program_name  # noqa: PLC0415  the site's model, for this command alone
    from crawler.demo.run import run as run_demo  # noqa: PLC0415

    told = from_options({name.replace("_", "-"): value for name, value in options.items()})
    told.setdefault("fresh", False)

    def crawled(config: "CrawlConfig", seeds: Sequence[str], fresh: bool) -> int:
        return _crawled(Run(**{**told, "config": config, "seeds": tuple(seeds), "fresh": fresh}), terminal)

    return run_demo(
        DEMO_JOB if job is None else Path(job),
        crawled,
        say=(lambda _: None) if told.get("quiet") else terminal.say,
        port=port,
        fresh=told["fresh"],
        program=program_name(sys.argv[0]),
    )


def _crawled(run: Run, terminal: _Terminal) -> int:
    """Run one crawl with all that a person sees of it; return the exit code."""
    from crawler.crawl import Crawler  # noqa: PLC0415  aiohttp, the store and the parser take 0.3 s to import
    from crawler.report.progress import Progress  # noqa: PLC0415
    from crawler.report.summary import print_summary, write_summary  # noqa: PLC0415

    if run.config.output_path is None and sys.stdout is None:
        raise ConfigError("--output -: standard output is closed")
    _check_bundle(run.config)
    return_large_blocks()
    _set_up_logging(run, terminal)
    console = _live_console(run, terminal)
    if run.config.insecure:
        logging.getLogger(__name__).warning(
            "--insecure: TLS certificates are not checked; answers may come from anyone"
        )
    bad_seeds = _BadSeeds(terminal, quiet=run.quiet)
    stdin = None
    if STDIN in run.seeds and sys.stdin is not None:
        stdin = sys.stdin.buffer
        if stdin.isatty() and not run.quiet:
            terminal.say("reading seeds from the terminal: one URL a line, Ctrl-D ends")
    crawler = Crawler(run.config, run.seeds, fresh=run.fresh, stdin=stdin, on_bad_seed=bad_seeds)
    progress = Progress(
        crawler.stats,
        mode="quiet" if run.quiet else "live" if console else "log",
        title=printable(str(run.config.job)),
        console=console,
    )
    try:
        with asyncio.Runner(loop_factory=_new_event_loop()) as runner:
            stats = runner.run(_watched(crawler, progress, None if run.quiet else terminal))
    except BrokenPipeError:
        # Whoever read the records has seen enough; the job can go on. Nothing may be flushed there at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return ExitCode.INTERRUPTED
    finally:
        bad_seeds.sum_up()
    write_summary(stats, run.config)
    if not run.quiet:
        with contextlib.suppress(OSError):  # as `_Terminal.say`; the same is in summary.json
            print_summary(stats, run.config, console=console)
    return _exit_code(stats)


def _check_bundle(config: "CrawlConfig") -> None:
    """Refuse a file of authorities that cannot be used, before a job is made."""
    if config.ca_bundle is None:
        return
    from crawler.transport.tls import tls_context  # noqa: PLC0415  needs ssl, which is slow to import

    try:
        tls_context(ca_bundle=config.ca_bundle)
    except ConfigError as error:
        raise ConfigError(by_option_name(str(error))) from error


def _exit_code(stats: "CrawlStats") -> ExitCode:
    if stats.ended == "interrupted":
        return ExitCode.INTERRUPTED
    return ExitCode.DONE if stats.pages else ExitCode.NO_PAGE


async def _watched(crawler: "Crawler", progress: "Progress", terminal: _Terminal | None) -> "CrawlStats":
    """Run the crawler with its display; the first signal drains it, the second ends the process."""
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)
    stopping = False

    def stop() -> None:
        nonlocal stopping
        if stopping:
            _leave_at_once(progress)
        stopping = True
        crawler.stop()
        if terminal is not None:
            requests = crawler.stats().fetching
            terminal.say(f"stopping: finishing {requests} requests; press Ctrl-C again to stop at once")

    for number in signals:
        loop.add_signal_handler(number, stop)
    display = asyncio.create_task(progress.run())
    try:
        return await crawler.run()
    finally:
        display.cancel()
        await asyncio.wait({display})
        if not display.cancelled() and (error := display.exception()) is not None:
            logging.getLogger(__name__).warning("the display failed: %r", error)
        # Between the two handlers a signal would end the process with another code than the one promised.
        signal.pthread_sigmask(signal.SIG_BLOCK, signals)
        for number in signals:
            loop.remove_signal_handler(number)
            if stopping:  # all is committed, and what is left takes a moment
                signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)


def _leave_at_once(progress: "Progress") -> None:
    """End without a commit: what is under way will be done again. Parsers notice by themselves."""
    # A terminal that takes no output (Ctrl-S) must not hold the process.
    restored = threading.Thread(target=progress.close, daemon=True)
    restored.start()
    restored.join(_TERMINAL_PATIENCE_S)
    os._exit(ExitCode.INTERRUPTED)


class _BadSeeds:
    """Names the first bad seeds and counts all. Called in the thread that reads the seeds; state: their number."""

    def __init__(self, terminal: _Terminal, *, quiet: bool) -> None:
        self._terminal = terminal
        self._quiet = quiet
        self._number = 0

    def __call__(self, bad: BadSeed) -> None:
        self._number += 1
        if self._number <= _NAMED_BAD_SEEDS and not self._quiet:
            self._terminal.say(f"{bad} (skipped; --strict to stop here)")

    def sum_up(self) -> None:
        """Say how many there were, if not all were named."""
        if self._number > _NAMED_BAD_SEEDS and not self._quiet:
            self._terminal.say(f"{self._number:,} bad seeds were skipped; the first {_NAMED_BAD_SEEDS} are named above")


def _set_up_logging(run: Run, terminal: _Terminal) -> None:
    """Send the log to standard error: this package's from the level asked for, others' from warnings on."""
    logging.basicConfig(level=logging.WARNING, handlers=[_LogLines(terminal)], force=True)
    logging.getLogger("crawler").setLevel("ERROR" if run.quiet else run.log_level.upper())


def _live_console(run: Run, terminal: _Terminal) -> "Console | None":
    """Return the console to draw on, if a person is looking at one."""
    if run.quiet or not terminal.is_interactive:
        return None
    from rich.console import Console  # noqa: PLC0415  0.1 s, and not needed without a terminal

    console = Console(stderr=True)
    terminal.share_with(console)
    return console


def _new_event_loop() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        from uvloop import new_event_loop  # noqa: PLC0415  not there on every platform
    except ImportError:
        return asyncio.new_event_loop
    return new_event_loop
