"""The URLs of a job as Arrow tables: batch by batch, so that any number of them takes the same memory."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from crawler.core.extras import needed
from crawler.core.ip_address import address_text
from crawler.jobs.urls import UrlFacts

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["batches", "schema"]

_ROWS: Final = 10_000


def schema() -> "pa.Schema":
    """Return the columns. Raises `ConfigError` without pyarrow, which comes with the extra `arrow`."""
    pa = needed("pyarrow", "arrow", "a table of URLs")
    time = pa.timestamp("ms", tz="UTC")
    attempt = pa.struct([("at", time), ("elapsed_ms", pa.int64()), ("what", pa.string()), ("address", pa.string())])
    return pa.schema(
        [
            ("url", pa.string()),
            ("kind", pa.string()),
            ("outcome", pa.string()),
            ("reason", pa.string()),
            ("status", pa.int32()),
            ("depth", pa.int32()),
            ("host", pa.string()),
            ("parent", pa.string()),
            ("at", time),
            ("attempts", pa.list_(attempt)),
            ("redirected_from", pa.list_(pa.string())),
            ("lastmod", pa.string()),
            ("record", pa.int64()),
            ("detail", pa.string()),
            ("seed", pa.int64()),
        ]
    )


def batches(facts: Iterable[UrlFacts]) -> Iterator["pa.RecordBatch"]:
    """Give batches of at most 10,000 URLs. What a URL does not have is null: outcome, status, parent, at, record."""
    pa, columns = needed("pyarrow", "arrow", "a table of URLs"), schema()
    rest = iter(facts)
    while rows := list(islice(rest, _ROWS)):
        yield pa.RecordBatch.from_pylist(list(map(_row, rows)), schema=columns)


def _row(one: UrlFacts) -> dict[str, Any]:
    return {
        "url": one.url,
        "kind": one.kind,
        "outcome": one.outcome or None,
        "reason": one.reason or None,
        "status": one.status or None,
        "depth": one.depth,
        "host": one.host,
        "parent": one.parent,
        "at": round(one.at * 1000) if one.at else None,
        "attempts": [
            {
                "at": round(attempt.at * 1000),
                "elapsed_ms": attempt.elapsed_ms,
                "what": attempt.what,
                "address": address_text(attempt.address),
            }
            for attempt in one.attempts
        ],
        "redirected_from": list(one.redirected_from),
        "lastmod": one.lastmod or None,
        "record": one.record if one.record >= 0 else None,
        "detail": one.detail or None,
        "seed": one.seed or None,
    }
