"""Notes where the time of a Python process goes. Python imports this file at its start if its folder is in PYTHONPATH.

`bench.inside_times` puts it there, and reads what it writes: twice a second a file PID.json into the folder that
CRAWLER_BENCH_INSIDE names, with the CPU seconds of each thread that was there, by name, and, of processes that
`multiprocessing` has started, in which functions of the crawler the process was, asked each 5 ms of CPU time. The first
takes 0.1 % of a core, the second 3 µs a sample. Threads that are not Python's have the name that the system knows.
"""

import atexit
import contextlib
import json
import os
import signal
import sys
import threading
from collections import Counter
from pathlib import Path
from types import FrameType

EVERY_S, SAMPLE_S = 0.5, 0.005
INNERMOST = 8
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PACKAGE = f"{os.sep}crawler{os.sep}"

threads: dict[str, tuple[str, float]] = {}
"""By number and start: name and CPU seconds. Those that have ended stay, as they were seen last."""
functions: Counter[str] = Counter()


def look(folder: Path) -> None:
    """Write down what each thread has used until now."""
    names = {str(one.native_id): one.name for one in threading.enumerate()}
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):  # it has ended meanwhile
            comm, _, rest = (task / "stat").read_text().partition("(")[2].rpartition(")")
            fields = rest.split()
            used_s = (int(fields[11]) + int(fields[12])) / TICKS_PER_S
            key = f"{task.name} {fields[19]}"
            known = threads.get(key, ("", 0.0))[0]
            threads[key] = (names.get(task.name) or known or comm, used_s)
    by_name: Counter[str] = Counter()
    for name, used_s in threads.values():
        by_name[name] += used_s
    told = {"threads": dict(by_name), "functions": dict(functions), "sample_s": SAMPLE_S}
    with contextlib.suppress(OSError):  # the folder goes with the bench
        aside = folder / f"{os.getpid()}.part"
        aside.write_text(json.dumps(told))
        aside.replace(folder / f"{os.getpid()}.json")


def sample(_signal: int, frame: FrameType | None) -> None:
    """Count the functions of the crawler that the process is in, the innermost first."""
    found: list[str] = []
    while frame is not None and len(found) < INNERMOST:
        code = frame.f_code
        _, package, path = code.co_filename.rpartition(PACKAGE)
        if package or code.co_filename.startswith("<frozen importlib"):
            found.append(f"{path or 'import'}:{code.co_name}")
        frame = frame.f_back
    functions[" ".join(found)] += 1


def watch(folder: Path) -> None:
    """Begin to note."""
    if any("multiprocessing.spawn" in one for one in sys.orig_argv):
        signal.signal(signal.SIGPROF, sample)
        signal.siginterrupt(signal.SIGPROF, False)
        signal.setitimer(signal.ITIMER_PROF, SAMPLE_S, SAMPLE_S)
    ended = threading.Event()

    def work() -> None:
        while not ended.wait(EVERY_S):
            look(folder)

    def end() -> None:
        ended.set()
        look(folder)

    threading.Thread(target=work, name="bench", daemon=True).start()
    atexit.register(end)


if named := os.environ.get("CRAWLER_BENCH_INSIDE"):
    watch(Path(named))
