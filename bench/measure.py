"""What a command costs with all processes that it starts: time, CPU and memory.

    python -m bench.measure COMMAND …              # runs it, then prints one line of JSON (`Cost`) on standard error

The command runs under a process of its own (this module), which is their "child subreaper": a process that has lost its
parent, a daemon for example, becomes a child of it instead of a child of init. `wait4` tells the CPU time of a process
and of all that it waited for itself. So once there is no child left, the times add up to those of every process that
ran, however it was started and however short it lived. Nothing is estimated; only what a parent that ignores SIGCHLD
lets vanish is not counted.

Memory is sampled five times a second: the proportional set sizes of all processes that live at that time, where pages
that several of them share count once. Watching takes CPU too, which is that of this process and is not counted.
Linux only.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

import msgspec
import psutil

SAMPLE_S = 0.2
LEFT_BEHIND_S = 10.0
"""Most that other processes may go on for when the command's own has ended; then they are killed."""
_PR_SET_CHILD_SUBREAPER = 36
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Cost(msgspec.Struct, frozen=True):
    """What a command cost."""

    exit_code: int
    """Negative: the signal that ended it."""
    wall_s: float
    """From the start to the end of its first process."""
    cpu_s: float
    """User and system time of all processes."""
    main_cpu_s: float
    """That of the first process alone."""
    peak_bytes: int
    """The most memory that all took together at one time."""
    processes: int
    """The most that lived at one time."""
    killed: int = 0
    """Those that had to be killed after it."""


def measure(command: Sequence[str], folder: Path, env: Mapping[str, str] | None = None, timeout_s: float = 600) -> Cost:
    """Run a command in a folder, its output in the folder's file `log`. Raises `SystemExit` if it takes too long.

    A Python command finds this checkout, but behind what a PYTHONPATH in `env` names: the code of another one.
    """
    watcher = [sys.executable, "-P", __file__, *command]
    here = {**os.environ, **(env or {})}
    path = [here.get("PYTHONPATH"), str(Path(__file__).parent.parent)]
    here["PYTHONPATH"] = os.pathsep.join(filter(None, path))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(watcher, cwd=folder, env=here, stdout=log, stderr=subprocess.PIPE)
        try:
            _, said = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            process.terminate()
            process.communicate()
            raise SystemExit(f"took longer than {timeout_s:.0f} s: {' '.join(command)}") from None
    return msgspec.json.decode(said.splitlines()[-1], type=Cost)


class _Memory(threading.Thread):
    """Samples what the descendants of this process take."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak_bytes = self.processes = 0
        self._ended = threading.Event()

    def run(self) -> None:
        while True:
            sizes = [size for child in children() if (size := set_size(child.pid))]
            self.peak_bytes = max(self.peak_bytes, sum(sizes))
            self.processes = max(self.processes, len(sizes))
            if self._ended.wait(SAMPLE_S):
                return

    def stop(self) -> None:
        self._ended.set()
        self.join()


def children() -> list[psutil.Process]:
    """All descendants of this process."""
    with contextlib.suppress(psutil.Error):
        return psutil.Process().children(recursive=True)
    return []


def set_size(pid: int) -> int:
    """Bytes that a process takes, with its share of what it has in common with others; 0 if it has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:"))


def own_cpu_s(pid: int) -> float:
    """User and system time of one process, which may be a zombie, without its children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def watch(command: Sequence[str], errors: IO[bytes] | int) -> Cost:
    """Run a command and wait for it and all that came of it. Must be called in a process that has no other children."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    memory = _Memory()
    started = time.monotonic()
    first = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=errors)
    signal.signal(signal.SIGTERM, lambda *_: first.kill())
    memory.start()
    os.waitid(os.P_PID, first.pid, os.WEXITED | os.WNOWAIT)  # it stays a zombie, whose own times can be read
    wall_s = time.monotonic() - started
    main_cpu_s = own_cpu_s(first.pid)
    late = threading.Timer(LEFT_BEHIND_S, _kill_all)
    late.start()
    exit_code, cpu_s, killed = 0, 0.0, 0
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status, used = os.wait4(-1, 0)
            cpu_s += used.ru_utime + used.ru_stime
            if pid == first.pid:
                exit_code = os.waitstatus_to_exitcode(status)
            elif os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL and not late.is_alive():
                killed += 1
    late.cancel()
    memory.stop()
    return Cost(exit_code, wall_s, cpu_s, main_cpu_s, memory.peak_bytes, memory.processes, killed)


def _kill_all() -> None:
    for child in children():
        with contextlib.suppress(psutil.Error):
            child.kill()


if __name__ == "__main__":
    sys.stderr.buffer.write(msgspec.json.encode(watch(sys.argv[1:], subprocess.STDOUT)) + b"\n")
