"""Everything a crawl can be told, as one frozen value, checked once."""

import os
import re
from pathlib import Path
from typing import Literal

from msgspec import Struct

from crawler.errors import ConfigError
from crawler.model import RECORD_FIELDS
from crawler.version import __version__

__all__ = ["DEFAULT_PARSERS", "DEFAULT_USER_AGENT", "CrawlConfig", "RobotsMode", "ScopeKind", "TransportKind"]

ScopeKind = Literal["page", "prefix", "host", "domain", "any"]
RobotsMode = Literal["obey", "ignore"]
TransportKind = Literal["aiohttp", "requests"]

DEFAULT_USER_AGENT = f"crawler/{__version__}"

DEFAULT_PARSERS = max(1, min(4, os.cpu_count() or 1))
"""One parser a core: on two cores two were 1.1 to 1.5 times as fast as one. Four keep up with what one event loop
can download (measured: 0.3 ms of parsing a page beside 0.4 ms in the main process)."""


class CrawlConfig(Struct, frozen=True, kw_only=True):
    """Settings of one crawl. Times are seconds, sizes bytes, None means "no limit".

    What is crawled:
        scope: which links are followed, measured from the seed they descend from: `page` (none), `prefix` (below
            the seed's folder), `host` (same host and port), `domain` (same registrable domain), `any`.
        depth: links followed from a seed; 0 fetches the seeds alone.
        max_pages, max_time_s: budgets; the crawl stops when one is used up and a later run may have a larger one.
        include, exclude: regular expressions searched in the URL; a link must match one of `include` (if given)
            and none of `exclude`. Seeds are not filtered.

    How servers are treated:
        concurrency: requests under way at once. per_host, per_address: the same for one host (name and port) and
            for one IP address (never less than per_host).
        delay_s: time between the starts of two requests to a host; None = adaptive (follows the host's latency).
            A larger Crawl-delay or Retry-After always wins.
        robots: obey or ignore robots.txt, rel=nofollow and meta robots.
        allow_private: fetch from loopback, private and other special addresses too.
        timeout_s: for one URL, from connecting to its last byte. retries: attempts after the first.
        max_body_bytes: a longer body is cut there, and its record says `truncated`.
        user_agent, headers: sent with each request; headers are (name, value) pairs.

    What comes out:
        job: folder of this crawl's state. output: file of the JSON lines, "-" = standard output, None =
            `<job>/pages.jsonl`. fields: record fields to write, in that order.

    The machine:
        parsers: parser processes; by default as many as cores, at most 4. parser_timeout_s: time one page may take.
        transport: what downloads: `aiohttp`, or `requests` in threads.

    Raises `ConfigError` for a value out of range, naming it.
    """

    job: Path
    output: str | None = None
    scope: ScopeKind = "host"
    depth: int | None = None
    max_pages: int | None = None
    max_time_s: float | None = None
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    concurrency: int = 256
    per_host: int = 2
    per_address: int = 32
    delay_s: float | None = None
    parsers: int = DEFAULT_PARSERS
    parser_timeout_s: float = 10.0
    timeout_s: float = 30.0
    max_body_bytes: int = 10_000_000
    retries: int = 2
    user_agent: str = DEFAULT_USER_AGENT
    headers: tuple[tuple[str, str], ...] = ()
    robots: RobotsMode = "obey"
    allow_private: bool = False
    fields: tuple[str, ...] = RECORD_FIELDS
    transport: TransportKind = "aiohttp"
    strict: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot work, by name."""
        for name, least in (
            ("concurrency", 1),
            ("per_host", 1),
            ("per_address", 1),
            ("parsers", 1),
            ("retries", 0),
        ):
            _at_least(name, getattr(self, name), least)
        for name in ("depth", "max_pages", "max_time_s", "delay_s"):
            if getattr(self, name) is not None:
                _at_least(name, getattr(self, name), 0)
        for name in ("timeout_s", "parser_timeout_s", "max_body_bytes"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name} must be more than 0, not {getattr(self, name)!r}")
        for name in ("include", "exclude"):
            for pattern in getattr(self, name):
                try:
                    re.compile(pattern)
                except re.error as error:
                    raise ConfigError(f"{name}: {pattern!r} is not a regular expression: {error}") from error
        unknown = [field for field in self.fields if field not in RECORD_FIELDS]
        if unknown or not self.fields:
            raise ConfigError(
                f"fields: {', '.join(map(repr, unknown)) or 'none given'}; choose from {', '.join(RECORD_FIELDS)}"
            )
        for name, value in (("user_agent", self.user_agent), *self.headers):
            if not name or any(character in name + value for character in "\r\n\0"):
                raise ConfigError(f"header {name!r} has a line break or NUL in it, or no name")

    @property
    def output_path(self) -> Path | None:
        """Where records go: a file, or None for standard output."""
        if self.output is None:
            return self.job / "pages.jsonl"
        return None if self.output == "-" else Path(self.output)


def _at_least(name: str, value: float, least: float) -> None:
    if value < least:
        raise ConfigError(f"{name} must be at least {least}, not {value!r}")
