"""A place that is a folder of this machine, or one that several machines have mounted.

What is there appears whole: it is written under another name, synced, and renamed. What is on the same device already
is linked, not copied. Names are relative, with a slash between folders.
"""

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from crawler.core.errors import StorageError
from crawler.core.folders import make_folder, sync_folder
from crawler.core.printable import printable
from crawler.core.refusal import refusal
from crawler.core.symlinks import open_unlinked

__all__ = ["LocalFolder", "sync_file"]

_NO_LINKS = {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
"""What is said where a file cannot be linked: another device, a file system without links, too many of them."""


class LocalFolder:
    """The folder `path`. Has no state; any thread may use it. All methods raise `StorageError` if the disk refuses."""

    def __init__(self, path: Path, advice: str) -> None:
        self.path = path
        self._advice = advice

    def put(self, local: Path, name: str) -> None:
        """Have a file here as `name`, in the place of what has that name: linked if it can be, else copied."""
        with self._told(f"write {local.name} to"), self._aside(name) as aside:
            if not _linked(local, aside):
                _copy(local, aside)

    def write(self, name: str, content: bytes) -> None:
        """Write a small file, whole, in the place of what has that name."""
        with self._told("write to"), self._aside(name) as aside:
            _write(aside, content)

    def create(self, name: str, content: bytes) -> bool:
        """Write a small file if none has that name; False if one has. Of several who do it at once one succeeds."""
        path = self.path / name
        with self._told("create a file in"):
            make_folder(path.parent)
            aside = _beside(path)
            try:
                _write(aside, content)
                try:
                    os.link(aside, path)
                except FileExistsError:
                    # NFS: the answer to a first request was lost, and the second one met what the first had made.
                    if aside.stat().st_nlink == 1:
                        return False
                except OSError as error:
                    if error.errno in _NO_LINKS:
                        raise self._unlinkable(error) from None
                    raise
                sync_folder(path.parent)
            finally:
                with contextlib.suppress(OSError):
                    aside.unlink(missing_ok=True)
        return True

    def fetch(self, name: str, local: Path, *, link: bool = False) -> None:
        """Copy a file that is here to `local`, which must not be there; or `link` it, if nobody will write into it."""
        with self._told(f"fetch {name} from"):
            if not (link and _linked(self.path / name, local)):
                _copy(self.path / name, local)

    def read(self, name: str) -> bytes | None:
        """What a small file holds; None if it is not there."""
        with self._told("read"):
            try:
                return (self.path / name).read_bytes()
            except FileNotFoundError:
                return None

    def size(self, name: str) -> int | None:
        """The bytes of a file; None if it is not there."""
        with self._told("read"):
            try:
                return (self.path / name).stat().st_size
            except FileNotFoundError:
                return None

    def names(self, folder: str) -> list[str]:
        """The names in a folder; none if it is not there."""
        with self._told("read"):
            try:
                return os.listdir(self.path / folder)  # noqa: PTH208 - names are wanted
            except FileNotFoundError:
                return []

    def rename(self, name: str, to: str) -> bool:
        """Give a file another name, in the place of what has it; False if it is not there."""
        one, other = self.path / name, self.path / to
        with self._told("rename a file in"):
            make_folder(other.parent)
            try:
                one.replace(other)
            except FileNotFoundError:
                return False
            # Two links of one file are left as they are by a rename.
            one.unlink(missing_ok=True)
            sync_folder(other.parent)
        return True

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        with self._told("remove a file of"):
            (self.path / name).unlink(missing_ok=True)

    @contextlib.contextmanager
    def _aside(self, name: str) -> Iterator[Path]:
        """Give a path at which a file may be made that then takes the place of `name`."""
        path = self.path / name
        make_folder(path.parent)
        aside = _beside(path)
        try:
            yield aside
            aside.replace(path)
            sync_folder(path.parent)
        finally:
            with contextlib.suppress(OSError):
                aside.unlink(missing_ok=True)  # a rename leaves two links of one file as they are

    def _unlinkable(self, error: OSError) -> StorageError:
        return StorageError(
            f"cannot create a file in {printable(str(self.path))} so that only one of two succeeds: "
            f"its file system has no hard links ({error.strerror}); {self._advice}"
        )

    @contextlib.contextmanager
    def _told(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise refusal(f"{what} {printable(str(self.path))}", error, self._advice) from error


def sync_file(path: Path) -> None:
    """Wait until the bytes of a file are on the device. Raises `StorageError`."""
    try:
        fd = open_unlinked(path, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
    except OSError as error:
        raise refusal(f"write {printable(str(path))}", error, "choose another --job") from error


def _beside(path: Path) -> Path:
    """A name in the folder of a file that nobody else takes."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")


def _linked(local: Path, to: Path) -> bool:
    """Link a file, and wait until its bytes are on the device; False where that cannot be done."""
    try:
        os.link(local, to, follow_symlinks=False)
    except OSError as error:
        if error.errno in _NO_LINKS:
            return False
        raise
    sync_file(to)
    return True


def _copy(local: Path, to: Path) -> None:
    with local.open("rb") as source, os.fdopen(_new(to), "wb") as file:
        shutil.copyfileobj(source, file, 1 << 20)
        file.flush()
        os.fsync(file.fileno())


def _write(path: Path, content: bytes) -> None:
    with os.fdopen(_new(path), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _new(path: Path) -> int:
    return open_unlinked(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
