"""The row of one URL, wherever the store has it: with how it ended, in the queue, or among the retries."""

import time
from collections.abc import Sequence
from typing import Final, NamedTuple

from crawler.frontier.known import waiting
from crawler.frontier.row import QUEUED, UrlRow
from crawler.frontier.store import Store

__all__ = ["Found", "KnownRows"]

_PATIENCE_S: Final = 0.05
"""Retries stand by their times: to find one of many, its table is read, so long at most for one URL."""


class Found(NamedTuple):
    """A URL that is known. `row` is None for one that is due whose row was not found in time.

    `waits_until`: unix time of its next attempt, if it waits for one. `place`: its key in the queue, if it has one.
    """

    key: bytes
    is_due: bool
    row: UrlRow | None
    waits_until: float | None = None
    place: bytes = b""


class KnownRows:
    """Finds rows by the keys of URLs. Has no state."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def find(self, keys: Sequence[bytes]) -> list[Found | None]:
        """Return what is known of URLs, None for each that was never met."""
        values = self._store.urls.values(list(keys))
        return [None if value is None else self._found(key, value) for key, value in zip(keys, values, strict=True)]

    def _found(self, key: bytes, value: bytes) -> Found:
        if value[:1] != QUEUED:
            return Found(key, is_due=False, row=self._store.urls.row(value))
        place, _ = waiting(value)
        if place and (queued := self._store.queue.at(place)) is not None:
            return Found(key, is_due=True, row=queued, place=place)
        until, row = self._store.retries.find(key, time.monotonic() + _PATIENCE_S) or (None, None)
        return Found(key, is_due=True, row=row, waits_until=until)
