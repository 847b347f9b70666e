"""Settings by name: one table from which come the options, the TOML keys and the environment variables.

The same setting can be given in four places; a later one replaces an earlier one, lists too:

    default < settings file (--config) < environment (CRAWLER_MAX_PAGES) < option (--max-pages)

In a settings file a name may be written with `-` or `_`, and paths (`seeds`, `job`, `output`) start from the file's
folder, so that a file means the same wherever it is used from. An environment variable that is empty counts as not
set; one that holds a list has one item a line (`CRAWLER_FIELDS`: separated by commas).
"""

import difflib
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

from msgspec import Struct

from crawler.config import DEFAULT_USER_AGENT, CrawlConfig, RobotsMode, ScopeKind, TransportKind
from crawler.errors import ConfigError, SeedError, UrlError
from crawler.printable import SHOWN_CHARS, printable
from crawler.seeds import STDIN, is_url, looks_like_file
from crawler.setting_kinds import (
    BYTES,
    COUNT,
    DELAY,
    FOLDER,
    HEADERS,
    LIMIT,
    NAMES,
    PATH,
    PATTERNS,
    SEED_LIST,
    SWITCHED,
    TEXT,
    TIME,
    TIME_LIMIT,
    Kind,
    choice,
)
from crawler.urls import authority, normalise

__all__ = [
    "GROUPS",
    "SETTINGS",
    "LogLevel",
    "Run",
    "Setting",
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
    """

    name: str
    field: str
    kind: Kind
    default: str
    help: str
    short: str = ""

    @property
    def variable(self) -> str:
        """Name of the environment variable."""
        return "CRAWLER_" + self.name.replace("-", "_").upper()

    def read(self, raw: object, where: str, *, text: bool) -> Any:
        """Return the field's value; raise `ConfigError` naming `where` it stands and what is expected there."""
        try:
            return self.kind.value(self.kind.text(raw) if text and isinstance(raw, str) else raw)
        except (ValueError, TypeError, ArithmeticError) as error:
            seen = "" if self.kind.secret else f", not {printable(repr(raw), SHOWN_CHARS)}"
            raise ConfigError(f"{where}: expected {self.kind.expects}{seen}") from error


class Run(Struct, frozen=True, kw_only=True):
    """Everything one run of the command line is told. `seeds` are sources of `crawler.seeds`; none resumes the job."""

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
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
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
        raise ConfigError(_by_option_name(str(error))) from error
    return Run(config=config, seeds=seeds, **own)


def job_name(seeds: Sequence[str]) -> str:
    """Return the folder name that a job gets from its seeds: the same for the same seeds.

    The host of a URL (`docs.python.org`, `127.0.0.1-8080`), the stem of a file, `stdin` for standard input; with
    how many more there are (`example.com-and-2-more`). Letters, digits, `.`, `_` and `-` only, and no leading dot.
    """
    first = seeds[0]
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
    if "output" in fields:
        located["output"] = at(fields["output"])
    if "seeds" in fields:
        # What is no file, such as "example.com", stays as it is: the error about it shows what was written.
        located["seeds"] = tuple(
            at(seed) if not is_url(seed) and (looks_like_file(seed) or Path(at(seed)).exists()) else seed
            for seed in fields["seeds"]
        )
    return located


def _by_option_name(message: str) -> str:
    """Put the option's name for the field's name that a message of `CrawlConfig` starts with."""
    for setting in SETTINGS:
        if message.startswith((f"{setting.field} ", f"{setting.field}:")):
            return f"--{setting.name}{message.removeprefix(setting.field)}"
    return message


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
        Setting("header", "headers", HEADERS, "", "Send this header with each request. May be repeated."),
        Setting("delay", "delay_s", DELAY, "auto", "Seconds between requests to one host; auto follows its latency."),
        Setting("per-host", "per_host", COUNT, "2", "Requests under way at once to one host (name and port)."),
        Setting("per-address", "per_address", COUNT, "32", "The same for one IP address."),
        Setting("concurrency", "concurrency", COUNT, "256", "Requests under way at once."),
        Setting("timeout", "timeout_s", TIME, "30", "Seconds for one URL, from connecting to its last byte."),
        Setting("retries", "retries", COUNT, "2", "Attempts after the first."),
        Setting("max-body", "max_body_bytes", BYTES, "10MB", "Cut longer bodies there. Also like 512kB or 10MiB."),
        Setting("allow-private", "allow_private", SWITCHED, "no", "Fetch from loopback and private addresses too."),
    ),
    "What comes out": (
        Setting("output", "output", PATH, "<job>/pages.jsonl", "File of the JSON lines; - is standard output.", "o"),
        Setting("fields", "fields", NAMES, "all", "Record fields to write, in that order."),
    ),
    "The job": (
        Setting("job", "job", FOLDER, "output/<name>", "Folder of the crawl's state; its name comes from the seeds."),
        Setting("fresh", "fresh", SWITCHED, "no", "Start the job over: forget its state and its records."),
        Setting("strict", "strict", SWITCHED, "no", "Stop at the first bad line of a seed file."),
    ),
    "The machine": (
        Setting("parsers", "parsers", COUNT, "one a core, at most 4", "Parser processes."),
        Setting("transport", "transport", choice(get_args(TransportKind)), "aiohttp", "What downloads."),
    ),
    "The terminal": (
        Setting("quiet", "quiet", SWITCHED, "no", "Print nothing but errors."),
        Setting("log-level", "log_level", choice(get_args(LogLevel)), "info", "What the log tells."),
    ),
}
"""All settings that have an option, in the order of the help."""

SETTINGS: tuple[Setting, ...] = tuple(setting for group in GROUPS.values() for setting in group)
