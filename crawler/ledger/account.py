"""What a shard has of others and owes them, as the ledger's thread keeps it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from crawler.core.shard import START, Mark, Receipt
from crawler.core.stats import Ended
from crawler.frontier.frontier import Frontier
from crawler.frontier.outbox import Outbox
from crawler.frontier.store import Store
from crawler.ledger.cut import Cut
from crawler.ledger.sinks.base import Parts, Sink
from crawler.ledger.standing import Standing

__all__ = ["Account", "Grant"]


class Grant(NamedTuple):
    """To how many pages in all a shard is bound (None: no limit), and the number of the grant that says so."""

    pages: int | None = None
    number: int = 0


class Account:
    """The marks, the credit and the checkpoints of a shard. For the ledger's thread alone.

    State: up to which marks what others sent is safe; the grant; how many commits changed what is known, by now, and
    when the last checkpoint was cut and accepted.
    """

    def __init__(
        self, frontier: Frontier, outbox: Outbox, *, epoch: int, safe: Mapping[int, Mark], grant: Grant
    ) -> None:
        self._frontier = frontier
        self._outbox = outbox
        self._epoch = epoch
        self._safe = dict(safe)
        self._grant = Grant(frontier.allow(grant.pages), grant.number)
        self._work, self._work_cut, self._work_safe = 1, 0, 0

    def taken(self, sender: int) -> Mark:
        """Return up to which mark all is committed that a shard has sent."""
        return self._frontier.marks.get(sender, START)

    def receipt(self, sender: int) -> Receipt:
        """Return how far this shard is with what another one has sent."""
        return Receipt(self.taken(sender), self._safe.get(sender, START), self._epoch)

    def allow(self, grant: Grant) -> None:
        """Bind the shard to a new grant. An old one, which comes late, is ignored."""
        if grant.number > self._grant.number:
            self._grant = Grant(self._frontier.allow(grant.pages), grant.number)

    def accepted(self, marks: Mapping[int, Mark]) -> None:
        """Learn that the last cut is safe, with its marks."""
        self._safe |= marks
        self._work_safe = self._work_cut

    def committed(self, *, changed: bool) -> frozenset[int]:
        """Count a commit if it changed what is known; return the shards for which it has written rows."""
        self._work += changed
        return self._outbox.fresh()

    def cut(self, store: Store, sinks: Sequence[Sink], folder: Path) -> Cut:
        """Make a checkpoint of the store, right after a commit that sealed the sinks. Raises `StorageError`."""
        store.checkpoint(folder)
        self._work_cut = self._work
        counters = self._frontier.counters
        return Cut(
            folder=folder,
            parts=tuple(part for sink in sinks if isinstance(sink, Parts) for part in sink.closed()),
            marks=self._frontier.marks,
            pages=counters.pages,
            sent=counters.sent,
            taken=counters.received,
        )

    def standing(self, rests_as: Ended | None) -> Standing:
        """Return how far the shard is; `rests_as` says why it rests, None if it does not."""
        frontier, outbox = self._frontier, self._outbox
        unsafe = self._work_safe < self._work
        return Standing(
            resting=rests_as is not None,
            idle=rests_as is not None and outbox.is_empty and not unsafe,
            why=rests_as or "running",
            pages=frontier.counters.pages,
            credit=self._grant.pages,
            credit_number=self._grant.number,
            sent=frontier.counters.sent,
            taken=frontier.counters.received,
            unsafe=unsafe,
            outbox_bytes=outbox.size_bytes,
            wants_look=frontier.wants_look,
            looks=frontier.looks,
        )
