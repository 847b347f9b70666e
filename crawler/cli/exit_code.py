"""How the program ends, in a number."""

import enum

__all__ = ["ExitCode"]


class ExitCode(enum.IntEnum):
    """How the program ends. `DONE` also when a budget was used up; `UNREACHABLE` when all URLs that are left are of
    hosts that do not answer; `UNMET` when the crawl would have been done, but for what was expected of it.
    """

    DONE = 0
    ERROR = 1
    USAGE = 2
    NO_PAGE = 3
    INTERRUPTED = 4
    STORAGE = 5
    UNREACHABLE = 6
    UNMET = 7
