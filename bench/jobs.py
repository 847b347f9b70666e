"""How quickly a job answers, whatever its size: `explain`, lists of URLs, hosts; and how much memory that takes.

    python -m bench.jobs                         (make bench-jobs: a job of a million URLs, under a minute)
    python -m bench.jobs --urls 10000000         (about 10 minutes, 1 GB of disk)

The job is made (`bench.made_job`): of 20 URLs 1 has failed and 3 are due. Each question is asked by a process of its
own; seconds are those of its answer, opening included, without the start of Python. Rates count all URLs of the job
that are looked through. Memory is the largest that the process had. Ends with exit code 1 if a target is missed.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

from bench.made_job import made_job, url_of
from bench.target import AtLeast, AtMost, print_targets
from crawler.jobs.job import Job

MOST_EXPLAIN_S = 0.2
LEAST_RATE = 200_000
MOST_GROWTH_MB = 40.0
"""Of memory, from the first 100,000 URLs that are looked through to all of them."""
HOSTS = 1_000


def asked(job: Job, name: str, urls: int) -> int:
    """Answer a question; return how many URLs came out."""
    questions: dict[str, Callable[[], int]] = {
        "a known URL": lambda: job.explain(url_of(urls // 2 + 7, HOSTS)).is_known,
        "a due URL": lambda: job.explain(url_of(urls - HOSTS + 7, HOSTS)).is_known,
        "an unknown URL": lambda: job.explain(f"{url_of(7, HOSTS)}?unknown").is_known,
        "an unknown host": lambda: job.explain("https://nowhere.example/").is_known,
        "the first failed ones": lambda: sum(1 for _ in islice(job.urls(outcome="failed"), 1_000)),
        "failed": lambda: sum(1 for _ in job.urls(outcome="failed")),
        "failed, without parents": lambda: sum(1 for _ in job.urls(outcome="failed", parents=False)),
        "of one host": lambda: sum(1 for _ in job.urls(host="host-7.example")),
        "status 404": lambda: sum(1 for _ in job.urls(status=404)),
        "due": lambda: sum(1 for _ in job.urls(due=True)),
        "all, without parents": lambda: sum(1 for _ in job.urls(parents=False)),
        "hosts": lambda: sum(1 for _ in job.hosts()),
    }
    return int(questions[name]())


def answer(folder: Path, name: str, urls: int) -> None:
    """Ask one question in this process, and print what it took."""
    began, cpu = time.perf_counter(), time.process_time()
    with Job(folder) as job:
        found = asked(job, name, urls)
    took = {"s": time.perf_counter() - began, "cpu_s": time.process_time() - cpu, "found": found}
    print(json.dumps({**took, "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


def measured(folder: Path, name: str, urls: int) -> dict[str, float]:
    """Ask one question in a process of its own."""
    command = [sys.executable, "-m", "bench.jobs", "--job", str(folder), "--urls", str(urls), "--ask", name]
    told: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    print(f"{name}: {told}", file=sys.stderr, flush=True)
    return told


def main() -> int:
    """Make a job, ask it, and print what that took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--urls", type=int, default=1_000_000)
    parser.add_argument("--job", type=Path, help="ask this one, made before, instead of making one")
    parser.add_argument("--ask", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.ask:
        answer(options.job, options.ask, options.urls)
        return 0
    with tempfile.TemporaryDirectory(prefix="bench-jobs-") as folder:
        job = options.job or Path(folder, "job")
        if options.job is None:
            made_job(job, options.urls, HOSTS)
        rows: list[AtLeast | AtMost] = []
        for name in ("a known URL", "a due URL", "an unknown URL", "an unknown host"):
            took = min((measured(job, name, options.urls) for _ in range(3)), key=lambda one: one["s"])
            rows.append(AtMost(f"explain {name}, s", took["s"], MOST_EXPLAIN_S))
        first = measured(job, "the first failed ones", options.urls)
        for name in ("failed", "failed, without parents", "of one host", "status 404", "due"):
            took = measured(job, name, options.urls)
            rows.append(AtLeast(f"urls {name}: thousand URLs/s", options.urls / took["s"] / 1e3, LEAST_RATE / 1e3))
            rows.append(AtMost("  the same by processor time", options.urls / took["cpu_s"] / 1e3))
            rows.append(AtMost("  memory more than of the first 1,000, MB", took["mb"] - first["mb"], MOST_GROWTH_MB))
        for name in ("all, without parents", "hosts"):
            took = measured(job, name, options.urls)
            rows.append(AtLeast(f"{name}: thousand URLs/s", options.urls / took["s"] / 1e3))
            rows.append(AtMost("  memory, MB", took["mb"]))
        return print_targets(f"a job of {options.urls:,} URLs", rows)


if __name__ == "__main__":
    sys.exit(main())
