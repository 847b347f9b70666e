"""Whether the store of a shard knows when each host was asked last: not, if it comes from a checkpoint."""

import time
from typing import Final

from crawler.core.errors import JobError
from crawler.core.host_rows import Begun
from crawler.frontier.store import Store

__all__ = ["begin_shard", "note_drained"]

_BEGUN: Final = "begun"
_DRAINED: Final = "drained"
_FIRST: Final = 1
"""The incarnation of a shard that nothing was lost of yet."""


def begin_shard(store: Store) -> Begun:
    """Note in a store, which was opened with the incarnation of now, how the shard begins; return it.

    If it was put here from a checkpoint, hosts may have been asked after that, and nobody knows when: but not if the
    checkpoint was the last one of a run that drained. Raises `JobError` for the store of a later incarnation.
    """
    before, *kept = store.meta(_BEGUN) or (0,)
    now = store.incarnation
    if before > now:
        raise JobError(f"this is incarnation {before} of a shard, and {now} is wanted: remove its folder")
    begun = Begun(now, *kept)
    if now > max(before, _FIRST) and not store.meta(_DRAINED):
        begun = Begun(now, now, time.time())
    store.put_meta(_BEGUN, (begun.incarnation, begun.exact_from, begun.at))
    store.put_meta(_DRAINED, value=False)
    store.commit()
    return begun


def note_drained(store: Store) -> None:
    """Put into the last batch of a run that nobody is asked after it."""
    store.put_meta(_DRAINED, value=True)
