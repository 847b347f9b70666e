"""Large bodies on their way to a parser: through a file, since a queue would hold three copies of each.

The files have a folder of their own in the job's, and names that nobody else gives. The folder is there as long as a
file is in it.
"""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING

from crawler.core.errors import CrawlerError
from crawler.core.model import Download
from crawler.core.refusal import refusal
from crawler.core.symlinks import refuse_link

if TYPE_CHECKING:
    from tempfile import _TemporaryFileWrapper

__all__ = ["remove_left_over", "spooled"]

_FOLDER = "large"
_PREFIX, _SUFFIX = "crawler-", ".large"
_OURS = re.compile(rf"{_PREFIX}[a-z0-9_]{{8}}{re.escape(_SUFFIX)}")


@asynccontextmanager
async def spooled(download: Download, folder: Path) -> AsyncIterator[Download]:
    """Keep the body of a download in a file beneath a job's `folder` meanwhile, and give the download without it.

    A folder that is not there stands for the system's own for such files. Raises `StorageError` if the disk refuses.
    """
    try:
        with _file(folder) as file:
            try:
                await asyncio.to_thread(_write, file, download.answer.body)
            except OSError as error:
                raise _refused(folder, error) from error
            download = download.with_body(b"", file.name)  # the body itself is free to go
            yield download
    finally:
        _remove_empty(folder)


def remove_left_over(folder: Path) -> None:
    """Remove what a killed crawl left of large bodies in a job's folder. No crawl may use the folder."""
    with contextlib.suppress(OSError):  # then they stay: nobody reads them
        refuse_link(folder / _FOLDER)
        left_over = [file for file in (folder / _FOLDER).iterdir() if _OURS.fullmatch(file.name)]
        for file in left_over:
            file.unlink()
        if left_over:
            _remove_empty(folder)


def _remove_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        (folder / _FOLDER).rmdir()


def _file(folder: Path) -> "_TemporaryFileWrapper[bytes]":
    place = folder / _FOLDER
    try:
        refuse_link(place)
        if folder.is_dir():
            place.mkdir(exist_ok=True)
        return NamedTemporaryFile(prefix=_PREFIX, suffix=_SUFFIX, dir=place if place.is_dir() else None)
    except OSError as error:
        raise _refused(folder, error) from error


def _refused(folder: Path, error: OSError) -> CrawlerError:
    return refusal(f"keep a large page in {folder}", error, "make room there, then run the same command")


def _write(file: "_TemporaryFileWrapper[bytes]", body: bytes) -> None:
    file.write(body)
    file.flush()
