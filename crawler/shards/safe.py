"""One shard's way to safety and back: what its process does to bring checkpoints, and to begin from the last one.

    cut        at a commit: the store's files and the closed parts (the ledger does this)
    upload     the new ones go up, then the listing that names all
    offer      the coordinator writes the checkpoint into its next state: from then on it counts
    accept     the parts get their public names; what is superseded goes, there and here

Killed at any instant, the next `begin` makes it right from the checkpoint that counts: what it has and is not public
gets its name, and what was brought for one that does not count goes.
"""

import contextlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from crawler.core.folders import make_folder, sync_folder
from crawler.core.printable import printable
from crawler.core.refusal import refusal
from crawler.core.symlinks import refuse_link
from crawler.frontier.store_files import StoreFiles
from crawler.ledger.cut import Cut
from crawler.ledger.sinks.parts import note_public, parts_folder
from crawler.shards.checkpoint import Checkpoint, Listing, OutputTotal, Part
from crawler.shards.kept_store import KeptStore
from crawler.shards.patience import Patience
from crawler.shards.place import Place
from crawler.shards.publication import Publication

__all__ = ["Safe"]

_ADVICE: Final = "choose another --job, or make it writable"


class Safe:
    """What one holder of a shard keeps elsewhere. Its methods block; one thread at a time uses it, not the ledger's.

    `folder` is the shard's own on this machine, `place` where its checkpoints are kept, `outputs` are the public
    folders of its outputs, whose parts have these `endings`. `accepted` is its last checkpoint in the coordinator's
    state, None for a shard that has none. What a storage refuses is tried again while `may_go_on()`; then it is a
    `StorageError`.

    State: the checkpoint that counts, with its listing, once it was read; what was uploaded and waits to count.
    """

    def __init__(
        self,
        folder: Path,
        place: Place,
        outputs: Sequence[Place],
        *,
        shard: int,
        epoch: int,
        incarnation: int,
        endings: Sequence[str],
        accepted: Checkpoint | None,
        may_go_on: Callable[[], bool] = lambda: True,
    ) -> None:
        patience = Patience(may_go_on)
        self._folder = folder
        self._epoch = epoch
        self._incarnation = incarnation
        self._kept = KeptStore(place, epoch, patience)
        self._publication = Publication(outputs, shard, epoch, patience)
        self._none = tuple(OutputTotal(ending) for ending in endings)
        self._accepted = accepted
        self._listing: Listing | None = None
        self._offered: tuple[Checkpoint, Listing] | None = None

    @property
    def cut_folder(self) -> Path:
        """Where the next cut is to be made: on the disk of the store. `begin` and `accept` see that it is not there."""
        return self._folder / "cut"

    def restore(self) -> None:
        """Make the shard's folder anew, from the checkpoint that counts; without one it is empty.

        Killed in between, there is no store in it: whoever begins the shard next does it again.
        """
        coming, state = self._folder / "state.coming", self._folder / "state"
        with self._told("restore"):
            self._remove_cut()
            _remove(self._folder / "parts")
            _remove(coming)
            StoreFiles(state).remove()
            if self._accepted is None:
                return
            self._kept.fetch(self._known(), coming)
            self._note_public()
            coming.rename(state)
            sync_folder(self._folder)

    def begin(self) -> None:
        """End what an earlier holder of the shard has left undone, before its ring begins."""
        with self._told("write"):
            make_folder(self._folder)
            self._remove_cut()
        listing = self._known()
        self._publication.publish(listing.parts)
        self._publication.begin()
        self._kept.begin(listing, "" if self._accepted is None else self._accepted.listing)
        self._note_public()

    def upload(self, cut: Cut) -> Checkpoint:
        """Bring a cut; return the checkpoint to offer to the coordinator.

        It is offered until there is an answer, and no other cut is uploaded before it was accepted.
        """
        if self._offered is not None:
            raise RuntimeError("a checkpoint waits to be accepted")
        number = 1 if self._accepted is None else self._accepted.number + 1
        before = self._none if self._accepted is None else self._accepted.outputs
        files = self._kept.bring(number, cut.folder, self._known())
        parts = self._publication.stage(number, cut.parts, before)
        listing = Listing(files, parts)
        checkpoint = Checkpoint(
            number=number,
            epoch=self._epoch,
            incarnation=self._incarnation,
            listing=self._kept.write_listing(number, listing),
            bytes=sum(file.size for file in files),
            outputs=_totals(before, parts),
            marks=cut.marks,
            pages=cut.pages,
            sent=cut.sent,
            taken=cut.taken,
        )
        self._offered = checkpoint, listing
        return checkpoint

    def accept(self) -> int:
        """Learn that the checkpoint counts that `upload` gave: publish its parts, remove what it makes needless.

        Return its number: from now on its parts have their public names.
        """
        if self._offered is None:
            raise RuntimeError("no checkpoint was uploaded")
        (self._accepted, self._listing), self._offered = self._offered, None
        self._publication.publish(self._listing.parts)
        self._note_public()
        self._kept.forget(self._listing, self._accepted.listing)
        with self._told("write"):
            self._remove_cut()
        return self._accepted.number

    def _known(self) -> Listing:
        """The listing of the checkpoint that counts."""
        if self._listing is None:
            self._listing = Listing() if self._accepted is None else self._kept.listing(self._accepted.listing)
        return self._listing

    def _note_public(self) -> None:
        """Let this disk know up to where parts are public, so that they go here."""
        for output, total in enumerate(() if self._accepted is None else self._accepted.outputs):
            note_public(parts_folder(self._folder, output), total.parts)

    def _remove_cut(self) -> None:
        _remove(self.cut_folder)
        _remove(self.cut_folder.with_name(f"{self.cut_folder.name}.tmp"))  # one that RocksDB has not ended

    @contextlib.contextmanager
    def _told(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise refusal(f"{what} {printable(str(self._folder))}", error, _ADVICE) from error


def _remove(folder: Path) -> None:
    """Remove a folder of the shard's, with all that is in it. Raises OSError, also for a link in its place."""
    refuse_link(folder)
    if folder.exists():
        shutil.rmtree(folder)


def _totals(before: Sequence[OutputTotal], parts: Sequence[Part]) -> tuple[OutputTotal, ...]:
    after = list(before)
    for part in parts:
        total = after[part.output]
        after[part.output] = msgspec.structs.replace(
            total, parts=part.number, records=total.records + part.records, bytes=total.bytes + part.bytes
        )
    return tuple(after)
