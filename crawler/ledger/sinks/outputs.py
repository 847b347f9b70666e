"""Which sink writes an output: the ending of its name decides. A new sink is a file of its own, and a row here."""

import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path, PurePath
from typing import Any

import msgspec

from crawler.core.config import CrawlConfig
from crawler.core.errors import ConfigError
from crawler.core.printable import as_utf8, printable
from crawler.ledger.sinks.base import Sink
from crawler.ledger.sinks.files.jsonl import KIND as JSON_LINES
from crawler.ledger.sinks.kind import SinkKind
from crawler.ledger.sinks.locks import Place
from crawler.ledger.sinks.parts import FULL, PartsSink, RowOfParts, parts_folder
from crawler.ledger.sinks.stdout import StdoutSink
from crawler.ledger.sinks.successor import Successor

__all__ = [
    "STDOUT",
    "endings",
    "files_of",
    "is_remote",
    "output_names",
    "part_endings",
    "part_sinks",
    "places_of",
    "records_of",
    "row_pattern",
    "sink_at",
    "sinks_for",
    "wants_exchange",
]

_SINKS = (
    "crawler.ledger.sinks.files.jsonl",
    "crawler.ledger.sinks.files.csv_rows",
    "crawler.ledger.sinks.files.parquet",
    "crawler.ledger.sinks.files.warc",
    "crawler.ledger.sinks.files.sqlite",
)
"""The files of all sinks; each says in its `KIND` which endings it has, and the rest (`kind.SinkKind`)."""

STDOUT = "-"
"""The output that stands for standard output."""

_ENDINGS_OF_PARTS = (
    *(".jsonl", ".jsonl.gz", ".jsonl.zst"),
    *(".csv", ".csv.gz"),
    ".parquet",
    ".warc.gz",
)
_IN_THE_JOB = "in the job"
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


def sinks_for(config: CrawlConfig) -> tuple[Sink, ...]:
    """Return a new sink, not open yet, for each of `config.outputs`; standard output comes last.

    Raises `ConfigError` for an ending that is not known, an output named twice, a `rotate` that cannot be done, and a
    format whose packages are not installed.
    """
    names = output_names(config)
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ConfigError(f"output {printable(twice)} is named twice: each needs a place of its own")
    sinks = [_sink(output, config, name) for output, name in zip(config.outputs, names, strict=True)]
    # What was printed cannot be taken back: only when all other sinks have taken a batch.
    return tuple(sorted(sinks, key=lambda sink: sink.name == STDOUT))


def part_sinks(config: CrawlConfig, folder: Path) -> tuple[Sink, ...]:
    """Return the sinks of one shard of many, whose parts lie in its `folder` until they are public.

    They have the names that `sinks_for` gives them. Raises `ConfigError` as that and `part_endings`.
    """
    full = msgspec.structs.replace(config, rotate=config.rotate or FULL)
    pairs = zip(output_names(config), part_endings(config), strict=True)
    return tuple(_part_sink(full, name, folder, output, ending) for output, (name, ending) in enumerate(pairs))


def part_endings(config: CrawlConfig) -> list[str]:
    """Return the ending of the parts of each output of a job of many shards: `.jsonl.gz`.

    Raises `ConfigError` for an output that is not made of files of which each is whole: SQLite, standard output.
    """
    found: list[str] = []
    for output in config.outputs:
        kind = None if output == STDOUT else _kind_of(PurePath(output))
        ending = "" if kind is None else next(one for one in kind.endings if output.lower().endswith(one))
        if ending not in _ENDINGS_OF_PARTS:
            raise ConfigError(
                f"output {printable(output)}: a job of many shards writes a folder of parts: name it so that it ends "
                f"{', '.join(_ENDINGS_OF_PARTS)}"
            )
        found.append(ending)
    return found


def _part_sink(config: CrawlConfig, name: str, folder: Path, output: int, ending: str) -> PartsSink:
    own = parts_folder(folder, output)
    row = sink_at(own / f"part{ending}", config, name)
    if not isinstance(row, RowOfParts):
        raise TypeError(f"{ending} has no parts")
    return PartsSink(row, own, name=name, output=output, ending=ending)


def sink_at(path: Path, config: CrawlConfig, name: str) -> Sink:
    """Return the sink that writes the format of `path`'s ending there; its position is kept under `name`.

    Raises `ConfigError` as `sinks_for` does.
    """
    if config.rotate is not None and _is_special(path):
        raise ConfigError(f"output {printable(str(path))} is not a file: rotate needs one that others can stand beside")
    kind = _kind_at(path)
    if kind is None:
        known = ", ".join(endings())
        raise ConfigError(
            f"output {printable(str(path))} has no known ending: name it {known}, or - for standard output"
        )
    return kind.make(path, config, name)


def output_names(config: CrawlConfig) -> list[str]:
    """Return what tells the outputs of a job apart, wherever its folder is moved. None holds a secret of a URL."""
    if config.output is None:
        return [_IN_THE_JOB]
    return [
        output if output == STDOUT else printable(output) if is_remote(output) else as_utf8(str(Path(output).resolve()))
        for output in config.outputs
    ]


def is_remote(output: str) -> bool:
    """Whether an output is a URL of object storage (`s3://bucket/pages.jsonl`), not a path."""
    return _SCHEME.match(output) is not None


def row_pattern(output: str) -> str:
    """Return the pattern of the names of a row of files: `a-*.jsonl.gz`. A folder of Parquet files is named itself."""
    return (_kind_of(PurePath(output)) or JSON_LINES).row(output)


def endings() -> tuple[str, ...]:
    """Return the endings of all sinks."""
    return tuple(ending for kind in _kinds() for ending in kind.endings)


def wants_exchange(outputs: Sequence[str]) -> bool:
    """Whether an output keeps whole exchanges with servers: an archive (`.warc.gz`)."""
    kinds = [
        _kind_of(PurePath(output)) if is_remote(output) else _kind_at(Path(output))
        for output in outputs
        if output != STDOUT
    ]
    return any(kind.wants_exchange for kind in kinds if kind is not None)


def files_of(config: CrawlConfig) -> list[Path]:
    """Return the regular files that are there and that the local outputs would overwrite.

    Raises `StorageError` if a folder cannot be read, and OSError for a path that cannot be looked at.
    """
    paths = [Path(output) for output in config.outputs if output != STDOUT and not is_remote(output)]
    rotated = config.rotate is not None
    files = (file for path in paths for file in (_kind_at(path) or JSON_LINES).files(path, rotated))
    return [file for file in files if file.is_file()]


def places_of(config: CrawlConfig) -> list[Place]:
    """Return where the local outputs lie that are files; pipes and devices have no place."""
    paths = [Path(output) for output in config.outputs if output != STDOUT and not is_remote(output)]
    return [
        Place(path, is_folder=kind.is_folder, is_row=config.rotate is not None and not kind.is_folder)
        for path in paths
        if not _is_special(path) and (kind := _kind_of(path)) is not None
    ]


def records_of(
    output: str, config: CrawlConfig, names: Sequence[str] | None
) -> Iterator[bytes | Mapping[str, Any]] | None:
    """Return the records of an output, read back: each its JSON line, or a row of a table with the columns `names`.
    None stands for all columns.

    None for an output that cannot be read again: standard output, object storage, an archive, a pipe. What is read
    may raise what the readers of files raise.
    """
    if output == STDOUT or is_remote(output) or _is_special(Path(output)):
        return None
    kind = _kind_of(PurePath(output))
    if kind is None or kind.records is None:
        return None
    return kind.records(Path(output), config.rotate is not None, names)


def _sink(output: str, config: CrawlConfig, name: str) -> Sink:
    if output == STDOUT:
        if config.rotate is not None:
            raise ConfigError("output - cannot be rotated: standard output is one stream")
        return StdoutSink()
    if is_remote(output):
        from crawler.ledger.sinks.remote.remote import RemoteSink  # noqa: PLC0415 - an extra

        return RemoteSink(output, config, sink_at)
    path = Path(output)
    kind = _kind_of(path)
    if _is_special(path) or kind is None:
        return sink_at(path, config, name)
    rotated = config.rotate is not None
    return Successor(path, lambda at: sink_at(at, config, name), lambda at: kind.files(at, rotated), name)


def _is_special(path: Path) -> bool:
    """Whether something is there that is neither a file nor a folder: a device, a named pipe."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def _kind_at(path: Path) -> SinkKind | None:
    """Return the kind of a local output. What is not a file takes JSON lines, whatever its name."""
    return JSON_LINES if _is_special(path) else _kind_of(path)


def _kind_of(path: PurePath) -> SinkKind | None:
    """Return the kind of an output by its ending, None if it is none's."""
    name = path.name.lower()
    for kind in _kinds():
        if any(name.endswith(ending) and name != ending for ending in kind.endings):
            return kind
    return None


def _kinds() -> Iterator[SinkKind]:
    """Give the kinds of sinks, each loaded when it is reached: most crawls write JSON lines and load no other."""
    for module in _SINKS:
        kind: SinkKind = import_module(module).KIND
        yield kind
