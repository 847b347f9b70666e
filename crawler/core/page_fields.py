"""Of what a crawl writes records, and which fields they have."""

from collections.abc import Sequence
from typing import Final

from crawler.core.config import CrawlConfig
from crawler.core.record import DEFAULT_FIELDS, OUTCOME_FIELDS, RECORD_FIELDS

__all__ = ["all_fields", "has_seed_records", "is_earlier_all", "page_fields"]

_LATER: Final = RECORD_FIELDS.index("headers")
"""The first field that `--fields all` did not mean in earlier versions; those that come later are behind it."""


def is_earlier_all(begun: Sequence[str] | None, now: Sequence[str] | None) -> bool:
    """Whether a job was begun with all fields of an earlier version, and all are asked for: it goes on with its own."""
    if begun is None or now is None or tuple(now) != RECORD_FIELDS:
        return False
    return _LATER <= len(begun) < len(RECORD_FIELDS) and tuple(begun) == RECORD_FIELDS[: len(begun)]


def has_seed_records(config: CrawlConfig) -> bool:
    """Whether each row of the seeds ends in a record: `record_per_seed`, or what its default means."""
    return config.scope == "page" if config.record_per_seed is None else config.record_per_seed


def page_fields(config: CrawlConfig) -> tuple[str, ...]:
    """Return the names of these fields, in their order. Not for spiders, which say themselves what they write."""
    if config.fields is not None:
        return config.fields
    own = ("url", "seed") if config.select else DEFAULT_FIELDS
    return own + OUTCOME_FIELDS if has_seed_records(config) else own


def all_fields(config: CrawlConfig, *, has_spider: bool) -> tuple[str, ...] | None:
    """Return the names of all fields that records have, None if only a spider knows."""
    if has_spider:
        return config.fields
    return (*page_fields(config), *(field.name for field in config.select))
