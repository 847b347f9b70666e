"""Running totals of a job, as they are committed with what they count."""

from msgspec import Struct

__all__ = ["Counters"]


class Counters(Struct):
    """One job's totals over all its runs; names as in `CrawlStats`. Written by the frontier only.

    `seq` is the number of URLs ever queued: the next one's place in the order of discovery follows it.
    """

    seq: int = 0
    known: int = 0
    queued: int = 0
    retrying: int = 0
    pages: int = 0
    bytes: int = 0
    duplicates: int = 0
    near_duplicates: int = 0
    outcomes: dict[str, int] = {}
    statuses: dict[int, int] = {}
