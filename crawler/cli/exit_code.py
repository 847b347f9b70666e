"""How the program ends, in a number."""

import enum

__all__ = ["ExitCode"]


class ExitCode(enum.IntEnum):
    """How the program ends. `DONE` also when a budget was used up; `UNREACHABLE` when all URLs that are left are of
    hosts that do not answer.
    """

    DONE = 0
    ERROR = 1
    USAGE = 2
    NO_PAGE = 3
    INTERRUPTED = 4
    STORAGE = 5
    UNREACHABLE = 6
