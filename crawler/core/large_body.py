"""Large bodies on their way to a parser: through a file, since a queue would hold three copies of each."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING

from crawler.core.errors import CrawlerError
from crawler.core.model import Download
from crawler.core.refusal import refusal

if TYPE_CHECKING:
    from tempfile import _TemporaryFileWrapper

__all__ = ["SUFFIX", "spooled"]

SUFFIX = ".large"
"""How the names of such files end. One that a killed crawl left in its job's folder is removed by the next run."""


@asynccontextmanager
async def spooled(download: Download, folder: Path) -> AsyncIterator[Download]:
    """Keep the body of a download in a file of `folder` meanwhile, and give the download without it.

    A folder that is not there stands for the system's own for such files. Raises `StorageError` if the disk refuses.
    """
    with _file(folder) as file:
        try:
            await asyncio.to_thread(_write, file, download.answer.body)
        except OSError as error:
            raise _refused(folder, error) from error
        download = download.with_body(b"", file.name)  # the body itself is free to go
        yield download


def _file(folder: Path) -> "_TemporaryFileWrapper[bytes]":
    try:
        return NamedTemporaryFile(suffix=SUFFIX, dir=folder if folder.is_dir() else None)
    except OSError as error:
        raise _refused(folder, error) from error


def _refused(folder: Path, error: OSError) -> CrawlerError:
    return refusal(f"keep a large page in {folder}", error, "make room there, then run the same command")


def _write(file: "_TemporaryFileWrapper[bytes]", body: bytes) -> None:
    file.write(body)
    file.flush()
