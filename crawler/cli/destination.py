"""Where a command writes a table: standard output, or a file of the format that its ending names."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from crawler.core.errors import UsageError
from crawler.core.printable import printable
from crawler.core.refusal import refusal

__all__ = ["destination", "form_of"]

_ENDINGS = {".jsonl": "json", ".json": "json", ".csv": "csv", ".parquet": "parquet"}


def form_of(output: str) -> str:
    """Return `json`, `csv` or `parquet`, as the name says. Raises `UsageError` for any other name."""
    form = _ENDINGS.get(Path(output).suffix.lower())
    if form is None:
        raise UsageError(f"-o {printable(output)}: name it .jsonl, .csv or .parquet, or say --json, --csv or --parquet")
    return form


@contextmanager
def destination(output: str | None, *, fresh: bool) -> Iterator[BinaryIO]:
    """Give what is written to: standard output, or a file that has its name only when it is whole."""
    if output is None:
        if sys.stdout is None:
            raise UsageError("standard output is closed: name a file with -o")
        yield sys.stdout.buffer
        return
    path = Path(output)
    if path.exists() and not fresh:
        raise UsageError(f"{printable(output)} is there already: name another file, or --fresh to overwrite it")
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with beside.open("xb") as stream:
            yield stream
        beside.replace(path)
    except OSError as error:
        another = "name another file with -o"
        raise refusal(f"write {printable(output)}", error, another, room=f"make room, or {another}") from error
    finally:
        with suppress(OSError):  # on a disk that cannot be written it is not there
            beside.unlink(missing_ok=True)
