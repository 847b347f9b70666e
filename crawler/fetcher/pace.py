"""How a host has answered in this run: how often, how long that took, and what place that gives it. Pure."""

from enum import IntEnum
from typing import Final

__all__ = ["ContactTime", "Grade", "Pace"]

_SLOW_S: Final = 1.0
_WEIGHT: Final = 0.25  # of the newest answer in what is typical
_MOST_DOUBLINGS: Final = 16


class Grade(IntEnum):
    """What is known of a host, best first: who holds a place among the requests under way, and who waits for one.

    - `ANSWERING`: it has answered, within a second.
    - `UNHEARD`: nobody knows; it is asked for the first time, or has more under way than it has answered.
    - `SLOW`: it takes longer, or had to give way since it did not answer while others waited.
    - `SILENT`: it does not answer, or the request has lasted longer than it should.
    """

    ANSWERING = 0
    UNHEARD = 1
    SLOW = 2
    SILENT = 3


class Pace:
    """How a host answers.

    State, changed by its methods alone: `answers` in a row, the seconds that one takes as a rule, how often in a row a
    request had to give way, and `is_slow`: its requests hold their places for long.
    """

    __slots__ = ("_hurried", "_typical_s", "answers", "is_slow")

    def __init__(self) -> None:
        self.answers = 0
        self._typical_s = 0.0
        self._hurried = 0
        self.is_slow = False

    def patience_s(self, usual_s: float) -> float:
        """Return how long a request may last before it is to give way to others: a multiple of what is typical.

        `usual_s` is what all hosts are given; each time that one had to give way, it is given twice as long.
        """
        return max(usual_s, 4 * self._typical_s) * 2.0 ** min(self._hurried, _MOST_DOUBLINGS)

    def answered(self, took_s: float) -> None:
        """Learn that a request was answered, whole or in part."""
        self._typical_s += (took_s - self._typical_s) * (_WEIGHT if self.answers else 1.0)
        self.answers += 1
        self._hurried = 0
        self.is_slow = self._typical_s > _SLOW_S

    def unanswered(self) -> None:
        """Learn that a request had no answer."""
        self.answers = 0

    def hurried(self) -> None:
        """Learn that a request had to give way."""
        self.answers = 0
        self._hurried += 1
        self.is_slow = True


class ContactTime:
    """How long a host's first answer takes in this run, as TCP judges how long to wait for its peer (RFC 6298 §2).

    State: the smoothed time and its variation, in seconds; none before the first answer. `usual_s`: the seconds after
    which hardly any host answers that has not: from 0.25 to 2, and 0.5 until one has answered.
    """

    __slots__ = ("_smoothed_s", "_variation_s", "usual_s")

    _FIRST_S: Final = 0.5
    _LEAST_S: Final = 0.25
    _MOST_S: Final = 2.0

    def __init__(self) -> None:
        self._smoothed_s: float | None = None
        self._variation_s = 0.0
        self.usual_s = self._FIRST_S

    def learn(self, took_s: float) -> None:
        """Take one more first answer into account."""
        if self._smoothed_s is None:
            self._smoothed_s, self._variation_s = took_s, took_s / 2
        else:
            self._variation_s += (abs(took_s - self._smoothed_s) - self._variation_s) / 4
            self._smoothed_s += (took_s - self._smoothed_s) / 8
        self.usual_s = min(max(self._smoothed_s + 4 * self._variation_s, self._LEAST_S), self._MOST_S)
