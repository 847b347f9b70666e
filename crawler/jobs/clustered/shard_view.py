"""One shard of a job, opened for reading: in its own folder if that is here, else from its last checkpoint."""

from collections.abc import Callable
from pathlib import Path

from crawler.core.errors import JobError, StorageError
from crawler.core.quantity import count
from crawler.frontier.store import Store
from crawler.jobs.opening import is_running, opened_store
from crawler.shards.kept_store import KeptStore
from crawler.shards.patience import Patience
from crawler.shards.place import Place
from crawler.shards.state import ShardState

__all__ = ["ShardView", "shard_folder"]


def shard_folder(place: Place, number: int) -> Path | None:
    """Return the folder in which a shard works, if the place is a folder: a job of its own. None at a URL."""
    return None if place.path is None else place.path / "shards" / f"{number:03}"


class ShardView:
    """One shard, whose `store` is opened or fetched when it is first asked for.

    A folder here is worth nothing once the shard has gone on from a checkpoint elsewhere: then it is of an earlier
    incarnation than the state of the job says, and the checkpoint is read, as where there is no folder.

    State: the store and the folder that it lies in, whether a crawl ran the shard when it was opened, and whether all
    of that was found out.
    """

    def __init__(self, place: Place, number: int, state: ShardState, aside: Callable[[], Path]) -> None:
        """`aside` returns a folder for what is fetched; it is called if something is."""
        self.number = number
        self.state = state
        self.folder: Path | None = None
        self.was_running = False
        self.is_fetched = False
        self._place = place
        self._aside = aside
        self._store: Store | None = None
        self._is_known = False

    @property
    def store(self) -> Store | None:
        """The store; None for a shard that has brought nothing yet.

        Raises `StorageError` if it cannot be had, `JobError` if it is of a version that this one cannot read.
        """
        if not self._is_known:
            self._store = self._own() or self._fetched()
            self._is_known = True
        return self._store

    @property
    def is_running(self) -> bool:
        """Whether a crawl runs the shard in its folder here."""
        folder = shard_folder(self._place, self.number)
        return folder is not None and is_running(folder)

    @property
    def is_open(self) -> bool:
        """Whether the store was asked for, and is there."""
        return self._store is not None

    def close(self) -> None:
        """Let go of the store."""
        if self._store is not None:
            self._store.close()

    def _own(self) -> Store | None:
        folder = shard_folder(self._place, self.number)
        if folder is None or not (folder / "state" / "CURRENT").exists():
            return None
        self.was_running = is_running(folder)
        store = opened_store(folder)
        if (store.meta("incarnation") or 0) >= self.state.incarnation:
            self.folder = folder
            return store
        store.close()
        self.was_running = False
        return None

    def _fetched(self) -> Store | None:
        checkpoint = self.state.checkpoint
        if checkpoint is None:
            return None
        folder = self._aside() / f"{self.number:03}"
        of = f"shard {self.number} of {self._place.shown} cannot be read from its checkpoint {count(checkpoint.number)}"
        try:
            kept = KeptStore(self._place.at(f"checkpoints/{self.number:03}"), 0, Patience(lambda: False))
            kept.fetch(kept.listing(checkpoint.listing), folder / "state")
            store = opened_store(folder)
        except StorageError as error:
            raise StorageError(f"{of}: {error}") from error
        except JobError as error:
            raise JobError(f"{of}: {error}") from error
        self.folder, self.is_fetched = folder, True
        return store
