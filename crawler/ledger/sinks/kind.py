"""What a sink says of itself, in its own file, so that the table of sinks needs no more than its name."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from crawler.core.config import CrawlConfig
from crawler.ledger.sinks.base import Sink

__all__ = ["SinkKind"]


class SinkKind(Struct, frozen=True):
    """A kind of local output. `KIND` of a sink's file is one, and `outputs` has a row that names the file.

    `endings`: of the names of outputs that are of this kind, in small letters; none is the end of another kind's.
    `make(path, config, name)` gives the sink, not open yet; its position is kept under `name`. It raises `ConfigError`
    for settings that it cannot do, and if an extra is not installed: nothing of an extra is imported before.
    `files(path, rotated)` gives the files that are there and that belong to an output at `path`, whoever wrote them.
    `row(output)` gives the pattern of the names of a row of files, as a summary shows it.
    `is_folder`: whether an output is the folder in which its files lie.
    `records(path, rotated, names)` reads the output back: it gives each record as its JSON line, or as a row of a table
    with the columns `names` (None: all), and may raise what the readers of files raise. None for what holds no records.
    `wants_exchange`: whether it writes down whole exchanges with servers, which parsers pack for it.
    """

    endings: tuple[str, ...]
    make: Callable[[Path, CrawlConfig, str], Sink]
    files: Callable[[Path, bool], list[Path]]
    row: Callable[[str], str]
    records: Callable[[Path, bool, Sequence[str] | None], Iterator[bytes | Mapping[str, Any]]] | None = None
    is_folder: bool = False
    wants_exchange: bool = False
