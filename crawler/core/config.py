"""Everything a crawl can be told, as one frozen value, checked once."""

import math
import os
import re
from ipaddress import ip_network
from pathlib import Path
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from crawler.core.errors import ConfigError
from crawler.core.model import Field, Rotation
from crawler.core.record import RECORD_FIELDS
from crawler.core.version import __version__

__all__ = [
    "DEFAULT_PARSERS",
    "DEFAULT_USER_AGENT",
    "LEAST_PARSER_MEMORY_BYTES",
    "CrawlConfig",
    "DuplicateMode",
    "RobotsMode",
    "ScopeKind",
    "StrategyKind",
    "TransportKind",
]

ScopeKind = Literal["page", "prefix", "host", "domain", "any"]
RobotsMode = Literal["obey", "ignore"]
DuplicateMode = Literal["no", "exact", "near"]
TransportKind = Literal["aiohttp", "requests"]
StrategyKind = Literal["sequential", "threads", "async", "hybrid"]

DEFAULT_USER_AGENT = f"crawler/{__version__}"

DEFAULT_PARSERS = max(1, min(4, os.cpu_count() or 1))
"""One parser a core: on two cores two were 1.1 to 1.5 times as fast as one. Four keep up with what one event loop
can download (measured: 0.3 ms of parsing a page beside 0.4 ms in the main process)."""


LEAST_PARSER_MEMORY_BYTES = 128 << 20
"""An idle parser takes a fifth of it."""


class CrawlConfig(Struct, frozen=True, kw_only=True):
    """Settings of one crawl. Times are seconds, sizes bytes, None means "no limit".

    What is crawled:
        seeds: where the crawl starts: http(s) URLs, `sitemap:URL`, paths of seed files.
        scope: which links are followed, measured from the seed they descend from: `page` (none), `prefix` (below
            the seed's folder), `host` (same host and port), `domain` (same registrable domain), `any`.
        depth: links followed from a seed; 0 fetches the seeds alone.
        max_pages, max_time_s: budgets; the crawl stops when one is used up and a later run may have a larger one.
        include, exclude: regular expressions searched in the URL; a link must match one of `include` (if given)
            and none of `exclude`. Seeds are not filtered.
        sitemaps: take the pages of the sitemaps that each seed's robots.txt names.
        max_links: links taken from one page; its record tells how many were left out.
        max_chain: pages in a row that look alike and lead only to each other, as the months of an endless calendar do,
            before the next one is `skipped: trap`; None = no limit.

    How servers are treated:
        concurrency: requests under way at once. per_host, per_address: the same for one host (name and port) and
            for one IP address (never less than per_host).
        delay_s: time between the starts of two requests to a host; None = adaptive (follows the host's
            latency, and the size of its pages: a second for 5 MB). A larger Crawl-delay or Retry-After always wins.
        robots: obey or ignore robots.txt, rel=nofollow and meta robots.
        allow_private: fetch from loopback, private and other special addresses too: all (True), none (False), or
            those in these networks (`10.0.0.0/8`; an address alone is a network of one).
        timeout_s: for one URL, from the look-up of its name to its last byte, redirects on the way included.
            retries: attempts after the first.
        max_body_bytes: a longer body is cut there, and its record says `truncated`.
        user_agent, headers: sent with each request; headers are (name, value) pairs. Those that may hold a secret
            (all but a few, see `transport.credentials`) are sent to the origins of the seeds alone.
        cookies: keep each origin's cookies while the crawl runs, and send them back to it.
        insecure: accept any TLS certificate. ca_bundle: PEM file of authorities to trust beside the usual ones.

    What comes out:
        job: folder of this crawl's state, with which it can be resumed; None = a temporary one, for one run.
        output: where records go: a path or a URL of object storage, or several; the ending decides the format (see
            `docs/outputs.md`). "-" = standard output, None = `<job>/pages.jsonl`.
        rotate: begin the next file of each output when one has so many bytes or records.
        fields: record fields to write, in that order; None = those of `DEFAULT_FIELDS`, or with `selectors` only
            `url`, or with a spider all that it gives.
        spider: what is done with each page instead of writing that record: `package.module:function` or
            `file.py:function` (see `docs/spiders.md`). selectors: fields to find in each page by CSS or XPath.
        skip_duplicates: write no record for a page whose body (`exact`), or nearly its text (`near`), was there before.

    The machine:
        parsers: parser processes, or threads; by default as many as cores, at most 4. parser_timeout_s: time one page
            may take. parser_memory_bytes: memory that a parser may have for its data, all told (an idle one has about
            25 MB); more ends it, as a crash would, and one that has grown half-way there is replaced between pages.
        bytes_in_flight: bytes of decoded bodies held between the network and the parsers; past it the fetcher waits.
        strategy: how the work is shared out (see `docs/concurrency.md`): `sequential` (requests, one URL after the
            other), `threads` (requests in `concurrency` threads, parsing in `parsers` threads), `async` (aiohttp,
            parsing in the event loop), `hybrid` (aiohttp, parsing in `parsers` processes). All but `hybrid` parse in
            this process, where `parser_timeout_s` and `parser_memory_bytes` do not hold.
        transport: what downloads: `aiohttp`, or `requests` in threads; None = what the strategy names. With `hybrid`
            it may be either.

    Raises `ConfigError` for a value out of range, naming it.
    """

    job: Path | None = None
    seeds: tuple[str, ...] = ()
    output: str | tuple[str, ...] | None = None
    rotate: Rotation | None = None
    scope: ScopeKind = "host"
    depth: int | None = None
    max_pages: int | None = None
    max_time_s: float | None = None
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    sitemaps: bool = False
    max_links: int = 10_000
    max_chain: int | None = 100
    concurrency: int = 256
    per_host: int = 2
    per_address: int = 32
    delay_s: float | None = None
    parsers: int = DEFAULT_PARSERS
    parser_timeout_s: float = 10.0
    parser_memory_bytes: int | None = 1 << 30
    bytes_in_flight: int = 64_000_000
    timeout_s: float = 30.0
    max_body_bytes: int = 10_000_000
    retries: int = 2
    user_agent: str = DEFAULT_USER_AGENT
    headers: tuple[tuple[str, str], ...] = ()
    robots: RobotsMode = "obey"
    allow_private: bool | tuple[str, ...] = False
    cookies: bool = False
    insecure: bool = False
    ca_bundle: Path | None = None
    fields: tuple[str, ...] | None = None
    spider: str | None = None
    selectors: tuple[Field, ...] = ()
    skip_duplicates: DuplicateMode = "no"
    strategy: StrategyKind = "hybrid"
    transport: TransportKind | None = None
    strict: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot work, by name."""
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if value is not None and not value >= least:
                raise ConfigError(f"{name} must be at least {least}, not {value!r}")
        for name in ("timeout_s", "parser_timeout_s", "max_body_bytes"):
            if not 0 < getattr(self, name) < math.inf:
                raise ConfigError(f"{name} must be more than 0, not {getattr(self, name)!r}")
        _check_patterns("include", self.include)
        _check_patterns("exclude", self.exclude)
        _check_networks("allow_private", self.allow_private)
        if self.strategy != "hybrid" and self.transport not in {None, _TRANSPORTS[self.strategy]}:
            raise ConfigError(
                f"transport: strategy {self.strategy} downloads with {_TRANSPORTS[self.strategy]}, not with "
                f"{self.transport}: leave transport out, or choose strategy hybrid"
            )
        self.check_reader(self.spider)
        if self.fields is not None:
            known = self.fields if self.spider else RECORD_FIELDS
            unknown = [field for field in self.fields if field not in known]
            if unknown or not self.fields:
                raise ConfigError(
                    f"fields: {', '.join(map(repr, unknown)) or 'none given'}; choose from {', '.join(RECORD_FIELDS)}"
                )
        for name, value in (("user_agent", self.user_agent), *self.headers):
            if not name or any(character in name + value for character in "\r\n\0"):
                raise ConfigError(f"header {name!r} has a line break or NUL in it, or no name")

    def check_reader(self, spider: object) -> None:
        """Raise `ConfigError` if pages are to be read by a spider, given here, and by selectors as well."""
        if spider and self.selectors:
            raise ConfigError("spider: a crawl has a spider or fields found by selectors, not both")

    def settled(self, *, job: Path, affordable: int, consumed: bool, spider: str | None) -> "CrawlConfig":
        """Return the settings as the crawl goes by them; called once, when it begins. Pure.

        `job`: the folder of its state. `affordable`: requests that may be under way at once, as the limit on open files
        allows. `consumed`: whether the program takes the records itself; then no output is written unless one is named.
        `spider`: what the job knows its spider by.
        """
        return replace(
            self,
            job=job,
            concurrency=min(self.most_at_once, affordable),
            output=() if consumed and self.output is None else self.output,
            spider=spider,
        )

    @property
    def most_at_once(self) -> int:
        """Requests that may be under way at once: `concurrency`, and one with strategy sequential."""
        return 1 if self.strategy == "sequential" else self.concurrency

    @property
    def parser_processes(self) -> int:
        """How many processes parse: `parsers` with strategy hybrid, else none, since this process does it."""
        return self.parsers if self.strategy == "hybrid" else 0

    @property
    def folder(self) -> Path:
        """The job's folder. Raises `ConfigError` if none was named and none was made yet."""
        if self.job is None:
            raise ConfigError("job: a folder is needed here")
        return self.job

    @property
    def transport_kind(self) -> TransportKind:
        """What downloads: `transport`, or what belongs to the strategy."""
        return self.transport or _TRANSPORTS[self.strategy]

    @property
    def archive(self) -> bool:
        """Whether an output is an archive (`.warc.gz`), which wants the whole exchange with each server."""
        outputs = (self.output,) if isinstance(self.output, str) else self.output or ()
        return any(output.lower().endswith(".warc.gz") for output in outputs)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Where records go, one or more: paths, URLs of object storage, "-" for standard output."""
        if self.output is None:
            return (str(self.folder / "pages.jsonl"),)
        return (self.output,) if isinstance(self.output, str) else self.output


_TRANSPORTS: dict[StrategyKind, TransportKind] = {
    "sequential": "requests",
    "threads": "requests",
    "async": "aiohttp",
    "hybrid": "aiohttp",
}

_LEAST = {
    "concurrency": 1,
    "per_host": 1,
    "per_address": 1,
    "parsers": 1,
    "retries": 0,
    "max_links": 1,
    "max_chain": 1,
    "bytes_in_flight": 1,
    "depth": 0,
    "max_pages": 0,
    "max_time_s": 0,
    "delay_s": 0,
    "parser_memory_bytes": LEAST_PARSER_MEMORY_BYTES,
}


def _check_patterns(name: str, patterns: tuple[str, ...]) -> None:
    for pattern in patterns:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ConfigError(f"{name}: {pattern!r} is not a regular expression: {error}") from error


def _check_networks(name: str, allowed: bool | tuple[str, ...]) -> None:
    for network in () if isinstance(allowed, bool) else allowed:
        try:
            ip_network(network)
        except ValueError as error:
            raise ConfigError(f"{name}: {network!r} is no network like '10.0.0.0/8': {error}") from error
