"""How much memory a process has, as the system tells."""

import os
from pathlib import Path

__all__ = ["resident_bytes"]

_PROCESSES = Path("/proc")


def resident_bytes(process: int | None = None) -> int:
    """Return the size in memory of a process, this one by default; 0 where nobody tells, since the peak is no use."""
    statm = _PROCESSES / ("self" if process is None else str(process)) / "statm"
    try:
        return int(statm.read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return 0
