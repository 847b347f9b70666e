"""What went wrong with pages, told in the log: the first of each kind as a warning, since the others are like it."""

import logging
from collections.abc import Iterable

from crawler.core.model import Done
from crawler.core.printable import printable

__all__ = ["FailureLog"]

_log = logging.getLogger(__name__)
_MOST_KINDS = 100
_OF_SERVERS = frozenset({"encoding"})
"""Failures that say nothing of the crawl: they are told as those that the fetcher finds, at level debug."""


class FailureLog:
    """Tells of what has a `detail`: failures, and pages whose links were not all taken.

    State, of one thread: the kinds that were told of, at most 100.
    """

    def __init__(self) -> None:
        self._told: set[str] = set()

    def tell(self, results: Iterable[Done]) -> None:
        """Log what the outcomes leave out; of a kind that was told of, at level debug."""
        for done in results:
            if not done.detail:
                continue
            kind = f"failed: {done.reason}" if done.outcome == "failed" else "links left out"
            if kind in self._told or done.reason in _OF_SERVERS or len(self._told) >= _MOST_KINDS:
                _log.debug("%s at %s", kind, printable(done.detail))
            else:
                self._told.add(kind)
                _log.warning("%s at %s; others of this kind are logged at level debug", kind, printable(done.detail))
