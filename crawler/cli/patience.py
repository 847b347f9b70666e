"""How a command waits for a crawl that runs to take what was put into its inbox."""

from collections.abc import Callable
from typing import Final

from crawler.cli.terminal import Terminal

__all__ = ["TAKEN_LATER", "patience"]

TAKEN_LATER: Final = "not taken yet: the crawl that runs the job takes it, or else the next one"
_WAITING: Final = "waiting for the crawl that runs the job; what was asked is safe, Ctrl-C ends the waiting alone"
_SILENT_S: Final = 3.0


def patience(terminal: Terminal, *, wait: bool) -> Callable[[float], bool]:
    """Return what is asked whether to go on waiting, with the seconds that were waited; say so when it takes long."""
    told = False

    def go_on(waited_s: float) -> bool:
        nonlocal told
        if wait and waited_s >= _SILENT_S and not told:
            told = True
            terminal.say(_WAITING)
        return wait

    return go_on
