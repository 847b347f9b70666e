"""One pass over the rows of all URLs of a job: in this process, or one half of it in another one beside it."""

import os
import subprocess
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from crawler.core.errors import CrawlerError
from crawler.core.interpreter import python, same_imports
from crawler.frontier.store import Store
from crawler.jobs.opening import opened_store
from crawler.jobs.report.tally import MOST_LINKS, Tally

__all__ = ["Half", "counted", "half_counted"]

_AT_ONCE = 4_096
_WORTH_A_PROCESS = 300_000
"""URLs from which on a second process saves more time than its start takes."""
_MIDDLE = b"\x80"
"""Keys are hashes, so half of them are below."""

T = TypeVar("T")


class Half(Struct, frozen=True):
    """What the other process is told: the folder of the job, and how many links it is to look at.

    It counts the ended URLs of the upper half of keys.
    """

    folder: str
    links: int


def counted(store: Store, folder: Path, *, alone: bool, links: int = MOST_LINKS) -> Tally:
    """Count all URLs of the job in `folder`, whose store is open: those that have ended, those in the queue, retries.

    A crawl that runs goes on, so that a process which opens its store later sees another state: then, and `alone`, one
    process counts all. So many `links` are looked at. Raises `CrawlerError` if the other process fails.
    """
    known = (store.meta("counters") or {}).get("known", 0)
    if alone or known < _WORTH_A_PROCESS or (os.cpu_count() or 1) < 2:
        tally = _ended(store, None, None, links)
    else:
        with subprocess.Popen(  # noqa: S603 - our own interpreter and module
            python("-m", "crawler.jobs.report.half"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=same_imports(),
        ) as other:
            try:
                assert other.stdin is not None  # noqa: S101 - asked for above
                other.stdin.write(msgspec.json.encode(Half(os.fspath(folder), links - links // 2)))
                other.stdin.close()
                other.stdin = None
                tally = _ended(store, None, _MIDDLE, links // 2)
                output, errors = other.communicate()
            except BaseException:
                other.kill()
                raise
        if other.returncode:
            said = errors.decode("utf-8", "replace").strip().splitlines()
            why = said[-1] if said else f"it ended with code {other.returncode}"
            raise CrawlerError(f"half of the URLs could not be counted: {why}")
        tally.add(msgspec.msgpack.decode(output, type=Tally))
    for rows in (store.queue.rows(), store.retries.rows()):
        # What has an outcome has ended, and is read again for its links.
        for chunk in _chunks(row for row in rows if not row.outcome):
            tally.count(msgspec.structs.replace(row, reason="") if row.reason else row for row in chunk)
    return tally


def half_counted(half: Half) -> Tally:
    """Count what the other process is to count."""
    with opened_store(Path(half.folder)) as store:
        return _ended(store, _MIDDLE, None, half.links)


def _ended(store: Store, lower: bytes | None, upper: bytes | None, links: int) -> Tally:
    tally = Tally(most_links=links)
    for rows in store.urls.ended_rows(lower, upper, _AT_ONCE):
        tally.count(rows)
    return tally


def _chunks(items: Iterable[T]) -> Iterator[list[T]]:
    left = iter(items)
    while chunk := list(islice(left, _AT_ONCE)):
        yield chunk
