"""Everything a crawl can be told, as one frozen value, checked once. What stands here of a setting is all there is."""

import difflib
import logging
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from msgspec import Struct, StructMeta
from msgspec.structs import replace

from crawler.core.cluster_address import CLUSTER, check_alone
from crawler.core.contact import CONTACT, introduced
from crawler.core.errors import ConfigError
from crawler.core.expectation import EXPECTATIONS
from crawler.core.model import RETRIED_KINDS, Field, Rotation
from crawler.core.port import PORT
from crawler.core.record import ALL_BUT, RECORD_FIELDS
from crawler.core.setting import Setting, settings_of
from crawler.core.setting_kinds import (
    BYTES,
    COUNT,
    FILE,
    FOLDER,
    HEADERS,
    NAMES,
    NETWORKS,
    OUTPUTS,
    PARAMETERS,
    PATTERNS,
    ROTATION,
    SECONDS,
    SEED_LIST,
    SELECTORS,
    SPIDER,
    SWITCH,
    TEXT,
    choice,
    or_none,
    some_of,
    switch_or_choice,
)
from crawler.core.version import __version__

__all__ = [
    "CRAWL_SETTINGS",
    "DEFAULT_PARSERS",
    "DEFAULT_USER_AGENT",
    "LEAST_PARSER_MEMORY_BYTES",
    "CrawlConfig",
    "DuplicateMode",
    "RobotsMode",
    "ScopeKind",
    "StrategyKind",
    "TransportKind",
    "settled",
    "with_new_names",
]

_log = logging.getLogger(__name__)

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


_CRAWLED = "What is crawled"
_TREATED = "How servers are treated"
_WRITTEN = "What comes out"
_JOB = "The job"
_SEEN = "What is seen of it"
_MACHINE = "The machine"


class _OlderNames(StructMeta):
    """Lets a struct of settings take keyword arguments by the names that they once had."""

    if not TYPE_CHECKING:  # whoever checks types is to see the fields

        def __call__(self, **settings: Any) -> Any:
            """Make the struct, as the class is called."""
            return super().__call__(**with_new_names(settings))


class _Settings(Struct, frozen=True, kw_only=True, metaclass=_OlderNames):
    """The fields of `CrawlConfig` that are settings: one table, in the order of the help."""

    # One setting: its type, what the command line says of it, its group and kind, and what else is known.
    # fmt: off
    seeds: Annotated[tuple[str, ...], Setting(
        "Start from these: http(s) URLs, sitemap:URL, paths of seed files.",
        _CRAWLED, SEED_LIST, only_in_files=True,
    )] = ()
    scope: Annotated[ScopeKind, Setting(
        "Follow no links (page), or only links below the seed's folder (prefix), on its host and port (host), on "
        "its registrable domain (domain), or all links (any).",
        _CRAWLED, choice(get_args(ScopeKind)), also=("compare", "try"), matters=True,
    )] = "host"
    depth: Annotated[int | None, Setting(
        "Follow links this many steps from a seed. 0 fetches the seeds alone.",
        _CRAWLED, or_none(COUNT), least=0, also=("compare", "try"), matters=True,
    )] = None
    max_pages: Annotated[int | None, Setting(
        "Stop after this many pages. A later run may have more.",
        _CRAWLED, or_none(COUNT), least=0,
    )] = None
    max_pages_per_host: Annotated[int | None, Setting(
        "Take at most this many pages of one host (name and port). Its other URLs are skipped: host-limit.",
        _CRAWLED, or_none(COUNT), least=1, matters=True,
    )] = None
    max_pages_per_domain: Annotated[int | None, Setting(
        "Take at most this many pages of one registrable domain. Its other URLs are skipped: domain-limit.",
        _CRAWLED, or_none(COUNT), least=1, matters=True,
    )] = None
    max_time_s: Annotated[float | None, Setting(
        "Stop after this many seconds. A later run may have more.",
        _CRAWLED, or_none(SECONDS), option="max-time", least=0,
    )] = None
    include: Annotated[tuple[str, ...], Setting(
        "Follow only links whose URL matches this regular expression. Of several, one match is enough.",
        _CRAWLED, PATTERNS, also=("compare", "try"), matters=True,
    )] = ()
    exclude: Annotated[tuple[str, ...], Setting(
        "Follow no link whose URL matches this regular expression.",
        _CRAWLED, PATTERNS, also=("compare", "try"), matters=True,
    )] = ()
    sitemaps: Annotated[bool, Setting(
        "Take the pages of the sitemaps that robots.txt names, too.",
        _CRAWLED, SWITCH, matters=True,
    )] = False
    max_links: Annotated[int, Setting(
        "Take at most this many links from one page. Its record, or the log, says how many were left out. Links that a "
        "spider names are all taken.",
        _CRAWLED, COUNT, least=1, also=("try", "extract"), matters=True,
    )] = 10_000
    max_chain: Annotated[int | None, Setting(
        "Take at most this many pages in a row that look alike, as in an endless calendar; 100 times as many while "
        "they bring other pages. The next one is skipped: trap.",
        _CRAWLED, or_none(COUNT), least=1, matters=True,
    )] = 100
    max_repeats: Annotated[int | None, Setting(
        "Of a large host or domain, take this many pages that bring nothing but links. Pages that bring something make "
        "up for them. The rest is skipped: repeats.",
        _CRAWLED, or_none(COUNT), least=1, matters=True,
    )] = 400
    keep_parameters: Annotated[bool | tuple[str, ...], Setting(
        "Ask for URLs whatever was learnt of parameters that do not change a page: of all, or of these (ref,sort).",
        _CRAWLED, PARAMETERS,
    )] = False
    robots: Annotated[RobotsMode, Setting(
        "Obey or ignore robots.txt, rel=nofollow and meta robots.",
        _TREATED, choice(get_args(RobotsMode)), also=("compare", "try", "extract"), matters=True,
    )] = "obey"
    user_agent: Annotated[str, Setting(
        "Send this as the crawler's name.",
        _TREATED, TEXT, also=("compare", "try"),
    )] = DEFAULT_USER_AGENT
    contact: Annotated[str | None, Setting(
        "Say in the User-Agent how you can be reached: a mail address, or the URL of a page about the crawl.",
        _TREATED, or_none(CONTACT), also=("compare", "try"),
    )] = None
    headers: Annotated[tuple[tuple[str, str], ...], Setting(
        "Send this header. One that may hold a secret goes to the seeds' own origins alone.",
        _TREATED, HEADERS, option="header", also=("compare", "try"),
    )] = ()
    cookies: Annotated[bool, Setting(
        "Keep each origin's cookies during a run, and send them back to it.",
        _TREATED, SWITCH,
    )] = False
    delay_s: Annotated[float | None, Setting(
        "Wait this many seconds between requests to one host. auto follows the host's latency. A larger Crawl-delay "
        "or Retry-After always wins.",
        _TREATED, or_none(SECONDS, "auto", metavar="S|auto"), option="delay", least=0, also=("compare",),
    )] = None
    per_host: Annotated[int, Setting(
        "Send at most this many requests at once to one host (name and port).",
        _TREATED, COUNT, least=1, also=("compare",),
    )] = 2
    per_address: Annotated[int, Setting(
        "Send at most this many requests at once to one IP address; a /64 of IPv6 counts as one. The limit is never "
        "below that for one host.",
        _TREATED, COUNT, least=1, also=("compare",),
    )] = 32
    concurrency: Annotated[int, Setting(
        "Send at most this many requests at once.",
        _TREATED, COUNT, least=1, also=("compare",),
    )] = 256
    timeout_s: Annotated[float, Setting(
        "Give up on an attempt at a URL after this many seconds, from the look-up of its name to its last byte, "
        "redirects included.",
        _TREATED, SECONDS, option="timeout", above=0, also=("compare", "try"),
    )] = 30.0
    retries: Annotated[int, Setting(
        "Try a URL that failed this many more times.",
        _TREATED, COUNT, least=0,
    )] = 2
    give_up_after_s: Annotated[float | None, Setting(
        "Give a host up for this run when it has not answered for this many seconds, or for 2 minutes if it never did "
        "in this job. Until then it is asked now and then. Its URLs stay due: the same command tries them again.",
        _TREATED, or_none(SECONDS), option="give-up-after", least=0,
    )] = 1800.0
    fail_unreachable: Annotated[bool, Setting(
        "End the URLs of a host that is given up as failed: host-down, instead of leaving them due.",
        _TREATED, SWITCH,
    )] = False
    max_body_bytes: Annotated[int, Setting(
        "Cut longer bodies here. The record then says truncated. Sizes may be written like 512kB or 10MiB.",
        _TREATED, BYTES, option="max-body", above=0, also=("try", "extract"),
    )] = 10_000_000
    allow_private: Annotated[bool | tuple[str, ...], Setting(
        "Fetch from loopback and private addresses, too: from all, or only from those in these networks.",
        _TREATED, NETWORKS, also=("compare", "try"), matters=True,
    )] = False
    ca_bundle: Annotated[Path | None, Setting(
        "Trust the TLS authorities in this PEM file, beside the usual ones.",
        _TREATED, or_none(FILE), also=("compare", "try"),
    )] = None
    insecure: Annotated[bool, Setting(
        "Accept any TLS certificate. Anyone on the way can then read along.",
        _TREATED, SWITCH, also=("compare", "try"),
    )] = False
    output: Annotated[str | tuple[str, ...] | None, Setting(
        "Write records to this place. Its ending decides how: .jsonl .csv .parquet .db .warc.gz …; - is standard "
        "output.",
        _WRITTEN, OUTPUTS, short="o", also=("extract",), default_text="<job>/pages.jsonl",
    )] = None
    rotate: Annotated[Rotation | None, Setting(
        "Begin the next file of an output after this many bytes (1GB) or records (50000).",
        _WRITTEN, or_none(ROTATION), also=("extract",), matters=True,
    )] = None
    fields: Annotated[tuple[str, ...] | None, Setting(
        "Write these fields of each record, in this order.",
        _WRITTEN, NAMES, default_text=ALL_BUT, also=("try", "extract"), matters=True,
    )] = None
    select: Annotated[tuple[Field, ...], Setting(
        "Find this field in each page: title=h1, price:float=.price, img=img::attr(src), items[]=li.",
        _WRITTEN, SELECTORS, also=("try", "extract"), matters=True,
        was_option="field", was_keyword="selectors", stored="selectors",
    )] = ()
    spider: Annotated[str | None, Setting(
        "Let this function read the pages: package.module:function, file.py:function.",
        _WRITTEN, or_none(SPIDER), also=("try", "extract"), matters=True, was_keyword="parse",
    )] = None
    all_statuses: Annotated[bool, Setting(
        "Let a spider or selectors read answers of any status, not of 2xx alone.",
        _WRITTEN, SWITCH, also=("try", "extract"), matters=True,
    )] = False
    record_per_seed: Annotated[bool | None, Setting(
        "Write one record for each row of the seeds, whatever becomes of it, with its columns. By itself with "
        "--scope page.",
        _WRITTEN, or_none(SWITCH, "auto"), matters=True,
    )] = None
    skip_duplicates: Annotated[DuplicateMode, Setting(
        "Write no record of a page whose body was seen before. near also leaves out nearly the same text.",
        _WRITTEN, switch_or_choice(get_args(DuplicateMode), off="no", on="exact"), matters=True,
    )] = "no"
    job: Annotated[Path | None, Setting(
        "Keep the crawl's state in this folder. Its name comes from the seeds.",
        _JOB, FOLDER, default_text="output/<name>",
    )] = None
    follow: Annotated[str | None, Setting(
        "Go on reading seeds from files that come into this folder, or from standard input (-), until a file called "
        "end is there, or the input ends.",
        _JOB, or_none(TEXT, metavar="FOLDER|-"),
    )] = None
    retry_failed: Annotated[bool | tuple[str, ...], Setting(
        "Ask again for URLs of the job that have failed: for all, or for those of these kinds (timeout, dns, tls …).",
        _JOB, some_of(RETRIED_KINDS),
    )] = False
    dashboard: Annotated[bool | int, Setting(
        "Show the crawl on a page of this machine alone, and steer it there: at this port, or without one at 8090 or, "
        "if that is taken, a free one. 0: a free one. Its address is printed at the start.",
        _SEEN, PORT, also=("demo",),
    )] = False
    strict: Annotated[bool, Setting(
        "Stop at the first bad line of a seed file.",
        _JOB, SWITCH,
    )] = False
    expect: Annotated[tuple[str, ...], Setting(
        "Check this at the end, as in pages>=1000, failed<=1%, price>=95% (share of records with a value). What is not "
        "met is told, and the exit code is 7.",
        _SEEN, EXPECTATIONS,
    )] = ()
    metrics: Annotated[bool | int, Setting(
        "Give figures for Prometheus at this port of this machine alone, or without one at 9464 or, if that is taken, "
        "a free one. 0: a free one. The log tells where.",
        _SEEN, PORT,
    )] = False
    parsers: Annotated[int, Setting(
        "Parse in this many processes, or threads.",
        _MACHINE, COUNT, least=1, default_text="one a core, at most 4", also=("extract",),
    )] = DEFAULT_PARSERS
    parser_timeout_s: Annotated[float, Setting(
        "Give up on a page after this many seconds in a parser.",
        _MACHINE, SECONDS, option="parser-timeout", above=0, also=("try", "extract"),
    )] = 10.0
    parser_memory_bytes: Annotated[int | None, Setting(
        "Let one parser use at most this much memory. An idle one uses about 25 MB.",
        _MACHINE, or_none(BYTES), option="parser-memory", least=LEAST_PARSER_MEMORY_BYTES, also=("extract",),
    )] = 1 << 30
    bytes_in_flight: Annotated[int, Setting(
        "Hold at most this many bytes of bodies between the network and the parsers. Beyond that, downloads wait.",
        _MACHINE, BYTES, least=1,
    )] = 64_000_000
    strategy: Annotated[StrategyKind, Setting(
        "Share the work out this way: one URL after the other, threads, one event loop, or an event loop with "
        "parser processes. Only hybrid holds a page to --parser-timeout and --parser-memory.",
        _MACHINE, choice(get_args(StrategyKind)),
    )] = "hybrid"
    transport: Annotated[TransportKind | None, Setting(
        "Download with this library. Only --strategy hybrid leaves a choice.",
        _MACHINE, choice(get_args(TransportKind)), default_text="that of the strategy", also=("try",),
    )] = None
    cluster: Annotated[bool | str, Setting(
        "Crawl with several rings on Ray: on this machine, or with HOST:PORT on the cluster that has its head there. "
        "The job may then be a URL (s3://bucket/job, file:///shared/job) that all of its machines reach.",
        _MACHINE, CLUSTER,
    )] = False
    shards: Annotated[int | None, Setting(
        "Share the hosts out among this many rings, for good. More than there are cores is fine.",
        _MACHINE, or_none(COUNT, "auto"), least=1, default_text="one a core, at least 2, at most 64",
    )] = None
    # fmt: on


class CrawlConfig(_Settings, frozen=True, kw_only=True):
    """Settings of one crawl. Times are seconds, sizes bytes, None means "no limit".

    `help(CrawlConfig)` and docs/cli.md list each setting. On the command line they have no units: `--timeout`.

    Raises `ConfigError` for a value out of range, naming it.
    """

    archive: bool = False
    """Whether an output wants the whole exchange with each server. No setting: `settled` says it for the outputs."""
    sampled: bool = False
    """Whether the crawl is a sample, to show what a whole one would meet (`frontier.sampling`). No setting either."""

    def __post_init__(self) -> None:
        """Refuse what cannot work, by name."""
        for setting in CRAWL_SETTINGS:
            setting.check(getattr(self, setting.field), setting.field)
        _check_transport(self.strategy, self.transport)
        if not self.cluster:
            check_alone(self.job, self.shards)
        self.check_reader(self.spider)
        if self.fields is not None:
            _check_fields(self.fields, self.fields if self.spider else RECORD_FIELDS)

    def check_reader(self, spider: object) -> None:
        """Raise `ConfigError` if pages are to be read by a spider, given here, and by selectors as well."""
        if spider and self.select:
            raise ConfigError("spider: a crawl has a spider or fields found by selectors, not both")

    def without_processes(self) -> "CrawlConfig":
        """Return the settings of the same crawl that parses in its own process."""
        return self if self.strategy != "hybrid" else replace(self, strategy=_INLINE[self.transport_kind])

    @property
    def selectors(self) -> tuple[Field, ...]:
        """What `select` was once called."""
        return self.select

    @property
    def identification(self) -> str:
        """What is sent as the User-Agent: `user_agent`, with `contact`."""
        return introduced(self.user_agent, self.contact)

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
    def outputs(self) -> tuple[str, ...]:
        """Where records go, one or more: paths, URLs of object storage, "-" for standard output."""
        if self.output is None:
            return (str(self.folder / "pages.jsonl"),)
        return (self.output,) if isinstance(self.output, str) else self.output


def _check_transport(strategy: StrategyKind, transport: TransportKind | None) -> None:
    if strategy != "hybrid" and transport not in {None, _TRANSPORTS[strategy]}:
        raise ConfigError(
            f"transport: strategy {strategy} downloads with {_TRANSPORTS[strategy]}, not with {transport}: leave "
            "transport out, or choose strategy hybrid"
        )


def _check_fields(fields: tuple[str, ...], known: Collection[str]) -> None:
    if "inlinks" in fields and "inlinks" not in known:
        raise ConfigError(
            "fields: inlinks are known only when all pages were read: `crawler export JOB --inlinks` adds them to the "
            "records of a job"
        )
    unknown = [field for field in fields if field not in known]
    if unknown or not fields:
        near = difflib.get_close_matches(unknown[0], RECORD_FIELDS, 1) if unknown else []
        meant = f"did you mean {near[0]!r}? " if near else ""
        given = ", ".join(map(repr, unknown)) or "none given"
        raise ConfigError(f"fields: {given}; {meant}choose from {', '.join(RECORD_FIELDS)}")


_TRANSPORTS: dict[StrategyKind, TransportKind] = {
    "sequential": "requests",
    "threads": "requests",
    "async": "aiohttp",
    "hybrid": "aiohttp",
}

_INLINE: dict[TransportKind, StrategyKind] = {"aiohttp": "async", "requests": "threads"}

CRAWL_SETTINGS: tuple[Setting, ...] = settings_of(CrawlConfig)
"""All settings of a crawl, by groups, in the order of the help."""


def settled(
    config: CrawlConfig, *, job: Path, affordable: int, consumed: bool, spider: str | None, archive: bool
) -> CrawlConfig:
    """Return the settings as the crawl goes by them; called once, when it begins. Pure.

    `job`: the folder of its state. `affordable`: requests that may be under way at once, as the limit on open files
    allows. `consumed`: whether the program takes the records itself; then no output is written unless one is named.
    `spider`: what the job knows its spider by. `archive`: whether an output wants whole exchanges with servers.
    """
    return replace(
        config,
        job=job,
        concurrency=min(config.most_at_once, affordable),
        output=() if consumed and config.output is None else config.output,
        spider=spider,
        archive=archive,
    )


def with_new_names(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return keyword arguments under the names that they have now; one None under an older name was not given.

    The log gets a line for those that had an older one: a warning of Python's would break programs that take warnings
    for errors. Raises `ConfigError` for a setting that is given under both names.
    """
    named = dict(settings)
    notes = []
    for setting in CRAWL_SETTINGS:
        value = named.pop(setting.was_keyword, None) if setting.was_keyword else None
        if value is None:
            continue
        if named.get(setting.field) is not None:
            raise ConfigError(
                f"{setting.field}: {setting.was_keyword} is its older name, and both are given: "
                f"leave {setting.was_keyword} out"
            )
        named[setting.field] = value
        notes.append(f"{setting.was_keyword} is now called {setting.field}")
    if notes:
        _log.warning("%s", "; ".join(notes))
    return named


CrawlConfig.__doc__ = f"{CrawlConfig.__doc__}\n" + "".join(
    f"    {setting.field} [{setting.default!r}]: {setting.help}\n" for setting in CRAWL_SETTINGS
)
