"""Where something of a job lies that all its machines reach: a folder that they share, or a URL of object storage.

Only one operation is more than any storage can do: to create a file that is not there, so that of two who do it one
fails. On a disk that is link(2) of a file that was written and synced under another name; S3 and Google's storage have
conditions for it. All other storages are refused where it is needed.
"""

import secrets
from pathlib import Path
from typing import Final, Protocol

from crawler.core.errors import ConfigError, StorageError
from crawler.core.printable import printable
from crawler.ledger.sinks.outputs import is_remote
from crawler.ledger.sinks.remote.object_storage import CREATES, ObjectStorage
from crawler.shards.local_folder import LocalFolder, sync_file

__all__ = ["Place"]

_FILE: Final = "file://"


class _Storage(Protocol):
    def put(self, local: Path, relative: str, /) -> None: ...
    def write(self, relative: str, content: bytes, /) -> None: ...
    def create(self, relative: str, content: bytes, /) -> bool: ...
    def read(self, relative: str, /) -> bytes | None: ...
    def size(self, relative: str, /) -> int | None: ...
    def names(self, relative: str, /) -> list[str]: ...
    def rename(self, relative: str, to: str, /) -> bool: ...
    def remove(self, relative: str, /) -> None: ...


class Place:
    """A folder that all machines of a job reach: `address` is a path, `file://` and a path, or a URL of object storage.

    `shown` is the address without user name and password, `path` the folder if it is one of this machine. Names are
    relative, with a slash between folders. Whatever is written is whole when it is seen, and safe when the call ends.
    Any thread may use it, several at a time. Errors call it `called`. All methods raise `StorageError` when the storage
    refuses; no error shows a secret.

    Raises `ConfigError` for a URL that no installed driver knows.
    """

    def __init__(self, address: str | Path, *, called: str = "--job") -> None:
        text = str(address)
        is_path = text.startswith(_FILE) or not is_remote(text)
        self._called = called
        self._prefix = ""
        self.shown = printable(text)
        self.path = Path(text.removeprefix(_FILE)) if is_path else None
        if self.path is not None:
            self._folder = LocalFolder(self.path, f"choose another {called}")
            self._storage: _Storage = self._folder
        else:
            self._remote = ObjectStorage(text.rstrip("/"), called=called)
            self._storage = self._remote
            self._prefix = f"{self._remote.name}/" if self._remote.name else ""

    def __repr__(self) -> str:
        return f"<Place {self.shown}>"

    def at(self, folder: str) -> "Place":
        """Return the place inside of this one; nothing is made."""
        inner: Place = object.__new__(Place)
        inner.__dict__.update(self.__dict__)
        inner.shown = f"{self.shown.rstrip('/')}/{folder}"
        if self.path is not None:
            inner.path = self.path / folder
            inner._storage = inner._folder = LocalFolder(inner.path, f"choose another {self._called}")
        else:
            inner._prefix = f"{self._prefix}{folder}/"
        return inner

    def check(self, *, exclusive: bool = True) -> None:
        """Find out at the start what would only be found out later: no connection, no right, no room.

        With `exclusive` (the default) also that of two who create one file only one succeeds. It is tried, as some
        storages that speak S3 do not heed the condition. Raises `ConfigError` where it cannot be done.
        """
        if self.path is None:
            self._remote.check()
        probe = f".probe-{secrets.token_hex(8)}"
        if not exclusive:
            self.write(probe, b"")
            self.remove(probe)
            return
        self._refuse_other_schemes()
        try:
            once, twice = self.create(probe, b"1"), self.create(probe, b"2")
        finally:
            self.remove(probe)
        if not once or twice:
            raise ConfigError(
                f"{self._called} {self.shown}: this storage does not keep a second writer from creating an object that "
                "is there (If-None-Match), without which two could run one job: choose another"
            )

    def put(self, local: Path, name: str) -> None:
        """Have a file there as `name`, in the place of what has that name; a hard link where that can be."""
        self._storage.put(local, self._prefix + name)

    def write(self, name: str, content: bytes) -> None:
        """Write a small file, in the place of what has that name."""
        self._storage.write(self._prefix + name, content)

    def create(self, name: str, content: bytes) -> bool:
        """Write a small file if none has that name; False if one has. Of several who do it at once one succeeds.

        A driver that asks again after an answer was lost may meet its own file: read what is there before you believe a
        False. Raises `ConfigError` for a storage that cannot do it in one step.
        """
        self._refuse_other_schemes()
        return self._storage.create(self._prefix + name, content)

    def read(self, name: str) -> bytes | None:
        """What a small file holds; None if it is not there."""
        return self._storage.read(self._prefix + name)

    def size(self, name: str) -> int | None:
        """The bytes of a file; None if it is not there."""
        return self._storage.size(self._prefix + name)

    def names(self, folder: str = "") -> list[str]:
        """The names in a folder, files and folders, sorted; none if it is not there."""
        return sorted(name for name in self._storage.names(self._prefix + folder) if name)

    def rename(self, name: str, to: str) -> bool:
        """Give a file another name, in the place of what has it; False if it is not there.

        Object storages copy and then remove: whoever is killed in between has both, and does it again.
        """
        return self._storage.rename(self._prefix + name, self._prefix + to)

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        self._storage.remove(self._prefix + name)

    def fetch(self, name: str, to: Path, *, link: bool = False) -> None:
        """Copy a file to `to`, which must not be there; a hard link where that can be, with `link`: if nobody writes
        into it. It is an error if the file is not there.
        """
        if self.path is not None:
            self._folder.fetch(name, to, link=link)
            return
        self._remote.fetch(self._prefix + name, to)
        size = self.size(name)
        if size != to.stat().st_size:
            raise StorageError(f"cannot fetch {name} from {self.shown}: it has {size} bytes, and not all came")
        sync_file(to)

    def _refuse_other_schemes(self) -> None:
        if self.path is None and self._remote.scheme not in CREATES:
            raise ConfigError(
                f"{self._called} {self.shown}: a job of many shards needs a storage that creates a file only if it is "
                f"not there, in one step: a shared folder, or {', '.join(f'{one}://' for one in sorted(CREATES))}"
            )
