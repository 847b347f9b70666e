"""Whether a URL that is due may be handed out, by what its host and its domain have had already."""

from crawler.core.model import Done
from crawler.frontier.handed import Handed
from crawler.frontier.page_limits import DOMAIN_LIMIT, HOST_LIMIT, PageLimits
from crawler.frontier.row import UrlRow

__all__ = ["HELD_BACK", "Gate"]

HELD_BACK = frozenset({HOST_LIMIT, DOMAIN_LIMIT})
"""Reasons with which URLs end that a host or a domain had no room for. A larger limit opens them again."""


class Gate:
    """Stands between the queue and the window. Has no state of its own."""

    def __init__(self, limits: PageLimits) -> None:
        self._limits = limits
        self._is_open = not limits.apply

    def reason(self, host: bytes, row: UrlRow) -> str:
        """Return why a URL of a host may not be handed out now, empty if it may."""
        return "" if self._is_open else self._limits.reason(host, row)

    def hand_out(self, handed: Handed) -> None:
        """Learn that a task is handed out."""
        if not self._is_open:
            self._limits.hand_out(handed)

    def take_back(self, handed: Handed) -> None:
        """Learn that a task is handed out no more."""
        if not self._is_open:
            self._limits.take_back(handed)

    def ended(self, handed: Handed, done: Done) -> None:
        """Learn how a task has ended."""
        if not self._is_open:
            self._limits.ended(handed, done)

    def save(self) -> None:
        """Put what was learned into the open batch."""
        self._limits.save()

    def committed(self) -> None:
        """Learn that the open batch was committed."""
        self._limits.committed()
