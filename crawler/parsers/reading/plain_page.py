"""What is found in a page without a spider: its record, and all of its links."""

from collections.abc import Sequence

from crawler.core.json_line import json_line
from crawler.core.record import RecordMaker
from crawler.page.raw_page import RawPage
from crawler.parsers.reading.findings import Findings, left_out

__all__ = ["PlainFinder"]


class PlainFinder:
    """The spider of crawls that have none. Each page has one record, of these `fields`; keeps nothing of it."""

    page = RawPage
    any_status = True

    def __init__(self, fields: Sequence[str]) -> None:
        self._records = RecordMaker(fields)
        self._tells = "links_dropped" in fields

    def find(self, page: RawPage, *, noindex: bool) -> Findings:
        """Return the record and all links of a page; with `noindex` the record lacks what robots may not index."""
        record = json_line(self._records.record(page, noindex=noindex))
        if page.extracted is None:
            return Findings(record)
        return Findings(record, page.extracted.hrefs, detail="" if self._tells else left_out(page))
