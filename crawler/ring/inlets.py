"""By which ways more comes into a crawl while it runs: the inbox of its job, and what it follows."""

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from crawler.core.config import CrawlConfig
from crawler.core.errors import SeedError
from crawler.core.printable import SHOWN_CHARS, printable
from crawler.core.steered import Change
from crawler.frontier.seed_lines import OnBad
from crawler.frontier.seeds import STDIN
from crawler.ledger.inbox import Inbox
from crawler.ledger.incoming import Box, Incoming
from crawler.ledger.job import JobFolder
from crawler.ledger.queue_folder import QueueFolder
from crawler.ledger.seed_stream import SeedStream
from crawler.ring.opening import Opened

__all__ = ["check_followed", "followed_stream", "inlets"]


def check_followed(follow: str | None, sources: list[str], stdin: BinaryIO | None) -> None:
    """Raise `SeedError` for what cannot be followed."""
    if follow == STDIN:
        if stdin is None:
            raise SeedError("--follow -: there is no standard input")
        if STDIN in sources:
            raise SeedError("standard input (-) is a source of seeds already: --follow - reads it to its end, too")
    elif follow is not None and not Path(follow).is_dir():
        raise SeedError(f"--follow: there is no folder '{printable(follow, SHOWN_CHARS)}': make it first")


def followed_stream(config: CrawlConfig, stdin: BinaryIO | None, wake: Callable[[], None]) -> SeedStream | None:
    """Begin to read standard input, if the crawl follows it. `wake()` is called when seeds have come."""
    return SeedStream(stdin, wake) if config.follow == STDIN and stdin is not None else None


def inlets(
    opened: Opened, job: JobFolder, stream: SeedStream | None, steer: Callable[[Change], None], on_bad: OnBad
) -> Incoming:
    """Return what takes all that comes. In the ledger's thread."""
    follow = opened.config.follow
    boxes: list[Box] = [Inbox(job.path)]
    if follow is not None and follow != STDIN:
        boxes.append(QueueFolder(Path(follow)))
    return Incoming(
        opened.store,
        opened.frontier,
        opened.config,
        boxes,
        steer=steer,
        on_bad=on_bad,
        since_ns=job.locked_at_ns,
        stream=stream,
    )
