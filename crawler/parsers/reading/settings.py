"""The part of a crawl's settings that its parsers need."""

from msgspec import Struct

from crawler.core.config import CrawlConfig, RobotsMode, ScopeKind
from crawler.core.model import Field
from crawler.core.record import DEFAULT_FIELDS

__all__ = ["ParserSettings"]


class ParserSettings(Struct, frozen=True):
    """The part of `CrawlConfig` that parsing needs; fields mean the same. Crosses to a parser as msgpack.

    `fields` None stands for all that a spider gives. `spider` is the spider as `spiders.spider` packs it, empty without
    one. `archive` says that an output wants the exchanges with servers, `simhash` that near-duplicates are looked for.
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
    selectors: tuple[Field, ...] = ()
    spider: bytes = b""
    archive: bool = False
    simhash: bool = False

    @classmethod
    def of(cls, config: CrawlConfig, spider: bytes = b"") -> "ParserSettings":
        """Take the settings out of a crawl's configuration; `spider` is the crawl's, packed."""
        fields = config.fields
        if fields is None and not spider:
            fields = ("url",) if config.selectors else DEFAULT_FIELDS
        return cls(
            fields=fields,
            robots=config.robots,
            user_agent=config.user_agent,
            scope=config.scope,
            include=config.include,
            exclude=config.exclude,
            depth=config.depth,
            max_body_bytes=config.max_body_bytes,
            max_links=config.max_links,
            max_chain=config.max_chain,
            parser_memory_bytes=config.parser_memory_bytes,
            selectors=config.selectors,
            spider=spider,
            archive=config.archive,
            simhash=config.skip_duplicates == "near",
        )
