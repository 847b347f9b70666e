"""The part of a crawl's settings that its parsers need."""

from typing import Any

from msgspec import Struct

from crawler.core.config import CrawlConfig, RobotsMode, ScopeKind
from crawler.core.model import Field
from crawler.core.page_fields import has_seed_records, page_fields

__all__ = ["ParserSettings"]


class ParserSettings(Struct, frozen=True):
    """The part of `CrawlConfig` that parsing needs; fields mean the same. Crosses to a parser as msgpack.

    `fields` None stands for all that a spider gives. `spider` is the spider as `spiders.spider` packs it, empty without
    one. `archive` says that an output wants the exchanges with servers, `simhash` that near-duplicates are looked for,
    `seed_records` that each row of the seeds has a record. `hash_seed` is the job's number (`frontier.keys`).
    `sampled`: all links of each page are wanted, known or not.
    """

    fields: tuple[str, ...] | None
    robots: RobotsMode
    user_agent: str
    scope: ScopeKind
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    depth: int | None
    max_body_bytes: int
    max_links: int
    max_chain: int | None
    parser_memory_bytes: int | None
    select: tuple[Field, ...] = ()
    spider: bytes = b""
    archive: bool = False
    simhash: bool = False
    hash_seed: int = 0
    all_statuses: bool = False
    seed_records: bool = False
    sampled: bool = False

    @property
    def spider_title(self) -> str | None:
        """What people know the spider by, if there is one."""
        if not self.spider:
            return None
        from crawler.parsers.spiders.spider import title_of  # noqa: PLC0415 - most parsers have no spider

        return title_of(self.spider)

    @classmethod
    def of(cls, config: CrawlConfig, spider: bytes = b"", hash_seed: int = 0) -> "ParserSettings":
        """Take the settings out of a crawl's configuration; `spider` is the crawl's, packed."""
        taken: dict[str, Any] = {name: getattr(config, name) for name in cls.__struct_fields__ if hasattr(config, name)}
        if not spider:
            taken["fields"] = page_fields(config)
        taken["seed_records"] = has_seed_records(config)
        return cls(**taken | {"spider": spider, "simhash": config.skip_duplicates == "near", "hash_seed": hash_seed})
