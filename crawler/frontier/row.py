"""What the store knows of one URL, and the keys under which it waits."""

from typing import Final, Self

from msgspec import Struct, structs

from crawler.core.model import Attempt, TaskKind
from crawler.frontier.attempt_log import attempts_in

__all__ = [
    "ENDED",
    "MOST_DETAIL_CHARS",
    "QUEUED",
    "REOPENABLE",
    "UrlRow",
    "is_late",
    "late_key",
    "queue_key",
    "queue_place",
]

QUEUED = b"q"
"""State byte of a URL that has not ended: due, waiting for a retry, or under way."""
ENDED = b"e"
"""State byte of a URL that ended for good."""
REOPENABLE = b"s"
"""State byte of a URL skipped for a reason that can be lifted: by another link to it (scope, depth, filter, nofollow,
trap), a larger limit, or a page that is another one after all (`frontier.same_pages`)."""


MOST_DETAIL_CHARS: Final = 200
"""So much is kept of the words that say what went wrong."""
_LATE = b"\xff\xff"
"""Stands in a queue key where the depth does; no page is so deep."""
_LATE_SEQ_BYTES = 4


class UrlRow(Struct, frozen=True, array_like=True, gc=False):
    """What the store knows of one URL. `outcome` is empty until it ended; `at` is the unix time of the last change.

    `parent` is the key of what led here (empty for a seed), `seq` its place in the order of discovery. `kind`
    and `spent_s` are those of its `Task`; they are stored as small integers, one byte each as a rule.
    `parent_url` is there as long as the URL waits, and for good if the parent's row is in another shard. `far` and
    `chain` are those of its `Reach` (`frontier.reach`); `chain` is -1 while no way leads here that may be followed.
    `stale` says in what the page was read from further away than the URL is known to be now. In the queue, a row that
    has an outcome is of a page that is read again.

    `attempts` counts the requests since the URL was made due, and `asked` holds the last of all that there were
    (`frontier.attempt_log`; `log` unpacks it). `record` is the place of the URL's first record among all records of
    the job, from 0, and -1 without one; `records` is how many it has. `detail` says for people how it ended. `other` is
    the key of the URL that it redirects to, or of the page that it repeats; empty for most.
    """

    url: str
    depth: int
    parent: bytes
    seed: int
    redirected_from: tuple[str, ...]
    attempts: int
    seq: int
    at: float
    outcome: str = ""
    reason: str = ""
    status: int = 0
    is_sitemap: bool = False
    chain: int = 0
    spent_ms: int = 0
    lastmod: str = ""
    parent_url: str | None = None
    far: int = 0
    stale: int = 0
    asked: bytes = b""
    record: int = -1
    records: int = 0
    detail: str = ""
    other: bytes = b""

    @property
    def log(self) -> tuple[Attempt, ...]:
        """The last attempts to fetch the URL, first one first. None of an earlier version of the crawler are known."""
        return attempts_in(self.asked)

    def after(self, old: "UrlRow") -> Self:
        """Return the row with what was kept of the requests and records of the one that it replaces."""
        if not old.asked and not old.records:
            return self
        return structs.replace(self, asked=old.asked, record=old.record, records=old.records)

    def due_again(self, seq: int) -> Self:
        """Return the row of a URL that has ended as that of one which is due: no attempt is used up."""
        return structs.replace(
            self, seq=seq, attempts=0, outcome="", reason="", status=0, detail="", other=b"", stale=0, parent_url=None
        )

    @property
    def kind(self) -> TaskKind:
        """What the URL is asked for as."""
        return "sitemap" if self.is_sitemap else "page"

    @property
    def spent_s(self) -> float:
        """Seconds of its deadline that redirects to it have used up, to a millisecond."""
        return self.spent_ms / 1000

    def place(self, host: bytes) -> bytes:
        """Return the URL's queue key on its host (8 bytes): at its depth, sitemaps at 0."""
        return queue_key(host, 0 if self.is_sitemap else self.depth, self.seq)


def queue_key(host: bytes, depth: int, seq: int) -> bytes:
    """Return 16 bytes that sort by host, then depth, then order of discovery: breadth first within a host."""
    return host + (min(depth, 0xFFFF) << 48 | seq).to_bytes(8, "big")


def late_key(place: bytes, url_key: bytes, before: int) -> bytes:
    """Return the queue key of a URL that stands back, behind all others of its host.

    Of its shape, so many have stood back `before`: it comes anywhere among these. So shapes take turns, however many
    URLs each has, and what was found last is seen as soon as what was found first.
    """
    among = int.from_bytes(url_key[:8], "big") % (min(before, 0xFFFF) + 1)
    return place[:8] + _LATE + among.to_bytes(2, "big") + place[-_LATE_SEQ_BYTES:]


def is_late(place: bytes) -> bool:
    """Whether a queue key is one of a URL that stands back."""
    return place[8:10] == _LATE


def queue_place(key: bytes) -> tuple[int, int]:
    """Return depth and sequence in a queue key."""
    seq = key[-_LATE_SEQ_BYTES:] if is_late(key) else key[10:]
    return int.from_bytes(key[8:10], "big"), int.from_bytes(seq, "big")
