"""Standard output for lines of which there may be many, and that whoever reads them may have enough of."""

import os
from collections.abc import Iterable
from typing import BinaryIO

from crawler.cli.exit_code import ExitCode

__all__ = ["written"]

_AT_ONCE_BYTES = 1 << 16


def written(lines: Iterable[bytes], stream: BinaryIO, *, each: bool = False) -> ExitCode:
    """Write lines, many at once or `each` as it comes; return the exit code: done, also if a reader has enough."""
    held: list[bytes] = []
    size = 0
    try:
        for line in lines:
            held.append(line)
            size += len(line)
            if each or size >= _AT_ONCE_BYTES:
                stream.write(b"".join(held))
                stream.flush()
                held, size = [], 0
        stream.write(b"".join(held))
        stream.flush()
    except BrokenPipeError:
        # Nothing may be flushed there at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return ExitCode.DONE
