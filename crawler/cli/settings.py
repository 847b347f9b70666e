"""Settings by name, from four places.

A later one replaces an earlier one, lists too:

    default < job that goes on < settings file (--config) < environment (CRAWLER_MAX_PAGES) < option (--max-pages)

Each setting is described where its field is: in `core.config`, those of the command line alone in `Run`. In a settings
file a name may be written with `-` or `_`, and paths (`seeds`, `job`, `output`, `ca-bundle`) start from the file's
folder, so that a file means the same wherever it is used from. An environment variable that is empty counts as not set;
one that holds a list has one item a line (`CRAWLER_FIELDS`, `CRAWLER_ALLOW_PRIVATE`: separated by commas).
"""

import difflib
import os
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from msgspec import Struct

from crawler.cli.job_name import default_job
from crawler.core.config import CRAWL_SETTINGS, CrawlConfig
from crawler.core.errors import ConfigError, SeedError
from crawler.core.job_place import is_url
from crawler.core.printable import SHOWN_CHARS, printable
from crawler.core.setting import Setting, settings_of, variable_of
from crawler.core.setting_kinds import SELECTORS, SWITCH, choice
from crawler.frontier.seeds import STDIN, is_seed, looks_like_file
from crawler.ledger.sinks.outputs import is_remote

__all__ = [
    "CONFIG_VARIABLE",
    "GROUPS",
    "SETTINGS",
    "Layer",
    "LogFormat",
    "LogLevel",
    "Run",
    "combine",
    "from_environment",
    "from_options",
    "load_settings",
    "named_as_spelled",
    "resumed",
    "told",
]

LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["text", "json"]


class Run(Struct, frozen=True, kw_only=True):
    """Everything one run of the command line is told. `seeds` are sources of `frontier.seeds`; none resumes the job.

    `places` says for fields that were given where, as the user spelled it: `--depth`, `CRAWLER_DEPTH`. `notes` are
    lines about older names that were used.
    """

    config: CrawlConfig
    seeds: tuple[str, ...]
    # fmt: off
    fresh: Annotated[bool, Setting(
        "Start the job over: forget its state and its records.",
        "The job", SWITCH, also=("demo", "extract"),
    )] = False
    quiet: Annotated[bool, Setting(
        "Print nothing but errors.",
        "The terminal", SWITCH, also=("demo", "extract"),
    )] = False
    log_level: Annotated[LogLevel, Setting(
        "Log messages of this level and above.",
        "The terminal", choice(get_args(LogLevel)), also=("demo", "try", "extract"),
    )] = "info"
    log_format: Annotated[LogFormat, Setting(
        "Write the log, progress and errors as text, or as JSON: one object a line.",
        "The terminal", choice(get_args(LogFormat)), also=("demo", "try", "extract"),
    )] = "text"
    # fmt: on
    places: Mapping[str, str] = {}
    notes: tuple[str, ...] = ()


CONFIG_VARIABLE = "CRAWLER_CONFIG"
"""Names the settings file."""

_ALL = (*CRAWL_SETTINGS, *settings_of(Run))

SETTINGS: tuple[Setting, ...] = tuple(setting for setting in _ALL if not setting.only_in_files)
"""All settings that have an option."""

GROUPS: dict[str, tuple[Setting, ...]] = {
    title: tuple(setting for setting in SETTINGS if setting.group == title)
    for title in dict.fromkeys(setting.group for setting in _ALL)
}
"""The same by the titles under which the help shows them, in its order."""


class Layer(dict[str, Any]):
    """The fields that one source sets.

    State, of whoever makes it: `places`, where each is spelled, and `notes`, a line for each that has an older name.
    """

    def __init__(self) -> None:
        super().__init__()
        self.places: dict[str, str] = {}
        self.notes: list[str] = []

    def take(self, setting: Setting, name: str, raw: object, spell: Callable[[str], str], *, text: bool) -> None:
        """Set a field by a TOML value, or with `text` by text. `spell` makes the place where it stands of a name.

        Raises `ConfigError` for a value that cannot be meant, and for a setting that stands there under two names.
        """
        where = spell(name)
        if setting.field in self:
            new, old = spell(setting.name), spell(setting.was_option)
            raise ConfigError(f"{new}: {old} is its older name, and both are given: leave {old} out")
        if name != setting.name:
            self.notes.append(f"{where} is now called {spell(setting.name)}")
        value = setting.read(raw, where, text=text)
        if setting.kind is SELECTORS:
            value = _selected(value, where)
        self[setting.field] = value
        self.places[setting.field] = where


def load_settings(path: Path) -> Layer:
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

    def spell(name: str) -> str:
        return f"{printable(str(path))}: {name}"

    layer = Layer()
    seen: set[str] = set()
    for key, value in values.items():
        name = key.replace("_", "-")
        setting = _known(key, value, path)
        if name in seen:
            raise ConfigError(f"{printable(str(path))}: '{name}' stands there twice, with - and with _")
        seen.add(name)
        layer.take(setting, name, value, spell, text=False)
    for setting in _ALL:
        if layer.get(setting.field):
            layer[setting.field] = _located(setting, layer[setting.field], path.parent)
    return layer


def from_environment(environment: Mapping[str, str], command: str = "crawl") -> Layer:
    """Return the fields that `CRAWLER_*` variables set for a command, with a note for each of them that is no setting.

    Raises `ConfigError` for a malformed value.
    """
    layer = Layer()
    for setting in SETTINGS:
        for name in setting.names if setting.is_of(command) else ():
            if given := environment.get(variable_of(name)):
                layer.take(setting, name, given, variable_of, text=True)
    layer.notes += _no_settings(environment)
    return layer


def _no_settings(environment: Mapping[str, str]) -> Iterator[str]:
    """Give a line for each variable that is named like a setting and is none."""
    prefix = variable_of("")
    known = {variable_of(name).removeprefix(prefix) for setting in SETTINGS for name in setting.names}
    known.add(CONFIG_VARIABLE.removeprefix(prefix))
    for variable, value in sorted(environment.items()):
        name = variable.removeprefix(prefix)
        if value and variable != name and name not in known:
            near = difflib.get_close_matches(name, known, 1)
            meant = f"; did you mean {prefix}{near[0]} ?" if near else ""
            yield f"the variable {printable(variable, SHOWN_CHARS)} is no setting{meant}"


def from_options(options: Mapping[str, Any]) -> Layer:
    """Return the fields that options set: text, lists of text and booleans by option name; None and () = not given.

    A name may be written with `-` or `_`. Raises `ConfigError` for a malformed value.
    """
    layer = Layer()
    options = {name.replace("_", "-"): value for name, value in options.items()}
    for setting in SETTINGS:
        for name in setting.names:
            if (given := options.get(name)) not in (None, ()):
                layer.take(setting, name, given, "--{}".format, text=True)
    return layer


def told(seeds: Sequence[str], config: str | None, options: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """Return all that a command is told, the last on top: its settings file, the variables, the options, the seeds.

    Raises what `load_settings`, `from_environment` and `from_options` raise.
    """
    return (
        load_settings(Path(config)) if config else Layer(),
        from_environment(os.environ),
        from_options(options),
        {"seeds": seeds} if seeds else {},
    )


def combine(*layers: Mapping[str, Any]) -> Run:
    """Lay fields over each other, the last one on top, and check the whole.

    Without `job`, it is `default_job` of the seeds and the outputs. Raises `ConfigError` for settings that do not go
    together and `SeedError` if there are neither seeds nor a job.
    """
    fields: dict[str, Any] = {}
    places: dict[str, str] = {}
    notes: list[str] = []
    for layer in layers:
        fields.update(layer)
        if isinstance(layer, Layer):
            places.update(layer.places)
            notes += layer.notes
    seeds = tuple(fields.pop("seeds", ()))
    own = {setting.field: fields.pop(setting.field) for setting in settings_of(Run) if setting.field in fields}
    if "job" not in fields:
        followed = fields.get("follow")
        if not seeds and followed is None:
            raise SeedError("no seeds given: name a URL, a file of URLs, or - for standard input (or --job to resume)")
        fields["job"] = default_job(seeds or (f"./{followed}" if followed != STDIN else STDIN,), fields.get("output"))
    with named_as_spelled(places):
        config = CrawlConfig(**fields)
    return Run(config=config, seeds=seeds, places=places, notes=tuple(notes), **own)


def resumed(*layers: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """Return these layers, on top of what their job had in its last run, if it is to go on without seeds.

    Headers that the job keeps are added to those of the layers. Raises `ConfigError` for what the job does not
    keep since it may be secret, and that is not given again, and `StorageError` for a job that cannot be read.
    """
    given = {name: value for layer in layers for name, value in layer.items()}
    job = given.get("job")
    if job is None or given.get("seeds"):
        return layers
    shown = f"job {printable(str(job))}"
    if given.get("fresh"):
        raise SeedError(f"--fresh starts {shown} over, which needs its seeds: name them, too")
    from crawler.ledger.kept import kept_settings  # noqa: PLC0415 - with the store, to go on with a job alone

    kept = kept_settings(job)
    if kept is None:
        from crawler.cluster.job_at import kept_at  # noqa: PLC0415 - as above

        kept = kept_at(job)
    if kept is None:
        return layers
    again = "give it again, or name the seeds to go on without"
    headers = {name.lower() for name, _ in given.get("headers", ())}
    for name in kept.headers:
        if name.lower() not in headers:
            raise ConfigError(
                f"--header: {shown} was run with {printable(name)}, whose value it does not keep: {again}"
            )
    for output in kept.output if "output" not in given else ():
        raise ConfigError(f"--output: {shown} writes to {output}, whose password it does not keep: {again}")
    layer = Layer()
    for setting in CRAWL_SETTINGS:
        if setting.field in kept.settings:
            layer[setting.field] = kept.settings[setting.field]
            layer.places[setting.field] = f"{shown}: {setting.name}"
    added = [pair for pair in layer.get("headers", ()) if pair[0].lower() not in headers]
    return (layer, *layers, {"headers": (*given.get("headers", ()), *added)})


@contextmanager
def named_as_spelled(places: Mapping[str, str]) -> Iterator[None]:
    """Let a `ConfigError` that begins with the name of a field begin with the place where the user set it.

    A field that nobody has set is named by its option.
    """
    try:
        yield
    except ConfigError as error:
        message = str(error)
        for setting in SETTINGS:
            if message.startswith((f"{setting.field} ", f"{setting.field}:")):
                where = places.get(setting.field, f"--{setting.name}")
                raise ConfigError(where + message.removeprefix(setting.field)) from error
        raise


def _known(key: str, value: object, path: Path) -> Setting:
    name = key.replace("_", "-")
    for setting in _ALL:
        if name in setting.names:
            return setting
    names = [setting.name for setting in _ALL]
    close = difflib.get_close_matches(name.lower(), names, 1)
    advice = f"did you mean '{close[0]}'?" if close else f"known are {', '.join(names)}"
    if isinstance(value, dict):
        advice = "settings stand at the top of the file, not in a table"
    raise ConfigError(f"{printable(str(path))}: unknown setting '{printable(key, SHOWN_CHARS)}'; {advice}")


def _selected(value: Any, where: str) -> Any:
    from crawler.page.fields.lines import read_fields  # noqa: PLC0415 - half the start of a command, for the HTML parser

    try:
        return read_fields(value)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error


def _located(setting: Setting, value: Any, folder: Path) -> Any:
    """Let the paths in a value from a settings file start at its folder."""

    def at(path: str) -> str:
        return path if path == STDIN else str(folder / Path(path).expanduser())

    match setting.kind.paths:
        case "itself":
            return value if is_url(value) else Path(at(str(value)))
        case "outputs":
            return tuple(path if is_remote(path) else at(path) for path in value)
        case "spider":  # one in a module is found by its name
            place, colon, name = value.rpartition(":")
            return f"{folder / Path(place).expanduser()}{colon}{name}" if place.endswith(".py") else value
        case "seeds":
            # What is not a file, such as "example.com", stays as it is: the error about it shows what was written.
            return tuple(
                at(seed) if not is_seed(seed) and (looks_like_file(seed) or Path(at(seed)).exists()) else seed
                for seed in value
            )
    return value
