"""The folder of a crawl's job: the one that was named, or a temporary one for one run."""

import contextlib
import os
import shutil
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from crawler.core.config import CrawlConfig
from crawler.core.errors import ConfigError
from crawler.core.refusal import refusal
from crawler.core.threads import OneThread
from crawler.ledger.sinks.outputs import is_remote
from crawler.ring.temporary_folder import make_temporary, sweep

__all__ = ["job_folder", "remove_in_use"]


@asynccontextmanager
async def job_folder(config: CrawlConfig, owner: object, thread: OneThread, *, consumed: bool) -> AsyncIterator[Path]:
    """Give the folder that was named, or make one that `thread` removes afterwards: at the latest as the program ends.

    Those that killed crawls of this user have left are removed first.

    `owner` is what the folder must not outlive. `consumed`: whether the program takes the records itself. Raises
    `ConfigError` if a job has to be named, `StorageError` when the disk refuses.
    """
    if config.job is not None:
        yield config.job
        return
    _check(config, consumed=consumed)
    await thread.call(sweep)
    folder = _made()
    remove = weakref.finalize(owner, _remove, folder, os.getpid())
    try:
        yield folder
    finally:
        await thread.call(remove)


def remove_in_use(folder: Path) -> None:
    """Remove a temporary job that threads and processes still write to; they find their place gone."""
    gone = folder.with_name(f"{folder.name}-ended")
    with contextlib.suppress(OSError):
        folder.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def _check(config: CrawlConfig, *, consumed: bool) -> None:
    if config.output is None and not consumed:
        raise ConfigError("job: none is named, and no output either: name one of them, or iterate over the records")
    if config.output is not None and any(map(is_remote, config.outputs)):
        raise ConfigError("job: an output in object storage needs a named one, where records wait to be sent")


def _made() -> Path:
    try:
        return make_temporary()
    except OSError as error:
        raise refusal("make a temporary folder for the job", error, "name one with `job`") from error


def _remove(folder: Path, owner: int) -> None:
    """Remove a temporary job. A process that was forked meanwhile ends without touching it."""
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)
