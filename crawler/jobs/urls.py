"""Every URL that a job has met, with what became of it: those that have ended, and those that are due.

A scan reads all rows; what decides is how much of each it has to touch. So a row is decoded only when its bytes hold
the words that are looked for: the outcome, the reason, the host.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import chain, islice

from msgspec import Struct

from crawler.core.errors import UrlError, UsageError
from crawler.core.model import Attempt, Outcome, TaskKind
from crawler.core.printable import SHOWN_CHARS, printable
from crawler.frontier.row import QUEUED, UrlRow
from crawler.frontier.seed_lines import BadSeed
from crawler.frontier.store import Store
from crawler.jobs.known_rows import KnownRows
from crawler.web.urls import authority, normalise

__all__ = ["UrlFacts", "Wanted", "facts", "malformed", "rows_of", "urls"]

_AT_ONCE = 512
_MALFORMED = "malformed"
_STATUS = re.compile(r"[1-5]xx|[1-9]\d\d")


class UrlFacts(Struct, frozen=True, kw_only=True):
    """One URL of a job, and what became of it.

    `url` is in normal form; `kind` what it is asked for as; `outcome` and `reason` as in `Outcome`, the former empty
    while it is due (then `reason` says what went wrong with the last attempt). `status` is that of HTTP, 0 without an
    answer. `depth` counts links from the seed; `host` is name and port; `parent` the URL where it was found, None for a
    seed. `at` is the unix time of its end (or its last change), 0 if nothing happened yet. `attempts` are those that
    were made, the last 8. `redirected_from` are the URLs that redirected to it, first one first; `lastmod` is what a
    sitemap says of its last change. `record` is the number, from 0, of its record among those of the job, -1 without;
    `detail` says for people how it ended, in words that may be a server's. `seed` is the number of the seed that led to
    it, from 1. Of a row of a list that is no URL (`malformed`), `url` is what stands there, and `host` is empty.
    """

    url: str
    kind: TaskKind = "page"
    outcome: Outcome | str = ""
    reason: str = ""
    status: int = 0
    depth: int = 0
    host: str = ""
    parent: str | None = None
    at: float = 0.0
    attempts: tuple[Attempt, ...] = ()
    redirected_from: tuple[str, ...] = ()
    lastmod: str = ""
    record: int = -1
    detail: str = ""
    seed: int = 0


class Wanted(Struct, frozen=True):
    """Which URLs are asked for; None for what does not matter."""

    outcome: str | None = None
    reason: str | None = None
    kind: str | None = None
    statuses: range | None = None
    host: str | None = None
    depth: int | None = None
    due: bool | None = None

    @classmethod
    def of(
        cls,
        *,
        outcome: str | None = None,
        reason: str | None = None,
        kind: str | None = None,
        status: int | str | None = None,
        host: str | None = None,
        depth: int | None = None,
        due: bool | None = None,
    ) -> "Wanted":
        """Take what a person has named. Raises `UsageError` for what cannot be meant."""
        for name, value, known in (
            ("outcome", outcome, ("fetched", "redirected", "failed", "skipped")),
            ("kind", kind, ("page", "sitemap")),
        ):
            if value is not None and value not in known:
                shown = printable(repr(value), SHOWN_CHARS)
                raise UsageError(f"{name}: {shown} is none of {', '.join(known)}")
        return cls(outcome, reason, kind, _statuses(status), _host(host), depth, due)

    @property
    def words(self) -> tuple[bytes, ...]:
        """What the bytes of each row that is wanted hold, the rarest first."""
        host = self.host and f"://{self.host}/"
        return tuple(word.encode() for word in (host, self.reason, self.outcome) if word)

    def holds(self, row: UrlRow) -> bool:
        """Whether a row is wanted; `due` apart."""
        return (
            (self.outcome is None or row.outcome == self.outcome)
            and (self.reason is None or row.reason == self.reason or row.reason.startswith(f"{self.reason}:"))
            and (self.kind is None or row.kind == self.kind)
            and (self.statuses is None or row.status in self.statuses)
            and (self.depth is None or row.depth == self.depth)
            and (self.host is None or authority(row.url) == self.host)
        )


def urls(store: Store, wanted: Wanted, *, parents: bool = True) -> Iterator[UrlFacts]:
    """Give all URLs that are wanted, each once. Without `parents`, which are looked up one by one, it is quicker."""
    known = KnownRows(store)
    wanted_rows = rows_of(store, wanted)
    while rows := list(islice(wanted_rows, _AT_ONCE)):
        found = _parents(known, rows) if parents else {}
        for row in rows:
            yield facts(row, row.parent_url or found.get(row.parent))


def facts(row: UrlRow, parent: str | None) -> UrlFacts:
    """Return what a row says, in words for others."""
    return UrlFacts(
        url=row.url,
        kind=row.kind,
        outcome=row.outcome,
        reason=row.reason,
        status=row.status,
        depth=row.depth,
        host="" if row.reason == _MALFORMED else authority(row.url),
        parent=parent,
        at=row.at,
        attempts=row.log,
        redirected_from=row.redirected_from,
        lastmod=row.lastmod,
        record=row.record,
        detail=row.detail,
        seed=row.seed,
    )


def rows_of(store: Store, wanted: Wanted) -> Iterator[UrlRow]:
    """Give the rows of all URLs that are wanted, each once."""
    parts: list[Iterable[UrlRow]] = []
    words = wanted.words
    if wanted.due is not True:
        ended = _with_words(words, store.urls.stored())
        parts.append(store.urls.row(value) for value in ended if value[:1] != QUEUED)
        parts.append(map(malformed, store.bad_rows.all()))
    if wanted.due is not False and not wanted.outcome:
        for table in (store.queue, store.retries):
            due = map(table.row, _with_words(words, table.values()))
            parts.append(row for row in due if not row.outcome)  # else it has ended, and is read again for its links
    return filter(wanted.holds, chain.from_iterable(parts))


def malformed(bad: BadSeed) -> UrlRow:
    """Return a row of a list that is no URL as one that has ended."""
    return UrlRow(bad.text or bad.place, 0, b"", 0, (), 0, 0, 0.0, "skipped", _MALFORMED, detail=str(bad))


def _with_words(words: tuple[bytes, ...], values: Iterable[bytes]) -> Iterable[bytes]:
    """Give the values that hold all words. One after the other, since that is one quick look for most values."""
    for word in words:
        values = _with_word(word, values)
    return values


def _with_word(word: bytes, values: Iterable[bytes]) -> Iterator[bytes]:
    return (value for value in values if word in value)


def _parents(known: KnownRows, rows: Iterable[UrlRow]) -> dict[bytes, str]:
    keys = list({row.parent for row in rows if row.parent and row.parent_url is None})
    return {key: one.row.url for key, one in zip(keys, known.find(keys), strict=True) if one and one.row}


def _statuses(status: int | str | None) -> range | None:
    if status is None:
        return None
    text = str(status).lower()
    if not _STATUS.fullmatch(text):
        shown = printable(repr(status), SHOWN_CHARS)
        raise UsageError(f"status: {shown} is no status of HTTP: give a number (404) or a class (4xx)")
    return (
        range(int(text[0]) * 100, int(text[0]) * 100 + 100) if text.endswith("xx") else range(int(text), int(text) + 1)
    )


def _host(host: str | None) -> str | None:
    if host is None:
        return None
    try:
        return authority(normalise(f"http://{host}/"))
    except UrlError:
        shown = printable(repr(host), SHOWN_CHARS)
        raise UsageError(f"host: {shown} is none: give a name, with its port if that is not usual") from None
