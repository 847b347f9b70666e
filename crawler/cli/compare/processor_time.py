"""Processor time of single threads and of other processes, as the kernel counts it (Linux); elsewhere none is told."""

import os
from contextlib import suppress

import psutil

__all__ = ["ProcessorTime", "is_parser", "parser_pids"]


class ProcessorTime:
    """The seconds that a thread of this process, or the main thread of another process, has had a core.

    Reading them takes a few microseconds. State: an open file, until `close`.
    """

    def __init__(self, *, thread: int | None = None, pid: int | None = None) -> None:
        self._file = _opened(f"/proc/{pid}/schedstat" if thread is None else f"/proc/self/task/{thread}/schedstat")
        self._last_s = 0.0

    def seconds(self) -> float:
        """Seconds so far; those of the last look when the thread or process has ended, or the system does not tell."""
        with suppress(OSError, IndexError, ValueError):
            self._last_s = int(os.pread(self._file, 64, 0).split()[0]) / 1e9
        return self._last_s

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def parser_pids() -> list[int]:
    """Return the process ids of this process's parsers, in the order in which they were started."""
    try:
        children = psutil.Process().children()
        return [child.pid for child in sorted(children, key=lambda one: one.create_time()) if is_parser(child)]
    except psutil.Error:
        return []


def is_parser(process: psutil.Process) -> bool:
    """Whether a child of a crawl is a parser, and not what else multiprocessing starts."""
    return any("spawn_main" in word for word in process.cmdline())


def _opened(path: str) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return -1
