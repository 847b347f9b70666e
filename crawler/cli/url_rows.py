"""The URLs of a job, and links to them, as bytes for people and for programs: lines, JSON, CSV."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from crawler.core.dates import rfc3339
from crawler.core.ip_address import address_text
from crawler.core.json_line import json_line
from crawler.core.printable import printable

if TYPE_CHECKING:
    from crawler.core.model import Attempt
    from crawler.jobs.inlinks import Inlink
    from crawler.jobs.urls import UrlFacts

__all__ = ["FORMATS", "csv_rows", "inlink_csv", "inlink_json", "inlink_lines", "json_rows", "lines"]

_COLUMNS = (
    *("url", "kind", "outcome", "reason", "status", "depth", "host", "parent", "at", "attempts"),
    *("redirected_from", "lastmod", "record", "detail", "seed"),
)
_LINK_COLUMNS = ("url", "status", "outcome", "reason", "page", "redirects")


def lines(facts: Iterable["UrlFacts"]) -> Iterator[bytes]:
    """Give a line for each: outcome, status, depth and URL, with tabs between them."""
    for one in facts:
        how = _ended(one.outcome, one.reason)
        yield f"{printable(how)}\t{one.status or '-'}\t{one.depth}\t{printable(one.url)}\n".encode()


def json_rows(facts: Iterable["UrlFacts"]) -> Iterator[bytes]:
    """Give a JSON object for each."""
    return (json_line(_named(one)) for one in facts)


def csv_rows(facts: Iterable["UrlFacts"]) -> Iterator[bytes]:
    """Give a header, and a row for each: `attempts` is their number, and what is a list has blanks between."""
    named = map(_named, facts)
    rows = (
        {**row, "attempts": len(row["attempts"]), "redirected_from": " ".join(row["redirected_from"])} for row in named
    )
    return _csv(_COLUMNS, rows)


def inlink_lines(links: Iterable["Inlink"]) -> Iterator[bytes]:
    """Give each page in a line of its own, and below it the URLs that it links to."""
    page: str | None = ""
    for one in links:
        if one.page != page:
            page = one.page
            yield f"{'no page is known to link to:' if page is None else printable(page)}\n".encode()
        by = f"  (by {', '.join(map(printable, one.redirects))})" if one.redirects else ""
        what = one.status or _ended(one.outcome, one.reason)
        yield f"  {printable(str(what))}  {printable(one.url)}{by}\n".encode()


def inlink_json(links: Iterable["Inlink"]) -> Iterator[bytes]:
    """Give a JSON object for each link."""
    return map(json_line, links)


def inlink_csv(links: Iterable["Inlink"]) -> Iterator[bytes]:
    """Give a header, and a row for each link."""
    rows = (
        {name: getattr(one, name) for name in _LINK_COLUMNS} | {"redirects": " ".join(one.redirects)} for one in links
    )
    return _csv(_LINK_COLUMNS, rows)


FORMATS: dict[str, Callable[[Iterable["UrlFacts"]], Iterator[bytes]]] = {
    "lines": lines,
    "json": json_rows,
    "csv": csv_rows,
}
"""How URLs are written, by the name of the format."""


def _ended(outcome: str, reason: str) -> str:
    return f"{outcome}: {reason}" if outcome and reason else outcome or "due"


def _named(one: "UrlFacts") -> dict[str, Any]:
    row: dict[str, Any] = {name: getattr(one, name) for name in _COLUMNS}
    empty = {"outcome": not one.outcome, "at": not one.at, "record": one.record < 0, "status": not one.status}
    row |= {name: None for name, is_empty in empty.items() if is_empty}
    if one.at:
        row["at"] = rfc3339(one.at)
    row["attempts"] = list(map(_attempt, one.attempts))
    return row


def _attempt(one: "Attempt") -> dict[str, Any]:
    address = address_text(one.address) or None
    return {"at": rfc3339(one.at), "elapsed_ms": one.elapsed_ms, "what": one.what, "address": address}


def _csv(columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    """Give rows as RFC 4180 has them. A cell that a table calculator would take for a formula is left as it is."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([row[name] for name in columns])
        yield text.getvalue().encode("utf-8", "replace")
        text.seek(0)
        text.truncate()
    yield text.getvalue().encode()
