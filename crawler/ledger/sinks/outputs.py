"""Which sink writes an output: the ending of its name decides."""

import re
import stat
from collections.abc import Callable
from pathlib import Path, PurePath

from crawler.core.config import CrawlConfig
from crawler.core.errors import ConfigError
from crawler.core.printable import printable
from crawler.ledger.sinks.base import Sink
from crawler.ledger.sinks.files.compressed import gzip_member, needs_zstd, zstd_frame
from crawler.ledger.sinks.files.file import Compressor, Encoder, FileSink, parts_there, split_name
from crawler.ledger.sinks.files.jsonl import JsonLines
from crawler.ledger.sinks.stdout import StdoutSink

__all__ = ["ENDINGS", "STDOUT", "files_of", "is_remote", "output_names", "row_pattern", "sink_at", "sinks_for"]

STDOUT = "-"
"""The output that stands for standard output."""

_IN_THE_JOB = "in the job"
Make = Callable[[Path, CrawlConfig, str], Sink]
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


def sink_at(path: Path, config: CrawlConfig, name: str) -> Sink:
    """Return the sink that writes the format of `path`'s ending there; its position is kept under `name`.

    Raises `ConfigError` as `sinks_for` does.
    """
    if config.rotate is not None and _is_special(path):
        raise ConfigError(f"output {printable(str(path))} is no file: rotate needs one that others can stand beside")
    make = JSON_LINES if _is_special(path) else ENDINGS.get(_ending(path))
    if make is None:
        raise ConfigError(
            f"output {printable(str(path))} has no known ending: name it {', '.join(ENDINGS)}, or - for standard output"
        )
    return make(path, config, name)


def output_names(config: CrawlConfig) -> list[str]:
    """Return what tells the outputs of a job apart, wherever its folder is moved. None holds a secret of a URL."""
    if config.output is None:
        return [_IN_THE_JOB]
    return [
        output if output == STDOUT else printable(output) if is_remote(output) else str(Path(output).resolve())
        for output in config.outputs
    ]


def is_remote(output: str) -> bool:
    """Whether an output is a URL of object storage (`s3://bucket/pages.jsonl`), not a path."""
    return _SCHEME.match(output) is not None


def row_pattern(output: str) -> str:
    """Return the pattern of the names of a row of files: `a-*.jsonl.gz`. A folder of Parquet files is named itself."""
    path = PurePath(output)
    stem, ending = split_name(path.name)
    return output if ending == ".parquet" else output.removesuffix(path.name) + f"{stem}-*{ending}"


def files_of(config: CrawlConfig) -> list[Path]:
    """Return the regular files that are there and that the local outputs would overwrite.

    Raises `StorageError` if a folder cannot be read, and OSError for a path that cannot be looked at.
    """
    paths = [Path(output) for output in config.outputs if output != STDOUT and not is_remote(output)]
    return [file for path in paths for file in _files_at(path, rotated=config.rotate is not None) if file.is_file()]


def _files_at(path: Path, *, rotated: bool) -> list[Path]:
    ending = _ending(path)
    if ending == ".parquet":
        return sorted(file for name in ("part-*.parquet", "_part-*.tmp", "_spool-*.jsonl") for file in path.glob(name))
    if ending in (".db", ".sqlite"):
        return [path, *(path.with_name(path.name + more) for more in ("-wal", "-shm", "-journal"))]
    return [*parts_there(path), *parts_there(path, early=True)] if rotated else [path]


def _sink(output: str, config: CrawlConfig, name: str) -> Sink:
    if output == STDOUT:
        if config.rotate is not None:
            raise ConfigError("output - cannot be rotated: standard output is one stream")
        return StdoutSink()
    if is_remote(output):
        from crawler.ledger.sinks.remote.remote import RemoteSink  # noqa: PLC0415 - an extra

        return RemoteSink(output, config, sink_at)
    return sink_at(Path(output), config, name)


def _is_special(path: Path) -> bool:
    """Whether something is there that is neither a file nor a folder: a device, a named pipe."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def _ending(path: Path) -> str:
    name = path.name.lower()
    return next((ending for ending in ENDINGS if name.endswith(ending) and name != ending), "")


def _appended(encoder: Callable[[CrawlConfig, str], Encoder], compressor: Callable[[], Compressor] | None) -> Make:
    """What makes the sink of a file that is appended to."""

    def make(path: Path, config: CrawlConfig, name: str) -> Sink:
        return FileSink(path, encoder(config, name), name=name, rotation=config.rotate, compressor=compressor)

    return make


def _json_lines(_config: CrawlConfig, _name: str) -> Encoder:
    return JsonLines()


def _csv(config: CrawlConfig, name: str) -> Encoder:
    from crawler.ledger.sinks.files.csv_rows import CsvRows  # noqa: PLC0415 - most crawls write JSON lines

    return CsvRows(config, name)


def _zstd(path: Path, config: CrawlConfig, name: str) -> Sink:
    needs_zstd()
    return _appended(_json_lines, zstd_frame)(path, config, name)


def _parquet(path: Path, config: CrawlConfig, name: str) -> Sink:
    from crawler.ledger.sinks.files.parquet import ParquetSink  # noqa: PLC0415 - an extra

    return ParquetSink(path, config, name=name)


def _warc(path: Path, config: CrawlConfig, name: str) -> Sink:
    from crawler.ledger.sinks.files.warc import WarcSink  # noqa: PLC0415 - an extra

    return WarcSink(path, config, name=name)


def _sqlite(path: Path, config: CrawlConfig, name: str) -> Sink:
    from crawler.ledger.sinks.files.sqlite import SqliteSink  # noqa: PLC0415 - most crawls write JSON lines

    return SqliteSink(path, config, name=name)


JSON_LINES = _appended(_json_lines, None)
ENDINGS: dict[str, Make] = {
    ".jsonl": JSON_LINES,
    ".jsonl.gz": _appended(_json_lines, gzip_member),
    ".jsonl.zst": _zstd,
    ".csv": _appended(_csv, None),
    ".csv.gz": _appended(_csv, gzip_member),
    ".parquet": _parquet,
    ".warc.gz": _warc,
    ".db": _sqlite,
    ".sqlite": _sqlite,
}
"""What makes the sink of each ending; none is the end of another."""
