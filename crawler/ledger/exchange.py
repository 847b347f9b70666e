"""The face of a shard's ledger for the cluster: what other shards have sent, what is to be sent, credit, checkpoints.

Other threads ask, the ledger's thread answers between two results. What is taken is told after the commit that has it.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any, Final

from crawler.core.errors import RingEndedError, StorageError
from crawler.core.shard import START, Mark, Parcel, Receipt
from crawler.core.stats import Ended
from crawler.frontier.frontier import Frontier
from crawler.frontier.outbox import Outbox
from crawler.frontier.store import Store
from crawler.ledger.account import Account, Grant
from crawler.ledger.cut import Cut
from crawler.ledger.sinks.base import Sink

__all__ = ["Exchange"]

PARCELS_BYTES: Final = 16 << 20
"""Bytes of parcels that wait to be taken: of 64 shards each may have one here of 1,000 long links."""
_PARCELS_AT_ONCE: Final = 4
"""Parcels taken between two looks at the rest of the ring: about 20 ms of work each, if they are full."""
_STANDS_EVERY_S: Final = 0.05
_HAS_ENDED: Final = "the ring of this shard has ended"


class Exchange:
    """What a cluster and the ledger of one of its shards tell each other.

    The methods up to `lose` are for any thread, the others for the ledger's. Futures raise `RingEndedError` when the
    ring ends before they do, and `StorageError` when the disk refuses. Whoever uses it sets `on_news(destinations)`,
    which the ledger's thread calls when a commit has written rows for other shards. The ledger sets `changed()`, which
    wakes its thread, and the ring `on_lost()`, which ends it.

    State, under the lock: calls that the ledger's thread is to make, parcels that wait with their bytes, cuts that are
    asked for, how the ring is to end, whether it has ended. Of the ledger's thread: whom to tell after the commit, the
    account, and when it was looked at. `standing` is replaced whole. `draining` is set by the ring: from then on
    nothing waits for others.
    """

    def __init__(
        self, frontier: Frontier, outbox: Outbox, *, epoch: int, safe: Mapping[int, Mark], grant: Grant
    ) -> None:
        self._frontier = frontier
        self._outbox = outbox
        self._account = Account(frontier, outbox, epoch=epoch, safe=safe, grant=grant)
        self.on_news: Callable[[frozenset[int]], None] = _ignored
        self.on_lost: Callable[[], None] = _ignored
        self.changed: Callable[[], None] = _ignored
        self._lock = threading.Lock()
        self._calls: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._parcels: deque[tuple[Future[Receipt], Parcel]] = deque()
        self._parcels_bytes = 0
        self._cuts: deque[tuple[Future[Cut], Path]] = deque()
        self._ending: tuple[Future[Cut | None], Ended, Path | None] | None = None
        self._ended = False
        self.draining = False
        self._taken: list[tuple[Future[Receipt], int]] = []
        self._stood_at = float("-inf")
        self.standing = self._account.standing(None)

    # Any thread

    def post(self, parcel: Parcel) -> "Future[Receipt]":
        """Give what another shard has sent; it is told after the commit that has it.

        If it cannot be taken now, the receipt comes soon, and `taken` is less than the parcel's mark: too many wait, or
        one before it is missing. The sender goes on from there, after a pause.
        """
        size = len(parcel.links)
        with self._lock:
            has_room = not self._parcels or self._parcels_bytes + size <= PARCELS_BYTES
            self._parcels_bytes += size if has_room else 0
        if not has_room:
            return self.ask(parcel.sender)
        return self._put(self._parcels, parcel)

    def ask(self, sender: int) -> "Future[Receipt]":
        """Tell how far this shard is with what another one has sent."""
        return self._put(self._calls, partial(self._account.receipt, sender))

    def waiting(self, destination: int, after: Mark = START, most: int = 8) -> "Future[list[Parcel]]":
        """Return committed rows for another shard, those behind a mark, in their order."""
        return self._put(self._calls, partial(self._outbox.waiting, destination, after, most))

    def receipt(self, destination: int, receipt: Receipt) -> None:
        """Learn how far another shard is: what is safe there is forgotten here."""
        self._put(self._calls, partial(self._outbox.forget, destination, receipt.safe))

    def allow(self, pages: int | None, number: int) -> None:
        """Let the shard have so many pages in all; None: as many as there are. A number that is not new is ignored.

        What is handed out may become pages, so it may be bound to more than that: `standing` says to how many.
        """
        self._put(self._calls, partial(self._account.allow, Grant(pages, number)))

    def look(self, number: int) -> None:
        """Have the frontier take a second look: all shards rest."""
        self._put(self._calls, partial(self._frontier.look, number))

    def checkpoint(self, folder: Path) -> "Future[Cut]":
        """Cut the store and the outputs at one commit. `folder`, not there yet, gets the files of the store."""
        return self._put(self._cuts, folder)

    def safe(self, marks: Mapping[int, Mark]) -> None:
        """Learn that the last cut is in a checkpoint that the coordinator has accepted, with its marks."""
        self._put(self._calls, partial(self._account.accepted, dict(marks)))

    def end(self, why: Ended, folder: Path | None = None) -> "Future[Cut | None]":
        """Have the ring drain and end. `folder`, if given, gets a checkpoint that is cut at its last commit.

        What the first call says counts.
        """
        with self._lock:
            if self._ending is None:
                self._ending = Future(), why, folder
                if self._ended:
                    self._ending[0].set_exception(RingEndedError(_HAS_ENDED))
            done = self._ending[0]
        self.changed()
        return done

    def lose(self) -> None:
        """Learn that the lease is lost: the ring ends at once, asks nobody, and raises `LeaseLostError`."""
        self.on_lost()

    def _put(self, queue: "deque[tuple[Future[Any], Any]]", what: Any) -> "Future[Any]":
        future: Future[Any] = Future()
        with self._lock:
            if self._ended:
                future.set_exception(RingEndedError(_HAS_ENDED))
            else:
                queue.append((future, what))
        self.changed()
        return future

    # The ledger's thread

    @property
    def are_waiting(self) -> bool:
        """Whether there is something to do now."""
        return bool(self._calls or self._parcels or self._cuts)

    @property
    def is_full(self) -> bool:
        """Whether nothing is to be read or asked for until others have taken more; not while the ring drains."""
        return self._outbox.is_full and not self.draining

    @property
    def wants_cut(self) -> bool:
        """Whether the next commit is to be a checkpoint."""
        return bool(self._cuts)

    @property
    def ends_as(self) -> Ended | None:
        """Why the ring is to end; None as long as nobody wants that."""
        return None if self._ending is None else self._ending[1]

    @property
    def ends_sealed(self) -> bool:
        """Whether the last commit is to be a checkpoint."""
        return self._ending is not None and self._ending[2] is not None

    def serve(self, now: float) -> None:
        """Answer who has asked, and take a few parcels into the open batch. `now` is unix time."""
        # What raises stays where it is: it breaks the ring, and `close` tells those who wait.
        for _ in range(len(self._calls)):
            future, function = self._calls[0]
            result = function()
            self._calls.popleft()
            _settle(future, result)
        for _ in range(min(len(self._parcels), _PARCELS_AT_ONCE)):
            told, parcel = self._parcels[0]
            is_taken = self._frontier.receive(parcel, now)
            self._parcels.popleft()
            with self._lock:
                self._parcels_bytes -= len(parcel.links)
            if is_taken and self._account.taken(parcel.sender) < parcel.mark:
                self._taken.append((told, parcel.sender))
            else:
                _settle(told, self._account.receipt(parcel.sender))

    def committed(self, *, changed: bool) -> None:
        """Learn that the open batch was committed, and whether it changed what is known."""
        taken, self._taken = self._taken, []
        news = self._account.committed(changed=changed or bool(taken))
        for told, sender in taken:
            _settle(told, self._account.receipt(sender))
        if news:
            self.on_news(news)

    def cut(self, store: Store, sinks: Sequence[Sink], *, last: bool = False) -> None:
        """Make the checkpoints that are asked for, right after the commit that sealed the sinks.

        `last`: it was the last one. Whoever waits for the end is told.
        """
        asked: list[tuple[Future[Any], Path | None]] = [self._cuts.popleft() for _ in range(len(self._cuts))]
        if last and self._ending is not None:
            asked.append((self._ending[0], self._ending[2]))
        for done, folder in asked:
            try:
                result = None if folder is None else self._account.cut(store, sinks, folder)
            except StorageError as error:
                _settle(done, error=error)
            else:
                _settle(done, result)

    def stand(self, rests_as: Callable[[], Ended | None]) -> None:
        """Tell how far the shard is; `rests_as()` says why nothing is to be done here, None if something is.

        That it rests holds until the next turn of the ledger's thread, and not a moment longer: whoever ends a crawl
        goes by it. That it does not is told a few times a second.
        """
        now = time.monotonic()
        if self.standing.resting or now - self._stood_at >= _STANDS_EVERY_S:
            self._stood_at = now
            self.standing = self._account.standing(None if self.are_waiting or self._taken else rests_as())

    def close(self) -> None:
        """Learn that the ring has ended: nobody is answered any more."""
        with self._lock:
            self._ended = True
        asked: list[Future[Any]] = [one[0] for one in (*self._calls, *self._parcels, *self._cuts, *self._taken)]
        if self._ending is not None and not self._ending[0].done():
            asked.append(self._ending[0])
        for future in asked:
            _settle(future, error=RingEndedError(_HAS_ENDED))


def _ignored(*_: Any) -> None:
    """Do nothing: nobody is to be told yet."""


def _settle(future: "Future[Any]", result: Any = None, error: BaseException | None = None) -> None:
    """End a future, unless who waited for it has gone."""
    if not future.set_running_or_notify_cancel():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
