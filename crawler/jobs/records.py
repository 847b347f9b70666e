"""Where the record of a URL stands in the outputs of its job."""

from pathlib import Path

from crawler.core.config import CrawlConfig
from crawler.frontier.row import UrlRow
from crawler.frontier.store import Store
from crawler.jobs.among_shards import AmongShards
from crawler.ledger.sinks.outputs import STDOUT, is_remote

__all__ = ["record_at"]


def record_at(folder: Path, store: Store, config: CrawlConfig, row: UrlRow, among: AmongShards | None = None) -> str:
    """Say where the first record of a URL stands; empty without one, or where nobody can tell.

    Each output of a job, or of a shard of one, has all of its records in one order, so the number of a record is its
    place in each.
    """
    number = row.record
    if number < 0:
        return ""
    last = number + row.records
    said = f"record {number + 1:,}" if row.records <= 1 else f"records {number + 1:,} to {last:,}"
    if among is not None:
        return f"{said} of shard {among.shard.number}, counted over its parts"
    names = [str(folder / "pages.jsonl")] if config.output is None else list(config.outputs)
    if config.rotate is None and store.meta("sinks"):
        for name in names:
            if name != STDOUT and not is_remote(name) and name.endswith((".jsonl", ".jsonl.gz", ".jsonl.zst")):
                return f"{said}: line {number + 1:,} of {name}"
    return f"{said} of {', '.join(names)}"
