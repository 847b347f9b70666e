"""The files of a shard's store, kept elsewhere: brought with each checkpoint as far as they are new, and fetched.

RocksDB writes a file of rows once. So a checkpoint brings what was written since the one before, and names the rest.
"""

import os
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from crawler.core.errors import StorageError
from crawler.core.folders import make_folder, sync_folder
from crawler.core.printable import printable
from crawler.core.refusal import refusal
from crawler.shards.checkpoint import Listing, StoreFile
from crawler.shards.patience import Patience
from crawler.shards.place import Place

__all__ = ["KeptStore"]

_NEVER_CHANGED: Final = re.compile(r"\d+\.sst|OPTIONS-\d+")
_KEPT: Final = re.compile(r"\.?(\d{8})-\d{8}-.+")
_INSIDE_BYTES: Final = 4096
"""Up to this size a file stands in the listing: each one of its own is one more request."""
_ADVICE: Final = "choose another --job, or make room"


class KeptStore:
    """What `place` keeps of one shard's store. `epoch` is that of the lease of whoever uses it, in one thread.

    Names of what it brings hold the epoch, so nobody else writes or removes them; it removes what nobody can name any
    more. Raises `StorageError`. Has no state but the names that it has brought.
    """

    def __init__(self, place: Place, epoch: int, patience: Patience) -> None:
        self._place = place
        self._epoch = epoch
        self._patience = patience
        self._over_network = place.path is None
        self._brought: set[str] = set()

    def listing(self, name: str) -> Listing:
        """Return what a checkpoint is made of."""
        content = self._patience.until_done(partial(self._place.read, name))
        if content is None:
            raise StorageError(f"{self._place.shown}/{name} is gone, and the checkpoint with it: put it back")
        try:
            return msgspec.json.decode(content, type=Listing)
        except msgspec.MsgspecError as error:
            raise StorageError(f"{self._place.shown}/{name} is damaged ({error}): put it back as it was") from None

    def bring(self, number: int, folder: Path, before: Listing) -> tuple[StoreFile, ...]:
        """Bring the files of a store for checkpoint `number`; those that the listing `before` has are there."""
        there = {(file.name, file.size): file for file in before.files if _NEVER_CHANGED.fullmatch(file.name)}
        try:
            sizes = {name: (folder / name).stat().st_size for name in sorted(os.listdir(folder))}  # noqa: PTH208
        except OSError as error:
            raise refusal(f"read {printable(str(folder))}", error, _ADVICE) from error
        calls = [partial(self._file, number, folder / name, size, there) for name, size in sizes.items()]
        return tuple(self._patience.each(calls, at_once=self._over_network))

    def write_listing(self, number: int, listing: Listing) -> str:
        """Write what checkpoint `number` is made of, after all that it names is there; return the name of the file."""
        name = self._named(number, "listing.json")
        content = msgspec.json.format(msgspec.json.encode(listing), indent=1)
        self._patience.until_done(partial(self._place.write, name, content + b"\n"))
        return name

    def fetch(self, listing: Listing, folder: Path) -> None:
        """Have the files of a checkpoint in a new folder, all of them on the device."""
        try:
            make_folder(folder)
            calls = [partial(self._fetch, file, folder / file.name) for file in listing.files]
            self._patience.each(calls, at_once=self._over_network)
            sync_folder(folder)
        except OSError as error:
            raise refusal(f"write {printable(str(folder))}", error, _ADVICE) from error

    def forget(self, listing: Listing, name: str) -> None:
        """Remove what the checkpoint with this listing, the newest that counts, has made needless.

        That is what an earlier one named, and what was brought for one that did not come about. Names that holders of
        later leases have brought are left alone: this one may have slept.
        """
        needed = {name, *(file.stored_as for file in listing.files)}
        for old in sorted(self._brought - needed):
            self._patience.until_done(partial(self._place.remove, old))
        self._brought = needed

    def begin(self, listing: Listing, name: str) -> None:
        """Remove what holders of earlier leases have left and the last checkpoint, with this listing, does not name."""
        needed = {name, *(file.stored_as for file in listing.files)}
        for old in self._patience.until_done(self._place.names):
            match = _KEPT.fullmatch(old)
            if match and int(match[1]) < self._epoch and old not in needed:
                self._patience.until_done(partial(self._place.remove, old))
        self._brought = needed

    def _file(self, number: int, path: Path, size: int, there: Mapping[tuple[str, int], StoreFile]) -> StoreFile:
        known = there.get((path.name, size))
        if known is not None:
            return known
        if size <= _INSIDE_BYTES:
            return StoreFile(path.name, "", size, _read(path))
        name = self._named(number, path.name)
        self._brought.add(name)
        self._place.put(path, name)
        return StoreFile(path.name, name, size)

    def _fetch(self, file: StoreFile, path: Path) -> None:
        path.unlink(missing_ok=True)  # of an attempt before
        if file.content is not None:
            with path.open("xb") as written:
                written.write(file.content)
                written.flush()
                os.fsync(written.fileno())
        else:
            self._place.fetch(file.stored_as, path, link=_NEVER_CHANGED.fullmatch(file.name) is not None)
        size = path.stat().st_size
        if size != file.size:
            raise StorageError(
                f"{self._place.shown}/{file.stored_as} has {size:,} bytes, and had {file.size:,} when it was kept"
            )

    def _named(self, number: int, name: str) -> str:
        return f"{self._epoch:08}-{number:08}-{name}"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise refusal(f"read {printable(str(path))}", error, _ADVICE) from error
