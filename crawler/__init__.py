"""A concurrent web crawler: every page once, none lost, whatever happens in between.

    from crawler import crawl
    for page in crawl("https://example.com/", max_pages=100):
        print(page.url, page.title)

The public names are those of `__all__`. Each is loaded when it is first used, so that `import crawler` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from crawler.version import __version__

if TYPE_CHECKING:
    from crawler.config import CrawlConfig
    from crawler.crawler import Crawler
    from crawler.errors import ConfigError, CrawlerError, JobError, SeedError, StorageError, UrlError, UsageError
    from crawler.fields.lines import read_fields
    from crawler.library import Crawl, crawl, crawl_to_arrow
    from crawler.model import DEFAULT_FIELDS, RECORD_FIELDS, Failure, Field, Finished, Record, Rotation
    from crawler.page import Follow, NotJsonError, Page
    from crawler.page_values import Article, Feed, FeedEntry, Headers, Microdata
    from crawler.router import Router
    from crawler.seeds import BadSeed
    from crawler.sinks.base import Position, Sink
    from crawler.spider import Spider, load_spider
    from crawler.stats import CrawlStats
    from crawler.transport.base import FetchRequest, FetchResult, Transport
    from crawler.transport.fake import FakeTransport
else:  # hidden from type checkers, which would take every name for a public one

    def __getattr__(name: str) -> object:
        home = next((home for home, names in _HOMES.items() if name in names.split()), None)
        if home is None:
            raise AttributeError(f"module 'crawler' has no attribute {name!r}")
        globals()[name] = value = getattr(import_module(f"crawler.{home}"), name)
        return value


_HOMES = {
    "config": "CrawlConfig", "crawler": "Crawler", "library": "Crawl crawl crawl_to_arrow", "stats": "CrawlStats",
    "errors": "ConfigError CrawlerError JobError SeedError StorageError UrlError UsageError", "seeds": "BadSeed",
    "fields.lines": "read_fields", "router": "Router", "spider": "Spider load_spider", "sinks.base": "Position Sink",
    "model": "DEFAULT_FIELDS RECORD_FIELDS Failure Field Finished Record Rotation",
    "page": "Follow NotJsonError Page", "page_values": "Article Feed FeedEntry Headers Microdata",
    "transport.base": "FetchRequest FetchResult Transport", "transport.fake": "FakeTransport",
}  # fmt: skip
__all__ = [
    "DEFAULT_FIELDS", "RECORD_FIELDS", "Article", "BadSeed", "ConfigError", "Crawl", "CrawlConfig", "CrawlStats",
    "Crawler", "CrawlerError", "Failure", "FakeTransport", "Feed", "FeedEntry", "FetchRequest", "FetchResult", "Field",
    "Finished", "Follow", "Headers", "JobError", "Microdata", "NotJsonError", "Page", "Position", "Record", "Rotation",
    "Router", "SeedError", "Sink", "Spider", "StorageError", "Transport", "UrlError", "UsageError", "__version__",
    "crawl", "crawl_to_arrow", "load_spider", "read_fields",
]  # fmt: skip


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
