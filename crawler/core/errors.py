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

Outside of the tree on purpose, and seen by programs:

    NotJsonError            what a page calls JSON is none: a ValueError, as `json.loads` raises, for a spider to catch
    TypeError               a spider follows what is no URL, or a table is made of what are no records: a mistake in a
                            program, as Python's own functions say it
    AttributeError          `crawler` has no such name, as for any module
    BrokenPipeError         whoever read standard output has seen enough: nothing went wrong. Passed on as it comes
    StopIteration, StopAsyncIteration
                            there are no more records

Outside of the tree, and caught before they leave the package:

    ConsumerLeftError       the program takes no more records, which ends a crawl, but is no failure
    CodingError             a body that cannot be decoded: its page's outcome, as the next six
    HeadError, _HeadError   an answer whose head breaks the rules; the second is what http.client lets through
    _RefusedError           an address that must not be asked; an OSError, which aiohttp lets through
    SitemapError            a sitemap that cannot be read
    RecordError             a spider gave what cannot be written
    aiohttp.ClientConnectionResetError, aiohttp.NonHttpUrlClientError, http.client.RemoteDisconnected,
    ConnectionResetError, ConnectionError, TimeoutError
                            what a library would raise in our place, so that one function tells all failures apart
    _DamagedError           a WARC file cannot be read on: it is counted, or becomes a UsageError
    MistakeError, ValueError
                            a value of a setting cannot be meant, or read: becomes a ConfigError
    csv.Error, ImportError, OSError
                            as the csv module, an import and a storage raise: a SeedError, a ConfigError, a StorageError
    MemoryError             a parser is larger than its limit as it starts: ends that process

Outside of the tree, and never meant to be seen: KeyError, LookupError, RuntimeError, AssertionError say that a function
was called when it must not be, which is a bug here.
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
