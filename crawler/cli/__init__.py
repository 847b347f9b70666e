"""The command line. Only here are signals, the set-up of logging, the terminal and exit codes dealt with.

What is slow to import (rich, aiohttp, the store) is imported where it is needed: `crawler --help` needs none of it.
"""

from crawler.cli.entry import cli, main
from crawler.cli.exit_code import ExitCode

__all__ = ["ExitCode", "cli", "main"]
