"""Standard error as a person sees it: lines, the log, the console of a live display."""

import contextlib
import logging
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from crawler.cli.settings import Run
from crawler.core.printable import printable

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["LogLines", "Terminal", "live_console", "set_up_logging"]


class Terminal:
    """Standard error, where a person or a log reads. What comes from outside cannot steer it.

    State: whether all lines are JSON (`--log-format json`); the console of the live display, once there is one; from
    then on all lines pass through it.
    """

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self._console: Console | None = None

    def say(self, text: str, fields: Mapping[str, Any] | None = None) -> None:
        """Print text, line by line. A terminal that has gone away is no reason to stop. JSON has the `fields`, too."""
        if self.as_json:
            from crawler.cli.json_lines import said_as_json  # noqa: PLC0415 - few ask for it

            self.write(said_as_json(text, fields))
            return
        with contextlib.suppress(OSError):
            for line in text.split("\n"):
                if self._console is None:
                    click.echo(printable(line), err=True)
                else:
                    self._console.print(printable(line), markup=False, highlight=False, emoji=False, soft_wrap=True)

    def write(self, line: str) -> None:
        """Print a line as it is."""
        with contextlib.suppress(OSError):
            click.echo(line, err=True)

    def share_with(self, console: "Console") -> None:
        """Let all further lines pass through the console of a live display."""
        self._console = console

    @property
    def is_interactive(self) -> bool:
        """Whether a person may be looking."""
        return sys.stderr is not None and sys.stderr.isatty()


class LogLines(logging.Handler):
    """Sends the log to the terminal."""

    def __init__(self, terminal: Terminal) -> None:
        super().__init__()
        self._terminal = terminal
        self.setFormatter(_OneLine("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%d %H:%M:%S"))

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record, and its traceback if it has one."""
        if self._terminal.as_json:
            from crawler.cli.json_lines import written_as_json  # noqa: PLC0415 - few ask for it

            self._terminal.write(written_as_json(record))
            return
        self._terminal.say(self.format(record))


class _OneLine(logging.Formatter):
    """Keeps a line break in a message, which may come from a server, from starting a line of the log."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  overrides logging's method
        """Format all but the traceback."""
        record.message = printable(record.message)
        return super().formatMessage(record)


def set_up_logging(run: Run, terminal: Terminal) -> None:
    """Send the log to standard error: this package's from the level asked for, others' from warnings on.

    A line before it tells of older names of settings that were used, unless the run is to be quiet.
    """
    terminal.as_json = run.log_format == "json"
    logging.captureWarnings(terminal.as_json)
    if run.notes and not run.quiet:
        terminal.say(f"crawler: note: {'; '.join(run.notes)}")
    logging.basicConfig(level=logging.WARNING, handlers=[LogLines(terminal)], force=True)
    logging.getLogger("crawler").setLevel("ERROR" if run.quiet else run.log_level.upper())


def live_console(run: Run, terminal: Terminal) -> "Console | None":
    """Return the console to draw on, if a person is looking at one."""
    if run.quiet or terminal.as_json or not terminal.is_interactive:
        return None
    from rich.console import Console  # noqa: PLC0415  0.1 s, and not needed without a terminal

    console = Console(stderr=True)
    terminal.share_with(console)
    return console
