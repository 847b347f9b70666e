"""What a page costs with everything on: robots.txt, store, commits, guards, progress. Plain, over TLS, with all fields.

    python -m bench.ring --pages 5000 --rounds 5        (make bench-ring)

Crawls the generated documentation with the server on the same cores, the kinds in turns, and prints the medians:
pages/s from the start of the command to its end, CPU time a page of all processes and of the main one, and the event
loop's p99 lateness, as the program measures it, with all cores busy. Then how long `import crawler` and
`crawler --help` take, and a crawl until its first request. Ends with exit code 1 if a target is missed.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from bench.docs_site import docs_site
from bench.first_request import FirstRequest, first_request
from bench.measure import Cost, measure
from bench.target import AtLeast, AtMost, print_targets

LEAN = ("--fields", "url,status,title,links")
CERTIFICATES = Path(__file__).parent.parent / "tests" / "fetcher" / "transport" / "data"
START_ROUNDS = 9


class Run(msgspec.Struct, frozen=True):
    """One crawl: how many pages, and what they cost."""

    pages: int
    cost: Cost
    lag_s: float

    @property
    def rate(self) -> float:
        """Pages a second, the start of the program included."""
        return self.pages / self.cost.wall_s

    @property
    def cpu_ms(self) -> float:
        """CPU time a page of all processes."""
        return 1000 * self.cost.cpu_s / self.pages

    @property
    def main_ms(self) -> float:
        """CPU time a page of the main process."""
        return 1000 * self.cost.main_cpu_s / self.pages


def crawl(url: str, *options: str) -> Run:
    """Crawl a site as the command line does, everything on; delays off, since the host is this one."""
    with tempfile.TemporaryDirectory(prefix="crawler-bench-") as folder:
        command = [
            sys.executable,
            "-m",
            "crawler",
            "crawl",
            url,
            "--scope",
            "prefix",
            "--job",
            "job",
            "--allow-private",
        ]
        command += ["--delay", "0", "--per-host", "32", *options]
        cost = measure(command, Path(folder))
        if cost.exit_code:
            raise SystemExit(f"exit code {cost.exit_code}: {(Path(folder) / 'log').read_text()}")
        summary = json.loads((Path(folder) / "job" / "summary.json").read_text())
    return Run(summary["run_pages"], cost, summary["loop_lag_p99_s"])


def median(runs: Sequence[Run], name: str) -> float:
    """The median of one of the figures of several runs."""
    return statistics.median(getattr(run, name) for run in runs)


def _median_of(starts: Sequence[FirstRequest], name: str) -> float:
    return statistics.median(getattr(start, name) for start in starts)


def seconds(command: list[str]) -> float:
    """The median time that a command takes, without the first, which reads its files from the disk."""
    took = []
    for _ in range(1 + START_ROUNDS):
        started_at = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        took.append(time.perf_counter() - started_at)
    return statistics.median(took[1:])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    trust = ("--ca-bundle", str(CERTIFICATES / "ca.pem"))
    with docs_site(arguments.pages) as plain, docs_site(arguments.pages, tls=CERTIFICATES / "good.pem") as secret:
        kinds = {
            "the job of `make bench`": (plain, LEAN),
            "the same over TLS": (secret, (*LEAN, *trust)),
            "all fields, text among them": (plain, ()),
        }
        runs: dict[str, list[Run]] = {name: [] for name in kinds}
        for number in range(1, arguments.rounds + 1):
            for name, (url, options) in kinds.items():
                run = crawl(url, *options)
                runs[name].append(run)
                print(
                    f"round {number}: {name:28} {run.pages:,} pages, {run.rate:5.0f} pages/s, {run.cpu_ms:.2f} ms CPU"
                    f" a page, {run.main_ms:.2f} of it in the main process, p99 lag {1000 * run.lag_s:.0f} ms",
                    flush=True,
                )
    first, tls, _ = runs.values()
    python = [sys.executable, "-c"]
    starts = [first_request() for _ in range(1 + START_ROUNDS)][1:]
    bare = seconds([*python, "pass"])
    return print_targets(
        f"{os.cpu_count()} cores, the server on them too; medians of {arguments.rounds} rounds",
        [
            *(AtLeast(f"{name}: pages/s", median(done, "rate")) for name, done in runs.items()),
            *(AtMost(f"{name}: ms CPU a page", median(done, "cpu_ms")) for name, done in list(runs.items())[1:]),
            AtMost("ms CPU a page, all processes", median(first, "cpu_ms"), 1.1),
            AtMost("ms CPU a page, main process", median(first, "main_ms"), 0.55),
            AtMost("event loop's p99 lag, ms", 1000 * median(first, "lag_s"), 50),
            AtLeast("TLS: part of the plain rate", median(tls, "rate") / median(first, "rate"), 0.70),
            AtMost("import crawler, ms", 1000 * (seconds([*python, "import crawler"]) - bare), 150),
            AtMost("start to first request, ms", 1000 * _median_of(starts, "wall_s"), 250),
            AtMost("start to first request, ms CPU of all processes", 1000 * _median_of(starts, "cpu_s"), 400),
            AtMost("crawler --help, ms", 1000 * seconds([sys.executable, "-m", "crawler", "--help"]), 250),
        ],
    )


if __name__ == "__main__":
    sys.exit(main())
