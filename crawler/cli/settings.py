"""Settings by name: one table from which come the options, the TOML keys and the environment variables.

The same setting can be given in four places; a later one replaces an earlier one, lists too:

    default < settings file (--config) < environment (CRAWLER_MAX_PAGES) < option (--max-pages)

In a settings file a name may be written with `-` or `_`, and paths (`seeds`, `job`, `output`, `ca-bundle`) start from
the file's folder, so that a file means the same wherever it is used from. An environment variable that is empty counts
as not set; one that holds a list has one item a line (`CRAWLER_FIELDS`, `CRAWLER_ALLOW_PRIVATE`: separated by commas).
"""

import difflib
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

from msgspec import Struct

from crawler.cli.setting_kinds import (
    BYTES,
    BYTES_LIMIT,
    COUNT,
    DELAY,
    DUPLICATES,
    FIELDS,
    FILE,
    FOLDER,
    HEADERS,
    LIMIT,
    NAMES,
    NETWORKS,
    OUTPUTS,
    PATTERNS,
    ROTATION,
    SEED_LIST,
    SPIDER,
    SWITCHED,
    TEXT,
    TIME,
    TIME_LIMIT,
    Kind,
    MistakeError,
    choice,
)
from crawler.core.config import DEFAULT_USER_AGENT, CrawlConfig, RobotsMode, ScopeKind, StrategyKind, TransportKind
from crawler.core.errors import ConfigError, SeedError, UrlError
from crawler.core.printable import SHOWN_CHARS, printable
from crawler.core.record import ALL_BUT
from crawler.frontier.seed_lines import sitemap_url
from crawler.frontier.seeds import STDIN, is_seed, is_url, looks_like_file
from crawler.ledger.sinks.outputs import is_remote
from crawler.web.urls import authority, normalise

__all__ = [
    "GROUPS",
    "SETTINGS",
    "LogLevel",
    "Run",
    "Setting",
    "by_option_name",
    "combine",
    "from_environment",
    "from_options",
    "job_name",
    "load_settings",
]

LogLevel = Literal["debug", "info", "warning", "error"]

_NAME_CHARS = 80


class Setting(Struct, frozen=True):
    """One setting.

    `name` of the option and TOML key; `field` of `CrawlConfig` or `Run`; `default` as text, empty if there is none.
    `alone`: whether its value is right or wrong whatever the other settings are.
    """

    name: str
    field: str
    kind: Kind
    default: str
    help: str
    short: str = ""
    alone: bool = True

    @property
    def variable(self) -> str:
        """Name of the environment variable."""
        return "CRAWLER_" + self.name.replace("-", "_").upper()

    def read(self, raw: object, where: str, *, text: bool) -> Any:
        """Return the field's value; raise `ConfigError` naming `where` it stands and what is expected there."""
        try:
            value = self.kind.value(self.kind.text(raw) if text and isinstance(raw, str) else raw)
        except MistakeError as error:
            raise ConfigError(f"{where}: {printable(str(error), 2 * SHOWN_CHARS)}") from error
        except ConfigError as error:
            raise ConfigError(f"{where}: {error}") from error
        except (ValueError, TypeError, ArithmeticError) as error:
            seen = "" if self.kind.secret else f", not {printable(repr(raw), SHOWN_CHARS)}"
            raise ConfigError(f"{where}: expected {self.kind.expects}{seen}") from error
        if self.alone and self.field in CrawlConfig.__struct_fields__:
            try:
                CrawlConfig(**{"job": Path(), self.field: value})
            except ConfigError as error:
                raise ConfigError(_placed(str(error), self, where)) from error
        return value


class Run(Struct, frozen=True, kw_only=True):
    """Everything one run of the command line is told. `seeds` are sources of `frontier.seeds`; none resumes the job."""

    config: CrawlConfig
    seeds: tuple[str, ...]
    fresh: bool = False
    quiet: bool = False
    log_level: LogLevel = "info"


def load_settings(path: Path) -> dict[str, Any]:
    """Read a TOML file of settings; return field names with their values, checked for type.

    Raises `ConfigError` if it cannot be read, is not TOML (with line and column), has an unknown setting (with the
    closest known one) or a value of the wrong type.
    """
    try:
        with path.open("rb") as file:
            values = tomllib.load(file)
    except OSError as error:
        raise ConfigError(f"cannot read the settings in {printable(str(path))}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        why = f"byte 0x{error.object[error.start]:02x} in line {line} is not UTF-8"
        raise ConfigError(f"{printable(str(path))} is not valid TOML: {why}") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{printable(str(path))} is not valid TOML: {printable(str(error))}") from error
    fields: dict[str, Any] = {}
    for key, value in values.items():
        setting = _known(key, value, path)
        if setting.field in fields:
            raise ConfigError(f"{printable(str(path))}: '{setting.name}' stands there twice, with - and with _")
        fields[setting.field] = setting.read(value, f"{printable(str(path))}: {setting.name}", text=False)
    return _located(fields, path.parent)


def from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the fields that `CRAWLER_*` variables set. Raises `ConfigError` for a malformed value."""
    return {
        setting.field: setting.read(environment[setting.variable], setting.variable, text=True)
        for setting in SETTINGS
        if environment.get(setting.variable)
    }


def from_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that options set: text, lists of text and booleans by option name; None and () = not given.

    Raises `ConfigError` for a malformed value.
    """
    return {
        setting.field: setting.read(options[setting.name], f"--{setting.name}", text=True)
        for setting in SETTINGS
        if options.get(setting.name) not in (None, ())
    }


def combine(*layers: Mapping[str, Any]) -> Run:
    """Lay fields over each other, the last one on top, and check the whole.

    Without `job`, it is `output/` and `job_name` of the seeds. Raises `ConfigError` for a value out of range and
    `SeedError` if there are neither seeds nor a job.
    """
    fields: dict[str, Any] = {}
    for layer in layers:
        fields.update(layer)
    seeds = tuple(fields.pop("seeds", ()))
    own = {name: fields.pop(name) for name in ("fresh", "quiet", "log_level") if name in fields}
    if "job" not in fields:
        if not seeds:
            raise SeedError("no seeds given: name a URL, a file of URLs, or - for standard input (or --job to resume)")
        fields["job"] = Path("output") / job_name(seeds)
    try:
        config = CrawlConfig(**fields)
    except ConfigError as error:
        raise ConfigError(by_option_name(str(error))) from error
    return Run(config=config, seeds=seeds, **own)


def job_name(seeds: Sequence[str]) -> str:
    """Return the folder name that a job gets from its seeds: the same for the same seeds.

    The host of a URL or a sitemap (`docs.python.org`, `127.0.0.1-8080`), the stem of a file, `stdin` for standard
    input; with how many more there are (`example.com-and-2-more`). Letters, digits, `.`, `_` and `-` only, and no
    leading dot.
    """
    sitemap = sitemap_url(seeds[0])
    first = seeds[0] if sitemap is None else sitemap
    if first == STDIN:
        name = "stdin"
    elif is_url(first):
        try:
            name = authority(normalise(first))
        except UrlError:
            name = ""
    else:
        path = Path(first)
        name = Path(path.stem).stem if path.suffix.lower() == ".gz" else path.stem if looks_like_file(first) else first
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", name)[:_NAME_CHARS].strip("-.") or "job"
    return name if len(seeds) == 1 else f"{name}-and-{len(seeds) - 1}-more"


def _known(key: str, value: object, path: Path) -> Setting:
    name = key.replace("_", "-")
    for setting in (*SETTINGS, _SEEDS):
        if setting.name == name:
            return setting
    names = [setting.name for setting in (*SETTINGS, _SEEDS)]
    close = difflib.get_close_matches(name.lower(), names, 1)
    advice = f"did you mean '{close[0]}'?" if close else f"known are {', '.join(names)}"
    if isinstance(value, dict):
        advice = "settings stand at the top of the file, not in a table"
    raise ConfigError(f"{printable(str(path))}: unknown setting '{printable(key, SHOWN_CHARS)}'; {advice}")


def _located(fields: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Let paths from a settings file start at its folder."""

    def at(path: str) -> str:
        return path if path == STDIN else str(folder / Path(path).expanduser())

    located = dict(fields)
    if "job" in fields:
        located["job"] = Path(at(str(fields["job"])))
    if fields.get("output"):
        located["output"] = tuple(path if is_remote(path) else at(path) for path in fields["output"])
    if fields.get("spider"):
        located["spider"] = _spider_at(fields["spider"], folder)
    if fields.get("ca_bundle") is not None:
        located["ca_bundle"] = Path(at(str(fields["ca_bundle"])))
    if "seeds" in fields:
        # What is no file, such as "example.com", stays as it is: the error about it shows what was written.
        located["seeds"] = tuple(
            at(seed) if not is_seed(seed) and (looks_like_file(seed) or Path(at(seed)).exists()) else seed
            for seed in fields["seeds"]
        )
    return located


def _spider_at(spider: str, folder: Path) -> str:
    """Let a spider in a file start at the folder of the settings, as all paths do; one in a module is found by name."""
    place, colon, name = spider.rpartition(":")
    return f"{folder / Path(place).expanduser()}{colon}{name}" if place.endswith(".py") else spider


def by_option_name(message: str) -> str:
    """Put the option's name for the field's name that a message about a setting may start with."""
    for setting in SETTINGS:
        if message.startswith((f"{setting.field} ", f"{setting.field}:")):
            return _placed(message, setting, f"--{setting.name}")
    return message


def _placed(message: str, setting: Setting, where: str) -> str:
    """Put the place of a value for the field's name that a message may start with."""
    if message.startswith((f"{setting.field} ", f"{setting.field}:")):
        return where + message.removeprefix(setting.field)
    return f"{where}: {message}"


_SEEDS = Setting("seeds", "seeds", SEED_LIST, "", "Where the crawl starts.")
"""In a settings file only; on the command line seeds are the arguments, and replace these."""

GROUPS: dict[str, tuple[Setting, ...]] = {
    "What is crawled": (
        Setting(
            "scope",
            "scope",
            choice(get_args(ScopeKind)),
            "host",
            "Links to follow: none (page), those below the seed's folder, on its host, its domain, or any.",
        ),
        Setting("depth", "depth", LIMIT, "none", "Links followed from a seed; 0 fetches the seeds alone."),
        Setting("max-pages", "max_pages", LIMIT, "none", "Stop after so many pages; a later run may have more."),
        Setting("max-time", "max_time_s", TIME_LIMIT, "none", "Stop after so many seconds."),
        Setting("include", "include", PATTERNS, "", "Follow only links whose URL matches this, or another --include."),
        Setting("exclude", "exclude", PATTERNS, "", "Follow no link whose URL matches this. May be repeated."),
        Setting("sitemaps", "sitemaps", SWITCHED, "no", "Also take the pages of the sitemaps that robots.txt names."),
        Setting(
            "max-links", "max_links", COUNT, "10_000", "Links taken from one page; its record tells of the others."
        ),
        Setting(
            "max-chain",
            "max_chain",
            LIMIT,
            "100",
            "Pages in a row that look alike, as in an endless calendar; the next one is skipped: trap.",
        ),
    ),
    "How servers are treated": (
        Setting(
            "robots",
            "robots",
            choice(get_args(RobotsMode)),
            "obey",
            "Whether robots.txt, rel=nofollow and meta robots count.",
        ),
        Setting("user-agent", "user_agent", TEXT, DEFAULT_USER_AGENT, "Who the crawler says that it is."),
        Setting(
            "header",
            "headers",
            HEADERS,
            "",
            "Send this header; one that may hold a secret goes to the seeds' own origins alone. May be repeated.",
        ),
        Setting(
            "cookies", "cookies", SWITCHED, "no", "Keep each origin's cookies during a run and send them back to it."
        ),
        Setting("delay", "delay_s", DELAY, "auto", "Seconds between requests to one host; auto follows its latency."),
        Setting("per-host", "per_host", COUNT, "2", "Requests under way at once to one host (name and port)."),
        Setting("per-address", "per_address", COUNT, "32", "The same for one IP address."),
        Setting("concurrency", "concurrency", COUNT, "256", "Requests under way at once."),
        Setting("timeout", "timeout_s", TIME, "30", "Seconds for one URL, from connecting to its last byte."),
        Setting("retries", "retries", COUNT, "2", "Attempts after the first."),
        Setting("max-body", "max_body_bytes", BYTES, "10MB", "Cut longer bodies there. Also like 512kB or 10MiB."),
        Setting(
            "allow-private",
            "allow_private",
            NETWORKS,
            "no",
            "Fetch from loopback and private addresses too: from all, or those in these networks. May be repeated.",
        ),
        Setting("ca-bundle", "ca_bundle", FILE, "none", "PEM file of TLS authorities to trust beside the usual ones."),
        Setting(
            "insecure", "insecure", SWITCHED, "no", "Accept any TLS certificate: anyone on the way can read along."
        ),
    ),
    "What comes out": (
        Setting(
            "output",
            "output",
            OUTPUTS,
            "<job>/pages.jsonl",
            "Where records go; the ending decides how: .jsonl .csv .parquet .db .warc.gz …, - is standard output. "
            "May be repeated.",
            "o",
        ),
        Setting(
            "rotate",
            "rotate",
            ROTATION,
            "none",
            "Begin the next file of an output after so many bytes (1GB) or records (50000).",
        ),
        Setting(
            "fields",
            "fields",
            NAMES,
            ALL_BUT,
            "Record fields to write, in that order.",
            alone=False,
        ),
        Setting(
            "field",
            "selectors",
            FIELDS,
            "",
            "Find this field in each page: title=h1, price:float=.price, img=img::attr(src), items[]=li. "
            "May be repeated.",
        ),
        Setting(
            "spider",
            "spider",
            SPIDER,
            "none",
            "Let this function read the pages: package.module:function, file.py:function.",
        ),
        Setting(
            "skip-duplicates",
            "skip_duplicates",
            DUPLICATES,
            "no",
            "Write no record of a page whose body was there before; with near: or nearly its text.",
        ),
    ),
    "The job": (
        Setting("job", "job", FOLDER, "output/<name>", "Folder of the crawl's state; its name comes from the seeds."),
        Setting("fresh", "fresh", SWITCHED, "no", "Start the job over: forget its state and its records."),
        Setting("strict", "strict", SWITCHED, "no", "Stop at the first bad line of a seed file."),
    ),
    "The machine": (
        Setting("parsers", "parsers", COUNT, "one a core, at most 4", "Parser processes, or threads."),
        Setting("parser-timeout", "parser_timeout_s", TIME, "10", "Seconds that one page may take in a parser."),
        Setting("parser-memory", "parser_memory_bytes", BYTES_LIMIT, "1GiB", "Memory that a parser may take."),
        Setting(
            "bytes-in-flight",
            "bytes_in_flight",
            BYTES,
            "64MB",
            "Bodies held between the network and the parsers; past it downloads wait.",
        ),
        Setting(
            "strategy",
            "strategy",
            choice(get_args(StrategyKind)),
            "hybrid",
            "One URL after the other; threads; an event loop that parses too; or an event loop and parser processes. "
            "Only hybrid holds a page to --parser-timeout and --parser-memory.",
        ),
        Setting(
            "transport",
            "transport",
            choice(get_args(TransportKind)),
            "that of the strategy",
            "What downloads; with --strategy hybrid aiohttp or requests.",
        ),
    ),
    "The terminal": (
        Setting("quiet", "quiet", SWITCHED, "no", "Print nothing but errors."),
        Setting("log-level", "log_level", choice(get_args(LogLevel)), "info", "What the log tells."),
    ),
}
"""All settings that have an option, in the order of the help."""

SETTINGS: tuple[Setting, ...] = tuple(setting for group in GROUPS.values() for setting in group)
