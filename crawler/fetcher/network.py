"""Whether the network of this machine is down: no host answers any more."""

import logging
from typing import Final

__all__ = ["Network"]

_log = logging.getLogger(__name__)

_FALLEN: Final = 3
"""Hosts that fall silent one after the other, with no answer from anybody between: then nobody answers."""


class Network:
    """Judges from the hosts that answered before: a list of dead hosts is no sign.

    Times are on the loop's clock. State, changed by its methods alone: when anybody was heard last, which hosts fell
    silent since, and since when no host answers.
    """

    def __init__(self) -> None:
        self._heard_at = float("-inf")
        self._fallen: set[str] = set()
        self._down_since: float | None = None

    @property
    def is_down(self) -> bool:
        """Whether no host answers: then one request at a time finds out when one does."""
        return self._down_since is not None

    def fell(self, name: str, since: float, now: float) -> None:
        """Learn that a host which answered before in this job has been silent `since`."""
        if since < self._heard_at:
            return
        self._fallen.add(name)
        if len(self._fallen) >= _FALLEN and self._down_since is None:
            self._down_since = now
            _log.warning("no host answers any more: is this machine's network down? one request at a time finds out")

    def heard(self, now: float) -> set[str]:
        """Learn that a host answered; return those that fell silent only because nobody could."""
        self._heard_at = now
        if not self._fallen:
            return self._fallen
        fallen, self._fallen = self._fallen, set()
        if self._down_since is None:
            return self._fallen
        _log.warning("hosts answer again after %.0f s", now - self._down_since)
        self._down_since = None
        return fallen
