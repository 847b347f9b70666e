"""What the ledger's thread spends its time on."""

import time

__all__ = ["TimeUse"]


class TimeUse:
    """A thread's time, by what it is at: every moment counts as one thing.

    State, written by that thread; others read it: what it is at and since when, and the seconds of what it was at.
    """

    def __init__(self, first: str) -> None:
        self._at: tuple[str, float] = (first, time.monotonic())
        self._spent: dict[str, float] = {}

    def turn_to(self, what: str) -> str:
        """Learn that the thread turns to something else; return what it was at."""
        before, since = self._at
        now = time.monotonic()
        self._spent[before] = self._spent.get(before, 0.0) + now - since
        self._at = (what, now)
        return before

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds spent on each thing so far, what is under way included; from any thread."""
        spent = dict(self._spent)
        what, since = self._at
        spent[what] = spent.get(what, 0.0) + time.monotonic() - since
        return spent
