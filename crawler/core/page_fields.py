"""Of what a crawl writes records, and which fields they have."""

from crawler.core.config import CrawlConfig
from crawler.core.record import DEFAULT_FIELDS, OUTCOME_FIELDS

__all__ = ["all_fields", "has_seed_records", "page_fields"]


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
