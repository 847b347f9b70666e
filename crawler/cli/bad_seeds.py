"""Lines of the seeds that are none, as a person is told of them."""

from crawler.cli.terminal import Terminal
from crawler.frontier.seeds import BadSeed

__all__ = ["BadSeeds"]

_NAMED_BAD_SEEDS = 20


class BadSeeds:
    """Names the first bad seeds and counts all. Called in the thread that reads the seeds; state: their number."""

    def __init__(self, terminal: Terminal, *, quiet: bool) -> None:
        self._terminal = terminal
        self._quiet = quiet
        self._number = 0

    def __call__(self, bad: BadSeed) -> None:
        """Take one line."""
        self._number += 1
        if self._number <= _NAMED_BAD_SEEDS and not self._quiet:
            self._terminal.say(f"{bad} (skipped; --strict to stop here)")

    def sum_up(self) -> None:
        """Say how many there were, if not all were named."""
        if self._number > _NAMED_BAD_SEEDS and not self._quiet:
            self._terminal.say(f"{self._number:,} bad seeds were skipped; the first {_NAMED_BAD_SEEDS} are named above")
