"""Object storage by URL, through fsspec: put a file there, fetch it, ask what is there, remove it.

Credentials come from the environment or the settings files that each driver reads (for S3 those of boto3, for any
driver also fsspec's own: `FSSPEC_S3_ENDPOINT_URL`). They never get into an error message.
"""

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from crawler.core.errors import ConfigError, StorageError
from crawler.core.extras import install, needed
from crawler.core.printable import printable

__all__ = ["CREATES", "ObjectStorage"]

_BUCKETS = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss"}
"""Storages whose objects appear whole, and that have no folders. The first part of a path is a bucket."""

CREATES = frozenset({"s3", "s3a", "gs", "gcs"})
"""Storages that write an object only if there is none, in one step: by `If-None-Match`, by `ifGenerationMatch`.

A driver of any other one asks first and writes then, which two may do at once.
"""

_SECRET_NAME = re.compile("key|secret|token|password|passwd|credential|connection_string|sas", re.IGNORECASE)
_LEAST_SECRET_CHARS = 6
_REASON_CHARS = 300


class ObjectStorage:
    """The place that a URL names, `s3://bucket/folder/pages.jsonl`: `folder` and `name` are the parts of its path.

    `shown` is the URL without user name and password, `scheme` is in small letters. Any thread may use it, several at a
    time. All methods raise `StorageError` when the storage refuses. Errors call it `called`, as whoever named it does.

    Raises `ConfigError` for a scheme that no installed driver knows, and for one that cannot be written.
    """

    def __init__(self, url: str, *, called: str = "output") -> None:
        self.shown = printable(url)
        self._secrets = _secrets(url)
        named = f"{called} {self.shown}"
        fsspec = needed("fsspec", "remote", named)
        self.scheme = scheme = url.partition(":")[0].lower()
        if scheme in ("http", "https"):
            raise ConfigError(f"{named}: {scheme} is for reading; name the storage's own scheme, like s3://")
        try:
            # An instance of its own: what others set on a shared one would count here. No memory of what is there:
            # others write there too.
            self._fs, path = fsspec.core.url_to_fs(url, skip_instance_cache=True, use_listings_cache=False)
        except ImportError as error:
            if scheme in ("s3", "s3a"):
                raise ConfigError(f"{named} needs s3fs: {install('s3fs', 's3')}") from None
            raise ConfigError(f"{named} needs a driver: {self._reason(error)}") from None
        except Exception as error:  # noqa: BLE001 - drivers raise what they like
            raise ConfigError(f"{named} cannot be used: {self._reason(error)}") from None
        # A driver that knows users has taken them away. Only that is asked: a folder may be named like any word.
        if any(f"{user}@" in path for user in _user_infos(url)):
            raise ConfigError(
                f"{named}: {scheme} takes no user and password from a URL, "
                "but from the environment or the settings of its driver"
            )
        self.folder, _, self.name = path.rpartition("/")
        self._has_buckets = scheme in _BUCKETS

    def check(self) -> None:
        """Find out at the start what would only be found out at the end: no connection, no such bucket, no right."""
        with self._told("use", "; check the name, and the settings and credentials of its driver"):
            root = self.folder.split("/")[0] if self._has_buckets else ""
            try:
                self._fs.info(root or f"{self.folder}/{self.name}")
            except FileNotFoundError:
                if root:
                    raise
            except PermissionError:
                pass  # may be one who may write but not read

    def put(self, local: Path, relative: str) -> None:
        """Copy a file to `relative`, a path inside of `folder`; what was there is replaced, as a whole."""
        path = self._path(relative)
        with self._told(f"upload {local} to"):
            if self._has_buckets:
                self._fs.put_file(str(local), path)
            else:
                parent, _, name = path.rpartition("/")
                self._fs.makedirs(parent, exist_ok=True)
                made = f"{parent}/.{name}.upload"
                self._fs.put_file(str(local), made)
                self._fs.mv(made, path)
            there, here = self._fs.info(path)["size"], local.stat().st_size
            if there is not None and there != here:
                raise OSError(f"{relative} has {there} bytes there, and {here} here")

    def fetch(self, relative: str, local: Path) -> None:
        """Copy a file that is there to `local`, which is written anew. It is an error if it is not there."""
        with self._told(f"fetch {relative} from"):
            self._fs.get_file(self._path(relative), str(local))

    def read(self, relative: str, *, or_forbidden: bool = False) -> bytes | None:
        """What a small file holds; None if it is not there, or with `or_forbidden` if it may not be read."""
        nothing = (FileNotFoundError, PermissionError) if or_forbidden else FileNotFoundError
        with self._told("read an object of"):
            try:
                content: bytes = self._fs.cat_file(self._path(relative))
            except nothing:
                return None
            return content

    def size(self, relative: str) -> int | None:
        """The bytes of a file; None if it is not there."""
        with self._told("read an object of"):
            try:
                size: int = self._fs.info(self._path(relative))["size"]
            except FileNotFoundError:
                return None
            return size

    def write(self, relative: str, content: bytes) -> None:
        """Write a small file as a whole."""
        path = self._path(relative)
        with self._told("write an object of"):
            if not self._has_buckets:
                self._fs.makedirs(path.rpartition("/")[0], exist_ok=True)
            self._fs.pipe_file(path, content)

    def create(self, relative: str, content: bytes) -> bool:
        """Write a small file if there is none of that name, in one step; False if there is. For `CREATES` alone."""
        with self._told("create an object of"):
            try:
                self._fs.pipe_file(self._path(relative), content, mode="create")
            except FileExistsError:
                return False
            return True

    def rename(self, relative: str, to: str) -> bool:
        """Give a file another name, in the place of what has it; False if it is not there. Its bytes do not travel."""
        one, other = self._path(relative), self._path(to)
        with self._told("rename an object of"):
            try:
                if self._has_buckets:
                    self._fs.cp_file(one, other)
                    self._fs.rm_file(one)
                else:
                    self._fs.makedirs(other.rpartition("/")[0], exist_ok=True)
                    self._fs.mv(one, other)
            except FileNotFoundError:
                return False
            return True

    def names(self, relative: str) -> list[str]:
        """The last parts of all paths in the folder `relative` of `folder`; none if there is no such folder."""
        with self._told("list"):
            self._fs.invalidate_cache()
            try:
                paths = self._fs.ls(self._path(relative), detail=False)
            except FileNotFoundError:
                return []
            return [path.rstrip("/").rpartition("/")[2] for path in paths]

    def remove(self, relative: str) -> None:
        """Remove a file, if it is there."""
        with self._told("remove an object of"), contextlib.suppress(FileNotFoundError):
            self._fs.rm_file(self._path(relative))

    def _path(self, relative: str) -> str:
        return (f"{self.folder}/{relative}" if self.folder else relative).rstrip("/")

    @contextlib.contextmanager
    def _told(self, what: str, advice: str = "") -> Iterator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001 - drivers raise what they like
            raise StorageError(f"cannot {what} {self.shown}: {self._reason(error)}{advice}") from None

    def _reason(self, error: Exception) -> str:
        text = str(error) or type(error).__name__
        for secret in self._secrets:
            text = text.replace(secret, "…")
        return printable(" ".join(text.split()), _REASON_CHARS)


def _secrets(url: str) -> list[str]:
    """What must not be shown, the longest first: user and password of the URL, and what settings call a secret."""
    found = {value for name, value in os.environ.items() if _SECRET_NAME.search(name)}
    for settings in needed("fsspec", "remote", f"output {printable(url)}").config.conf.values():
        if isinstance(settings, dict):
            found |= {value for name, value in settings.items() if _SECRET_NAME.search(name) and isinstance(value, str)}
    found = {value for value in found if len(value) >= _LEAST_SECRET_CHARS}
    for user in _user_infos(url):
        password = user.partition(":")[2]
        found |= {user, password, unquote(password)} - {""}
    return sorted(found, key=len, reverse=True)


def _user_infos(url: str) -> set[str]:
    """User and password as they stand in the URL, and decoded; none if it has none."""
    user_info = urlsplit(url).netloc.rpartition("@")[0]
    return {user_info, unquote(user_info)} - {""}
