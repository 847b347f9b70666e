"""Making URLs due again that have failed, or were skipped for what may have changed."""

from collections.abc import Iterator
from itertools import islice
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from crawler.core.counters import Counters
from crawler.core.errors import UsageError
from crawler.core.model import RETRIED_KINDS
from crawler.core.printable import SHOWN_CHARS, printable
from crawler.core.steered import BLOCKED
from crawler.frontier.discovery import Discovery
from crawler.frontier.row import QUEUED, UrlRow
from crawler.frontier.store import Store
from crawler.web.urls import authority

__all__ = ["ROWS_AT_ONCE", "Reopening", "Retried"]

_ROBOTS_UNREACHABLE: Final = "robots-unreachable"
_SKIPS: Final = ("robots", _ROBOTS_UNREACHABLE, "private-address", BLOCKED)
"""Reasons of `skipped` that are found out anew: by asking robots.txt or a name server, or by what a person has blocked.

The others follow from the settings alone, or from pages that were read: to ask for such a URL would be against them.
"""
_FAILURES: Final = tuple(kind for kind in RETRIED_KINDS if kind != _ROBOTS_UNREACHABLE)
_ENDED_SO: Final = (b"failed", b"skipped")
ROWS_AT_ONCE: Final = 5_000
"""URLs that one step looks at: some 10 ms, and most of them are left alone."""


class Retried(Struct, frozen=True, omit_defaults=True):
    """Which URLs are to be asked for again; what is empty leaves out none.

    `outcome` is `failed` or `skipped`, `kinds` are reasons, up to their colon. With neither these are all that failed,
    and those whose robots.txt could not be had; of `urls` alone, and with `skipped`, all that can be retried. `host` is
    an authority, `urls` are in normal form.
    """

    outcome: str = ""
    kinds: tuple[str, ...] = ()
    host: str = ""
    urls: tuple[str, ...] = ()

    def check(self) -> None:
        """Raise `UsageError` for what cannot be retried."""
        if self.outcome not in {"", "failed", "skipped"}:
            shown = printable(self.outcome, SHOWN_CHARS)
            raise UsageError(
                f"outcome {shown} cannot be retried, only failed and skipped: a URL that was fetched has a record, "
                "whatever its status, and none is written twice; --fresh crawls all again"
            )
        for kind in self.kinds:
            if kind not in (*_FAILURES, *_SKIPS):
                raise UsageError(
                    f"kind '{printable(kind, SHOWN_CHARS)}' cannot be retried, only {', '.join((*_FAILURES, *_SKIPS))}:"
                    " what else was skipped follows from the settings, and is due when they let it in"
                )

    def holds(self, row: UrlRow) -> bool:
        """Whether a row that has ended is one of these; `urls` apart."""
        kind = row.reason.partition(":")[0]
        if row.outcome not in {"failed", "skipped"} or kind not in (_FAILURES if row.outcome == "failed" else _SKIPS):
            return False
        if self.outcome and row.outcome != self.outcome:
            return False
        if self.kinds:
            wanted = kind in self.kinds
        else:
            wanted = bool(self.outcome or self.urls) or row.outcome == "failed" or kind == _ROBOTS_UNREACHABLE
        return wanted and self.host in {"", authority(row.url)}


class Reopening:
    """Puts rows that ended without an answer back into the queue. Part of the frontier, whose counters it writes."""

    def __init__(self, store: Store, discovery: Discovery, counters: Counters) -> None:
        self._urls = store.urls
        self._keys = store.keys
        self._discovery = discovery
        self._counters = counters

    def reopen(self, which: Retried, after: bytes) -> tuple[int, bytes | None]:
        """Take one step through the URLs that have ended, behind the key `after`: make those due that are wanted.

        Return their number, and behind which key the next step begins; None when there is none. A URL begins anew: no
        attempt is used up, and its redirects have taken no time. What a step has done may be committed before the next.
        """
        if which.urls:
            found = self._named(which.urls)
            return sum(self._reopened(key, which) for key in found), None
        behind = after + b"\0" if after else None
        rows = list(islice(self._urls.committed_after(behind), ROWS_AT_ONCE))
        opened = 0
        for key, value in rows:
            if value[:1] != QUEUED and any(outcome in value for outcome in _ENDED_SO):
                opened += self._reopened(key, which)
        return opened, rows[-1][0] if len(rows) == ROWS_AT_ONCE else None

    def _named(self, urls: tuple[str, ...]) -> Iterator[bytes]:
        for url in urls:
            yield from (self._keys.url(url, "page"), self._keys.url(url, "sitemap"))

    def _reopened(self, key: bytes, which: Retried) -> bool:
        """Make a URL due if it is wanted as it is known now, the open batch included."""
        (value,) = self._urls.values([key])
        if value is None or value[:1] == QUEUED:
            return False
        row = self._urls.row(value)
        if not which.holds(row):
            return False
        self._counters.stale -= bool(row.stale)
        self._discovery.open(key, replace(row, spent_ms=0, status=0, stale=0))
        return True
