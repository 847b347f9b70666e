"""A sample of a crawl: the crawl itself, with a budget, in a temporary job that goes when it was looked at."""

import asyncio
import contextlib
import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, BinaryIO

from msgspec.structs import replace

from crawler.core.config import CrawlConfig
from crawler.core.file_lock import try_lock
from crawler.core.model import Finished
from crawler.core.refusal import refusal
from crawler.core.stats import CrawlStats
from crawler.core.symlinks import open_unlinked
from crawler.frontier.seeds import BadSeed
from crawler.ledger.sinks.base import Position
from crawler.ring.crawler import Crawler
from crawler.ring.temporary_folder import make_temporary, sweep
from crawler.web.urls import authority

__all__ = ["RecordBytes", "held", "sampled", "temporary_job"]


class RecordBytes:
    """A sink that keeps nothing but sizes. State, of the ledger's thread: the bytes of records, and of bodies, by host
    and depth.
    """

    name = "sample"

    def __init__(self) -> None:
        self.records: dict[tuple[str, int], int] = {}
        self.bodies: dict[tuple[str, int], int] = {}

    def open(self, position: Position | None) -> None:
        """Begin: there is nothing to cut."""

    def write(self, finished: Sequence[Finished]) -> None:
        """Add up what ended."""
        for one in finished:
            if one.outcome == "fetched" and one.kind == "page":
                place = authority(one.url), one.depth
                self.records[place] = self.records.get(place, 0) + len(one.records or b"")
                self.bodies[place] = self.bodies.get(place, 0) + one.body_bytes

    def flush(self, *, last: bool = False) -> Position:  # noqa: ARG002 - as `Sink` has it
        """Say where it stands: nowhere."""
        return {}

    def committed(self) -> None:
        """Go on: nothing is to be forgotten."""

    def close(self) -> None:
        """End: nothing is open."""


@asynccontextmanager
async def temporary_job() -> AsyncIterator[Path]:
    """Give a folder for a job that is removed at the end, or if this process is killed by the next crawl.

    Raises `StorageError` when the disk refuses.
    """
    await asyncio.to_thread(sweep)
    try:
        folder = make_temporary()
    except OSError as error:
        raise refusal("make a temporary folder for the sample", error, "set TMPDIR to another folder") from error
    try:
        yield folder
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


async def sampled(
    config: CrawlConfig,
    seeds: Sequence[str],
    folder: Path,
    sinks: Sequence[RecordBytes],
    *,
    pages: int,
    seconds: float,
    stdin: BinaryIO | None = None,
    on_bad_seed: Callable[[BadSeed], None] | None = None,
    started: Callable[[Crawler], None] | None = None,
    **more: Any,
) -> CrawlStats:
    """Crawl at most so many pages of each host, for so many seconds, into `folder`; return the counters.

    `started` is told of the crawler, to stop it. Raises what `Crawler.run` does.
    """
    most = pages if config.max_pages_per_host is None else min(pages, config.max_pages_per_host)
    time_s = seconds if config.max_time_s is None else min(seconds, config.max_time_s)
    crawler = Crawler(
        replace(
            config,
            job=folder,
            output=(),
            rotate=None,
            max_pages_per_host=most,
            max_time_s=time_s,
            retry_failed=False,
            sampled=True,
        ),
        seeds,
        stdin=stdin,
        on_bad_seed=on_bad_seed,
        sinks=sinks,
        **more,
    )
    if started is not None:
        started(crawler)
    return await crawler.run()


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold the lock of a job that has ended, so that nobody sweeps it while it is looked at."""
    lock = open_unlinked(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        with contextlib.suppress(OSError):  # without locks it is not swept, no more
            try_lock(lock)
        yield
    finally:
        os.close(lock)
