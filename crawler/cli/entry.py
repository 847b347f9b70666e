"""`crawler`: its commands, and what becomes of an error in one of them."""

import difflib
import logging
import os
import sys
import traceback
from collections.abc import Mapping, Sequence

import click

from crawler.cli.commands.add import add
from crawler.cli.commands.check import check
from crawler.cli.commands.compare import compare
from crawler.cli.commands.completion import completion
from crawler.cli.commands.crawl import crawl, demo
from crawler.cli.commands.doctor import doctor
from crawler.cli.commands.explain import explain
from crawler.cli.commands.export import export
from crawler.cli.commands.extract import extract
from crawler.cli.commands.plan import plan
from crawler.cli.commands.report import report
from crawler.cli.commands.retry import retry
from crawler.cli.commands.spider import new, try_
from crawler.cli.commands.status import status
from crawler.cli.commands.steer import steer
from crawler.cli.commands.urls import urls
from crawler.cli.exit_code import ExitCode
from crawler.cli.terminal import Terminal
from crawler.core.errors import CrawlerError, StorageError, UsageError
from crawler.core.printable import SHOWN_CHARS, printable
from crawler.frontier.seeds import is_seed, looks_like_file

__all__ = ["cli", "main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line (default: the arguments of this process) and return the exit code."""
    _occupy_standard_descriptors()
    terminal = Terminal(as_json=_wants_json(sys.argv[1:] if arguments is None else arguments, os.environ))
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


def _wants_json(arguments: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Whether errors are to be JSON, also those of a command line that cannot be read."""
    option, value = "--log-format", environment.get("CRAWLER_LOG_FORMAT", "")
    for argument, following in zip(arguments, [*arguments[1:], ""], strict=False):
        if argument == option:
            value = following
        elif argument.startswith(f"{option}="):
            value = argument.partition("=")[2]
    return value == "json"


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


class _Commands(click.Group):
    """The commands; a word that is none of them is told with what may be meant."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command of a command line. Fails as wrong usage if there is none."""
        word = args[0]
        if self.get_command(ctx, word) is None and not word.startswith("-"):
            near = difflib.get_close_matches(word, self.list_commands(ctx), 1)
            meant = "--help" if word == "help" else f"crawl {word}" if _is_source(word) else near[0] if near else ""
            advice = f" Did you mean `{ctx.info_name} {meant}`?" if meant else ""
            ctx.fail(f"No such command '{printable(word, SHOWN_CHARS)}'.{advice}")
        return super().resolve_command(ctx, args)


def _is_source(word: str) -> bool:
    """Whether a word can only be meant as seeds: they stand behind `crawl`."""
    return is_seed(word) or looks_like_file(word) or "." in word.partition("/")[0]


def _tell_versions(context: click.Context, _option: click.Parameter, value: bool) -> None:
    """Print the versions, if they were asked for."""
    if not value or context.resilient_parsing:
        return
    from crawler.cli.versions import versions  # noqa: PLC0415 - looks at all packages that are installed

    click.echo("\n".join(versions()))
    context.exit()


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    no_args_is_help=True,
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_tell_versions,
    help="Show the version, then those of what it stands on, and exit.",
)
def cli() -> None:
    """Crawl websites into JSON lines: every page once, none lost, whatever happens in between."""


_COMMANDS = (
    crawl,
    plan,
    demo,
    new,
    try_,
    export,
    extract,
    compare,
    status,
    urls,
    explain,
    check,
    report,
    add,
    retry,
    steer,
    doctor,
    completion,
)

for _command in _COMMANDS:
    cli.add_command(_command)
