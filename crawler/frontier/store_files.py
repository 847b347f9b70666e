"""The files of a store in their folder: which are ours, so that no other file is ever written over or removed.

A store that is made gets a mark first. Stores of earlier versions have none; they are known by their tables. The folder
of a job that starts over is put aside, and comes back if the job could not begin:

    state            the store
    state.earlier    the store as it was before the job started over, until the new one has begun
    state.gone       a store that is being removed
"""

import contextlib
import errno
import os
import re
from pathlib import Path

import msgspec
import rocksdict

from crawler.core.errors import JobError
from crawler.core.folders import make_folder, sync_folder
from crawler.core.printable import printable
from crawler.core.symlinks import refuse_link
from crawler.frontier.view import opened_view

__all__ = ["StoreFiles", "is_marked", "mark_store", "prepare_store", "refuse_foreign"]

MARK = "CRAWLER"
"""The file that says whose store this is."""

_OURS = re.compile(
    r"CURRENT|IDENTITY|LOCK|LOG(\.old\.\d+)?|MANIFEST-\d+|OPTIONS-\d+(\.dbtmp)?|\d+\.(sst|log|blob|dbtmp)"
    rf"|rocksdict-config\.json|{MARK}"
)
_ADVICE = "choose another --job, or move it away"


def refuse_foreign(path: Path) -> None:
    """Raise `JobError` if something is there that is no store of ours. Writes nothing. Raises OSError."""
    if not path.exists() and not path.is_symlink():
        return
    if not path.is_dir():
        raise JobError(f"{printable(str(path))} is there and is no folder of a crawl's state: {_ADVICE}")
    names = os.listdir(path)  # noqa: PTH208 - names are wanted
    for name in names:  # RocksDB follows them
        refuse_link(path / name)
    if not names or MARK in names or _has_our_tables(path):
        return
    shown = printable(min(names))
    raise JobError(f"{printable(str(path))} is there and holds no state of a crawl, but {shown}: {_ADVICE}")


def prepare_store(path: Path) -> None:
    """Make the folder of a store, with its mark, if it is not there. Raises `JobError` as `refuse_foreign`, OSError."""
    refuse_foreign(path)
    make_folder(path)
    if not os.listdir(path):  # noqa: PTH208 - names are wanted
        mark_store(path)


def mark_store(path: Path) -> None:
    """Say in a folder that the store in it is ours. Raises OSError."""
    (path / MARK).write_text("The state of a crawl, see docs/design.md of crawler. RocksDB writes the files here.\n")
    sync_folder(path)


def _has_our_tables(path: Path) -> bool:
    """Whether a database has the tables of a store, of whatever version."""
    try:
        if not {"meta", "urls"} <= set(rocksdict.Rdict.list_cf(str(path))):
            return False
        meta = opened_view(path, ["meta"])
        try:
            found = meta.get_column_family("meta").get(b"versions")
        finally:
            meta.close()
        return found is not None and "normal_form" in msgspec.msgpack.decode(found)
    except Exception:  # noqa: BLE001 - rocksdict raises bare Exception: what cannot be read is not known to be ours
        return False


class StoreFiles:
    """The folder of a job's store, whole: put aside, brought back, removed. No store may be open in it.

    A link of this user's to a store elsewhere stays; what happens, happens there. Files that a store does not have stay
    too. All methods raise OSError, and `JobError` for a folder that is not ours.
    """

    def __init__(self, path: Path) -> None:
        self._link = path
        self._path = path.resolve()
        self._earlier = self._path.with_name(f"{self._path.name}.earlier")
        self._gone = self._path.with_name(f"{self._path.name}.gone")

    def refuse_links(self) -> None:
        """Raise OSError for a link in a store's place, unless it is this user's and leads to a store that is there."""
        for path in (self._link, self._earlier, self._gone):
            if path.is_symlink() and not (path == self._link and _is_own(path) and _holds_a_store(path)):
                refuse_link(path)

    def recover(self) -> None:
        """Bring back a store that was put aside for one that did not begin, and end a removal that was broken off."""
        if is_marked(self._gone):
            _remove(self._gone)
        self.bring_back()

    def put_aside(self) -> None:
        """Make room for a new store."""
        if not self._path.is_dir():
            return
        refuse_foreign(self._path)
        others = sorted(name for name in os.listdir(self._path) if not _OURS.fullmatch(name))  # noqa: PTH208 - as above
        if others:
            raise JobError(
                f"{printable(str(self._path / others[0]))} is no file of a crawl's state: move it away first"
            )
        if not _holds_a_store(self._path):
            self.remove()
            return
        # One of an earlier version gets its mark now: it must be known again if this is broken off.
        (self._path / MARK).touch()
        sync_folder(self._path)
        self._move(self._path, self._earlier)

    def bring_back(self) -> None:
        """Have the store again that was put aside, if there is one, instead of that which was made in its place."""
        if not is_marked(self._earlier):
            return
        self.remove()
        self._move(self._earlier, self._path)

    def forget_earlier(self) -> None:
        """Remove what was put aside."""
        if is_marked(self._earlier):
            self._remove_whole(self._earlier)

    def remove(self, *, keep_folder: bool = False) -> None:
        """Remove the store, and its folder unless that is to stay. What is somebody else's stays as it is."""
        if not self._path.is_dir():
            return
        try:
            refuse_foreign(self._path)
        except JobError:
            return
        self._remove_whole(self._path)
        if keep_folder:
            self._path.mkdir(exist_ok=True)

    def _remove_whole(self, path: Path) -> None:
        # Half of a store must never be taken for one.
        if any(not _OURS.fullmatch(name) for name in os.listdir(path)):  # noqa: PTH208 - names are wanted
            _remove(path)
            return
        (path / MARK).touch()
        self._move(path, self._gone)
        _remove(self._gone)

    def _move(self, one: Path, other: Path) -> None:
        if other.exists():  # a rename would replace an empty folder
            raise FileExistsError(errno.EEXIST, f"{other.name} is in the way", str(other))
        one.rename(other)
        sync_folder(other.parent)


def is_marked(path: Path) -> bool:
    """Whether a folder holds a store, or the rest of one, that this version or a later one has made."""
    return (path / MARK).is_file() and not path.is_symlink()


def _is_own(link: Path) -> bool:
    return link.lstat().st_uid == os.geteuid()


def _holds_a_store(path: Path) -> bool:
    return (path / "CURRENT").exists()


def _remove(path: Path) -> None:
    """Remove the files of a store, its mark at last, and the folder if nothing else is in it."""
    ours = [name for name in os.listdir(path) if _OURS.fullmatch(name)]  # noqa: PTH208 - names are wanted
    for name in sorted(ours, key=lambda name: name == MARK):
        (path / name).unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        path.rmdir()
