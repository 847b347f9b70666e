"""Every exception this package raises on purpose.

    CrawlerError
    ├── UsageError          the caller asked for something that cannot be done
    │   ├── ConfigError     a setting is unknown, malformed or contradicts another
    │   ├── SeedError       a seed, or the source of seeds, cannot be used
    │   ├── UrlError        a string is not an http(s) URL
    │   └── JobError        a job belongs to another crawl, or another process runs it
    └── StorageError        the disk, the store or a sink refused

A bad *page* is never an exception: it ends as an outcome (see `core.model`). An exception means that the
crawl itself cannot go on. Messages give the value seen, where, and what to do next, in one line.
"""


class CrawlerError(Exception):
    """Base of all errors of this package."""


class UsageError(CrawlerError):
    """What was asked for cannot be done; asking differently can."""


class ConfigError(UsageError):
    """A setting is unknown, malformed or contradicts another."""


class SeedError(UsageError):
    """A seed, or a file of seeds, cannot be used."""


class UrlError(UsageError, ValueError):
    """A string is not an http(s) URL."""


class JobError(UsageError):
    """A job folder belongs to another crawl, or another process is running it."""


class StorageError(CrawlerError):
    """The disk, the store or a sink refused; what was committed before is safe."""
