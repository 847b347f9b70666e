"""One record for each row of the seeds, whatever becomes of it.

    row at its seed's URL ─► the URL ends ─┬─ page: its record, with the row's own columns
                ▲                          ├─ no page: a record of outcome and reason
                └───── redirected ◄────────┘

Rows with one URL, and rows that redirects lead to one, have records of one fetch. How a URL with rows ended is kept,
its record included, as long as rows are open: they may still come there. A page that has ended without any row, because
a link led to it, is fetched once more when one comes. So is one that a spider has read, since a spider may look at the
columns of the row.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Raw, structs

from crawler.core.config import CrawlConfig
from crawler.core.counters import Counters
from crawler.core.dates import rfc3339
from crawler.core.json_line import json_line
from crawler.core.model import Done, Finished, SeedRow, TaskKind
from crawler.core.page_fields import has_seed_records, page_fields
from crawler.core.record import SEED_FIELDS, redirects, without_page
from crawler.frontier.discovery import Discovery
from crawler.frontier.handed import Handed
from crawler.frontier.hops import Hops
from crawler.frontier.record_numbers import RecordNumbers
from crawler.frontier.row import QUEUED
from crawler.frontier.seed_contexts import SeedContexts
from crawler.frontier.seed_lines import BadSeed
from crawler.frontier.seed_rows import Ending, Row
from crawler.frontier.store import Store
from crawler.web.redirect import MAX_REDIRECTS

__all__ = ["SeedRecords"]

_ROWS_AT_ONCE = 100
"""Most rows for which a spider reads one page: it has one deadline for all of them."""
_PAID_AT_ONCE = 5_000
_OWN = ("seed", "redirected_from", "redirects", "depth", "parent")
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Raw]).decode


class SeedRecords:
    """Makes the records of rows, and moves the rows. Part of the frontier, whose counters it writes.

    The records of a page come from its parser, made for the seed of its task. Those of other rows are the same with
    the fields that tell of the row; only a spider reads the page for each of them. State: whether there are none.
    """

    def __init__(
        self,
        store: Store,
        config: CrawlConfig,
        seeds: SeedContexts,
        counters: Counters,
        discovery: Discovery,
        *,
        numbers: RecordNumbers,
        hops: Hops,
    ) -> None:
        self._urls = store.urls
        self._keys = store.keys
        self._rows = store.rows
        self._seeds = seeds
        self._counters = counters
        self._discovery = discovery
        self._numbers = numbers
        self._hops = hops
        self._has_spider = config.spider is not None
        self._all_statuses = config.all_statuses
        # A table whose columns come from its first records needs one of a page among them.
        self._waits_for_page = self._has_spider and config.fields is None
        selected = tuple(field.name for field in config.select)
        self._patched = frozenset(_OWN) - set(selected)
        if self._has_spider:
            self._fields: tuple[str, ...] = config.fields or SEED_FIELDS
        else:
            own = tuple(name for name in page_fields(config) if name not in selected)
            self._fields = own + selected
        self._unknown = dict.fromkeys(selected)
        self.wanted = has_seed_records(config)

    # While seeds are read

    def add(self, number: int, url: str, kind: TaskKind) -> None:
        """Put a row to the URL of its seed, which is known. One that was added before, in a run that was cut, stays."""
        if number <= self._counters.rows:
            return
        self._counters.rows = number
        self._counters.open_rows += 1
        key = self._keys.url(url, kind)
        row = Row(number)
        value = self._urls.values([key])[0]
        if value is not None and value[:1] != QUEUED:
            self._ask_again(key, row)
        self._rows.add(key, row)

    def add_bad(self, number: int, bad: BadSeed, now: float) -> None:
        """Owe a record to a row that is no URL."""
        if number <= self._counters.rows:
            return
        self._counters.rows = number
        ending = Ending(bad.text, "skipped", "malformed", at=now, detail=str(bad))
        self._owe(number, self._without_page(Row(number), ending, _encode(bad.extra) if bad.extra else b"null"))

    # While pages come

    def rows_to_read_for(self, key: bytes, seed: int) -> tuple[SeedRow, ...]:
        """Return for which rows a spider is to read the page of a URL; none if that is the row of its `seed` alone."""
        if not self._has_spider or not self._counters.open_rows:
            return ()
        rows = self._rows.at([key])[0][:_ROWS_AT_ONCE]
        if not rows or (len(rows) == 1 and rows[0] == Row(seed)):
            return ()
        return tuple(
            [
                SeedRow(row.number, row.hops, self._seeds.get(row.number).extra, self._hops.statuses(row.hops))
                for row in rows
            ]
        )

    def told(self, ended: Sequence[tuple[Handed, Done]], finished: Sequence[Finished]) -> list[Finished]:
        """Return what ended with the records of the rows that were there; the links of all of it are known already."""
        told = list(finished)
        if not self._counters.open_rows:
            return told
        moving = []
        at = self._rows.at([handed.task.key for handed, _ in ended])
        for number, ((handed, done), rows) in enumerate(zip(ended, at, strict=True)):
            if not rows:
                continue
            rows = list(rows)  # noqa: PLW2901 - they are taken away from where this list stands
            self._rows.take(handed.task.key, rows)
            if done.outcome == "redirected":
                ending = _ending(told[number], done, to=done.links[0].url)
                self._rows.put_ending(handed.task.key, ending)
                moving.append((number, rows))
            else:
                told[number] = structs.replace(told[number], records=self._ended(handed, done, told[number], rows))
        # Now that the ends of all are known: a row may go on to one of them.
        for number, rows in moving:
            handed, done = ended[number]
            to, kind = done.links[0].url, handed.task.kind
            hops = handed.task.url
            lines = [self._arrived(Row(row.number, (*row.hops, hops)), to, kind) for row in rows]
            if records := b"".join(lines):
                told[number] = structs.replace(told[number], records=records)
        if not self._counters.open_rows:
            self._rows.forget_endings()
        self._numbers.put(zip([handed.task.key for handed, _ in ended], told, strict=True))
        return told

    def owed(self, now: float) -> list[Finished]:
        """Return records that were kept back, if it is time for them."""
        counters = self._counters
        if not counters.owed or (self._waits_for_page and not counters.has_page_record and counters.queued):
            return []
        paid = self._rows.pay(_PAID_AT_ONCE)
        counters.owed -= len(paid)
        self._numbers.skip(len(paid))
        return [Finished(url="", outcome="skipped", at=now, records=b"".join(paid))] if paid else []

    # Where a row ends

    def _ended(self, handed: Handed, done: Done, end: Finished, rows: list[Row]) -> bytes | None:
        """Return the records of the rows at a URL that has ended."""
        task = handed.task
        if task.kind == "sitemap" and end.outcome == "fetched":
            self._counters.open_rows -= len(rows)
            return None  # the pages that it lists have records
        read = end.records is not None
        by_spider = read and self._has_spider and (self._all_statuses or 200 <= end.status < 300)
        ending = _ending(end, done)
        if not by_spider:
            self._rows.put_ending(task.key, ending)
        made = dict(done.row_records)
        asked = {row.number for row in task.rows} or {task.seed.number}
        lines = []
        late = []
        for row in rows:
            if row.number in made:
                lines.append(self._closed(row, ending, made[row.number]))
            elif by_spider and row.number not in asked:
                late.append(row)
            elif row == Row(task.seed.number, task.redirected_from) and not task.depth:
                lines.append(self._closed(row, ending, end.records))
            else:
                lines.append(
                    self._closed(row, ending, None if self._has_spider else self._patched_for(row, end.records))
                )
        for row in late:
            if row is late[0]:
                self._ask_again(task.key, row)
            self._rows.add(task.key, row)
        return b"".join(lines)

    def _arrived(self, row: Row, url: str, kind: TaskKind) -> bytes:
        """Take a row to the URL that its redirects lead to; return its record if that has ended."""
        while True:
            key = self._keys.url(url, kind)
            ending = self._rows.ending(key)
            if ending is None:
                break
            if not ending.to:
                return self._closed(row, ending, self._patched_for(row, ending.records))
            if ending.to in row.hops or ending.to == url or len(row.hops) >= MAX_REDIRECTS:
                return self._closed(row, structs.replace(ending, outcome="failed", reason="redirects", to=""), None)
            row = Row(row.number, (*row.hops, url))
            url = ending.to
        value = self._urls.values([key])[0]
        if value is not None and value[:1] != QUEUED:
            known = self._urls.row(value)
            if known.outcome in {"failed", "skipped"}:
                ending = Ending(url, known.outcome, known.reason, known.status, known.at)
                return self._closed(row, ending, None)
            self._ask_again(key, row)
        self._rows.add(key, row)
        return b""

    def _ask_again(self, key: bytes, row: Row) -> None:
        self._rows.forget_ending(key)
        self._discovery.ask_again(key, row.number, row.hops)

    def _closed(self, row: Row, ending: Ending, records: bytes | None) -> bytes:
        """Return the records of a row that has ended, or b"" if they are kept back."""
        self._counters.open_rows -= 1
        if records:
            self._counters.has_page_record = True
            return records
        line = self._without_page(row, ending, self._seeds.get(row.number).extra)
        if self._waits_for_page and not self._counters.has_page_record:
            self._owe(row.number, line)
            return b""
        return line

    def _owe(self, number: int, line: bytes) -> None:
        self._counters.owed += 1
        self._rows.owe(number, line)

    def _patched_for(self, row: Row, records: bytes | None) -> bytes | None:
        """Return a page's record as the one of this row."""
        if not records:
            return records
        record = _decode(records)
        own = {"seed": self._seeds.get(row.number).extra, "depth": b"0", "parent": b"null"}
        own["redirected_from"] = _encode(row.hops)
        own["redirects"] = _encode(redirects(row.hops, self._hops.statuses(row.hops)))
        record.update({name: Raw(own[name]) for name in self._patched & record.keys()})
        return json_line(record)

    def _without_page(self, row: Row, ending: Ending, extra: bytes) -> bytes:
        known: dict[str, Any] = {
            "url": ending.url,
            "status": ending.status,
            "fetched_at": rfc3339(ending.at),
            "redirected_from": row.hops,
            "redirects": redirects(row.hops, self._hops.statuses(row.hops)),
            "body_bytes": ending.body_bytes,
            "seed": Raw(extra),
            "outcome": ending.outcome,
            "reason": ending.reason or None,
            "detail": ending.detail or None,
        }
        return json_line(without_page(self._fields, known | self._unknown))


def _ending(end: Finished, done: Done, to: str = "") -> Ending:
    return Ending(end.url, end.outcome, end.reason, end.status, end.at, done.detail, end.body_bytes, end.records, to)
