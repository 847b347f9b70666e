"""Every exception this package raises on purpose.

    CrawlerError
    ├── UsageError          the caller asked for something that cannot be done
    │   ├── ConfigError     a setting is unknown, malformed or contradicts another
    │   ├── SeedError       a seed, or the source of seeds, cannot be used
    │   ├── UrlError        a string is not an http(s) URL
    │   └── JobError        a job belongs to another crawl
    │       └── JobRunningError
    │                       another process runs it now
    ├── StorageError        the disk, the store or a sink refused
    │   └── ReplacedError   another coordinator has taken over a job of many shards
    ├── LeaseLostError      a shard of a cluster job has to stop: another process may have it now
    ├── RingEndedError      a shard was asked for something when its ring had ended
    └── UnmetError          a crawl ended in good order, and not as `expect` says

A bad *page* is never an exception: it ends as an outcome (see `core.model`). An exception means that the
crawl itself cannot go on. Messages give the value seen, where, and what to do next, in one line.

Outside of the tree on purpose, and seen by programs:

    NotJsonError            a page is not JSON: a ValueError, as `json.loads` raises, for a spider to catch
    TypeError               a spider follows what is not a URL, or makes a table of what are not records: a mistake in a
                            program, told as Python's own functions tell it
    AttributeError          `crawler` has no such name, as any module says
    BrokenPipeError         whoever read standard output has seen enough: nothing went wrong. Passed on as it comes
    StopIteration, StopAsyncIteration
                            there are no more records

Outside of the tree, and caught before they leave the package. The first group becomes the outcome of a page:

    CodingError             a body cannot be decoded, by a transport or a parser
    GzipError, TooManyMembersError
                            a gzip stream is broken, or has more members than are read
    HeadError, _HeadError   the head of an answer breaks the rules; the second is what http.client lets through
    _RefusedError           an address must not be asked; an OSError, which aiohttp lets through
    SitemapError            a sitemap cannot be read
    RecordError             a spider gave what cannot be written
    aiohttp.ClientConnectionResetError, aiohttp.NonHttpUrlClientError, http.client.RemoteDisconnected,
    ConnectionResetError, ConnectionError, TimeoutError
                            what a library would raise in our place, so that one function tells all failures apart

The second group becomes an error of the tree, or ends what it should:

    _ClosedError            nobody takes the seeds any more that a thread reads
    ConsumerLeftError       the program takes no more records; that ends a crawl and is not a failure
    DamagedError            a WARC file cannot be read any further: it is counted, or becomes a UsageError
    MistakeError, ValueError
                            a value of a setting makes no sense, or cannot be read: becomes a ConfigError
    _MovedOnError           a store's files were replaced while they were opened for reading: it is tried again
    NotNowError             the lease of a shard has run out before a request was sent: its URL waits
    NotRegularError         no automaton can follow a pattern: it is left to parser processes, and told
    csv.Error, ImportError, OSError, FileExistsError
                            as the csv module, an import and a storage raise: a SeedError, a ConfigError, a StorageError
    MemoryError             a parser is larger than its limit as it starts: ends that process

Outside of the tree, and never meant to be seen: KeyError, LookupError, RuntimeError and AssertionError say that a
function was called when it must not be, which is a bug here.
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
    """A job folder belongs to another crawl, holds none, or another process is running it."""


class JobRunningError(JobError):
    """Another process, or another crawl of this one, runs the job at this moment."""


class StorageError(CrawlerError):
    """The disk, the store or a sink refused; what was committed before is safe."""


class ReplacedError(StorageError):
    """Another process coordinates the job of many shards: what this one decided last does not count."""


class LeaseLostError(CrawlerError):
    """A shard of a cluster job had to stop, since another process may have it now; what it committed stays."""


class RingEndedError(CrawlerError):
    """A shard of a cluster job was asked for something when its ring had ended."""


class UnmetError(CrawlerError):
    """A crawl ended in good order, but not as it was expected to: a line for each expectation that was not met."""
