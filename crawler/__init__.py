"""A concurrent web crawler: every page once, none lost, whatever happens in between.

    import asyncio
    from pathlib import Path
    from crawler import CrawlConfig, Crawler

    if __name__ == "__main__":  # parser processes import the program's main file
        config = CrawlConfig(job=Path("output/example"), max_pages=100)
        stats = asyncio.run(Crawler(config, ["https://example.com/"]).run())

The public names are those of `__all__`. Each is loaded when it is first used, so that `import crawler` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from crawler.version import __version__

if TYPE_CHECKING:
    from crawler.config import CrawlConfig
    from crawler.crawl import Crawler
    from crawler.errors import ConfigError, CrawlerError, JobError, SeedError, StorageError, UrlError, UsageError
    from crawler.model import RECORD_FIELDS, Failure, Record
    from crawler.seeds import BadSeed
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
    "config": "CrawlConfig",
    "crawl": "Crawler",
    "errors": "ConfigError CrawlerError JobError SeedError StorageError UrlError UsageError",
    "model": "RECORD_FIELDS Failure Record",
    "seeds": "BadSeed",
    "stats": "CrawlStats",
    "transport.base": "FetchRequest FetchResult Transport",
    "transport.fake": "FakeTransport",
}
__all__ = [
    "RECORD_FIELDS", "BadSeed", "ConfigError", "CrawlConfig", "CrawlStats", "Crawler", "CrawlerError", "Failure",
    "FakeTransport", "FetchRequest", "FetchResult", "JobError", "Record", "SeedError", "StorageError", "Transport",
    "UrlError", "UsageError", "__version__",
]  # fmt: skip


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
