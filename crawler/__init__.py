"""A concurrent web crawler: every page once, none lost, whatever happens in between.

    from crawler import crawl
    for page in crawl("https://example.com/", max_pages=100):
        print(page.url, page.title)

The public names are those of `__all__`. Each is loaded when it is first used, so that `import crawler` costs nothing.
"""

import sys
from importlib import import_module
from typing import TYPE_CHECKING

from crawler.core.version import __version__

if TYPE_CHECKING:
    from crawler.cluster.library import crawl_on_cluster
    from crawler.core.config import CrawlConfig
    from crawler.core.errors import (
        ConfigError,
        CrawlerError,
        JobError,
        SeedError,
        StorageError,
        UnmetError,
        UrlError,
        UsageError,
    )
    from crawler.core.model import Duplicate, Failure, Field, Finished, Rotation
    from crawler.core.record import DEFAULT_FIELDS, RECORD_FIELDS, Record
    from crawler.core.sample import Sample
    from crawler.core.stats import CrawlStats, ExtractStats
    from crawler.fetcher.transport.base import FetchRequest, FetchResult, Transport
    from crawler.fetcher.transport.fake import FakeTransport
    from crawler.frontier.seeds import BadSeed
    from crawler.jobs.explanation import Explanation
    from crawler.jobs.hosts import HostFacts
    from crawler.jobs.job import Job
    from crawler.jobs.status import JobStatus
    from crawler.jobs.urls import UrlFacts
    from crawler.ledger.sinks.base import Position, Sink
    from crawler.page.fields.lines import read_fields
    from crawler.page.page import Follow, NotJsonError, Page
    from crawler.page.values import Article, Feed, FeedEntry, Headers, Microdata
    from crawler.parsers.spiders.router import Router
    from crawler.parsers.spiders.spider import Spider, load_spider
    from crawler.planning.library import plan
    from crawler.planning.plan import Plan
    from crawler.ring.crawler import Crawler
    from crawler.ring.extract import Extract, extract
    from crawler.ring.library import Crawl, crawl, crawl_to_arrow
else:  # hidden from type checkers, which would take every name for a public one

    def __getattr__(name: str) -> object:
        home = next((home for home, names in _HOMES.items() if name in names.split()), None)
        if home is None:
            raise AttributeError(f"module 'crawler' has no attribute {name!r}")
        globals()[name] = value = getattr(import_module(f"crawler.{home}"), name)
        return value


_HOMES = {
    "core.config": "CrawlConfig", "core.stats": "CrawlStats ExtractStats", "frontier.seeds": "BadSeed",
    "core.errors": "ConfigError CrawlerError JobError SeedError StorageError UnmetError UrlError UsageError",
    "core.model": "Duplicate Failure Field Finished Rotation", "core.record": "DEFAULT_FIELDS RECORD_FIELDS Record",
    "fetcher.transport.base": "FetchRequest FetchResult Transport", "fetcher.transport.fake": "FakeTransport",
    "core.sample": "Sample", "jobs.explanation": "Explanation", "jobs.hosts": "HostFacts", "jobs.job": "Job",
    "jobs.status": "JobStatus", "jobs.urls": "UrlFacts",
    "ledger.sinks.base": "Position Sink", "page.fields.lines": "read_fields", "page.page": "Follow NotJsonError Page",
    "page.values": "Article Feed FeedEntry Headers Microdata", "parsers.spiders.router": "Router",
    "parsers.spiders.spider": "Spider load_spider", "ring.crawler": "Crawler",
    "cluster.library": "crawl_on_cluster", "planning.library": "plan", "planning.plan": "Plan",
    "ring.library": "Crawl crawl crawl_to_arrow", "ring.extract": "Extract extract",
}  # fmt: skip
__all__ = ["DEFAULT_FIELDS", "RECORD_FIELDS", "Article", "BadSeed", "ConfigError", "Crawl", "CrawlConfig", "CrawlStats",
    "Crawler", "CrawlerError", "Duplicate", "Explanation", "Extract", "ExtractStats", "Failure", "FakeTransport",
    "Feed", "FeedEntry", "FetchRequest", "FetchResult", "Field", "Finished", "Follow", "Headers", "HostFacts", "Job",
    "JobError", "JobStatus", "Microdata", "NotJsonError", "Page", "Plan", "Position", "Record", "Rotation", "Router",
    "Sample", "SeedError", "Sink", "Spider", "StorageError", "Transport", "UnmetError", "UrlError", "UrlFacts",
    "UsageError", "__version__", "crawl", "crawl_on_cluster", "crawl_to_arrow", "extract", "load_spider", "plan",
    "read_fields"]  # fmt: skip


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


if getattr(sys, "frozen", False):
    import_module("crawler.core.frozen").serve_if_asked()
