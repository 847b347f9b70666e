"""What a scrape of `--metrics` costs a crawl: milliseconds of processor time, of its main process.

    python -m bench.metrics

A crawl of a site of which the last page never comes is asked again and again, then left alone for as long; the
difference is the scrapes'. Three rounds, the median.
"""

import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

import psutil

from tests.support.servers import HANG, Answer, LocalServer, html

SCRAPES = 300
ROUNDS = 3


def site(_host: str, path: str) -> object:
    if path == "/9":
        return HANG
    return Answer(html(*(f"/{number}" for number in range(10))), status=404 if path == "/robots.txt" else 200)


def processor_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def main() -> None:
    with LocalServer(site) as server, tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "crawler", "crawl", server.url("/0"), "--allow-private", "--delay", "0"]
        running = subprocess.Popen(
            [*command, "--timeout", "600", "--job", f"{folder}/job", "--metrics", "0"],
            stderr=subprocess.PIPE,
            text=True,
        )
        found = next(m for line in running.stderr if (m := re.search(r"metrics are at (\S+)", line)))
        time.sleep(3)
        process = psutil.Process(running.pid)
        costs = []
        for _ in range(ROUNDS):
            before, started = processor_s(process), time.monotonic()
            for _ in range(SCRAPES):
                with urllib.request.urlopen(found[1]) as answer:
                    answer.read()
            asked, took = processor_s(process) - before, time.monotonic() - started
            before = processor_s(process)
            time.sleep(took)
            costs.append(1000 * (asked - (processor_s(process) - before)) / SCRAPES)
        running.kill()
        running.wait()
    cost = statistics.median(costs)
    all_costs = ", ".join(f"{one:.2f}" for one in costs)
    print(f"{cost:.2f} ms a scrape ({all_costs}); one each 5 s: {cost / 50:.3f} % of a core")


if __name__ == "__main__":
    main()
