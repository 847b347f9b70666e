"""Processes that tests start, each the head of a group of its own."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterable

__all__ = ["end_groups"]


def end_groups(processes: "Iterable[subprocess.Popen]") -> None:
    """Kill what is left of the groups, and close the pipes."""
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
