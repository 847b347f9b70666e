"""Every URL of a job with its key, wherever the store has it."""

from collections.abc import Iterator
from itertools import chain

from crawler.frontier.row import UrlRow
from crawler.frontier.store import Store

__all__ = ["keyed_rows"]


def keyed_rows(store: Store) -> Iterator[tuple[bytes, UrlRow]]:
    """Give every committed URL as (key, row), each once: first those that have ended, in the order of their keys."""
    for key, _, row in store.urls.ended():
        yield key, row
    for key, row in chain(store.queue.entries(), store.retries.entries()):
        if not row.outcome:  # else it has ended, and is read again
            yield key, row
